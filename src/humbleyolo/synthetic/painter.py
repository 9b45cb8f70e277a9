"""Words drawn on a ground: the image number `index` of a split is a function of (seed, split, index) alone.

How an image comes to be:

1. Layout. Words are put down one after the other on a map of the owner of each pixel; later words lie above
   earlier ones. A word that would show less than `min_visible` of its ink, or leave so little of another's, is
   tried elsewhere. After `TRIES` places it is not drawn.
2. Boxes. The box of a word is the smallest that holds its own pixels of that map. It ends at the image's border,
   and leaves out ink that later words cover.
3. Appearance: ground, ink, blur, noise, in this order. None of it changes a box: ink that blurs over the edge of a
   box, or drowns in noise, was ink inside it.

Random numbers come from Philox, a counter-based generator, keyed by seed and split, its counter set by the
index. Steps 1 and 2 take theirs before step 3 does, so that a change of colours or noise moves no word. They
compute with whole numbers, sums and products, whose results are the same on all machines.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageColor, ImageFilter

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.errors import UserError
from humbleyolo.params.sections import Synthetic
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Floats32, Uint8s
from humbleyolo.synthetic.fonts import Fonts, Ink
from humbleyolo.synthetic.word_layout import Box, Cell, Layout, Name

TRIES = 20
"""Places tried for one word, and layouts tried for one image that must hold `min_objects`."""

_BLOTCH_PX = 8  # of the background `noise`

Choice = TypeVar("Choice")


class Word(NamedTuple):
    """A word as it was drawn.

    Attributes:
        label: Index into `words`.
        font: Name of the font file.
        px: Font height.
        angle_deg: Rotation against the clock, degrees.
        left: First column of its uncut ink in the image; may be negative.
        top: Row, likewise.
        box_ltwh: Box of its visible ink, whole pixels.
        ink: Red, green, blue.
    """

    label: int
    font: str
    px: int
    angle_deg: float
    left: int
    top: int
    box_ltwh: Box
    ink: tuple[int, int, int]


class Sample(NamedTuple):
    """A labelled image.

    Attributes:
        pixels: (H, W) uint8 if all colours are greys, else (H, W, 3) uint8 RGB.
        words: In the order of drawing; later ones lie above.
        not_drawn: Number of words that found no place.
    """

    pixels: Uint8s
    words: list[Word]
    not_drawn: int


class Painter:
    """Draws the samples of one dataset.

    `folder` holds the font files; all random numbers depend on `seed`.
    """

    def __init__(self, params: Synthetic, folder: Path, seed: int) -> None:
        self._params = params
        self._fonts = Fonts(folder)
        self._random = np.random.Generator(np.random.Philox(key=(seed, 0)))
        self._random_start = self._random.bit_generator.state
        self._weights = list(accumulate(params.frequencies))
        self._inks = [ImageColor.getrgb(colour)[:3] for colour in params.ink]
        self._grounds = [ImageColor.getrgb(colour)[:3] for colour in params.ground]
        self._grey = all(len(set(colour)) == 1 for colour in (*self._inks, *self._grounds))
        self._shape = (params.height, params.width) if self._grey else (params.height, params.width, 3)

    def draw(self, split: str, index: int) -> Sample:
        """Draw one sample.

        `split` is a name in `SPLITS`, `index` the number of the image in it, from 0.

        Raises:
            UserError: If `free.min_objects` words find no place.
        """
        params = self._params
        random = self._random_for(split, index)
        unit = _uniforms(random).__next__
        in_cells = params.placement == "cells"
        layout, not_drawn = self._fill_cells(unit) if in_cells else self._scatter(unit, split, index)
        inks = [_pick(self._inks, unit()) for _ in layout.placed]
        image = self._ground(unit, random)
        for placed, colour in zip(layout.placed, inks, strict=True):
            image.paste(colour[0] if self._grey else colour, (placed.left, placed.top), placed.ink.coverage)
        if params.blur_px:
            image = image.filter(ImageFilter.GaussianBlur(unit() * params.blur_px))
        pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(self._shape)
        if params.noise:
            pixels = _add_noise(pixels, params.noise * 255, random)
        words = [
            Word(*placed.name, placed.left, placed.top, placed.box_ltwh, colour)
            for placed, colour in zip(layout.placed, inks, strict=True)
        ]
        return Sample(pixels, words, not_drawn)

    def _random_for(self, split: str, index: int) -> np.random.Generator:
        """Return the generator at the start of a sample's numbers. Setting it is quicker than making one."""
        state = self._random_start
        state["state"]["key"][1] = SPLITS.index(split)
        state["state"]["counter"][1] = index
        self._random.bit_generator.state = state
        return self._random

    def _fill_cells(self, unit: Callable[[], float]) -> tuple[Layout, int]:
        """Put one word, or nothing, into each cell, row by row."""
        cells, layout = self._params.cells, self._empty_layout(max_overlap=1.0)
        rows, cols, nothing = cells.rows, cells.cols, cells.nothing
        not_drawn = 0
        for row in range(rows):
            for col in range(cols):
                where = unit() * (nothing + self._weights[-1]) - nothing
                if where >= 0:
                    name, ink = self._choose(where / self._weights[-1], unit)
                    not_drawn += not self._place(layout, name, ink, ((row, rows), (col, cols)), unit)
        return layout, not_drawn

    def _scatter(self, unit: Callable[[], float], split: str, index: int) -> tuple[Layout, int]:
        """Put some words anywhere."""
        free = self._params.free
        for _ in range(TRIES):
            layout = self._empty_layout(free.max_overlap)
            due = free.min_objects + int(unit() * (free.max_objects - free.min_objects + 1))
            for _ in range(due):
                name, ink = self._choose(unit(), unit)
                self._place(layout, name, ink, ((0, 1), (0, 1)), unit)
            if len(layout.placed) >= free.min_objects:
                return layout, due - len(layout.placed)
        raise UserError(
            f"dataset.synthetic.free.min_objects: {counted(free.min_objects, 'word')} found no place in "
            f"image {index} of {split} ({TRIES} layouts tried, the last held {len(layout.placed)}); allowed: "
            "fewer, or larger images, a smaller font_px, a larger max_overlap"
        )

    def _empty_layout(self, max_overlap: float) -> Layout:
        params = self._params
        return Layout(params.height, params.width, params.min_visible, max_overlap)

    def _choose(self, where: float, unit: Callable[[], float]) -> tuple[Name, Ink]:
        """Choose a word by its frequency (`where`: 0 to 1), a font, a size and an angle, and draw it."""
        params = self._params
        label = bisect_right(self._weights, where * self._weights[-1])
        while label == len(self._weights) or not params.frequencies[label]:  # `where` was rounded up
            label -= 1
        font = _pick(params.fonts, unit())
        low, high = params.font_px
        px = low + int(unit() * (high - low + 1))
        angle = (2 * unit() - 1) * params.rotation_deg
        return (label, font, px, angle), self._fonts.ink(params.words[label], font, px, angle)

    def _place(self, layout: Layout, name: Name, ink: Ink, cell: Cell, unit: Callable[[], float]) -> bool:
        """Put a word's centre somewhere into a cell."""
        params, (row, col) = self._params, cell
        top, tops = _places(*row, params.height, ink.height, params.may_leave_image)
        left, lefts = _places(*col, params.width, ink.width, params.may_leave_image)
        if not ink.pixels or tops < 1 or lefts < 1:
            return False
        for _ in range(TRIES):
            if layout.put(name, ink, cell, left + int(unit() * lefts), top + int(unit() * tops)):
                return True
        return False

    def _ground(self, unit: Callable[[], float], random: np.random.Generator) -> Image.Image:
        """Return an image without words, of mode L or RGB."""
        params = self._params
        size = (params.width, params.height)
        first = int(unit() * len(self._grounds))
        colour = self._grounds[first]
        if params.background == "plain":
            return Image.new("L", size, colour[0]) if self._grey else Image.new("RGB", size, colour)
        second = int(unit() * (len(self._grounds) - 1))
        other = self._grounds[second + (second >= first)]
        if params.background == "gradient":
            part = _slope(params.height, params.width, 2 * unit() - 1, 2 * unit() - 1)
        else:
            part = _blotches(params.height, params.width, random)
        channels = slice(0, 1) if self._grey else slice(0, 3)
        start = np.array(colour[channels], np.float32)
        span = np.array(other[channels], np.float32) - start
        pixels = np.rint(start + span * part[..., np.newaxis]).astype(np.uint8)  # (H, W, 1 or 3)
        return Image.fromarray(pixels[..., 0] if self._grey else pixels)


