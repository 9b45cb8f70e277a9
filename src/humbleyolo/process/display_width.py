"""The columns that text takes on a terminal: two for a wide character, none for one that combines with another."""

import re
import textwrap
import unicodedata
from itertools import accumulate

_WORD = re.compile(r"[^\t\n\v\f\r ]+")  # as `textwrap` divides a text
_WIDE = ("W", "F")
_WITHOUT_ROOM = ("Mn", "Me", "Cf")


def display_width(text: str) -> int:
    """Return the number of columns of a text without control characters (Unicode's annex 11)."""
    return sum(map(_columns, text))


def padded(text: str, width: int) -> str:
    """Return a text with spaces behind it, up to `width` columns."""
    return text + " " * (width - display_width(text))


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` columns, which ends in `...` if something is left out."""
    if display_width(text) <= width:
        return text
    ends = accumulate(map(_columns, text))
    return text[: sum(end <= width - 3 for end in ends)] + "..."


def wrap_columns(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Return a text as lines of at most `width` columns, unless a word is longer: words stay whole.

    Args:
        text: Words and spaces.
        width: Most columns of a line.
        first: Spaces before the first line.
        rest: Spaces before the others.
    """
    words = iter(_WORD.findall(text))
    as_wide = _WORD.sub(lambda word: "x" * max(1, display_width(word[0])), text)  # `textwrap` counts characters
    lines = textwrap.wrap(
        as_wide, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [_WORD.sub(lambda _: next(words), line) for line in lines]


def _columns(character: str) -> int:
    if unicodedata.east_asian_width(character) in _WIDE:
        return 2
    return 0 if unicodedata.category(character) in _WITHOUT_ROOM else 1
