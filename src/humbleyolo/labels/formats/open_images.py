"""Open Images CSV: a line a box, corners as fractions; classes by machine id (`/m/01yrx`).

A table with two columns, id and name (`class-descriptions-boxable.csv`), turns ids into names; without one
the ids are the names. Group boxes (`IsGroupOf`) are crowds. Images are named by `ImageID`.
"""

import csv
import io
import posixpath

from humbleyolo.labels.folder import LABEL_BYTES, Source
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.csv import Row, header_of, read_rows
from humbleyolo.labels.parsing.text import parse_number
from humbleyolo.labels.source_reader import SourceReader, split_in

_CORNERS = ("XMin", "YMin", "XMax", "YMax")
_FLAGS = {"IsOccluded": "occluded", "IsTruncated": "truncated", "IsGroupOf": "crowd"}
_SLACK = 1e-6  # six decimals


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    for name in source.ending(".csv"):
        try:
            start = source.read(name)[:4096].decode("utf-8-sig", "replace")
        except BadInput:
            continue
        if {"ImageID", "LabelName", *_CORNERS} <= set(header_of(start)):
            return f"{name} has the columns ImageID, LabelName, XMin ..."
    return ""


def read(context: SourceReader) -> UncheckedSet:
    """Return the images of every table of boxes; see `formats.Format`."""
    names: dict[str, str] = {}
    tables: list[tuple[str, str]] = []
    for name in context.source.ending(".csv"):
        text = context.text(name, LABEL_BYTES)
        if text is None:
            continue
        header = header_of(text)
        if {"ImageID", "LabelName", *_CORNERS} <= set(header):
            tables.append((name, text))
        elif len(header) == 2:
            _read_names(context, name, text, names)
    records: dict[str, UncheckedImage] = {}
    for name, text in tables:
        try:
            for line, row in read_rows(text):
                try:
                    if isinstance(row, BadInput):
                        raise row
                    _take(context, name, line, row, names, records)
                except BadInput as error:
                    context.ledger.problem(name, error.at(f"line {line}"), "line dropped")
        except BadInput as error:
            context.ledger.problem(name, error, "rest of the file dropped")
    return UncheckedSet(list(records.values()))


def _read_names(context: SourceReader, name: str, text: str, names: dict[str, str]) -> None:
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), strict=True), 1):
            if len(row) != 2 or names.setdefault(row[0], row[1]) != row[1]:
                why = "must be an id and a name, each id once"
                raise BadInput("csv", shorten(",".join(row)), why, f"line {number}")
    except csv.Error as error:
        raised = BadInput("csv", shorten(str(error)), "must be CSV: an id and a name a line")
        context.ledger.problem(name, raised, "file dropped")
    except BadInput as error:
        context.ledger.problem(name, error, "rest of the file dropped")


def _take(
    context: SourceReader,
    name: str,
    line: int,
    row: Row,
    names: dict[str, str],
    records: dict[str, UncheckedImage],
) -> None:
    split = split_in(name)
    here = posixpath.dirname(name)
    folders = [f"{here}/{part}".strip("/") for part in (split or "", "images", "")]
    key = f"{name}\n{row['ImageID']}"
    record = records.get(key)
    if record is None:
        image = context.finder.stem(row["ImageID"], *folders)
        record = UncheckedImage(
            label_file=name, where=f"line {line}", path=image, relative=True, slack=_SLACK
        )
        record.splits = (split,) if split else ()
        records[key] = record
    left, top, right, bottom = (parse_number(row[column], column) for column in _CORNERS)
    flags = frozenset(flag for column, flag in _FLAGS.items() if row.get(column) == "1")
    label = names.get(row["LabelName"], row["LabelName"])
    record.boxes.append(UncheckedBox(f"line {line}", label, (left, top, right, bottom), flags))
