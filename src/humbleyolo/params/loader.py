"""Load `params.yaml`: read it once, check the whole of it, and tell all mistakes at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.params.error_texts import error_text
from humbleyolo.params.keys import Key, dotted
from humbleyolo.params.rules import broken_rules
from humbleyolo.params.sections import Dataset, Params
from humbleyolo.params.yaml_lines import END, line_of, read_yaml

Check = Callable[[Dataset], list[tuple[Key, str]]]
"""Takes the section `dataset`; returns the key and a text for each mistake (a word that the font cannot draw)."""


def load_params(path: Path, *sections: str, check: Check | None = None) -> tuple[Any, ...]:
    """Read `params.yaml`, check the whole of it, and return the sections asked for, in that order.

    A stage asks for the sections that it declares in `dvc.yaml`. All the others are checked too, so that no
    stage starts work on a file whose mistake would stop a later stage.

    Args:
        path: The file.
        sections: Names of fields of `Params`.
        check: Finds mistakes that the file alone cannot show. Not called if `dataset` has mistakes of its own.

    Returns:
        One frozen object (for `seed` an int) for each name in `sections`.

    Raises:
        ProblemsError: With every mistake found: the line, the key, the value, what is allowed.
        UserError: If the file cannot be read.
    """
    params = parse_params(read_text(path), str(path), check)
    return tuple(getattr(params, name) for name in sections)


def read_text(path: Path) -> str:
    """Return the text of a parameter file.

    Raises:
        UserError: If the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the project's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def parse_params(text: str, name: str, check: Check | None = None) -> Params:
    """Check the text of a parameter file called `name`; see `load_params`."""
    values, lines, problems = read_yaml(text, name)
    if values is None:
        raise ProblemsError(name, [f"is empty; it needs the sections {', '.join(Params.model_fields)}"])
    if not isinstance(values, dict):
        raise ProblemsError(name, [f"is a {type(values).__name__}, not a mapping of sections to values"])
    wrong: set[Key] = set()
    params = None
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems.append((line_of(detail["loc"], lines), error_text(detail)))
            wrong.add(detail["loc"])
    more = list(broken_rules(values, wrong))
    if check is not None and not any(key[0] == "dataset" for key in [*wrong, *(key for key, _ in more)]):
        more += check(Dataset.model_validate(values["dataset"]))
    problems += [(line_of(key, lines), f"{dotted(key)}: {text}") for key, text in more]
    if problems or params is None:
        told = [f"line {line}: {text}" if line != END else text for line, text in sorted(problems)]
        raise ProblemsError(name, told)
    return params
