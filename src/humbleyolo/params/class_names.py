"""The rule for the name of a class."""

from typing import Annotated

from pydantic import AfterValidator


def _is_class_name(name: str) -> str:
    if not name or not name.isprintable() or name != name.strip():
        raise ValueError("a printable text without spaces around it")
    return name


ClassName = Annotated[str, AfterValidator(_is_class_name)]
