"""VIA (VGG Image Annotator): JSON, a project or its regions, and CSV with JSON in its columns; projects of VIA 3.

    1, 2    {"a.jpg12": {"filename": "a.jpg", "regions": [{"shape_attributes": {"name": "rect", "x", "y", "width",
            "height"}, "region_attributes": {"class": "cat"}}]}}
    3       {"project", "attribute": {"1": {"aname": "class", "type", "options"}}, "file": {"1": {"fname": "a.jpg"}},
            "view": {"1": {"fid_list": ["1"]}}, "metadata": {"1_x": {"vid": "1", "xy": [2, x, y, width, height],
            "av": {"1": "cat"}}}}, with three decimals, a shape's number first

The class is the region attribute `class`, `label`, `category`, `name`, `type` or `object`, or the only one there is:
a text, or one box that is ticked. Polygons, circles and ellipses give the box around them.
"""

import math
import posixpath
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.csv import Row, take_rows
from humbleyolo.inputs.parsing.json import get, parse
from humbleyolo.inputs.parsing.text import decode
from humbleyolo.labels.formats.field_tables import (
    Entry,
    FieldTable,
    FieldTables,
    LabelFile,
    declared,
    from_ltwh,
    from_points,
    no_rule,
    number,
    numbers,
    places,
)
from humbleyolo.labels.formats.shapes import around_ellipse, note_no_area
from humbleyolo.labels.labelled_image import UncheckedBox

_NO_AREA = ("point", "polyline")
_FEW = 10  # values that most regions may have alone
_CLASS = ("class", "label", "category", "name", "type", "object")  # region attributes


def _via(file: LabelFile) -> Iterator[Entry]:
    files = get(file.root, "_via_img_metadata", dict, "the file", file.root)
    if not isinstance(files, dict):
        raise BadInput("json", shorten(files), "must be an object with an entry an image")
    entries = []
    for key, item in files.items():
        with file.reader.ledger.reporting(file.name, "image dropped", where := shorten(key)):
            declared(item, "regions", where)
            regions = get(item, "regions", (list, dict), where)
            regions = list(regions.values()) if isinstance(regions, dict) else regions
            name = get(item, "filename", str, where)
            entries.append(Entry(name, where, places(regions, f"{where} regions")))
    yield from _with_via_class(file, entries)


def _with_via_class(file: LabelFile, entries: list[Entry]) -> list[Entry]:
    """Choose the region attribute that is the class, for all regions of a file.

    Raises:
        BadInput: If several may be it.
    """
    used: dict[str, list[Any]] = defaultdict(list)  # values by attribute
    for entry in entries:
        for shape, _ in entry.shapes:
            found = shape.get("region_attributes") if isinstance(shape, dict) else None
            for key, value in found.items() if isinstance(found, dict) else ():
                used[key].append(value)
    known = [key for key in used if key.lower() in _CLASS] if len(used) > 1 else list(used)
    if len(known) > 1 or (used and not known):
        why = f"several region attributes may be the class; name one of them {_CLASS[0]}, the others otherwise"
        raise BadInput("via-ambiguous", ", ".join(map(shorten, used)), why)
    file.class_field = known[0] if known else ""
    if known and known[0].lower() not in _CLASS:
        _settle_lone(file, known[0], used[known[0]])
    return entries


def _settle_lone(file: LabelFile, key: str, values: list[Any]) -> None:
    """Tell that the only attribute is read as the class, whatever its name."""
    texts = [text for value in values for text in (value if isinstance(value, dict) else [value])]
    classes = [*dict.fromkeys(text for text in texts if isinstance(text, str) and text)]
    found = f"region attribute {shorten(key)}: {shorten(', '.join(classes))}"
    why = "the only one, so that its values are the classes; if they are not, take it out of the file"
    many = len(classes) > max(_FEW, len(values) / 2)
    add = file.reader.ledger.warn if many else file.reader.ledger.note
    add(file.name, BadInput("via-class", found, why), "read so")


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
        if len(both[0]) != len(both[1]):
            found = f"{len(both[0])} x and {len(both[1])} y of a polygon"
            raise BadInput("columns", found, "each point has both; draw it again", where)
        corners = from_points([list(point) for point in zip(*both, strict=True)], where)
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


_SHAPES_3: dict[int, tuple[str, str]] = {  # VIA 3's numbers of shapes: name and fields of VIA 2
    1: ("point", "cx cy"),
    2: ("rect", "x y width height"),
    3: ("circle", "cx cy r"),
    4: ("ellipse", "cx cy rx ry"),
    5: ("polyline", ""),
    6: ("polyline", ""),
    7: ("polygon", ""),
    8: ("polygon", ""),  # four extreme points of a rectangle
}
_IMAGE_3, _CHECKBOX_3 = 2, 2  # types of a file and of an attribute
_DIGITS_3 = 0.002  # pixels, of a corner and a length that are both rounded to three decimals


