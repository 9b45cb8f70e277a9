"""Pascal VOC XML, one file an image, as LabelImg and the VOC devkit write it.

    <annotation> <filename>1.jpg</filename> <size> <width>640</width> <height>480</height> </size>
      <object> <name>cat</name> <truncated>0</truncated> <difficult>0</difficult>
        <bndbox> <xmin>12</xmin> <ymin>8.5</ymin> <xmax>40</xmax> <ymax>50</ymax> </bndbox> </object>
        </annotation>

LabelImg writes the corners themselves. The devkit counts pixels from 1 and includes the last one: with
`one_based`, 1 is taken from xmin and ymin, and xmax and ymax stay. Lists of splits lie in `ImageSets/Main`;
without them, folders called `train`, `val` (`valid`) and `test` are the splits.
"""

import posixpath
import re
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from humbleyolo.labels.folder import IMAGE_FORMATS, Source, suffix
from humbleyolo.labels.labelled_image import FLAGS, Corners, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.text import numbered_lines
from humbleyolo.labels.parsing.xml import Element, parse
from humbleyolo.labels.source_reader import TEXT_BYTES, SourceReader, split_of_folder
from humbleyolo.labels.writing import WrittenImage, WrittenSet, exact

_LISTS = {"train": ("train",), "val": ("val",), "test": ("test",), "trainval": ("train", "val")}
IMAGES = "JPEGImages"
_IMAGES = (IMAGES, "images")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ALWAYS = ("truncated", "difficult")
_ROOT = re.compile(rb"<annotation[\s>]")  # LabelImg writes verified="yes" into it
_LOOK_AT = 5  # files that detection opens


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    for name in source.ending(".xml")[:_LOOK_AT]:
        try:
            if _ROOT.search(source.read(name, TEXT_BYTES)[:4096]):
                return f"{name} is XML with <annotation>"
        except BadInput:
            continue
    return ""


def read(context: SourceReader) -> UncheckedSet:
    """Return the images that the XML files describe; see `formats.Format`."""
    records: dict[str, UncheckedImage] = {}
    for name in context.source.ending(".xml"):
        data = context.bytes(name)
        if data is None:
            continue
        try:
            records[name] = _record(name, parse(data), context)
        except BadInput as error:
            context.ledger.problem(name, error, "file dropped")
    _read_lists(context, records)
    return UncheckedSet(list(records.values()), background="an XML file without <object>")


def _record(name: str, root: Element, context: SourceReader) -> UncheckedImage:
    if root.tag != "annotation":
        raise BadInput("xml", f"<{root.tag}>", "a Pascal VOC file holds <annotation>", root.where)
    wanted = root.child("filename")
    folder = posixpath.dirname(name)
    above = posixpath.dirname(folder)
    places = (*(posixpath.join(one, name) for one in (above, folder) for name in _IMAGES), folder, above)
    try:
        image = _find(context, wanted.text, places)
    except BadInput as error:
        raise error.at(wanted.where) from None
    record = UncheckedImage(label_file=name, path=image)
    size = root.find("size")
    if size is not None:
        record.height, record.width = size.child("height").integer(), size.child("width").integer()
    for number, item in enumerate(root.all("object"), 1):
        try:
            record.boxes.append(_box(number, item, one_based=context.options.one_based))
        except BadInput as error:
            context.ledger.problem(name, error, "box dropped")
    return record


def _find(context: SourceReader, wanted: str, places: tuple[str, ...]) -> str:
    """Return the image. Old versions of LabelImg, and Label Studio, write its name without the extension."""
    if "/" in wanted or "\\" in wanted or suffix(wanted) in IMAGE_FORMATS or not wanted:
        return context.finder.find(wanted, *places)
    return context.finder.stem(wanted, *places)


def _box(number: int, item: Element, *, one_based: bool) -> UncheckedBox:
    corners = item.child("bndbox")
    left, top, right, bottom = (corners.child(tag).number() for tag in _CORNERS)
    shift = 1.0 if one_based else 0.0
    flags = {tag for tag in FLAGS if _is_set(item.find(tag))}
    box: Corners = (left - shift, top - shift, right, bottom)
    return UncheckedBox(f"object {number} (line {item.line})", item.child("name").text, box, frozenset(flags))


def _is_set(flag: Element | None) -> bool:
    return flag is not None and bool(flag.text) and flag.flag()


def _read_lists(context: SourceReader, records: dict[str, UncheckedImage]) -> None:
    """Note in each record the lists of `ImageSets/Main` that hold it; `trainval` where `train` is missing.

    Without such lists the folders may say it.
    """
    by_stem = {PurePosixPath(name).stem: record for name, record in records.items()}
    lists = {name: PurePosixPath(name) for name in context.source.ending(".txt")}
    lists = {name: path for name, path in lists.items() if path.parts[-3:-1] == ("ImageSets", "Main")}
    stems = {path.stem for path in lists.values()}
    if not lists:
        for name, record in records.items():
            split = split_of_folder(record.path) or split_of_folder(name)
            record.splits = (split,) if split else ()
    for name, path in lists.items():
        if path.stem not in _LISTS or (path.stem == "trainval" and "train" in stems):
            continue
        text = context.text(name)
        for line, row in numbered_lines(text or ""):
            stem = row if row in by_stem else row.split()[0]  # a class's list says 1 or -1 behind it
            if stem not in by_stem:
                why = "no Annotations file that can be used has that name; correct the list"
                error = BadInput("list-points-nowhere", shorten(stem), why, f"line {line}")
                context.ledger.problem(name, error, "line dropped")
                continue
            record = by_stem[stem]
            split = _LISTS[path.stem][0]
            record.splits = tuple(sorted({*record.splits, split}))


def write(export: WrittenSet) -> None:
    """Write `Annotations` and `ImageSets/Main`. Corners are exact, 0-based.

    Images without a split are in the list `default`, as CVAT has them: it loads none that is in no list.
    """
    for item in export.items:
        export.text(f"Annotations/{item.stem}.xml", _to_xml(item))
    alone = [item for item in export.items if item.split is None]
    for split, items in (export.splits() | ({"default": alone} if alone else {})).items():
        export.text(f"ImageSets/Main/{split}.txt", "".join(f"{item.stem}\n" for item in items))


def _to_xml(item: WrittenImage) -> str:
    record = item.image
    lines = ["<annotation>", f"\t<folder>{IMAGES}</folder>", f"\t<filename>{escape(item.name)}</filename>"]
    lines += [f"\t<size><width>{record.width}</width><height>{record.height}</height><depth>3</depth></size>"]
    lines += ["\t<segmented>0</segmented>"]
    for box, label, flags in zip(record.boxes.tolist(), record.labels, record.flags, strict=True):
        corners = "".join(f"<{tag}>{exact(value)}</{tag}>" for tag, value in zip(_CORNERS, box, strict=True))
        lines += ["\t<object>", f"\t\t<name>{escape(label)}</name>", "\t\t<pose>Unspecified</pose>"]
        lines += [f"\t\t<{flag}>{int(flag in flags)}</{flag}>" for flag in _ALWAYS]
        lines += [f"\t\t<{flag}>1</{flag}>" for flag in sorted(flags - set(_ALWAYS))]
        lines += [f"\t\t<bndbox>{corners}</bndbox>", "\t</object>"]
    return "\n".join([*lines, "</annotation>", ""])
