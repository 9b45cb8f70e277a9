"""Words drawn on a ground: the image number `index` of a split is a function of (seed, split, index) alone.

How an image comes to be:

1. What stands where. Words are put down one after the other, on a map that says for each pixel whose ink
   it is; later words lie above earlier ones. A word that would show less than `min_visible` of its ink, or
   leave so little of another's, is tried elsewhere, `TRIES` times at most, and then not drawn.
2. The box of a word is the smallest that holds the pixels which are its own on that map: cut off at the
   image's border, without what later words cover.
3. How it looks: ground, ink, blur, noise, in this order. None of it changes a box: what blurs over the edge
   of a box, or drowns in noise, was ink inside it.

Random numbers come from Philox, a counter-based generator, keyed by seed and split, its counter set by the
index. Steps 1 and 2 take theirs before step 3 does, so that a change of colours or noise moves no word. They
compute with whole numbers, sums and products, whose results are the same on all machines.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageFilter

from humbleyolo.errors import UserError
from humbleyolo.fonts import Fonts, Ink, find_font_problems
from humbleyolo.params import Key, Synthetic
from humbleyolo.png import encode_png
from humbleyolo.shards import map_in_order

SPLITS = {"train": 0, "val": 1, "test": 2}
"""The number that keys each split's random numbers. It is never changed: the images would be others."""

TRIES = 20
"""Places tried for one word, and layouts tried for one image that must hold `min_objects`."""

FAINTEST_CONTRAST = 16
"""An ink nearer to its ground than this (distance in RGB, of 255 a channel) cannot be seen."""

# At most so many images or pixels in a shard: few enough to hold, many enough to be worth it.
_SHARD_IMAGES = 256
_SHARD_PIXELS = 1 << 22

_BLOTCH_PX = 8  # of the background `noise`

Box = tuple[int, int, int, int]
Choice = TypeVar("Choice")


class Word(NamedTuple):
    """A word as it was drawn.

    Attributes:
        label: Index into `words`.
        font: Name of the font file.
        px: Font height.
        angle_deg: Turned against the clock.
        left: Column of the image where its ink, uncut, starts. May be negative.
        top: Row, likewise.
        box_ltwh: Its visible ink, whole pixels.
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
        pixels: (H, W) uint8 where all colours are greys, else (H, W, 3) uint8 RGB.
        words: In the order of drawing; later ones lie above.
        not_drawn: Number of words that found no place.
    """

    pixels: npt.NDArray[np.uint8]
    words: list[Word]
    not_drawn: int


