"""Pascal VOC XML, one file an image, as LabelImg and the VOC devkit write it.

    <annotation> <filename>1.jpg</filename> <size> <width>640</width> <height>480</height> </size>
      <object> <name>cat</name> <truncated>0</truncated> <difficult>0</difficult>
        <bndbox> <xmin>12</xmin> <ymin>8.5</ymin> <xmax>40</xmax> <ymax>50</ymax> </bndbox> </object>
        </annotation>

LabelImg writes the corners themselves. The devkit counts pixels from 1 and includes the last one: with
`one_based`, 1 is taken from xmin and ymin, and xmax and ymax stay. Lists of splits lie in `ImageSets/Main`;
`image_lists` reads others.
Outside the folders that have them, folders called `train`, `val` (`valid`) and `test` are the splits. Old versions of
LabelImg, and Label Studio, write an image's name without the extension. CVAT writes a turned box as it was before the
turn, with an attribute `rotation` in degrees: the box around it is taken, with a note. The MIT's LabelMe has
`polygon` in place of `bndbox`. A size of 0 x 0 was not recorded.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from humbleyolo.inputs.file_names import IMAGE_FORMATS, LISTS, split_of_list, splits_of_folder, stem_of, suffix
from humbleyolo.inputs.folder import LOOKED_AT, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines
from humbleyolo.inputs.parsing.xml import Element, parse
from humbleyolo.labels.formats.label_map import name_numbers
from humbleyolo.labels.formats.masks import points_corners
from humbleyolo.labels.formats.shapes import around_turned
from humbleyolo.labels.image_lists import NO_SPLIT
from humbleyolo.labels.labelled_image import FLAGS, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.misnamed_files import is_of_another_format, settle_misnamed
from humbleyolo.labels.source_reader import TEXT_BYTES, SourceReader
from humbleyolo.labels.writing import WrittenImage, WrittenSet, exact
from humbleyolo.process.terminal import counted

IMAGES = "JPEGImages"
_IMAGES = (IMAGES, "images", "Images")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ALWAYS = ("truncated", "difficult")
_ROOT = re.compile(rb"<annotation[\s>]")  # LabelImg writes verified="yes" into it
_NAMED = (*IMAGE_FORMATS, ".xml")  # endings of names in lists, where stems are usual


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    name = source.first(source.ending(".xml")[:LOOKED_AT], lambda data: bool(_ROOT.search(data[:4096])))
    return f"{name} is XML with <annotation>" if name else ""


def read(reader: SourceReader) -> UncheckedSet:
    """Return the images that the XML files describe; see `registry.Format`."""
    images: dict[str, UncheckedImage] = {}
    for name in reader.source.ending(".xml"):
        with reader.ledger.reporting(name, "file dropped"):
            root = parse(reader.source.read(name, TEXT_BYTES))
            if root.tag != "annotation" and is_of_another_format(reader, name):
                error = BadInput("not-read", f"<{root.tag}>", "a Pascal VOC file holds <annotation>")
                reader.ledger.note(name, error, "not read")
            else:
                images[name] = _image(name, root, reader)
    images = {image.label_file: image for image in settle_misnamed(reader, list(images.values()))}
    _read_lists(reader, images)
    name_numbers(reader, list(images.values()))
    return UncheckedSet(list(images.values()), background="an XML file without <object>")


def _image(name: str, root: Element, reader: SourceReader) -> UncheckedImage:
    if root.tag != "annotation":
        raise BadInput("xml", f"<{root.tag}>", "a Pascal VOC file holds <annotation>", root.where)
    wanted = root.child("filename")
    folder = posixpath.dirname(name)
    above = posixpath.dirname(folder)
    places = (*(posixpath.join(one, name) for one in (above, folder) for name in _IMAGES), folder, above)
    places = (*_mirrored(folder), *places)
    try:
        image = UncheckedImage(name, reader.images.find_own(wanted.text, name, *places))
    except BadInput as error:
        raise error.at(wanted.where) from None
    size = root.find("size")
    if size is not None:
        height, width = size.child("height").size(), size.child("width").size()
        if height or width:  # 0 x 0: not recorded
            image.height, image.width = height, width
    by_supervision = _is_by_supervision(root)
    for item in root.children:
        with reader.ledger.reporting(name, "box dropped"), image.losing():
            _refuse_other_boxes(item)
    for number, item in enumerate(root.all("object"), 1):
        if (deleted := item.find("deleted")) and deleted.text == "1":  # LabelMe of the MIT keeps such objects
            continue
        with reader.ledger.reporting(name, "box dropped"), image.losing():
            image.boxes.append(_box(number, item, name, reader, by_supervision=by_supervision))
    if image.boxes and by_supervision:
        found = f"{counted(len(image.boxes), 'box', 'boxes')} by supervision"
        reader.ledger.note(name, BadInput("one-based", found, "it adds 1 to all corners"), "1 taken off")
    return image


def _refuse_other_boxes(item: Element) -> None:
    """Raise BadInput for a child of the root that is no <object> and holds a box, or is called so in capitals."""
    if item.tag == "object":
        return
    held = [one.tag for one in item.children if one.tag.lower() in ("bndbox", "polygon")]
    if held or item.tag.lower() == "object":
        thing = f"which holds <{held[0]}>" if held else "an object"
        raise BadInput("xml", f"<{item.tag}>", f"{thing}: write <object>, in small letters", item.where)


def _is_by_supervision(root: Element) -> bool:
    """Tell files of the library supervision by folder and database; Roboflow's own export has no folder."""
    folders = [one.text for one in root.all("folder")]
    databases = [one.text for source in root.all("source") for one in source.all("database")]
    return folders == ["VOC"] and databases == ["roboflow.ai"]


