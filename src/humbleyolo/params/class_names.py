"""The rule for the name of a class: one line of text, not empty, without spaces around it."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of a character, ends of lines
_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # what follows is read in another order


def is_one_line(text: str) -> bool:
    """Return True if a text is a line that reads as it stands.

    Python's `isprintable` refuses spaces and joiners of real names: U+202F (macOS), U+00A0, U+200C (Persian).
    """
    return not any(unicodedata.category(one) in _NO_TEXT or one in _TURNS for one in text)


def is_class_name(name: str) -> bool:
    """Return True if a text can be the name of a class."""
    return bool(name) and is_one_line(name) and name == name.strip()


def _checked(name: str) -> str:
    if not is_class_name(name):
        raise ValueError("a printable text without spaces around it")
    return name


ClassName = Annotated[str, AfterValidator(_checked)]
