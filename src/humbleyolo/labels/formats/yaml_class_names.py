"""Class names of a YAML file, as they are written there. YAML itself reads `null` as nothing and `007` as 7."""

from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from humbleyolo.inputs.ledger import BadInput, shorten, shorten_text
from humbleyolo.process.terminal import first_few

_SHOWN = 5  # words in a note


class ClassNames(NamedTuple):
    """Names in the order of their indices, the line of each, and those that are no text to YAML, with their lines."""

    names: tuple[str, ...]
    lines: tuple[str, ...]
    strange: tuple[str, ...]

    @property
    def note(self) -> BadInput:
        """The note that tells the strange ones."""
        why = "without quotes, YAML takes this for no text; it is read as it is written"
        return BadInput("class-name-as-written", first_few(self.strange, _SHOWN), why)


def class_names(text: str, value: Any) -> ClassNames:
    """Return the names of a YAML text.

    Args:
        text: All of the text, whose key `names` is a list, or indices with names.
        value: Value of that key, as YAML reads it.

    Raises:
        BadInput: If the value is another, its indices have gaps, or a name is no word.
    """
    if isinstance(value, dict):
        value = {_index(key): one for key, one in value.items()}
        if sorted(value, key=str) != sorted(range(len(value)), key=str):
            raise BadInput("yaml", f"names {shorten(list(value))}", "indices must run from 0 without gaps")
        value = [value[index] for index in range(len(value))]
    if not isinstance(value, list):
        raise BadInput("yaml", f"names {shorten(value)}", "must be a list, or indices with names")
    nodes = _nodes(YAML(typ="safe", pure=True).compose(text))
    if len(nodes) != len(value):
        nodes = [None] * len(value)
    words = [_word(one, node) for one, node in zip(value, nodes, strict=True)]
    lines = [_line(node) for node in nodes]
    texts = [isinstance(one, str) for one in value]
    strange = (
        f"{shorten_text(word)} ({line})" for word, line, plain in zip(words, lines, texts, strict=True) if not plain
    )
    return ClassNames(tuple(words), tuple(lines), tuple(strange))


def _index(key: Any) -> Any:
    return int(key) if isinstance(key, str) and key.isdecimal() else key


def _nodes(root: Node) -> list[Node | None]:
    """Return the nodes of the names, in the order of their indices."""
    pairs = root.value if isinstance(root, MappingNode) else []
    [names] = [node for key, node in pairs if key.value == "names"] or [None]
    if isinstance(names, SequenceNode):
        return [*names.value]
    found = _by_index(names) if isinstance(names, MappingNode) else {}
    return [found[index] for index in sorted(found)]


def _by_index(names: MappingNode, *around: MappingNode) -> dict[int, Node | None]:
    """Return the nodes of names by index. Keys may be written in hexadecimal; `<<` takes those of other mappings.

    `around` are mappings that take this one; none takes itself.
    """
    own: dict[int, Node | None] = {}
    merged: dict[int, Node | None] = {}
    for key, node in names.value:
        if key.value == "<<":
            for other in node.value if isinstance(node, SequenceNode) else [node]:
                if not any(other is one for one in (names, *around)):
                    merged = _by_index(other, names, *around) | merged  # of two values the first counts
            continue
        index = YAML(typ="safe", pure=True).load(key.value) if not key.value.isdecimal() else int(key.value)
        if isinstance(index, int):
            own[index] = node
    return merged | own


def _line(node: Node | None) -> str:
    return f"line {node.start_mark.line + 1}" if node else ""


def _word(value: Any, node: Node | None) -> str:
    """Return a name as it is written.

    Raises:
        BadInput: If it is no word.
    """
    if isinstance(value, str):
        return value
    word = str(node.value) if isinstance(node, ScalarNode) else ""
    if not word:
        found, fix = ("a blank name", "write it") if value is None else (f"name {shorten(value)}", "put it in quotes")
        raise BadInput("yaml", found, f"must be a text; {fix}", _line(node))
    return word
