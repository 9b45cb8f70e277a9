"""The message for a folder in no known format: files that may be labels, and the format that is nearest."""

import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import TABLES, is_image, is_labelled, is_of_other_tool, stem_of, suffix
from humbleyolo.inputs.folder import HEAD_BYTES, LABEL_BYTES, FolderSource, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.csv import header_of
from humbleyolo.labels.formats.csv_columns import fold
from humbleyolo.labels.formats.unread import unread_format
from humbleyolo.labels.label_file_pairs import label_names
from humbleyolo.process.terminal import counted, first_few

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_XML = b"<annotation"  # in the beginning of Pascal VOC's files
_XML_HEAD = 300  # bytes: a byte order mark and a declaration may stand before it
_NAMES = ("classes.txt", "predefined_classes.txt", "_classes.txt")  # of classes alone
_LOOK_AT = 50_000  # files without an ending, which take two seconds
_SHOWN = 5  # files, and words of each
_SIGNS: dict[str, str] = {  # words that files of a format hold
    "coco": "images categories annotations image_id category_id bbox file_name",
    "labelme": "shapes imagePath imageData shape_type points",
    "label_studio": "annotations data result value rectanglelabels annotation_id annotator",
    "via": "filename regions shape_attributes region_attributes region_shape_attributes vid_list fid_list",
    "createml": "image annotations coordinates label",
    "datumaro": "items categories label_id dm_format_version annotations",
    "supervisely": "objects classTitle geometryType exterior size tags",
    "imagefolder": "file_name objects bbox categories",
    "voc": "annotation object bndbox xmin filename",
    "cvat": "annotations track box xtl image meta",
    "open_images": "ImageID LabelName XMin XMax YMin YMax",
    "csv": "image filename label class xmin ymin xmax ymax bbox",
}
_TO_LABEL = (
    "  Draw a box around each object first, in LabelImg, CVAT or Label Studio.",
    "  Save as Pascal VOC, YOLO or COCO: docs/labels.md tells where the files lie.",
    "  With a trained model `humbleyolo next` proposes boxes, to be corrected.",
)
_KINDS = {".xml": ("voc", "cvat"), ".csv": ("csv", "open_images", "via"), ".jsonl": ("imagefolder",)}


def unknown(source: Source, titles: Mapping[str, str]) -> UserError:
    """Return the error for a source in none of the formats, whose titles are given by name."""
    images = source.images()
    counts = f"{counted(len(source.names), 'file')}, images: {len(images):,}"
    if source.left_out:
        name, reason = source.left_out[0]
        counts += f" ({len(source.left_out)} more are not read, such as {name}: {reason})"
    lines = [f"{source.name}: no known labels among {counts}."]
    found = [name for name in source.names if (is_labelled(name) and not is_image(name)) or suffix(name) in TABLES]
    bare = _without_ending(source)
    found = [name for name in found if posixpath.basename(name) not in _NAMES] + bare
    found += [name for name in source.names if is_of_other_tool(name)]
    words = {name: _words(source, name) for name in found[:_SHOWN]}
    kinds = {name: kind for name in words if (kind := unread_format(name, source.head(name)))}
    if found:
        shown = [f"{name} ({kinds[name].title if name in kinds else some[0]})" for name, some in words.items()]
        lines.append(f"  Files that may be labels: {first_few(shown, _SHOWN, '; ', count=len(found))}.")
    lines += [f"  Not read: {title}; {fix}." for title, fix in dict.fromkeys(kinds.values())]
    unlabelled = bool(images) and not found and not source.left_out
    if unlabelled:
        lines += _TO_LABEL
    if bare:
        lines.append(_rename(source, bare))
    elif kinds:
        pass
    elif astray := _astray(images, found):
        text, image = astray
        lines.append(
            f"  {text} has the name of {image}, whose text must be {label_names(image)[0]}. Move such texts."
        )
    elif images:
        lines.append(f"  A text of {images[0]} was looked for in {first_few(label_names(images[0]), 2)}.")
    if near := _nearest({name: some for name, some in words.items() if name not in kinds}):
        lines.append(f"  The nearest format is {near} ({titles[near]}), whose files hold {_SIGNS[near]}.")
    if unlabelled:
        return UserError(*lines)
    how = "`--format`, in params.yaml `dataset.labelled.format`"
    lines.append(f"  Export the labels as Pascal VOC, YOLO or COCO, or name their format ({how}).")
    return UserError(*lines, f"  docs/label-formats.md has all {len(titles)}, and where the files of each lie.")


