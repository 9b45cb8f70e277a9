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
from humbleyolo.params.yaml_lines import Problem, line_of, read_yaml, with_lines

Check = Callable[[Dataset], list[tuple[Key, str]]]
"""Takes the section `dataset`; returns the key and a text for each mistake (a word that the font cannot draw)."""


def load_params(path: Path, *sections: str, check: Check | None = None) -> tuple[Any, ...]:
    """Read `params.yaml`, check the whole of it, and return the sections asked for, in that order.

    A stage asks for the sections that it declares in `dvc.yaml`. All the others are checked too, so that no
    stage starts work on a file whose mistake would stop a later stage. Each section is a frozen object, `seed` an
    int. `check` finds mistakes that the file alone cannot show; it is not called if `dataset` has some of its own.

    Raises:
        ProblemsError: With every mistake found: the line, the key, the value, what is allowed.
        UserError: If the file cannot be read.
    """
    params = parse_params(read_text(path), str(path), check)
    return tuple(getattr(params, name) for name in sections)


def read_text(path: Path) -> str:
    """Return the text of a parameter file, its line ends as they are.

    Raises:
        UserError: If the file cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the project's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def read_sections(text: str, file: str) -> tuple[dict[Any, Any], dict[Key, int], list[Problem]]:
    """Return what `read_yaml` does, of a text that holds sections.

    Raises:
        ProblemsError: If the text is not YAML, or holds something else.
    """
    values, lines, problems = read_yaml(text, file)
    if values is None:
        raise ProblemsError(file, [f"is empty; it needs the sections {', '.join(Params.model_fields)}"])
    if not isinstance(values, dict):
        raise ProblemsError(file, [f"is a {type(values).__name__}, not a mapping of sections to values"])
    return values, lines, problems


def is_of_another_tool(path: Path, *needed: str) -> bool:
    """Tell a parameter file of another program, which has fewer than half of the sections of ours.

    It is ours all the same if one of the sections `needed` is there and has keys of ours alone.

    Raises:
        ProblemsError: If the text is not YAML.
        UserError: If the file cannot be read.
    """
    values, _, _ = read_yaml(read_text(path), str(path))
    known = Params.model_fields
    if not isinstance(values, dict) or 2 * len(known.keys() & values.keys()) >= len(known):
        return not isinstance(values, dict)
    keys = {name: getattr(known[name].annotation, "model_fields", {}).keys() for name in needed}
    return not any(isinstance(own := values.get(name), dict) and own and own.keys() <= keys[name] for name in needed)


def parse_params(text: str, file: str, check: Check | None = None) -> Params:
    """Check the text of a parameter file; see `load_params`."""
    params, problems = _look_through(text, file, check)
    if problems or params is None:
        raise ProblemsError(file, with_lines(problems))
    return params


def find_mistakes(text: str, file: str, check: Check | None = None) -> list[str]:
    """Return the mistakes in a text that would become a file, without the lines, which nobody can look up."""
    return [problem for _, problem in sorted(_look_through(text, file, check)[1])]


def _look_through(text: str, file: str, check: Check | None) -> tuple[Params | None, list[Problem]]:
    values, lines, problems = read_sections(text, file)
    wrong: set[Key] = set()
    params = None
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems.append((line_of(detail["loc"], lines), error_text(detail, file)))
            wrong.add(detail["loc"])
    more = list(broken_rules(values, wrong))
    if check is not None and not any(key[0] == "dataset" for key in [*wrong, *(key for key, _ in more)]):
        more += check(Dataset.model_validate(values["dataset"]))
    return params, problems + [(line_of(key, lines), f"{dotted(key)}: {text}") for key, text in more]
