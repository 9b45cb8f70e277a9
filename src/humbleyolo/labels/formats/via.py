"""VIA (VGG Image Annotator, 1 and 2): JSON, a project or its regions, and CSV with JSON in its columns.

    {"a.jpg12": {"filename": "a.jpg", "regions": [{"shape_attributes": {"name": "rect", "x", "y", "width", "height"},
        "region_attributes": {"class": "cat"}}]}}

The class is the region attribute `class`, `label`, `category`, `name`, `type` or `object`, or the only one there is:
a text, or one box that is ticked. Polygons, circles and ellipses give the box around them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from humbleyolo.labels.folder import Source
from humbleyolo.labels.formats.field_tables import (
    Entry,
    FieldTable,
    LabelFile,
    from_ltwh,
    from_points,
    no_rule,
    number,
    numbers,
    places,
)
from humbleyolo.labels.formats.shapes import around_ellipse, note_no_area
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.csv import Row, take_rows
from humbleyolo.labels.parsing.json import get, parse
from humbleyolo.labels.parsing.text import decode
from humbleyolo.labels.source_reader import SourceReader

_NO_AREA = ("point", "polyline")
_CLASS = ("class", "label", "category", "name", "type", "object")  # region attributes


def _via(file: LabelFile) -> Iterator[Entry]:
    files = get(file.root, "_via_img_metadata", dict, "the file", file.root)
    if not isinstance(files, dict):
        raise BadInput("json", shorten(files), "must be an object with an entry an image")
    entries = []
    for key, item in files.items():
        with file.reader.ledger.reporting(file.name, "image dropped", where := shorten(key)):
            regions = get(item, "regions", (list, dict), where, [])
            regions = list(regions.values()) if isinstance(regions, dict) else regions
            name = get(item, "filename", str, where)
            entries.append(Entry(name, where, places(regions, f"{where} regions")))
    yield from _with_via_class(file, entries)


def _with_via_class(file: LabelFile, entries: list[Entry]) -> list[Entry]:
    """Choose the region attribute that is the class, for all regions of a file.

    Raises:
        BadInput: If several may be it.
    """
    used: dict[str, None] = {}
    for entry in entries:
        for shape, _ in entry.shapes:
            found = shape.get("region_attributes") if isinstance(shape, dict) else None
            used |= dict.fromkeys(found if isinstance(found, dict) else ())
    known = [key for key in used if key.lower() in _CLASS] if len(used) > 1 else list(used)
    if len(known) > 1 or (used and not known):
        why = f"several region attributes may be the class; name one of them {_CLASS[0]}, the others otherwise"
        raise BadInput("via-ambiguous", ", ".join(map(shorten, used)), why)
    file.class_field = known[0] if known else ""
    return entries


def _via_shape(file: LabelFile, shape: Any, where: str) -> tuple[UncheckedBox, None] | None:
    drawn = get(shape, "shape_attributes", dict, where)
    kind = get(drawn, "name", str, where)
    if kind in _NO_AREA:
        note_no_area(shorten(kind), where, file.name, file.reader.ledger)
        return None
    if kind == "rect":
        x, y, width, height = numbers(drawn, "x y width height", where)
        corners = from_ltwh(x, y, width, height)
    elif kind == "circle":
        x, y, radius = numbers(drawn, "cx cy r", where)
        corners = around_ellipse(x, y, radius, radius)
    elif kind == "ellipse":
        x, y, across, down = numbers(drawn, "cx cy rx ry", where)
        corners = around_ellipse(x, y, across, down, math.degrees(number(drawn, "theta", where, 0)))
    elif kind == "polygon":
        both = get(drawn, "all_points_x", list, where), get(drawn, "all_points_y", list, where)
        corners = from_points([list(point) for point in zip(*both, strict=False)], where)
    else:
        raise no_rule(kind, "rect, circle, ellipse, polygon", where)
    return UncheckedBox(where, _via_class(file, shape, where), corners), None


def _via_class(file: LabelFile, shape: Any, where: str) -> str:
    told = file.reader.options.classes
    value = get(shape, "region_attributes", dict, where, {}).get(file.class_field)
    if isinstance(value, dict):  # checkboxes
        chosen = [name for name, on in value.items() if on is True]
        value = chosen[0] if len(chosen) == 1 else None
    if not value and not file.class_field and len(told) == 1:
        return told[0]
    if not isinstance(value, str) or not value:
        attribute = f"region attribute {file.class_field}" if file.class_field else "no region attribute"
        raise BadInput("no-class-names", attribute, "must hold one class; or give its one class in classes", where)
    return value


_VIA_COLUMNS = ("region_shape_attributes", "region_attributes")


@dataclass(frozen=True, slots=True)
class _Via:
    """VIA's two kinds of files: JSON, and CSV with JSON in its columns."""

    json: FieldTable
    csv: FieldTable

    def detect(self, source: Source) -> str:
        """Return the evidence that a source is in this format; empty if it is not."""
        return self.json.detect(source) or self.csv.detect(source)

    def read(self, reader: SourceReader) -> UncheckedSet:
        """Return the images of both; see `registry.Format`."""
        tables = [table for table in (self.json, self.csv) if table.detect(reader.source)] or [self.json]
        result = UncheckedSet(background=self.json.background)
        for table in tables:
            result.add(table.read(reader).images, ())
        return result


def _via_csv(file: LabelFile) -> Iterator[Entry]:
    """Yield the images of a CSV with a line a region, or a line without a region for background."""
    entries: dict[str, Entry] = {}

    def take(line: int, row: Row) -> None:
        where = f"line {line}"
        name = row.get("filename", row.get("#filename", ""))
        entry = entries.setdefault(name, Entry(name, where, []))
        try:
            shape, attributes = (parse(row.get(key, "").encode() or b"{}") for key in _VIA_COLUMNS)
        except BadInput:
            entry.lost += 1
            raise
        if shape:
            entry.shapes.append(({"shape_attributes": shape, "region_attributes": attributes}, where))

    def lose(row: Row) -> None:
        if entry := entries.get(row.get("filename", row.get("#filename", ""))):
            entry.lost += 1

    take_rows(decode(file.root), file.name, file.reader.ledger, take, lose)
    yield from _with_via_class(file, list(entries.values()))


VIA = _Via(
    FieldTable(
        words=("filename regions", "filename base64_img_data"),
        entries=_via,
        shape=_via_shape,
        background="an entry whose regions are []",
    ),
    FieldTable(
        words=("region_shape_attributes",),
        entries=_via_csv,
        shape=_via_shape,
        background="a line without a region",
        opens=b"",
        endings=(".csv",),
    ),
)
