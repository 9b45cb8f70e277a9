"""The values of a YAML file, and the line of each key."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from humbleyolo.errors import ProblemsError
from humbleyolo.params.keys import Key, dotted

Problem = tuple[int, str]  # line, text
END = 10**9  # the line of what has none: sorts behind all others


def read_yaml(text: str, name: str) -> tuple[Any, dict[Key, int], list[Problem]]:
    """Return the values of a YAML 1.2 text, the line of each key, and its repeated keys as problems.

    Raises:
        ProblemsError: If the text is not YAML; `name` is the file's.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        node = yaml.compose(text)
        values = None if node is None else yaml.constructor.construct_document(node)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ProblemsError(name, [f"{where}not YAML: {error.problem or error.context}"]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ProblemsError(name, [f"not YAML: {' '.join(str(error).split())}"]) from None
    lines: dict[Key, int] = {}
    problems: list[Problem] = []
    _note_lines(node, lines, problems)
    return values, lines, problems


def line_of(key: Key, lines: dict[Key, int]) -> int:
    """Return the line of a key, or of the section that it is missing from."""
    return next((lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in lines), END)


def _note_lines(root: Node | None, lines: dict[Key, int], problems: list[Problem]) -> None:
    """Walk the YAML tree: fill in `lines`, and note each key that occurs twice in one mapping.

    Aliases repeat what is walked once, at its anchor, so that no file makes the walk long or endless.
    """
    waiting: list[tuple[Node | None, Key]] = [(root, ())]
    seen: set[int] = set()
    while waiting:
        node, key = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            for name, child in node.value:
                way = (*key, str(name.value))
                line = name.start_mark.line + 1
                if way in lines:
                    problems.append((line, f"{dotted(way)}: is given twice, first in line {lines[way]}; keep one"))
                else:
                    lines[way] = line
                waiting.append((child, way))
        elif isinstance(node, SequenceNode):
            for position, child in enumerate(node.value):
                lines[(*key, position)] = child.start_mark.line + 1
                waiting.append((child, (*key, position)))
