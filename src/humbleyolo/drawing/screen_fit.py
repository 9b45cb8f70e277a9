"""Sheets that a screen shows whole: how large their pictures may be, and how many there is room for."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from humbleyolo.drawing.canvas import MARGIN_X, MARGIN_Y, enlargement, shrunk_size
from humbleyolo.drawing.contact_sheet import joined_size, sheet_size

SCREEN_WIDTH, SCREEN_HEIGHT = 1600, 1250  # pixels of a sheet at most: its letters are read on a screen of 1080
LEAST_PX, MOST_PX = 176, 640  # longer side of a picture
_STEP_PX = 4


class SheetFit(NamedTuple):
    """The layout of a sheet that a screen shows whole.

    Attributes:
        longest_px: Longer side of a picture, at most.
        columns: Entries side by side.
        entries: Those that there is room for, the first ones.
    """

    longest_px: int
    columns: int
    entries: int


def fit_on_screen(
    images: Sequence[tuple[int, int]],
    *,
    columns: int,
    scale: int,
    top: Callable[[int, int], int],
    panels: int = 1,
    most_px: int = MOST_PX,
) -> SheetFit:
    """Return the largest pictures with which all entries fit; if none do, the least, and the entries that fit then.

    Args:
        images: (height, width) of the image of each entry.
        columns: Entries side by side, at most.
        scale: Enlargement of images, at most.
        top: Height of the heading, of a width in pixels and a number of entries.
        panels: Pictures of an entry, side by side under their headings if there are several.
        most_px: Longer side of a picture, at most.
    """
    for longest_px in sides(most_px):
        entry = _entry_size(images, longest_px, scale, panels)
        fitting = columns_of(entry[0], columns)
        width = sheet_size(entry, len(images), fitting, 0)[0]
        if on_screen(sheet_size(entry, len(images), fitting, top(width, len(images)))):
            return SheetFit(longest_px, fitting, len(images))
    rows = 1
    while on_screen(sheet_size(entry, (rows + 1) * fitting, fitting, top(width, rows * fitting))):
        rows += 1
    return SheetFit(longest_px, fitting, min(rows * fitting, len(images)))


def on_screen(size: tuple[int, int]) -> bool:
    """Tell if a screen shows a sheet of this (width, height) whole."""
    return size[0] <= SCREEN_WIDTH and size[1] <= SCREEN_HEIGHT


def sides(most_px: int = MOST_PX) -> Iterable[int]:
    """Return lengths of a picture's longer side, from the largest to the least that is legible."""
    return range(most_px, LEAST_PX - 1, -_STEP_PX)


def columns_of(width: int, columns: int) -> int:
    """Return how many entries of this width a screen has room for, side by side: `columns` at most, 1 at least."""
    return max(n for n in range(1, columns + 1) if n == 1 or on_screen(sheet_size((width, 0), n, n, 0)))


def tile_size(images: Iterable[tuple[int, int]], longest_px: int, scale: int) -> tuple[int, int]:
    """Return (width, height) of the tile that holds each of these (height, width) images, with its frame."""
    wide = high = 0
    for image in images:
        height, width = shrunk_size(*image, longest_px)
        by = enlargement(max(height, width), longest_px, scale)
        wide, high = max(wide, by * width), max(high, by * height)
    return wide + 2 * MARGIN_X, high + 2 * MARGIN_Y


def _entry_size(images: Sequence[tuple[int, int]], longest_px: int, scale: int, panels: int) -> tuple[int, int]:
    tile = tile_size(images, longest_px, scale)
    return tile if panels == 1 else joined_size(tile, panels)
