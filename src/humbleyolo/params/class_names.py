"""The rule for the name of a class: one line of text, not empty, without spaces around it."""

from typing import Annotated

from pydantic import AfterValidator

from humbleyolo.params.one_line import is_one_line


def is_class_name(name: str) -> bool:
    """Return True if a text can be the name of a class."""
    return bool(name) and is_one_line(name) and name == name.strip()


def _checked(name: str) -> str:
    if not is_class_name(name):
        raise ValueError("a printable text without spaces around it")
    return name


ClassName = Annotated[str, AfterValidator(_checked)]