def _uniforms(random: np.random.Generator) -> Iterator[float]:
    """Yield random numbers from 0 to 1, without 1."""
    while True:
        yield from random.random(32).tolist()


def _pick(choices: Sequence[Choice], where: float) -> Choice:
    return choices[int(where * len(choices))]


def _places(part: int, parts: int, length: int, extent: int, may_leave: bool) -> tuple[int, int]:
    """Return the first place of a word along one axis, and how many there are (0 or less: none).

    The word's centre, place + extent / 2, lies in the cell from part * length / parts, included, to
    (part + 1) * length / parts, not included.
    """
    first = -((extent * parts - 2 * part * length) // (2 * parts))  # rounded up
    behind = -((extent * parts - 2 * (part + 1) * length) // (2 * parts))
    if not may_leave:
        first, behind = max(first, 0), min(behind, length - extent + 1)
    return first, behind - first


def _slope(height: int, width: int, right: float, down: float) -> Floats32:
    """Return (H, W) values that rise from 0 to 1 in the direction (right, down)."""
    across = np.arange(width, dtype=np.float32) * np.float32(right)
    along = np.arange(height, dtype=np.float32) * np.float32(down)
    level = across + along[:, np.newaxis]
    level -= level.min()
    level /= max(float(level.max()), 1e-6)
    return level


def _blotches(height: int, width: int, random: np.random.Generator) -> Floats32:
    """Return (H, W) values from 0 to 1 that change smoothly over some pixels."""
    coarse = random.random((height // _BLOTCH_PX + 2, width // _BLOTCH_PX + 2), np.float32)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(smooth)


def _add_noise(pixels: Uint8s, deviation: float, random: np.random.Generator) -> Uint8s:
    noisy = random.standard_normal(pixels.shape, np.float32)
    noisy *= np.float32(deviation)
    noisy += pixels
    np.rint(noisy, out=noisy)
    np.clip(noisy, 0, 255, out=noisy)
    return noisy.astype(np.uint8)