def _astray(images: Sequence[str], found: Iterable[str]) -> tuple[str, str] | None:
    """Return the first text that has an image's name and no place where that image's is looked for, and the image."""
    by_stem = {stem_of(posixpath.basename(image)): image for image in reversed(images)}
    for name in found:
        image = by_stem.get(stem_of(posixpath.basename(name))) if suffix(name) == ".txt" else None
        if image and name not in label_names(image):
            return name, image
    return None


def _without_ending(source: Source) -> list[str]:
    """Return the XML files whose names have no ending, as those of Stanford's dogs."""
    found = []
    for name in [name for name in source.names if not suffix(name)][:_LOOK_AT]:
        with suppress(BadInput):
            head = source.start(name, _XML_HEAD).replace(b"\0", b"")  # of UTF-16
            found += [name] if _XML in head else []
    return found


def _rename(source: Source, bare: Sequence[str]) -> str:
    """Return the line that says how to give XML files the ending that is missing."""
    if not isinstance(source, FolderSource):
        return "  Unpack it, and give these XML files the ending .xml."
    top = posixpath.commonpath([posixpath.dirname(name) for name in bare])
    folder = shlex.quote(posixpath.normpath(f"{source.name}/{top}"))
    return f"  Give them their ending: find {folder} -type f ! -name '*.*' -exec mv {{}} {{}}.xml \\;"


def _words(source: Source, name: str) -> tuple[str, set[str]]:
    """Return what a message shows of a file, and the words in its beginning."""
    if not suffix(name):
        return "XML without its ending", set()
    if is_of_other_tool(name):
        return "not read; export its labels as VOC, YOLO or COCO", set()
    try:
        head = source.start(name, HEAD_BYTES)
        with source.open(name) as file:
            file.seek(LABEL_BYTES)
            if file.read(1):
                return f"more than {LABEL_BYTES:,} bytes, which are not read; split it", set()
    except BadInput as error:
        return f"cannot be read: {error.what}: {error.why}", set()
    if suffix(name) in TABLES:
        return "a table that is not read; save it as CSV, with commas and the ending .csv", set()
    if suffix(name) == ".csv":
        columns = header_of(head)
        if len(columns) == 1 and (marks := [mark for mark in _SEPARATORS if mark in columns[0]]):
            fix = f"columns separated by {_SEPARATORS[marks[0]]}; save it with commas, and points in numbers"
            return fix, set()  # its columns are not those of another format
        if _is_of_whole_images(head):
            return "classes of whole images, without boxes; export as object detection", set()
        return f"columns {shorten(', '.join(columns))}", {fold(column) for column in columns}
    text = head.decode("utf-8-sig", "replace")
    if suffix(name) in (".json", ".jsonl"):
        keys = dict.fromkeys(re.findall(r'"([\w-]{1,40})"\s*:', text))
        return f"keys {', '.join([*keys][: 2 * _SHOWN]) or 'none'}", {fold(key) for key in keys}
    return f"begins with {shorten(text[:60])}", {fold(word) for word in re.findall(r"[\w-]{1,40}", text)}


def _is_of_whole_images(head: bytes) -> bool:
    """Tell a table of image names and 0 or 1 for each class, as Roboflow's `_classes.csv`, by its beginning."""
    lines = [line.split(",") for line in head.decode("utf-8-sig", "replace").splitlines()[1:-1]]
    return bool(lines) and all(
        is_image(line[0]) and {one.strip() for one in line[1:]} <= {"0", "1"} for line in lines
    )


def _nearest(words: Mapping[str, tuple[str, set[str]]]) -> str:
    """Return the format most of whose words the files hold; empty if none holds two."""
    best = (1.0, "")
    for name, (_, some) in words.items():
        kinds = _KINDS.get(suffix(name)) or (() if suffix(name) != ".json" else tuple(_SIGNS))
        for kind in kinds:
            signs = {fold(sign) for sign in _SIGNS[kind].split()}
            if len(signs & some) >= 2:
                best = max(best, (1 + len(signs & some) / len(signs), kind))
    return best[1]
