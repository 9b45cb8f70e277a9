"""Words as ink: what a font file makes of a word at a size and an angle.

Only the font files that the parameters name are used, never the machine's. Text is laid out by Pillow's basic
engine, one character after the other from left to right: the other engine depends on libraries that some
machines lack. So Arabic letters are not joined, and no script is reordered.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from humbleyolo.storage.array_types import Bools

FAINTEST_INK = 32
"""A pixel that a word covers by less than this, of 255, is not drawn: ink is what can be seen."""

_CACHE_PIXELS = 1 << 24  # of drawn words held
_CACHE_FACES = 64


class Ink(NamedTuple):
    """A drawn word, cut to its ink. Empty where nothing of it is `FAINTEST_INK` or more.

    Attributes:
        coverage: Pillow image of mode L, (height, width) pixels: 0, or `FAINTEST_INK` to 255.
        drawn: (height, width) bool, where `coverage` is not 0. Its first and last row and column hold ink.
        pixels: Number of pixels drawn.
        height: Uint8s.
        width: Uint8s.
    """

    coverage: Image.Image
    drawn: Bools
    pixels: int
    height: int
    width: int


class Fonts:
    """Draws words with the font files of one folder, and holds what it has drawn.

    Args:
        folder: Of the font files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._faces: dict[tuple[str, int], ImageFont.FreeTypeFont] = {}
        self._inks: dict[tuple[str, str, int], Ink] = {}
        self._held = 0

    def ink(self, word: str, font: str, px: int, angle_deg: float = 0.0) -> Ink:
        """Draw a word.

        Args:
            word: One line of text.
            font: Name of a font file.
            px: Font height (em), whole pixels.
            angle_deg: Turned by so much, against the clock.

        Raises:
            OSError: Where the file is missing or not a font that can be drawn at this size.
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


def find_font_problems(
    folder: Path, fonts: Sequence[str], words: Sequence[str], px: int
) -> list[tuple[tuple[str, int], str]]:
    """Find what keeps `fonts` from drawing `words`.

    Args:
        folder: Of the font files.
        fonts: Names of files in it.
        words: Texts that each of the fonts shall be able to draw.
        px: A font height that each shall be able to draw.

    Returns:
        For each mistake ("fonts" or "words", its position) and a text that names what is missing.
    """
    problems: list[tuple[tuple[str, int], str]] = []
    for position, name in enumerate(fonts):
        path = folder / name
        if Path(name).name != name or not path.is_file():
            problems.append(
                (("fonts", position), f"{name!r} is not a file in {folder}; {_nearest(folder, name)}")
            )
            continue
        try:
            ImageFont.truetype(path, px, layout_engine=ImageFont.Layout.BASIC)
            known = _characters(path)
        except Exception as error:  # noqa: BLE001 a damaged font can break a parser in any way
            problems.append(
                (("fonts", position), f"{path} is not a font that can be drawn at {px} px ({error})")
            )
            continue
        for label, word in enumerate(words):
            if missing := sorted({character for character in word if ord(character) not in known}):
                listed = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in missing)
                text = (
                    f"{word!r} cannot be drawn with {name}, which lacks {listed}; change the word or the font"
                )
                problems.append((("words", label), text))
    return problems


def _characters(path: Path) -> set[int]:
    """Return the code points that a font file has glyphs for."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(path, lazy=True, fontNumber=0) as font:
        return set(font.getBestCmap() or ())


def _nearest(folder: Path, name: str) -> str:
    try:
        names = sorted(
            path.name for path in folder.iterdir() if path.suffix.lower() in (".ttf", ".otf", ".ttc")
        )
    except OSError:
        return "there is no such folder"
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"allowed: {', '.join(names)}" if names else "the folder holds no font"