class Painter:
    """Draws the samples of one dataset.

    Args:
        params: What to draw.
        folder: Of the font files.
        seed: Of all random numbers.
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

        Args:
            split: A name in `SPLITS`.
            index: From 0.

        Raises:
            UserError: Where `free.min_objects` words find no place.
        """
        params = self._params
        random = self._random_for(split, index)
        unit = _uniforms(random).__next__
        if params.placement == "cells":
            layout, not_drawn = self._fill_cells(unit)
        else:
            layout, not_drawn = self._scatter(unit, split, index)
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
            Word(*placed.name, placed.left, placed.top, _ltwh(placed.box), colour)
            for placed, colour in zip(layout.placed, inks, strict=True)
        ]
        return Sample(pixels, words, not_drawn)

    def _random_for(self, split: str, index: int) -> np.random.Generator:
        """Return the generator at the start of a sample's numbers. Setting it is quicker than making one."""
        state = self._random_start
        state["state"]["key"][1] = SPLITS[split]
        state["state"]["counter"][1] = index
        self._random.bit_generator.state = state
        return self._random

    def _fill_cells(self, unit: Callable[[], float]) -> "tuple[_Layout, int]":
        """Put one word, or nothing, into each cell, row by row."""
        params = self._params
        layout = self._empty_layout(max_overlap=1.0)
        rows, cols, nothing = params.cells.rows, params.cells.cols, params.cells.nothing
        not_drawn = 0
        for row in range(rows):
            for col in range(cols):
                where = unit() * (nothing + self._weights[-1]) - nothing
                if where >= 0:
                    name, ink = self._choose(where / self._weights[-1], unit)
                    not_drawn += not self._place(layout, name, ink, (row, rows), (col, cols), unit)
        return layout, not_drawn

    def _scatter(self, unit: Callable[[], float], split: str, index: int) -> "tuple[_Layout, int]":
        """Put some words anywhere."""
        free = self._params.free
        for _ in range(TRIES):
            layout = self._empty_layout(free.max_overlap)
            due = free.min_objects + int(unit() * (free.max_objects - free.min_objects + 1))
            for _ in range(due):
                name, ink = self._choose(unit(), unit)
                self._place(layout, name, ink, (0, 1), (0, 1), unit)
            if len(layout.placed) >= free.min_objects:
                return layout, due - len(layout.placed)
        raise UserError(
            f"dataset.synthetic.free.min_objects: {free.min_objects} words found no place in image {index} "
            f"of {split} ({TRIES} layouts tried, the last held {len(layout.placed)}); allowed: fewer, or "
            "larger images, a smaller font_px, a larger max_overlap"
        )

    def _empty_layout(self, max_overlap: float) -> "_Layout":
        params = self._params
        return _Layout(params.height, params.width, params.min_visible, max_overlap)

    def _choose(self, where: float, unit: Callable[[], float]) -> "tuple[_Name, Ink]":
        """Choose a word by its frequency (`where`: 0 to 1), a font, a size and an angle, and draw it."""
        params = self._params
        label = bisect_right(self._weights, where * self._weights[-1])
        while label == len(self._weights) or not params.frequencies[label]:  # `where` was rounded up
            label -= 1
        font = _pick(params.fonts, unit())
        low, high = params.font_px
        px = low + int(unit() * (high - low + 1))
        turn = unit()
        angle = (2 * turn - 1) * params.rotation_deg
        return (label, font, px, angle), self._fonts.ink(params.words[label], font, px, angle)

    def _place(
        self,
        layout: "_Layout",
        name: "_Name",
        ink: Ink,
        row: tuple[int, int],
        col: tuple[int, int],
        unit: Callable[[], float],
    ) -> bool:
        """Put a word's centre somewhere into a cell: row `row[0]` of `row[1]`, likewise the column."""
        params = self._params
        top, tops = _places(*row, params.height, ink.height, params.may_leave_image)
        left, lefts = _places(*col, params.width, ink.width, params.may_leave_image)
        if not ink.pixels or tops < 1 or lefts < 1:
            return False
        for _ in range(TRIES):  # noqa: SIM110 `any` is slower
            if layout.put(name, ink, left + int(unit() * lefts), top + int(unit() * tops)):
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


_Name = tuple[int, str, int, float]  # label, font, px, angle


@dataclass(slots=True)
class _Placed:
    """A word on the layout; `box` (left, top, right, bottom) and `visible` change as others cover it."""

    name: _Name
    ink: Ink
    left: int
    top: int
    box: Box
    visible: int