def _via_3(file: LabelFile) -> Iterator[Entry]:
    """Yield the images of a project of VIA 3; other files and temporal segments have no boxes of images."""
    parts = {key: get(file.root, key, dict, "the file") for key in ("attribute", "file", "view", "metadata")}
    entries: dict[str, Entry] = {}
    astray = False  # a region that is of any image
    for key, item in parts["file"].items():
        with file.reader.ledger.reporting(file.name, "image dropped", where := f"file {shorten(key)}"):
            if (kind := get(item, "type", int, where, _IMAGE_3)) != _IMAGE_3:
                raise BadInput("not-an-image", f"type {kind}", "only images (2) are read; save the frames as images")
            name = get(item, "fname", str, where)
            try:
                name = posixpath.basename(urlsplit(name).path) if "://" in name else name
            except ValueError as error:
                raise BadInput("unsafe-path", shorten(name), f"must be a file or a URL: {error}") from None
            entries[key] = Entry(name, where, [], slack=_DIGITS_3)
    for key, item in parts["metadata"].items():
        with file.reader.ledger.reporting(file.name, "box dropped", where := f"metadata {shorten(key)}"):
            if isinstance(item, dict) and item.get("xy") == []:
                continue  # about the whole image, or a time
            astray, before = True, astray
            view = get(parts["view"], str(get(item, "vid", (str, int), where)), dict, where)
            shown = [str(one) for one in get(view, "fid_list", list, where)]
            astray = before
            with _losing([entries[one] for one in shown if one in entries]):
                points = get(item, "xy", list, where)
                if len(shown) != 1:
                    raise BadInput("image-ambiguous", f"a view of {len(shown)} files", "a box is of one image")
                if shown[0] not in parts["file"]:
                    raise BadInput("points-nowhere", f"file {shorten(shown[0])}", "no file of the project has it")
                if entry := entries.get(shown[0]):
                    shape = {
                        "shape_attributes": _shape_3(points),
                        "region_attributes": _classes_3(parts, item, where),
                    }
                    entry.shapes.append((shape, where))
    for entry in entries.values():
        entry.lost += astray and not entry.shapes
    yield from _with_via_class(file, list(entries.values()))


@contextmanager
def _losing(entries: list[Entry]) -> Iterator[None]:
    """Count the shape that a BadInput keeps out of each image that may have it."""
    try:
        yield
    except BadInput:
        for entry in entries:
            entry.lost += 1
        raise


def _shape_3(points: list[Any]) -> dict[str, Any]:
    """Return a shape of VIA 3 as VIA 2 writes it."""
    name, fields = _SHAPES_3.get(points[0] if type(points[0]) is int else 0, (f"shape {shorten(points[0])}", ""))
    values = points[1:]
    if not fields:
        return {"name": name, "all_points_x": values[::2], "all_points_y": values[1::2]}
    if len(values) != len(fields.split()):
        raise BadInput("columns", f"xy {shorten(points)}", f"{name} is [{points[0]}, {fields.replace(' ', ', ')}]")
    return {"name": name, **dict(zip(fields.split(), values, strict=True))}


def _classes_3(parts: dict[str, Any], item: Any, where: str) -> dict[str, Any]:
    """Return the values of a region by the names of their attributes; options by their names."""
    result: dict[str, Any] = {}
    for key, value in get(item, "av", dict, where, {}).items():
        attribute = get(parts["attribute"], key, dict, where)
        options = get(attribute, "options", (dict, list), where, {})
        if isinstance(value, str) and options and isinstance(options, dict):
            chosen = value.split(",") if get(attribute, "type", int, where, 0) == _CHECKBOX_3 else [value]
            if len(chosen) == 1:
                value = options.get(value, value)
            else:
                value = dict.fromkeys((str(options.get(one, one)) for one in chosen), True)
        result[get(attribute, "aname", str, where)] = value
    return result


_VIA_COLUMNS = ("region_shape_attributes", "region_attributes")


def _via_csv(file: LabelFile) -> Iterator[Entry]:
    """Yield the images of a CSV with a line a region, or a line without a region for background."""
    entries: dict[str, Entry] = {}

    def take(line: int, row: Row) -> None:
        where = f"line {line}"
        name = image_of(row)
        shape, attributes = (parse(row.get(key, "").encode() or b"{}") for key in _VIA_COLUMNS)
        entry = entries.setdefault(name, Entry(name, where, []))
        if shape != {}:
            entry.shapes.append(({"shape_attributes": shape, "region_attributes": attributes}, where))

    def image_of(row: Row) -> str:
        name = row.get("filename", row.get("#filename"))
        if name is None:
            raise BadInput("csv", "no filename", "each line must name its image in the column filename")
        return name

    lost = take_rows(decode(file.root), file.name, file.reader.ledger, take, image_of)
    for name in lost.of_image:
        entries.setdefault(name, Entry(name, "", []))
    for name, entry in entries.items():
        entry.lost += lost.count(name)
    yield from _with_via_class(file, list(entries.values()))


VIA = FieldTables(
    (
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
        FieldTable(
            words=("data_format_version vid_list",),
            entries=_via_3,
            shape=_via_shape,
            background="a file without regions",
        ),
    )
)
