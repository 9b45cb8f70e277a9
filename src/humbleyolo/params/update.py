"""Add the keys that a newer version knows to an older parameter file."""

from collections.abc import Iterable

from humbleyolo.errors import ProblemsError
from humbleyolo.params.keys import Key, dotted, missing_keys
from humbleyolo.params.loader import find_mistakes, read_sections
from humbleyolo.params.yaml_edits import YamlText


def add_missing(text: str, file: str, templates: Iterable[tuple[str, str]]) -> tuple[str, dict[Key, str], str]:
    """Add the keys that a parameter file lacks, at their places and with their comments. All else stays.

    Templates are names and texts of other parameter files; the first that has all of the keys is taken.

    Returns:
        The new text, the keys added with their values as YAML in one line, and the name of the template. If no
        key is missing: the text as it is, and nothing else.

    Raises:
        ProblemsError: If no template has the keys, or the result has mistakes, such as a misspelt key.
        UserError: If the text cannot be edited.
    """
    missing = list(missing_keys(read_sections(text, file)[0]))
    if not missing:
        return text, {}, ""
    found = next(((name, other) for name, other in templates if _has_all(other, name, missing)), None)
    if found is None:
        raise ProblemsError(
            f"{file}: no params.yaml in git here has these keys; name a file that does with --template",
            [f"{dotted(key)}: is missing" for key in missing],
        )
    name, template = found[0], YamlText(found[1], found[0])
    for key in missing:
        text = YamlText(text, file).add(key, template)
    if mistakes := find_mistakes(text, file):
        raise ProblemsError(f"{file}: not changed, since it has other mistakes", mistakes)
    return text, {key: template.value(key) for key in missing}, name


def _has_all(template: str, name: str, keys: list[Key]) -> bool:
    try:
        lacking = set(missing_keys(read_sections(template, name)[0]))
    except ProblemsError:  # as with the marks of a merge that was not finished
        return False
    return not any(other[: len(key)] == key or key[: len(other)] == other for key in keys for other in lacking)
