"""Upright boxes around what is drawn otherwise: turned boxes, and several shapes of one object."""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace

from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.labels.labelled_image import Corners, UncheckedBox


def around_turned(corners: Corners, degrees: float, where: str, file: str, ledger: Ledger) -> Corners:
    """Return the box around a box that is turned about its centre, with a note in the ledger.

    An inverted box stays as it is, so that the rules for boxes find it.
    """
    left, top, right, bottom = corners
    if degrees == 0 or right < left or bottom < top:
        return corners
    turn, x, y = math.radians(degrees), (left + right) / 2, (top + bottom) / 2
    across = (abs(math.cos(turn)) * (right - left) + abs(math.sin(turn)) * (bottom - top)) / 2
    down = (abs(math.sin(turn)) * (right - left) + abs(math.cos(turn)) * (bottom - top)) / 2
    note_turned(f"rotation {degrees:g}", where, file, ledger)
    return x - across, y - down, x + across, y + down


def around_ellipse(x: float, y: float, across: float, down: float, degrees: float = 0.0) -> Corners:
    """Return the box around an ellipse by its centre, its radii, and the turn about its centre."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    wide, high = math.hypot(across * cos, down * sin), math.hypot(across * sin, down * cos)
    return x - wide, y - high, x + wide, y + high


def note_no_area(kind: str, where: str, file: str, ledger: Ledger) -> None:
    """Note that a shape, such as a point, is left out because it has no area."""
    why = "has no area; only shapes with one are read"
    ledger.note(file, BadInput("not-a-box", kind, why, where), "not read")


def note_turned(found: str, where: str, file: str, ledger: Ledger) -> None:
    """Note that a box is not upright in its label file."""
    ledger.note(file, BadInput("rotated-box", found, "boxes here are upright", where), "the box around it taken")


def one_box_per_group(
    shapes: Sequence[tuple[UncheckedBox, Hashable]], file: str, ledger: Ledger
) -> list[UncheckedBox]:
    """Return a box per object: around all shapes of one class and one group, with a note. Group None is a single."""
    members: dict[Hashable, list[UncheckedBox]] = defaultdict(list)
    for number, (box, group) in enumerate(shapes):
        members[number if group is None else (box.label, group)].append(box)
    result = []
    for some in members.values():
        box = some[0]
        if len(some) > 1:
            left, top, right, bottom = zip(*(one.corners for one in some), strict=True)
            flags = frozenset[str]().union(*(one.flags for one in some))
            box = replace(box, corners=(min(left), min(top), max(right), max(bottom)), flags=flags)
            why = "they are of one group, so that they are one object"
            ledger.note(file, BadInput("grouped", f"{len(some)} shapes", why, box.where), "the box around them taken")
        result.append(box)
    return result
