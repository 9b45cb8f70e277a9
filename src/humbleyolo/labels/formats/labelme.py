"""LabelMe JSON, one file an image: shapes as lists of points in pixels.

A rectangle is two opposite corners in the order of the mouse, so any order is right; a circle is its centre
and a point on it; polygons, and rectangles with four points, give the box around them. Points and lines have
no area: they are left out, with a note. `imagePath` may go through `..` as long as it stays inside the
folder.
"""

import math
import posixpath
from typing import Any

from humbleyolo.labels.folder import IMAGE_BYTES, Source
from humbleyolo.labels.formats.masks import points_corners
from humbleyolo.labels.labelled_image import Corners, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.json import get, parse
from humbleyolo.labels.source_reader import SourceReader, split_of_folder

_BOXED = ("rectangle", "polygon", "circle", "mask")
_LOOK_AT = 5


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    for name in source.ending(".json")[:_LOOK_AT]:
        try:
            data = source.read(name)
        except BadInput:
            continue
        if b'"shapes"' in data and b'"imagePath"' in data:
            return f"{name} is JSON with shapes and imagePath"
    return ""


def read(context: SourceReader) -> UncheckedSet:
    """Return the images that the JSON files describe; see `formats.Format`."""
    records = []
    for name in context.source.ending(".json"):
        data = context.bytes(name, IMAGE_BYTES)  # it may hold the image itself
        if data is None:
            continue
        try:
            records.append(_record(context, name, parse(data)))
        except BadInput as error:
            context.ledger.problem(name, error, "file dropped")
    return UncheckedSet(records, background="a JSON file whose shapes are []")


def _record(context: SourceReader, name: str, root: Any) -> UncheckedImage:
    where = "the file"
    wanted = get(root, "imagePath", str, where)
    split = split_of_folder(name)
    record = UncheckedImage(
        label_file=name,
        path=context.finder.find(wanted, posixpath.dirname(name), "images"),
        height=get(root, "imageHeight", int, where, None),
        width=get(root, "imageWidth", int, where, None),
        splits=(split,) if split else (),
    )
    for number, shape in enumerate(get(root, "shapes", list, where)):
        place = f"shapes[{number}]"
        try:
            kind = get(shape, "shape_type", str, place, "polygon")
            if kind not in _BOXED:
                error = BadInput(
                    "not-a-box", shorten(kind), "has no area; only shapes with one are read", place
                )
                context.ledger.note(name, error, "not read")
                continue
            label = get(shape, "label", str, place)
            corners = _corners(kind, get(shape, "points", list, place), place)
            flags = get(shape, "flags", dict, place, {})
            kept = frozenset(
                flag for flag in ("difficult", "occluded", "truncated", "crowd") if flags.get(flag) is True
            )
            record.boxes.append(UncheckedBox(place, label, corners, kept))
        except BadInput as error:
            context.ledger.problem(name, error.at(place), "box dropped")
    return record


def _corners(kind: str, points: list[Any], where: str) -> Corners:
    if not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise BadInput("json", f"points {shorten(points)}", "must be [[x, y], [x, y], ...]", where)
    left, top, right, bottom = points_corners([value for point in points for value in point], where)
    if kind != "circle":
        return left, top, right, bottom
    if len(points) != 2:
        raise BadInput(
            "columns", f"{len(points)} points", "a circle has two: centre, and a point on it", where
        )
    (x, y), (on_x, on_y) = points
    radius = math.hypot(on_x - x, on_y - y)
    return x - radius, y - radius, x + radius, y + radius