def _mirrored(folder: str) -> list[str]:
    """Return the folders that lie among the images as an XML file's does among the XML files."""
    parts = folder.split("/")
    return ["/".join([*parts[:i], name, *parts[i + 1 :]]) for i in range(len(parts) - 1) for name in _IMAGES]


def _box(number: int, item: Element, file: str, reader: SourceReader, *, by_supervision: bool) -> UncheckedBox:
    where = f"object {number} (line {item.line})"
    corners, polygon = item.find("bndbox"), item.find("polygon")
    if corners is None and polygon is not None:
        points = [point.child(tag).number() for point in polygon.all("pt") for tag in ("x", "y")]
        return UncheckedBox(where, item.child("name").text, points_corners(points, where))
    left, top, right, bottom = (item.child("bndbox").child(tag).number() for tag in _CORNERS)
    shift = 1.0 if reader.options.one_based or by_supervision else 0.0
    right, bottom = right - by_supervision, bottom - by_supervision
    flags = frozenset(tag for tag in FLAGS if (flag := item.find(tag)) and flag.text and flag.flag())
    around = (left - shift, top - shift, right, bottom)
    for attribute in (one for parent in item.all("attributes") for one in parent.all("attribute")):
        if attribute.child("name").text == "rotation":
            around = around_turned(around, attribute.child("value").number(), where, file, reader.ledger)
    return UncheckedBox(where, item.child("name").text, around, flags)


