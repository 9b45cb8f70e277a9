"""YOLO text: a file an image, a line a box: class index, then centre and lengths as fractions of the image.

    0 0.498828 0.459722 0.152344 0.191667

Names and lists as each tool writes them, in whichever of these places they are:

    Yolo Mark, CVAT     obj.data (classes, train, valid, names), obj.names, train.txt; obj_train_data/
    LabelImg            classes.txt beside the labels
    Ultralytics         data.yaml (names, nc, train, val, test), images/ beside labels/

Without names a number means nothing: then `classes` must give them. Six decimals, as tools write, put a box's
edge up to 1e-6 of the image beyond its border: such a box is cut there, with a note.
"""

import json
import posixpath
from pathlib import PurePosixPath

import numpy as np

from humbleyolo.geometry.boxes import xyxy_to_cxcywh
from humbleyolo.labels.folder import Source, suffix
from humbleyolo.labels.formats.yolo_dataset_files import Declared, declared
from humbleyolo.labels.label_file_pairs import pairs, some_pair
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.text import numbered_lines, parse_integer, parse_number
from humbleyolo.labels.source_reader import SourceReader, split_of_folder
from humbleyolo.labels.writing import WrittenSet

IMAGES = "images"
_SLACK = 1e-6
_FIELDS = ("centre x", "centre y", "width", "height")


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    label = some_pair(source, _looks_like_yolo)
    if label:
        return f"{label} has lines of a class index and four fractions"
    for name in source.names:
        if PurePosixPath(name).name in ("obj.data", "obj.names", "data.yaml"):
            return f"there is {name}"
    return ""


def _looks_like_yolo(text: str) -> bool:
    lines = numbered_lines(text)
    if not lines or len(columns := lines[0][1].split()) != 5:
        return False
    try:
        parse_integer(columns[0], "")
        return all(abs(parse_number(column, "")) <= 2 for column in columns[1:])
    except BadInput:
        return False


def read(context: SourceReader) -> UncheckedSet:
    """Return every image that has a label file; see `formats.Format`."""
    known = declared(context)
    names = context.options.classes or known.names
    records = []
    unnamed = False
    for image, label in pairs(context):
        text = context.text(label)
        if text is None:
            continue
        record = UncheckedImage(label_file=label, path=image, relative=True, slack=_SLACK)
        lines = numbered_lines(text)
        if lines and not names and not unnamed:
            why = (
                "no obj.names, classes.txt or data.yaml; add one, or give classes in the order of the indices"
            )
            context.ledger.problem(
                ".", BadInput("no-class-names", "only class numbers", why), "all boxes dropped"
            )
            unnamed = True
        for number, line in lines:
            try:
                record.boxes.append(_box(line, number, names))
            except BadInput as error:
                context.ledger.problem(label, error.at(f"line {number}"), "box dropped")
        records.append(record)
    _mark_splits(context, known, records)
    return UncheckedSet(records, classes=known.names, all_images=True)


def _box(line: str, number: int, names: tuple[str, ...]) -> UncheckedBox:
    columns = line.split()
    if len(columns) != 5:
        hint = ""
        if len(columns) == 6:
            hint = "; a sixth is a detector's confidence: these are not labels"
        elif len(columns) > 6 and len(columns) % 2:
            hint = "; this looks like a polygon: export boxes"
        elif "," in line:
            hint = "; separate them by spaces"
        raise BadInput(
            "columns", f"{len(columns)} columns: {shorten(line)}", f"a line has 5: class x y w h{hint}"
        )
    index = parse_integer(columns[0], "the class")
    if not 0 <= index < len(names):
        top = f"0 to {len(names) - 1}" if names else "none, because there are no class names"
        raise BadInput("unknown-class", f"class {index}", f"allowed: {top}; correct it, or add its name")
    x, y, width, height = (parse_number(text, name) for text, name in zip(columns[1:], _FIELDS, strict=True))
    if max(abs(x), abs(y), abs(width), abs(height)) > 1.5:
        why = "must be fractions of the image, 0 to 1; these look like pixels: divide by its width and height"
        raise BadInput("pixels-not-fractions", shorten(line), why)
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return UncheckedBox(f"line {number}", names[index], corners)


def _mark_splits(context: SourceReader, known: Declared, records: list[UncheckedImage]) -> None:
    """Note in each record the lists that hold it; where there are none, the split that its folders speak of."""
    if not known.lists:
        for record in records:
            split = split_of_folder(record.path)
            record.splits = (split,) if split else ()
    by_image = {record.path: record for record in records}
    lists = {entry: _listed(context, entry) for entry in dict.fromkeys(entry for _, entry in known.lists)}
    for split, entry in known.lists:
        for image in lists[entry]:
            if image in by_image:
                by_image[image].splits = tuple(sorted({*by_image[image].splits, split}))


def _listed(context: SourceReader, entry: str) -> list[str]:
    """Return the images of a list file, or of a folder."""
    if suffix(entry) != ".txt":
        prefix = entry.rstrip("/") + "/"
        return [name for name in context.finder.images if name.startswith(prefix)]
    images = []
    for number, line in numbered_lines(context.text(entry) or ""):
        try:
            images.append(context.finder.find(line, "", posixpath.dirname(entry), moved=True))
        except BadInput as error:
            context.ledger.problem(entry, error.at(f"line {number}"), "line dropped")
    return images


def write(export: WrittenSet) -> None:
    """Write `labels`, `data.yaml` and, where images have splits, a list for each.

    Fractions have all the digits that the pixels need to come back. YOLO has no place for flags.
    """
    indices = {name: index for index, name in enumerate(export.classes)}
    for item in export.items:
        size = np.tile([item.image.width, item.image.height], 2)
        rows = xyxy_to_cxcywh(item.image.boxes) / size  # (M, 4), fractions
        lines = [
            f"{indices[label]} {' '.join(map(repr, row))}\n"
            for label, row in zip(item.image.labels, rows.tolist(), strict=True)
        ]
        export.text(f"labels/{item.stem}.txt", "".join(lines))
    lists = {split: f"{split}.txt" for split in export.splits()}
    for split, items in export.splits().items():
        export.text(lists[split], "".join(f"./{IMAGES}/{item.name}\n" for item in items))
    content = {"path": "."} | lists
    names = "".join(f"  {index}: {json.dumps(name, ensure_ascii=False)}\n" for name, index in indices.items())
    head = "".join(f"{key}: {value}\n" for key, value in content.items())
    export.text("data.yaml", f"{head}nc: {len(indices)}\nnames:{' {}' * (not indices)}\n{names}")
