"""A plain CSV: a line a box, corners in pixels.

    image,label,xmin,ymin,xmax,ymax
    a.jpg,cat,10,20,30.5,40
    empty.jpg,,,,,              background, declared

More columns are read where they are there: `width`, `height`, `split`, `group`, and the flags `crowd`,
`difficult`, `occluded`, `truncated`; others are ignored. `filename` stands for `image`, and `class` for
`label`, as TensorFlow's tools write them.
"""

import csv
import io
import posixpath

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.labels.folder import LABEL_BYTES, Source
from humbleyolo.labels.labelled_image import FLAGS, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.csv import Row, header_of, read_rows
from humbleyolo.labels.parsing.text import parse_flag, parse_integer, parse_number
from humbleyolo.labels.source_reader import SourceReader, split_in
from humbleyolo.labels.writing import WrittenSet, exact

IMAGES = "images"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ALIASES = {"filename": "image", "class": "label"}


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    for name in source.ending(".csv"):
        try:
            start = source.read(name)[:4096].decode("utf-8-sig", "replace")
        except BadInput:
            continue
        if {"image", "label", *CORNERS} <= {_ALIASES.get(one, one) for one in header_of(start)}:
            return f"{name} has the columns image, label, xmin, ymin, xmax, ymax"
    return ""


def read(context: SourceReader) -> UncheckedSet:
    """Return the images of every such table; see `formats.Format`."""
    records: dict[tuple[str, str], UncheckedImage] = {}
    for name in context.source.ending(".csv"):
        text = context.text(name, LABEL_BYTES)
        if text is None or "xmin" not in text.split("\n", 1)[0]:
            continue
        try:
            for line, row in read_rows(text):
                try:
                    if isinstance(row, BadInput):
                        raise row
                    _take(context, name, line, row, records)
                except BadInput as error:
                    context.ledger.problem(name, error.at(f"line {line}"), "line dropped")
        except BadInput as error:
            context.ledger.problem(name, error, "rest of the file dropped")
    return UncheckedSet(list(records.values()), background="a line that holds its name alone: name,,,,,")


def _take(
    context: SourceReader, name: str, line: int, raw: Row, records: dict[tuple[str, str], UncheckedImage]
) -> None:
    row = {_ALIASES.get(key, key): value for key, value in raw.items()}
    missing = [key for key in ("image", "label", *CORNERS) if key not in row]
    if missing:
        raise BadInput("csv", f"no column {', '.join(missing)}", "needed: image,label,xmin,ymin,xmax,ymax")
    here = posixpath.dirname(name)
    image = context.finder.find(row["image"], here, f"{here}/images".strip("/"))
    record = records.get((name, image))
    if record is None:
        record = records[name, image] = UncheckedImage(label_file=name, where=f"line {line}", path=image)
        record.width, record.height = (
            parse_integer(row[key], key) if row.get(key) else None for key in ("width", "height")
        )
        record.group = row.get("group") or None
        split = row.get("split") or split_in(name)
        if split and split not in SPLITS:
            raise BadInput("unknown-split", shorten(split), "split must be train, val or test")
        record.splits = (split,) if split else ()
    for key, known in (("split", record.splits[0] if record.splits else None), ("group", record.group)):
        if row.get(key) and row[key] != known:
            raise BadInput(
                "csv",
                f"{key} {shorten(row[key])}",
                f"{record.where} says {shorten(known)}; an image has one",
            )
    if not row["label"] and not any(row[key] for key in CORNERS):
        return
    left, top, right, bottom = (parse_number(row[key].strip(), key) for key in CORNERS)
    flags = frozenset(flag for flag in FLAGS if row.get(flag) and parse_flag(row[flag], flag))
    record.boxes.append(UncheckedBox(f"line {line}", row["label"], (left, top, right, bottom), flags))


def write(export: WrittenSet) -> None:
    """Write `labels.csv`: a line a box, one without a box for background."""
    flags = [
        flag for flag in FLAGS if any(flag in some for item in export.items for some in item.image.flags)
    ]
    group = ["group"] if any(item.image.group for item in export.items) else []
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image", "label", *CORNERS, "width", "height", "split", *group, *flags])
    for item in export.items:
        record = item.image
        tail = [record.width, record.height, item.split or "", *(record.group or "" for _ in group)]
        rows = [
            [label, *map(exact, box), *tail, *(int(flag in some) for flag in flags)]
            for box, label, some in zip(record.boxes.tolist(), record.labels, record.flags, strict=True)
        ]
        for row in rows or [["", "", "", "", "", *tail, *("" for _ in flags)]]:
            writer.writerow([f"{IMAGES}/{item.name}", *row])
    export.text("labels.csv", file.getvalue())
