"""The name tags of boxes: a class and its confidence, written where they hide the least."""

import math

import numpy as np
from PIL import Image, ImageDraw

from humbleyolo.drawing.label_font import font, shorten
from humbleyolo.drawing.palette import INK, WHITE, Colour
from humbleyolo.storage.array_types import Ints

TAG_FONT_PX = 11  # height of the font
TAG_HEIGHT = 15
_LONGEST_NAME_PX = 180


class NameTags:
    """Tags written on a canvas, each where it hides least of the boxes and of the tags before it.

    Args:
        canvas: The picture that is written on.
        inner: (M, 4) xyxy whole pixels of the canvas that hold the boxes.
        line: Width of the boxes' outlines, pixels.
        unit: Enlargement of the letters, 1 or more.
    """

    def __init__(self, canvas: Image.Image, inner: Ints, line: int, unit: float = 1.0) -> None:
        self._brush, self._inner, self._line = ImageDraw.Draw(canvas), inner, line
        self._unit, self._high, self._font_px = unit, round(TAG_HEIGHT * unit), round(TAG_FONT_PX * unit)
        self._taken = np.zeros((canvas.height, canvas.width), np.uint16)  # by how many boxes; a tag counts as 3
        for left, top, right, bottom in inner:
            self._taken[top:bottom, left:right] += 1

    def write(self, index: int, name: str, score: float | None, colour: Colour) -> None:
        """Write the tag of the box `index`: above, below or beside it, also in the frame around the picture."""
        height, width = self._taken.shape
        text, around = tag_text(name, score, width - 8, self._unit), round(3 * self._unit)
        wide = min(math.ceil(font(self._font_px).getlength(text)) + 2 * around, width)
        corners = [
            (min(max(x, 0), width - wide), min(max(y, 0), max(height - self._high, 0)))
            for x, y in self._candidates(index, wide)
        ]
        left, top = min(corners, key=lambda corner: self._hidden(corner, wide))
        self._taken[top : top + self._high, left : left + wide] += 3
        self._brush.rectangle((left, top, left + wide - 1, top + self._high - 1), fill=colour)
        red, green, blue = colour
        ink = INK if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else WHITE
        self._brush.text((left + around, top + round(self._unit)), text, font=font(self._font_px), fill=ink)

    def _hidden(self, corner: tuple[int, int], wide: int) -> int:
        left, top = corner
        return int(self._taken[top : top + self._high, left : left + wide].sum(dtype=np.int64))

    def _candidates(self, index: int, wide: int) -> list[tuple[int, int]]:
        """Return the left upper corners that a tag may have, the best first."""
        left, top, right, bottom = self._inner[index].tolist()
        above, below = top - self._line - self._high, bottom + self._line
        middle = (top + bottom - self._high) // 2
        before, behind = left - self._line - wide, right + self._line
        places = [(left - self._line, above), (left - self._line, below)]
        places += [(behind - wide, above), (behind - wide, below), (behind, middle), (before, middle)]
        return [*places, (behind, above), (behind, below), (before, above), (before, below)]


def tag_text(name: str, score: float | None, width_px: float, unit: float = 1.0) -> str:
    """Return a tag's text: the name, cut to fit into `width_px`, and the confidence in two digits."""
    height = round(TAG_FONT_PX * unit)
    ending = "" if score is None else f" {score:.2f}"
    room = min(width_px, _LONGEST_NAME_PX * unit) - font(height).getlength(ending)
    return shorten(name, room, height) + ending
