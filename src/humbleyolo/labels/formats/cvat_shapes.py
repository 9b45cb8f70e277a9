"""CVAT's shapes, in images and in tracks alike, and the boxes around them."""

import re

from humbleyolo.inputs.ledger import BadInput
from humbleyolo.inputs.parsing.text import parse_number
from humbleyolo.inputs.parsing.xml import Element
from humbleyolo.labels.formats.masks import points_corners
from humbleyolo.labels.formats.shapes import around_ellipse, around_turned, note_no_area, note_turned
from humbleyolo.labels.labelled_image import FLAGS, Corners
from humbleyolo.labels.source_reader import SourceReader

CORNERS = ("xtl", "ytl", "xbr", "ybr")
SLACK = 0.01  # pixels; CVAT writes two decimals
_NO_SHAPES = ("attribute", "tag", "track")  # a track inside a track is a part of its skeleton
_CUBOID = re.compile("[xy][tb][lr][12]")  # its eight corners


def read_corners(shape: Element, file: str, reader: SourceReader) -> Corners | None:
    """Return the box around a shape, with a note if it is turned; None for what is no shape.

    Points, skeletons of points, and lines that are not closed, have no area: None, with a note.

    Raises:
        BadInput: If the shape cannot be read, or no rule gives its box.
    """
    if shape.tag in _NO_SHAPES:
        return None
    angle = shape.number("rotation") if "rotation" in shape.attributes else 0.0
    if shape.tag == "box":
        left, top, right, bottom = (shape.number(name) for name in CORNERS)
        return around_turned((left, top, right, bottom), angle, shape.where, file, reader.ledger)
    if shape.tag in ("polygon", "polyline", "points", "skeleton"):
        points = _points(shape) if shape.tag in ("polygon", "polyline") else []
        closed = len(points) > 6 and points[:2] == points[-2:]
        if shape.tag == "polygon" or closed:
            return points_corners(points, shape.where)
        note_no_area(f"<{shape.tag}>", shape.where, file, reader.ledger)
        return None
    if shape.tag == "ellipse":
        return _around_ellipse(shape, angle, file, reader)
    if shape.tag == "mask":
        left, top, width, height = (shape.number(name) for name in ("left", "top", "width", "height"))
        return left, top, left + width, top + height
    if shape.tag == "cuboid":
        names = sorted((name for name in shape.attributes if _CUBOID.fullmatch(name)), key=lambda name: name[1:])
        return points_corners([shape.number(name) for name in names], shape.where)  # xbl1, ybl1, xbl2, ybl2, ...
    why = "no rule gives its box; draw a box in its place, or delete it"
    raise BadInput("not-a-box", f"<{shape.tag}>", why, shape.where)


def _points(shape: Element) -> list[float]:
    """Return the numbers of `x,y;x,y;...`."""
    try:
        return [parse_number(text, "a point's x and y") for text in re.split("[,;]", shape.attribute("points"))]
    except BadInput as error:
        raise error.at(shape.where) from None


def _around_ellipse(shape: Element, angle: float, file: str, reader: SourceReader) -> Corners:
    x, y, across, down = (shape.number(name) for name in ("cx", "cy", "rx", "ry"))
    if angle:
        note_turned(f"rotation {angle:g}", shape.where, file, reader.ledger)
    return around_ellipse(x, y, across, down, angle)


def read_flags(box: Element) -> frozenset[str]:
    """Return a shape's flags: `occluded` is an XML attribute, the others are attributes of its label."""
    flags = {"occluded"} if box.flag("occluded") else set()
    for attribute in box.all("attribute"):
        name = attribute.attributes.get("name", "")
        if name in FLAGS and attribute.text.lower() in ("1", "true"):
            flags.add(name)
    return frozenset(flags)
