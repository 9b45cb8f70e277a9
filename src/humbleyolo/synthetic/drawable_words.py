"""Checks that the words can be drawn with the fonts, fit into the image, and stand out from the ground."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ImageColor, ImageFont

from humbleyolo.params.keys import Key
from humbleyolo.params.sections import Synthetic
from humbleyolo.synthetic.fonts import Fonts, Ink

FAINTEST_CONTRAST = 16
"""Least distance in RGB, of 255 per channel, between an ink and its ground."""

_Problem = tuple[tuple[str, int], str]  # the key below `synthetic`, and a text


def find_problems(params: Synthetic, folder: Path) -> list[tuple[Key, str]]:
    """Find the mistakes that only the font files, or a try, can show.

    Returns:
        For each mistake its key, from the top of `params.yaml`, and a text.
    """
    problems = list(_unusable_fonts(params, folder))
    if not problems:
        problems += _unplaceable(params, Fonts(folder))
    problems += _invisible(params)
    return [(("dataset", "synthetic", *key), text) for key, text in problems]


def _unusable_fonts(params: Synthetic, folder: Path) -> Iterator[_Problem]:
    """Yield a text for each font that cannot be drawn, and for each word with characters that a font lacks."""
    for position, name in enumerate(params.fonts):
        path, px = folder / name, params.font_px[0]
        if Path(name).name != name or not path.is_file():
            yield ("fonts", position), f"{name!r} is not a file in {folder}; {_nearest(folder, name)}"
            continue
        try:
            ImageFont.truetype(path, px, layout_engine=ImageFont.Layout.BASIC)
            known = _characters(path)
        except Exception as error:  # noqa: BLE001 a damaged font can break a parser in any way
            yield ("fonts", position), f"{path} is not a font that can be drawn at {px} px ({error})"
            continue
        for label, word in enumerate(params.words):
            if missing := sorted({character for character in word if ord(character) not in known}):
                listed = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in missing)
                why = f"cannot be drawn with {name}, which lacks {listed}; change the word or the font"
                yield ("words", label), f"{word!r} {why}"


def _characters(path: Path) -> set[int]:
    """Return the code points that a font file has glyphs for."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(path, lazy=True, fontNumber=0) as font:
        return set(font.getBestCmap() or ())


def _nearest(folder: Path, name: str) -> str:
    try:
        fonts = [path for path in folder.iterdir() if path.suffix.lower() in (".ttf", ".otf", ".ttc")]
    except OSError:
        return "there is no such folder"
    names = sorted(path.name for path in fonts)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"allowed: {', '.join(names)}" if names else "the folder holds no font"


def _unplaceable(params: Synthetic, fonts: Fonts) -> Iterator[_Problem]:
    """Yield a text for each word that no image can show, even at its smallest."""
    px = params.font_px[0]
    for label, word in enumerate(params.words):
        for font in params.fonts:
            ink = fonts.ink(word, font, px)
            key, what = ("words", label), f"{word!r} in {font} at font_px {px}"
            extent = f"its ink is {ink.width} x {ink.height} pixels (width x height)"
            image = f"the image {params.width} x {params.height}"
            fault = ""
            if not ink.pixels:
                yield key, f"{what} leaves no ink; allowed: a word and a size that can be seen"
            elif params.rotation_deg:
                continue  # turned, it may fit
            elif params.may_leave_image:
                if _most_visible(ink, params.height, params.width) < params.min_visible * ink.pixels:
                    fault = f"never shows min_visible {params.min_visible} of its ink: {extent}, {image}"
            elif ink.width > params.width or ink.height > params.height:
                fault = f"does not fit: {extent}, {image}, and may_leave_image is false"
            if fault:
                yield key, f"{what} {fault}; allowed: a smaller font_px, a shorter word, a larger image"


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
