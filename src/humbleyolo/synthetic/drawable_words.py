"""What keeps words from being drawn and seen, told before anything is drawn."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ImageColor

from humbleyolo.params.keys import Key
from humbleyolo.params.sections import Synthetic
from humbleyolo.synthetic.fonts import Fonts, Ink, find_font_problems

FAINTEST_CONTRAST = 16
"""An ink nearer to its ground than this (distance in RGB, of 255 a channel) cannot be seen."""

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
