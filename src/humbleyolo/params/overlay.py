"""Lay the values of an example over a parameter file."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.params.error_texts import missing_key, shown, unknown_key
from humbleyolo.params.keys import Key, dotted, is_section, kind_of, leaves
from humbleyolo.params.loader import find_mistakes, read_sections
from humbleyolo.params.yaml_edits import YamlText
from humbleyolo.params.yaml_lines import line_of, read_yaml, with_lines


class Named(NamedTuple):
    """A value of an example: its key, YAML of one line, and the comment behind it."""

    key: Key
    text: str
    comment: str


class Change(NamedTuple):
    """A value that an example changes; both texts are YAML in one line."""

    key: Key
    old: str
    new: str


def lay_over(text: str, file: str, example: str, example_file: str) -> tuple[str, list[Change]]:
    """Give a parameter file the values of an example; what the example does not name stays.

    Lists, and mappings that are no sections (`loss.class_weights`), are replaced as a whole. Returned are the new
    text, and each value that differs from the old. File names are for messages.

    Raises:
        ProblemsError: If the example has unknown keys, or the result has mistakes.
        UserError: If the example holds no values, or the text cannot be edited.
    """
    new = _read_example(example, example_file)
    old = dict(leaves(read_sections(text, file)[0]))
    if lacking := [missing_key(key, file) for key in new if key not in old]:
        raise ProblemsError(file, lacking)
    before, after = YamlText(text, file), YamlText(example, example_file)
    differ = [key for key in new if old[key] != new[key] or isinstance(old[key], bool) != isinstance(new[key], bool)]
    changes = [Change(key, before.value(key), after.value(key)) for key in differ]
    changed = before.replace({change.key: change.new for change in changes})
    if mistakes := find_mistakes(changed, file):
        raise ProblemsError(f"{file}: not changed, since with {example_file} it would have mistakes", mistakes)
    return changed, changes


def example_values(example: str, file: str) -> Iterator[Named]:
    """Yield the values of an example.

    Raises:
        ProblemsError: If it has unknown keys.
        UserError: If it holds no values.
    """
    written = YamlText(example, file)
    for key in _read_example(example, file):
        yield Named(key, written.value(key), written.comment(key))


def edited_keys(text: str, committed: str, example: str) -> list[Key]:
    """Return the keys with other values than in the committed version of a file, without those of an example."""
    try:
        then, named = (dict(leaves(read_sections(other, "")[0])) for other in (committed, example))
    except ProblemsError:
        return []
    return [key for key, value in leaves(read_sections(text, "")[0]) if then.get(key) != value and key not in named]


def _read_example(text: str, file: str) -> dict[Key, Any]:
    """Return the values of an example by key."""
    values, lines, problems = read_yaml(text, file)
    if not isinstance(values, dict):
        raise UserError(f"{file}: holds no values; allowed: sections of params.yaml with their keys")
    found = dict(leaves(values))
    for key, value in found.items():
        if (kind := kind_of(key)) is None:
            problems.append((line_of(key, lines), unknown_key(key)))
        elif is_section(kind):
            wrong = f"{dotted(key)}: {shown(value)} is not allowed; allowed: a section with keys"
            problems.append((line_of(key, lines), wrong))
    if problems:
        raise ProblemsError(file, with_lines(problems))
    return found