class _Layout:
    """The map that says whose ink each pixel of an image is."""

    def __init__(self, height: int, width: int, min_visible: float, max_overlap: float) -> None:
        self.placed: list[_Placed] = []
        self._height, self._width = height, width
        self._min_visible, self._max_overlap = min_visible, max_overlap
        self._owner: npt.NDArray[np.int32] | None = None  # 0: nobody, 1: the first word ...

    def put(self, name: _Name, ink: Ink, left: int, top: int) -> bool:
        """Put a word on top of all others, where the rules allow it."""
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + ink.width, self._width), min(top + ink.height, self._height)
        drawn, visible, box = ink.drawn, ink.pixels, (x0, y0, x1, y1)
        if (x1 - x0, y1 - y0) != (ink.width, ink.height):
            drawn = drawn[y0 - top : y1 - top, x0 - left : x1 - left]
            visible = int(np.count_nonzero(drawn))
            if not self._enough(visible, ink):
                return False
            box = _bounds(drawn, x0, y0)
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
        self.placed.append(_Placed(name, ink, left, top, box, visible))
        return True

    def _map(self) -> npt.NDArray[np.int32]:
        """Return the (H, W) map of words that are apart."""
        owner = np.zeros((self._height, self._width), np.int32)
        for number, placed in enumerate(self.placed, 1):
            x0, y0, x1, y1 = placed.box
            left, top = placed.left, placed.top
            owner[y0:y1, x0:x1][placed.ink.drawn[y0 - top : y1 - top, x0 - left : x1 - left]] = number
        return owner

    def _cover(
        self, owner: npt.NDArray[np.int32], below: npt.NDArray[np.int32], drawn: npt.NDArray[np.bool_]
    ) -> list[tuple[_Placed, int, Box]] | None:
        """Return whose ink would be covered, with what they keep; None where one would keep too little."""
        owners = below[drawn]
        if not owners.any():
            return []
        lost = np.bincount(owners)
        numbers = np.flatnonzero(lost[1:]) + 1
        covered = [(int(number), self.placed[number - 1]) for number in numbers]
        if not all(
            self._enough(placed.visible - int(lost[number]), placed.ink) for number, placed in covered
        ):
            return None
        saved = owners.copy()
        below[drawn] = 0  # for a moment, to see what is left
        kept = []
        for number, placed in covered:
            x0, y0, x1, y1 = placed.box
            left = owner[y0:y1, x0:x1] == number
            kept.append((placed, placed.visible - int(lost[number]), _bounds(left, x0, y0)))
        below[drawn] = saved
        return kept

    def _enough(self, visible: int, ink: Ink) -> bool:
        return visible >= self._min_visible * ink.pixels

    def _apart(self, box: Box, covered: Sequence[tuple[_Placed, int, Box]]) -> bool:
        """Return whether no two boxes would overlap more than allowed."""
        boxes = [placed.box for placed in self.placed]
        changed = [box]
        for placed, _, smaller in covered:
            boxes[next(i for i, other in enumerate(self.placed) if other is placed)] = smaller
            changed.append(smaller)
        boxes.append(box)
        return all(
            _iou_at_most(one, other, self._max_overlap)
            for one in changed
            for other in boxes
            if other is not one
        )


class EncodedSample(NamedTuple):
    """What an archive needs of a sample.

    Attributes:
        image_bytes: A PNG file.
        boxes_ltwh: M boxes, whole pixels.
        labels: M indices into `words`.
        not_drawn: Number of words that found no place.
    """

    image_bytes: bytes
    boxes_ltwh: list[Box]
    labels: list[int]
    not_drawn: int


def draw_shard(
    params: Synthetic, folder: Path, seed: int, split: str, shard: tuple[int, int]
) -> list[EncodedSample]:
    """Draw and encode the images from index `shard[0]` to `shard[1]`, without it."""
    painter = Painter(params, folder, seed)
    samples = []
    for index in range(*shard):
        pixels, words, not_drawn = painter.draw(split, index)
        boxes = [word.box_ltwh for word in words]
        labels = [word.label for word in words]
        samples.append(EncodedSample(encode_png(pixels), boxes, labels, not_drawn))
    return samples


