"""Lines for a person at a terminal: 80 columns, numbers with their nouns, no control characters, no passwords."""

import os
import re
import sys
from collections.abc import Sequence
from itertools import repeat
from typing import TextIO

from humbleyolo.params.one_line import NOT_IN_A_LINE
from humbleyolo.process.display_width import wrap_columns

COLUMNS = 80
_COLOURS = {"error": "1;31", "warning": "1;33"}  # red, yellow; bold
_PASSWORD = re.compile(r"(?<=//)([^/@:?#]*):(?:[^/?#]*@|(?!\d*[/?#])[^@]*@)")
_TOKEN = re.compile(r"(?:(?<=http://)|(?<=https://))[^/?#@:\s]+(?=@)", re.IGNORECASE)


def printable(text: str) -> str:
    """Return a line with its control characters shown as escapes: a file's name could move the cursor by them."""
    return NOT_IN_A_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def hide_password(text: str) -> str:
    """Return an address, or a text with one, without the password or token in it, for messages and results.

    A password may have a `/`, `?` or `#`, unless digits before that make it a port. A name that stands alone before
    the host is hidden too in HTTP, where it may be a token.
    """
    return _TOKEN.sub("***", _PASSWORD.sub(r"\1:***@", text))


def tell(*lines: str, to: TextIO | None = None) -> None:
    """Print lines, by default to standard output, with the control characters of names shown.

    On a terminal they are wrapped at 80 columns.
    """
    stream = to or sys.stdout
    print(*map(shown, lines, repeat(stream)), sep="\n", end="\n" * bool(lines), file=stream, flush=True)


def coloured(line: str, stream: TextIO) -> str:
    """Return a line whose first word, `error:` or `warning:`, is coloured on a terminal, unless NO_COLOR is set."""
    word, colon, rest = line.partition(":")
    if word not in _COLOURS or not stream.isatty() or os.environ.get("NO_COLOR"):
        return line
    return f"\x1b[{_COLOURS[word]}m{word}{colon}\x1b[0m{rest}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 image`, `1,000 images`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def first_few(texts: Sequence[str], most: int, joint: str = ", ", *, count: int | None = None) -> str:
    """Return the first of some texts in a line, and how many more there are: `a, b and 1,203 more`.

    Args:
        texts: The texts.
        most: Number of them that are shown, 1 or more.
        joint: Text between them. A comma is left out before `and`, as in English; another mark stays.
        count: Number of all texts, if `texts` may hold the first ones alone.
    """
    line = joint.join(texts[:most])
    more = (len(texts) if count is None else count) - most
    return f"{line}{joint.removeprefix(',')}and {more:,} more" if more > 0 else line


def wrapped_lines(text: str) -> list[str]:
    """Return a line as lines of 80 columns, as far as its paths and commands, which stay whole, allow.

    They have the indent of the text, and two more from the second on.
    """
    text = printable(text)
    words = text.lstrip(" ")
    indent = " " * (len(text) - len(words))
    return wrap_columns(words, COLUMNS, indent, f"{indent}  ")


def shown(line: str, stream: TextIO) -> str:
    """Return a line with its control characters shown, and wrapped if the stream is a terminal."""
    return "\n".join(wrapped_lines(line)) if stream.isatty() else printable(line)
