"""The way to a value of `params.yaml`: `train.epochs`."""

from collections.abc import Iterator
from typing import Any

from humbleyolo.params.sections import Params, Section

Key = tuple[str | int, ...]
"""From the top of the file: `("train", "epochs")`; a number counts in a list, from 0."""


def dotted(key: Key) -> str:
    """Return a key as users write it: `dataset.synthetic.words[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def kind_of(key: Key) -> Any:
    """Return the type of a value: a class of `sections` for a section, None for a key that nobody knows."""
    kind: Any = Params
    for part in key:
        if not is_section(kind) or part not in kind.model_fields:
            return None
        kind = kind.model_fields[part].annotation
    return kind


def is_section(kind: Any) -> bool:
    """Return True for the type of a section, False for that of a single value."""
    return isinstance(kind, type) and issubclass(kind, Section)


def leaves(values: dict[Any, Any], section: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield the key and the value of all that is not a section, and of what is unknown."""
    for name, value in values.items():
        key = (*section, name)
        if is_section(kind_of(key)) and isinstance(value, dict):
            yield from leaves(value, key)
        else:
            yield key, value


def missing_keys(values: Any, section: Key = ()) -> Iterator[Key]:
    """Yield each key that a file's values lack; of a section that is missing as a whole, the section's."""
    for name in kind_of(section).model_fields:
        key = (*section, name)
        if name not in values:
            yield key
        elif is_section(kind_of(key)) and isinstance(values[name], dict):
            yield from missing_keys(values[name], key)
