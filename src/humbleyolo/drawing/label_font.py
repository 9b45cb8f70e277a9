"""The font of labels and headings, which draws any Unicode text: a file of the package, not of the machine."""

import io
import re
import unicodedata
from functools import lru_cache
from importlib import resources

from PIL import ImageFont

_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_INVISIBLE = {"Zs": " ", "Cf": ""}  # spaces of any width; joiners and marks of direction
_LONGEST = 400  # characters looked at; drawn texts are far shorter

# Hebrew, Arabic and their presentation forms, with the spaces between such words.
_RTL = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_RTL_RUN = re.compile(f"[{_RTL}]+(?:\\s+[{_RTL}]+)*")
_CLUSTER = re.compile(".[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f]*", re.DOTALL)


@lru_cache(maxsize=32)
def font(height_px: int) -> ImageFont.FreeTypeFont:
    """Return the font at a size in pixels."""
    # the basic layout engine: the other one takes a library of the machine's, if there is one
    return ImageFont.truetype(io.BytesIO(_file()), height_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def text_width(text: str, height_px: int) -> float:
    """Return the width of a text, pixels."""
    return font(height_px).getlength(text)


def presentable(text: str) -> str:
    """Return `text` as one line that the font can draw, in the order in which it is seen.

    Control characters and lone surrogates become U+FFFD, spaces of any width a space, joiners nothing, and characters
    without a glyph their code point (`U+1F400`).
    Right-to-left words are turned round, since they are drawn from the left.
    """
    text = text[:_LONGEST]
    if text.isascii() and text.isprintable():
        return text
    shown = _RTL_RUN.sub(lambda run: "".join(reversed(_CLUSTER.findall(run.group()))), text)
    return "".join(_drawable(character) for character in shown)


def shorten(text: str, width_px: float, height_px: int) -> str:
    """Return `presentable(text)`, cut and given an ellipsis if it is wider than `width_px`.

    It keeps its first character and the ellipsis, however narrow the room.
    """
    shown, face = presentable(text), font(height_px)
    if len(text) <= _LONGEST and text_width(shown, height_px) <= width_px:
        return shown
    room = width_px - face.getlength(_ELLIPSIS)
    kept = 1
    while kept < len(shown) and face.getlength(shown[: kept + 1]) <= room:
        kept += 1
    return shown[:kept].rstrip() + _ELLIPSIS


def wrap(text: str, width_px: int, height_px: int) -> list[str]:
    """Break a text between words into lines of at most `width_px`; a longer word is cut, no text is no line."""
    lines: list[str] = []
    for word in presentable(text).split(" ") if text else ():  # several spaces stay several
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, height_px) <= width_px:
            lines[-1] = longer
        else:
            lines.append(shorten(word, width_px, height_px))
    return lines


@lru_cache(maxsize=1)
def _file() -> bytes:
    return resources.files("humbleyolo.drawing").joinpath("DejaVuSans.ttf").read_bytes()


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    # Here, because it is slow to import and few texts need it.
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    return frozenset(TTFont(io.BytesIO(_file())).getBestCmap())


def _drawable(character: str) -> str:
    if not character.isprintable():
        return _INVISIBLE.get(unicodedata.category(character), "\N{REPLACEMENT CHARACTER}")
    return character if ord(character) in _glyphs() else f"U+{ord(character):04X}"
