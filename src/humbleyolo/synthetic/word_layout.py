"""Words laid one over the other, each with enough of its ink in sight: a map of the owner of each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.storage.array_types import Bools, Ints32
from humbleyolo.synthetic.fonts import Ink

Box = tuple[int, int, int, int]
Name = tuple[int, str, int, float]  # label, font, px, angle
Cell = tuple[tuple[int, int], tuple[int, int]]  # (row, rows), (column, columns)


@dataclass(slots=True)
class Placed:
    """A word on the layout; `box` (left, top, right, bottom) and `visible` change as others cover it."""

    name: Name
    ink: Ink
    cell: Cell
    left: int
    top: int
    box: Box
    visible: int

    @property
    def box_ltwh(self) -> Box:
        """`box` as left, top, width, height."""
        left, top, right, bottom = self.box
        return left, top, right - left, bottom - top


class Layout:
    """The map of the owner of each pixel of an image: the word whose ink it shows."""

    def __init__(self, height: int, width: int, min_visible: float, max_overlap: float) -> None:
        self.placed: list[Placed] = []
        self._height, self._width = height, width
        self._min_visible, self._max_overlap = min_visible, max_overlap
        self._owner: Ints32 | None = None  # 0: nobody, 1: the first word ...

    def put(self, name: Name, ink: Ink, cell: Cell, left: int, top: int) -> bool:
        """Put a word, whose centre is in its cell, on top of all others, if the rules allow it.

        A word that the border cuts, or another covers, shows a smaller box with another centre. It too must lie
        in the word's cell, or a cell could hold two.
        """
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + ink.width, self._width), min(top + ink.height, self._height)
        drawn, visible, box = ink.drawn, ink.pixels, (x0, y0, x1, y1)
        if (x1 - x0, y1 - y0) != (ink.width, ink.height):
            drawn = drawn[y0 - top : y1 - top, x0 - left : x1 - left]
            visible = int(np.count_nonzero(drawn))
            if not self._enough(visible, ink):
                return False
            box = _bounds(drawn, x0, y0)
            if not self._at_home(box, cell):
                return False
        if self._owner is None and any(_touch(box, other.box) for other in self.placed):
            self._owner = self._map()  # most images need none: their words are apart
        if self._owner is not None:
            below = self._owner[y0:y1, x0:x1]
            covered = self._cover(self._owner, below, drawn)
            if covered is None or (self._max_overlap < 1 and not self._apart(box, covered)):
                return False
            for earlier, earlier_visible, earlier_box in covered:
                earlier.visible, earlier.box = earlier_visible, earlier_box
            below[drawn] = len(self.placed) + 1
        self.placed.append(Placed(name, ink, cell, left, top, box, visible))
        return True

    def _map(self) -> Ints32:
        """Return the (H, W) map of words that are apart."""
        owner = np.zeros((self._height, self._width), np.int32)
        for number, placed in enumerate(self.placed, 1):
            x0, y0, x1, y1 = placed.box
            left, top = placed.left, placed.top
            owner[y0:y1, x0:x1][placed.ink.drawn[y0 - top : y1 - top, x0 - left : x1 - left]] = number
        return owner

    def _cover(self, owner: Ints32, below: Ints32, drawn: Bools) -> list[tuple[Placed, int, Box]] | None:
        """Return the words that would be covered, with the visible ink and box that they keep; None if forbidden."""
        owners = below[drawn]
        if not owners.any():
            return []
        lost = np.bincount(owners)
        numbers = np.flatnonzero(lost[1:]) + 1
        covered = [(int(number), self.placed[number - 1]) for number in numbers]
        if not all(self._enough(placed.visible - int(lost[number]), placed.ink) for number, placed in covered):
            return None
        saved = owners.copy()
        below[drawn] = 0  # for a moment, to see what is left
        kept = []
        for number, placed in covered:
            x0, y0, x1, y1 = placed.box
            left = owner[y0:y1, x0:x1] == number
            kept.append((placed, placed.visible - int(lost[number]), _bounds(left, x0, y0)))
        below[drawn] = saved
        return kept if all(self._at_home(box, placed.cell) for placed, _, box in kept) else None

    def _at_home(self, box: Box, cell: Cell) -> bool:
        """Return True if a box's centre lies in a cell."""
        (row, rows), (col, cols) = cell
        return (
            2 * row * self._height <= (box[1] + box[3]) * rows < 2 * (row + 1) * self._height
            and 2 * col * self._width <= (box[0] + box[2]) * cols < 2 * (col + 1) * self._width
        )

    def _enough(self, visible: int, ink: Ink) -> bool:
        return visible >= self._min_visible * ink.pixels

    def _apart(self, box: Box, covered: Sequence[tuple[Placed, int, Box]]) -> bool:
        """Return True if no two boxes would overlap more than allowed."""
        boxes = [placed.box for placed in self.placed]
        changed = [len(boxes)]
        for placed, _, smaller in covered:
            changed.append(next(i for i, other in enumerate(self.placed) if other is placed))
            boxes[changed[-1]] = smaller
        corners = np.array([*boxes, box])
        overlaps = pairwise_iou(corners[changed], corners)  # (changed, all)
        overlaps[np.arange(len(changed)), changed] = 0  # each with itself
        return bool((overlaps <= self._max_overlap).all())


def _bounds(mask: Bools, left: int, top: int) -> Box:
    """Return the box of the True pixels of a (H, W) mask whose corner is at (left, top)."""
    cols = np.logical_or.reduce(mask, 0).nonzero()[0]
    rows = np.logical_or.reduce(mask, 1).nonzero()[0]
    return left + int(cols[0]), top + int(rows[0]), left + int(cols[-1]) + 1, top + int(rows[-1]) + 1


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