def draw_split(
    params: Synthetic, folder: Path, seed: int, split: str, *, processes: int | None = None
) -> Iterator[EncodedSample]:
    """Draw all images of a split, in order, on all cores where that is quicker.

    Args:
        params: What to draw.
        folder: Of the font files.
        seed: Of all random numbers.
        split: A name in `SPLITS`.
        processes: At most so many; None: one for each available core. The bytes are the same.

    Raises:
        UserError: See `Painter.draw`.
    """
    count = getattr(params.images, split)
    step = min(max(_SHARD_PIXELS // (params.height * params.width), 1), _SHARD_IMAGES)
    shards = [(start, min(start + step, count)) for start in range(0, count, step)]
    for samples in map_in_order(
        partial(draw_shard, params, folder, seed, split), shards, processes=processes
    ):
        yield from samples


_Problem = tuple[tuple[str, int], str]  # the key below `synthetic`, and what is wrong


def find_problems(params: Synthetic, folder: Path) -> list[tuple[Key, str]]:
    """Find the mistakes that only the font files, or a try, can show.

    Args:
        params: What shall be drawn.
        folder: Of the font files.

    Returns:
        For each mistake its key, from the top of `params.yaml`, and a text.
    """
    problems = find_font_problems(folder, params.fonts, params.words, params.font_px[0])
    if not problems:
        problems += _unplaceable(params, Fonts(folder))
    problems += _invisible(params)
    return [(("dataset", "synthetic", *key), text) for key, text in problems]


def _unplaceable(params: Synthetic, fonts: Fonts) -> Iterator[_Problem]:
    """Yield a text for each word that no image can show, even at its smallest."""
    px = params.font_px[0]
    for label, word in enumerate(params.words):
        for font in params.fonts:
            ink = fonts.ink(word, font, px)
            key, what = ("words", label), f"{word!r} in {font} at font_px {px}"
            extent = f"its ink is {ink.width} x {ink.height} pixels (width x height)"
            image = f"the image {params.width} x {params.height}"
            if not ink.pixels:
                yield key, f"{what} leaves no ink; allowed: a word and a size that can be seen"
            elif params.rotation_deg:
                continue  # turned, it may fit
            elif params.may_leave_image:
                if _most_visible(ink, params.height, params.width) < params.min_visible * ink.pixels:
                    yield (
                        key,
                        f"{what} never shows min_visible {params.min_visible} of its ink: {extent}, {image}; "
                        "allowed: a smaller font_px, a shorter word, a larger image",
                    )
            elif ink.width > params.width or ink.height > params.height:
                yield (
                    key,
                    f"{what} does not fit: {extent}, {image}, and may_leave_image is false; "
                    "allowed: a smaller font_px, a shorter word, a larger image",
                )


def _most_visible(ink: Ink, height: int, width: int) -> int:
    """Return the most pixels of ink that a window of the image's size can hold."""
    sums = np.pad(ink.drawn.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    high, wide = min(height, ink.height), min(width, ink.width)
    return int((sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]).max())


def _invisible(params: Synthetic) -> Iterator[_Problem]:
    """Yield a text for each ink that cannot be seen on a ground."""
    colours = [(name, np.array(ImageColor.getrgb(name)[:3], np.float64)) for name in params.ground]
    if params.background == "plain":
        grounds = [(name, colour, colour) for name, colour in colours]
    else:
        grounds = [
            (f"{first} to {second}", start, end)
            for position, (first, start) in enumerate(colours)
            for second, end in colours[position + 1 :]
        ]
    for position, name in enumerate(params.ink):
        ink = np.array(ImageColor.getrgb(name)[:3], np.float64)
        for ground, start, end in grounds:
            span = end - start
            part = min(max(float(span @ (ink - start)) / max(float(span @ span), 1.0), 0.0), 1.0)
            distance = ink - (start + part * span)
            if float(distance @ distance) < FAINTEST_CONTRAST**2:
                yield (
                    ("ink", position),
                    f"{name!r} cannot be seen everywhere on the {params.background} ground {ground}; "
                    f"allowed: colours that differ by {FAINTEST_CONTRAST} of 255 or more",
                )


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


def _bounds(mask: npt.NDArray[np.bool_], left: int, top: int) -> Box:
    """Return the box of the True pixels of a (H, W) mask whose corner is at (left, top)."""
    cols = np.logical_or.reduce(mask, 0).nonzero()[0]
    rows = np.logical_or.reduce(mask, 1).nonzero()[0]
    return left + int(cols[0]), top + int(rows[0]), left + int(cols[-1]) + 1, top + int(rows[-1]) + 1


def _ltwh(box: Box) -> Box:
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _iou_at_most(one: Box, other: Box, limit: float) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return True
    shared = width * height
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared <= limit * union


def _slope(height: int, width: int, right: float, down: float) -> npt.NDArray[np.float32]:
    """Return (H, W) values that rise from 0 to 1 in the direction (right, down)."""
    across = np.arange(width, dtype=np.float32) * np.float32(right)
    along = np.arange(height, dtype=np.float32) * np.float32(down)
    level = across + along[:, np.newaxis]
    level -= level.min()
    level /= max(float(level.max()), 1e-6)
    return level


def _blotches(height: int, width: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return (H, W) values from 0 to 1 that change smoothly over some pixels."""
    coarse = random.random((height // _BLOTCH_PX + 2, width // _BLOTCH_PX + 2), np.float32)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(smooth)


def _add_noise(
    pixels: npt.NDArray[np.uint8], deviation: float, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    noisy = random.standard_normal(pixels.shape, np.float32)
    noisy *= np.float32(deviation)
    noisy += pixels
    np.rint(noisy, out=noisy)
    np.clip(noisy, 0, 255, out=noisy)
    return noisy.astype(np.uint8)
