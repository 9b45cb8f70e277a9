"""A plain CSV: a line a box, corners in pixels.

    image,label,xmin,ymin,xmax,ymax
    a.jpg,cat,10,20,30.5,40
    empty.jpg,,,,,              background, declared

More columns are read if they are there: `width`, `height`, `split`, `group`, and the flags `crowd`,
`difficult`, `occluded`, `truncated`; others are ignored. `filename` stands for `image`, and `class` for
`label`, as TensorFlow's tools write them.
"""

import csv
import io
import posixpath
from collections import Counter
from contextlib import suppress
from functools import partial

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.labels.folder import LABEL_BYTES, Source
from humbleyolo.labels.labelled_image import FLAGS, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.csv import Row, header_of, take_rows
from humbleyolo.labels.parsing.text import parse_flag, parse_number, parse_size
from humbleyolo.labels.source_reader import SourceReader, splits_in
from humbleyolo.labels.writing import WrittenSet, exact

IMAGES = "images"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_NEEDED = ("image", "label", *_CORNERS)
_ALIASES = {"filename": "image", "class": "label"}


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    name = source.first(
        source.ending(".csv"), lambda data: {*_NEEDED} <= {_ALIASES.get(one, one) for one in header_of(data)}
    )
    return f"{name} has the columns {', '.join(_NEEDED)}" if name else ""


def read(reader: SourceReader) -> UncheckedSet:
    """Return the images of every such table; see `registry.Format`."""
    images: dict[tuple[str, str], UncheckedImage] = {}
    lost: Counter[tuple[str, str]] = Counter()
    for name in reader.source.ending(".csv"):
        with reader.ledger.reporting(name, "file dropped"):
            text = reader.text(name, LABEL_BYTES)
            if "xmin" in text.split("\n", 1)[0]:
                take = partial(_take, reader, name, images, lost)
                take_rows(text, name, reader.ledger, take, partial(_lose, reader, name, lost))
    for key, image in images.items():
        image.lost = lost[key]
    return UncheckedSet(list(images.values()), background="a line that holds its name alone: name,,,,,")


def _named(reader: SourceReader, name: str, row: Row) -> str:
    here = posixpath.dirname(name)
    return reader.images.find(row["image"], here, f"{here}/images".strip("/"))


def _lose(reader: SourceReader, name: str, lost: Counter[tuple[str, str]], raw: Row) -> None:
    """Count the box of a line that cannot be read, if its image is known."""
    row = {_ALIASES.get(key, key): value for key, value in raw.items()}
    with suppress(BadInput, KeyError):
        lost[name, _named(reader, name, row)] += 1


def _take(
    reader: SourceReader,
    name: str,
    images: dict[tuple[str, str], UncheckedImage],
    lost: Counter[tuple[str, str]],
    line: int,
    raw: Row,
) -> None:
    try:
        _add(reader, name, images, line, {_ALIASES.get(key, key): value for key, value in raw.items()})
    except BadInput:
        _lose(reader, name, lost, raw)
        raise


def _add(reader: SourceReader, name: str, images: dict[tuple[str, str], UncheckedImage], line: int, row: Row) -> None:
    missing = [key for key in _NEEDED if key not in row]
    if missing:
        raise BadInput("csv", f"no column {', '.join(missing)}", f"needed: {','.join(_NEEDED)}")
    path = _named(reader, name, row)
    image = images.get((name, path))
    if image is None:
        image = images[name, path] = UncheckedImage(name, path, f"line {line}")
        image.width, image.height = (
            parse_size(row[key], key) if row.get(key) else None for key in ("width", "height")
        )
        image.group = row.get("group") or None
        splits = (row["split"],) if row.get("split") else splits_in(name)
        if splits and splits[0] not in SPLITS:
            raise BadInput("unknown-split", shorten(splits[0]), "split must be train, val or test")
        image.splits = splits
    for key, known in (("split", image.splits[0] if image.splits else None), ("group", image.group)):
        if row.get(key) and row[key] != known:
            why = f"{image.where} says {shorten(known)}; an image has one"
            raise BadInput("csv", f"{key} {shorten(row[key])}", why)
    if not row["label"] and not any(row[key] for key in _CORNERS):
        return
    left, top, right, bottom = (parse_number(row[key].strip(), key) for key in _CORNERS)
    flags = frozenset(flag for flag in FLAGS if row.get(flag) and parse_flag(row[flag], flag))
    image.boxes.append(UncheckedBox(f"line {line}", row["label"], (left, top, right, bottom), flags))


def write(out: WrittenSet) -> None:
    """Write `labels.csv`: a line a box, one without a box for background."""
    flags = [flag for flag in FLAGS if any(flag in some for item in out.items for some in item.image.flags)]
    group = ["group"] if any(item.image.group for item in out.items) else []
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*_NEEDED, "width", "height", "split", *group, *flags])
    for item in out.items:
        image = item.image
        tail = [image.width, image.height, item.split or "", *(image.group or "" for _ in group)]
        rows = [
            [label, *map(exact, box), *tail, *(int(flag in some) for flag in flags)]
            for box, label, some in zip(image.boxes.tolist(), image.labels, image.flags, strict=True)
        ]
        for row in rows or [["", "", "", "", "", *tail, *("" for _ in flags)]]:
            writer.writerow([f"{IMAGES}/{item.name}", *row])
    out.text("labels.csv", file.getvalue())
