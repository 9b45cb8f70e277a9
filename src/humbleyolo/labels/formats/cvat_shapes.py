"""CVAT's boxes, in images and in tracks alike."""

import math

from humbleyolo.labels.labelled_image import FLAGS, Corners
from humbleyolo.labels.ledger import BadInput
from humbleyolo.labels.parsing.xml import Element
from humbleyolo.labels.source_reader import SourceReader

CORNERS = ("xtl", "ytl", "xbr", "ybr")
SLACK = 0.01  # pixels; CVAT writes two decimals
_NO_SHAPES = ("attribute", "tag")


def read_corners(box: Element, file: str, reader: SourceReader) -> Corners:
    """Return a `<box>`'s corners; of a turned box those of the box around it, with a note.

    Raises:
        BadInput: If a corner is missing or no number.
    """
    left, top, right, bottom = (box.number(name) for name in CORNERS)
    angle = box.number("rotation") if "rotation" in box.attributes else 0.0
    if angle == 0:
        return left, top, right, bottom
    turn, x, y = math.radians(angle), (left + right) / 2, (top + bottom) / 2
    across = (abs(math.cos(turn)) * (right - left) + abs(math.sin(turn)) * (bottom - top)) / 2
    down = (abs(math.sin(turn)) * (right - left) + abs(math.cos(turn)) * (bottom - top)) / 2
    error = BadInput("rotated-box", f"rotation {angle:g}", "boxes here are upright", box.where)
    reader.ledger.note(file, error, "the box around it taken")
    return x - across, y - down, x + across, y + down


def read_flags(box: Element) -> frozenset[str]:
    """Return a `<box>`'s flags: `occluded` is an XML attribute, the others are attributes of its label."""
    flags = {"occluded"} if box.flag("occluded") else set()
    for attribute in box.all("attribute"):
        name = attribute.attributes.get("name", "")
        if name in FLAGS and attribute.text.lower() in ("1", "true"):
            flags.add(name)
    return frozenset(flags)


def note_other_shapes(tags: set[str], where: str, file: str, reader: SourceReader) -> None:
    """Note shapes that are not boxes."""
    for tag in sorted(tags - {"box", *_NO_SHAPES}):
        reader.ledger.note(file, BadInput("not-a-box", f"<{tag}>", "only boxes are read", where), "not read")
