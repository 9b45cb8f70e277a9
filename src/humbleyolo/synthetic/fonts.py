"""Words as ink: a word drawn with a font file at a size and an angle.

Only the font files that the parameters name are used, never the machine's. Pillow's basic engine lays text out, one
character after the other from left to right; its other engine needs libraries that some machines lack. So Arabic
letters are not joined, and no script is reordered.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from humbleyolo.storage.array_types import Bools

FAINTEST_INK = 32
"""Least coverage of a pixel, of 255, that is drawn; fainter ink could not be seen."""

_CACHE_PIXELS = 1 << 24  # of drawn words held
_CACHE_FACES = 64


class Ink(NamedTuple):
    """A drawn word, cut to its ink. Empty if nothing of it is `FAINTEST_INK` or more.

    Attributes:
        coverage: Pillow image of mode L, (height, width) pixels: 0, or `FAINTEST_INK` to 255.
        drawn: (height, width) bool, True for `coverage` above 0. Its first and last row and column hold ink.
        pixels: Number of pixels drawn.
        height: Height, pixels.
        width: Width, pixels.
    """

    coverage: Image.Image
    drawn: Bools
    pixels: int
    height: int
    width: int


class Fonts:
    """Draws words with the font files of one folder, and holds what it has drawn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._faces: dict[tuple[str, int], ImageFont.FreeTypeFont] = {}
        self._inks: dict[tuple[str, str, int], Ink] = {}
        self._held = 0

    def ink(self, word: str, font: str, px: int, angle_deg: float = 0.0) -> Ink:
        """Draw a word.

        `px` is the font's height (em) in whole pixels; `angle_deg` turns the word against the clock.

        Raises:
            OSError: If the file is missing or not a font that can be drawn at this size.
        """
        key = (word, font, px)
        ink = self._inks.get(key)
        if ink is None:
            ink = _cut(self._draw(word, self._face(font, px)))
            if self._held > _CACHE_PIXELS:
                self._inks.clear()
                self._held = 0
            self._inks[key] = ink
            self._held += ink.height * ink.width
        if angle_deg and ink.pixels:
            padded = ImageOps.expand(ink.coverage, 2)  # so that the outermost ink is smoothed too
            return _cut(padded.rotate(angle_deg, Image.Resampling.BICUBIC, expand=True))
        return ink

    def _face(self, font: str, px: int) -> ImageFont.FreeTypeFont:
        face = self._faces.get((font, px))
        if face is None:
            if len(self._faces) >= _CACHE_FACES:
                self._faces.clear()
            face = ImageFont.truetype(self._folder / font, px, layout_engine=ImageFont.Layout.BASIC)
            self._faces[font, px] = face
        return face

    @staticmethod
    def _draw(word: str, face: ImageFont.FreeTypeFont) -> Image.Image:
        left, top, right, bottom = (round(edge) for edge in face.getbbox(word))
        canvas = Image.new("L", (max(right - left, 0) + 2, max(bottom - top, 0) + 2))
        ImageDraw.Draw(canvas).text((1 - left, 1 - top), word, fill=255, font=face)
        return canvas


_VISIBLE_ONLY = [level if level >= FAINTEST_INK else 0 for level in range(256)]


def _cut(coverage: Image.Image) -> Ink:
    """Take away what is too faint to be seen, and the empty edges."""
    seen = coverage.point(_VISIBLE_ONLY)
    seen = seen.crop(seen.getbbox() or (0, 0, 0, 0))
    drawn = np.asarray(seen) != 0 if seen.width else np.zeros((0, 0), np.bool_)
    return Ink(seen, drawn, int(np.count_nonzero(drawn)), seen.height, seen.width)
