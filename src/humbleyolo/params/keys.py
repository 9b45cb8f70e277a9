"""The way to a value of `params.yaml`: `train.epochs`."""

import difflib
from typing import Any

from humbleyolo.params.sections import Params

Key = tuple[str | int, ...]
"""From the top of the file: `("train", "epochs")`; a number counts in a list, from 0."""


def dotted(key: Key) -> str:
    """Return a key as users write it: `dataset.synthetic.words[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def known_keys(section: Key) -> list[str]:
    """Return the names in a section; `()` is the whole file."""
    kind: Any = Params
    for part in section:
        kind = kind.model_fields[part].annotation
    return list(kind.model_fields)


def unknown_key(key: Key) -> str:
    """Return the error text for a key that its section lacks, with the nearest that it has."""
    known = known_keys(key[:-1])
    near = difflib.get_close_matches(str(key[-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}"
    return f"{dotted(key)}: unknown key; {hint}"
