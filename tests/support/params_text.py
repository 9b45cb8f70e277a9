"""Parameter files with other values, and what is wrong with them."""

from functools import cache

import pytest
from repository import ROOT
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from humbleyolo.errors import ProblemsError
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params, Section

DEFAULT = (ROOT / "params.yaml").read_text(encoding="utf-8")
SECTIONS = tuple(Params.model_fields)


def at(document, key):
    """Return the mapping or list that holds `key`, and its last part."""
    *way, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    for part in way:
        document = document[part]
    return document, last


@cache  # YAML in pure Python takes longer than all that the tests do with it
def places(text: str = DEFAULT) -> dict[str, tuple[Node, Node]]:
    """Return the nodes of each key and its value; of an item of a list, its own in place of a key's."""
    found: dict[str, tuple[Node, Node]] = {}

    def walk(node: Node, way: str) -> None:
        pairs: list[tuple[str, Node, Node]] = []
        if isinstance(node, MappingNode):
            pairs = [(name.value, name, value) for name, value in node.value]
        elif isinstance(node, SequenceNode):
            pairs = [(str(number), value, value) for number, value in enumerate(node.value)]
        for part, name, value in pairs:
            found[way + part] = name, value
            walk(value, f"{way}{part}.")

    walk(YAML(typ="safe", pure=True).compose(text), "")
    return found


def line_of(key, text=DEFAULT):
    return places(text)[key][0].start_mark.line + 1


def problems_of(text, tmp_path, check=None):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProblemsError) as caught:
        load_params(path, "seed", check=check)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}: ")
    return list(caught.value.problems)


def changed(*changes):
    """Return the default file with values replaced: (key, YAML text). Every key stays in its line."""
    text = DEFAULT
    for key, new in sorted(changes, key=lambda change: -places()[change[0]][1].start_mark.index):
        node = places()[key][1]
        old = text[node.start_mark.index : node.end_mark.index]
        behind = "\n" * old.count("\n") + old.rpartition("\n")[2] if "\n" in old else ""
        text = text[: node.start_mark.index] + new + behind + text[node.end_mark.index :]
    return text


def every_section(section=Params, way=""):
    """Yield the key and the class of every section, and of those in it."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield f"{way}{name}", field.annotation
            yield from every_section(field.annotation, f"{way}{name}.")


def every_key(section=Params, way=""):
    for name, field in section.model_fields.items():
        yield f"{way}{name}"
        if hasattr(field.annotation, "model_fields"):
            yield from every_key(field.annotation, f"{way}{name}.")