def _read_lists(reader: SourceReader, images: dict[str, UncheckedImage]) -> None:
    """Note in each image the lists of `ImageSets/Main` that hold it; `trainval` if `train` is missing.

    The folders may say it of images outside the folders that have such lists. A list of no split, such as
    `default.txt`, says nothing.
    """
    lists: dict[str, dict[str, str]] = defaultdict(dict)  # folder of `ImageSets`: a list's name, and its split
    unknown = defaultdict[str, list[str]](list)
    for name in reader.source.ending(*LISTS):
        path = PurePosixPath(name)
        if path.parts[-3:-1] == ("ImageSets", "Main"):
            folder = "".join(f"{part}/" for part in path.parts[:-3])
            lists[folder] |= {name: split} if (split := split_of_list(name)) else {}
            unknown[folder] += [] if split or path.stem == NO_SPLIT else [name]
    for folder, names in unknown.items():
        if names and not lists[folder]:
            why = "its name is none of train, val and test; if it is one of these, rename it"
            reader.ledger.note(names[0], BadInput("list-of-no-split", "a list", why), "not read")
    by_stem = {PurePosixPath(name).stem: image for name, image in images.items()}
    inside: dict[str, dict[str, UncheckedImage]] = defaultdict(dict)  # the deepest folder of lists around an image
    for name, image in images.items():
        inside[max(filter(name.startswith, lists), key=len, default="")][PurePosixPath(name).stem] = image
    for folder, splits in lists.items():
        stems = {PurePosixPath(name).stem.lower() for name in splits}
        for name, split in splits.items():
            if PurePosixPath(name).stem.lower() != "trainval" or not stems & {"train", "training"}:
                _read_list(reader, name, split, by_stem | inside[folder])
    speaking = tuple(folder for folder, splits in lists.items() if splits)
    for name, image in images.items():
        if not image.splits and not name.startswith(speaking):
            image.splits = splits_of_folder(image.path) or splits_of_folder(name)


def _read_list(reader: SourceReader, name: str, split: str, by_stem: Mapping[str, UncheckedImage]) -> None:
    """Note a list's split in its images, which are given by the names of their label files without extension."""
    with reader.ledger.reporting(name, "file dropped"):
        for line, row in numbered_lines(reader.text(name)):
            first = row.split()[0]  # a class's list says 1 or -1 behind it
            stems = (row, first, *(stem_of(one.replace("\\", "/")) for one in (row, first) if suffix(one) in _NAMED))
            stem = next((one for one in stems if one in by_stem), first)
            with reader.ledger.reporting(name, "line dropped", f"line {line}"):
                if stem not in by_stem:
                    why = "no Annotations file that can be used has that name; correct the list"
                    raise BadInput("list-points-nowhere", shorten(stem), why)
                by_stem[stem].add_split(split)


def write(out: WrittenSet) -> None:
    """Write `Annotations` and `ImageSets/Main`. Corners are exact, 0-based.

    Images without a split are in the list `default`, as CVAT has them: it loads none that is in no list.
    """
    for item in out.items:
        out.text(f"Annotations/{item.stem}.xml", _to_xml(item))
    for split, items in out.splits(NO_SPLIT).items():
        out.text(f"ImageSets/Main/{split}.txt", "".join(f"{item.stem}\n" for item in items))


def _to_xml(item: WrittenImage) -> str:
    image = item.image
    root = '<annotation verified="no">' if item.unseen else "<annotation>"
    lines = [root, f"\t<folder>{IMAGES}</folder>", f"\t<filename>{escape(item.name)}</filename>"]
    lines += [f"\t<size><width>{image.width}</width><height>{image.height}</height><depth>3</depth></size>"]
    lines += ["\t<segmented>0</segmented>"]
    for box, label, flags in zip(image.boxes.tolist(), image.labels, image.flags, strict=True):
        corners = "".join(f"<{tag}>{exact(value)}</{tag}>" for tag, value in zip(_CORNERS, box, strict=True))
        lines += ["\t<object>", f"\t\t<name>{escape(label)}</name>", "\t\t<pose>Unspecified</pose>"]
        lines += [f"\t\t<{flag}>{int(flag in flags)}</{flag}>" for flag in _ALWAYS]
        lines += [f"\t\t<{flag}>1</{flag}>" for flag in sorted(flags - set(_ALWAYS))]
        lines += [f"\t\t<bndbox>{corners}</bndbox>", "\t</object>"]
    return "\n".join([*lines, "</annotation>", ""])
