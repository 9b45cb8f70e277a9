"""Open Images CSV: a line a box, corners as fractions; classes by machine id (`/m/01yrx`).

A table with two columns, id and name (`class-descriptions-boxable.csv`), turns ids into names; without one
the ids are the names. Group boxes (`IsGroupOf`) are crowds. Images are named by `ImageID`, with or
without the extension.
"""

import csv
import io
import posixpath

from humbleyolo.inputs.file_names import splits_in
from humbleyolo.inputs.folder import LABEL_BYTES, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.csv import Row, header_of, refuse_lines, take_rows
from humbleyolo.inputs.parsing.text import parse_number
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader

_CORNERS = ("XMin", "YMin", "XMax", "YMax")
_NEEDED = {"ImageID", "LabelName", *_CORNERS}
_FLAGS = {"IsOccluded": "occluded", "IsTruncated": "truncated", "IsGroupOf": "crowd"}
_SLACK = 1e-6  # six decimals


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    name = source.first(source.ending(".csv"), lambda data: set(header_of(data)) >= _NEEDED)
    return f"{name} has the columns ImageID, LabelName, XMin ..." if name else ""


def read(reader: SourceReader) -> UncheckedSet:
    """Return the images of every table of boxes; see `registry.Format`."""
    names: dict[str, str] = {}
    tables: list[tuple[str, str]] = []
    for name in reader.source.ending(".csv"):
        with reader.ledger.reporting(name, "file dropped"):
            text = reader.text(name, LABEL_BYTES)
            header = header_of(text)
            if set(header) >= _NEEDED:
                tables.append((name, text))
            elif len(header) == 2:
                _read_names(reader, name, text, names)
            else:
                found = f"columns {shorten(', '.join(header))}"
                why = f"neither {', '.join(sorted(_NEEDED))} nor an id and a name are there"
                reader.ledger.note(name, BadInput("csv", found, why), "not read")
    images = [image for name, text in tables for image in _Table(reader, name, names).read(text)]
    return UncheckedSet(images)


class _Table:
    """One table of boxes. `names` are those of the classes, by their ids."""

    def __init__(self, reader: SourceReader, name: str, names: dict[str, str]) -> None:
        self.reader, self.name, self.names = reader, name, names
        self.splits, here = splits_in(name), posixpath.dirname(name)
        self.folders = [f"{here}/{part}".strip("/") for part in (*(self.splits or ("",)), "images", "")]
        self.paths: dict[str, str] = {}  # by id
        self.images: dict[str, UncheckedImage] = {}

    def read(self, text: str) -> list[UncheckedImage]:
        lost = take_rows(text, self.name, self.reader.ledger, self._take, self._path)
        for path in lost.of_image:
            self.images.setdefault(path, UncheckedImage(self.name, path, splits=self.splits))
        for path, image in self.images.items():
            image.lost = lost.count(path)
        return list(self.images.values())

    def _path(self, row: Row) -> str:
        if (key := row["ImageID"]) not in self.paths:
            self.paths[key] = self.reader.images.find_named(key, *self.folders)
        return self.paths[key]

    def _take(self, line: int, row: Row) -> None:
        path = self._path(row)
        box = _box(line, row, self.names)
        if path not in self.images:
            self.images[path] = UncheckedImage(self.name, path, f"line {line}", relative=True, slack=_SLACK)
            self.images[path].splits = self.splits
        self.images[path].boxes.append(box)


def _read_names(reader: SourceReader, name: str, text: str, names: dict[str, str]) -> None:
    """Add the ids and names of one table to `names`."""
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), strict=True), 1):
            if len(row) != 2 or names.setdefault(row[0], row[1]) != row[1]:
                why = "must be an id and a name, each id once"
                error = BadInput("csv", shorten(",".join(row)), why, f"line {number}")
                reader.ledger.problem(name, error, "rest of the file dropped")
                return
    except csv.Error as error:
        raise BadInput("csv", shorten(str(error)), "must be CSV: an id and a name a line") from None


def _box(line: int, row: Row, names: dict[str, str]) -> UncheckedBox:
    left, top, right, bottom = (parse_number(row[column], column) for column in _CORNERS)
    flags = frozenset(flag for column, flag in _FLAGS.items() if row.get(column) == "1")
    refuse_lines(row["LabelName"], "LabelName")
    label = names.get(row["LabelName"], row["LabelName"])
    return UncheckedBox(f"line {line}", label, (left, top, right, bottom), flags)
