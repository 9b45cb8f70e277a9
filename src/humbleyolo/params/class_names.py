"""The rule for the name of a class: printable, not empty, without spaces around it."""

from typing import Annotated

from pydantic import AfterValidator


def is_class_name(name: str) -> bool:
    """Return True if a text can be the name of a class."""
    return bool(name) and name.isprintable() and name == name.strip()


def _checked(name: str) -> str:
    if not is_class_name(name):
        raise ValueError("a printable text without spaces around it")
    return name


ClassName = Annotated[str, AfterValidator(_checked)]
