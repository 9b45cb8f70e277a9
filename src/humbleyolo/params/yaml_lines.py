"""The values of a YAML file, and the line of each key."""

from collections.abc import Iterable
from copy import deepcopy
from functools import lru_cache
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from humbleyolo.errors import ProblemsError
from humbleyolo.params.keys import Key, dotted

Problem = tuple[int, str]  # line, text
END = 10**9  # the line of what has none: sorts behind all others


class ParsedYaml(NamedTuple):
    """A YAML text, parsed. Others are given the same one: copy what you would change.

    Attributes:
        root: The text as it is written, or None if it is empty.
        values: The text as it is meant.
        lines: Line of each key, from 1.
        repeated: Problems of the keys that occur twice in one mapping.
    """

    root: Node | None
    values: Any
    lines: dict[Key, int]
    repeated: tuple[Problem, ...]


@lru_cache(maxsize=32)  # to parse params.yaml takes 20 ms, and who works looks at few texts, but again and again
def parse_yaml(text: str) -> ParsedYaml:
    """Parse a YAML 1.2 text.

    Raises:
        YAMLError: If the text is not YAML. Also ValueError or RecursionError, if a value cannot be one.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    root = yaml.compose(text)
    if root is None:
        return ParsedYaml(None, None, {}, ())
    meant = yaml.compose(text) if "<<" in text else root  # merge keys are replaced in the nodes themselves
    values = yaml.constructor.construct_document(meant)
    return ParsedYaml(root, values, *_lines(meant))


def read_yaml(text: str, name: str) -> tuple[Any, dict[Key, int], list[Problem]]:
    """Return the values of a YAML 1.2 text, the line of each key, and its repeated keys as problems.

    Raises:
        ProblemsError: If the text is not YAML; `name` is the file's.
    """
    try:
        parsed = parse_yaml(text)
        return deepcopy(parsed.values), parsed.lines.copy(), list(parsed.repeated)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ProblemsError(name, [f"{where}not YAML: {error.problem or error.context}"]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ProblemsError(name, [f"not YAML: {' '.join(str(error).split())}"]) from None


def line_of(key: Key, lines: dict[Key, int]) -> int:
    """Return the line of a key, or of the section that it is missing from."""
    return next((lines[key[:end]] for end in range(len(key), 0, -1) if key[:end] in lines), END)


def with_lines(problems: Iterable[Problem]) -> list[str]:
    """Return problems as users see them, in the order of the file."""
    return [f"line {line}: {text}" if line != END else text for line, text in sorted(problems)]


def _lines(root: Node) -> tuple[dict[Key, int], tuple[Problem, ...]]:
    """Return the line of each key of a YAML tree, and a problem for each that occurs twice in one mapping.

    Aliases repeat what is walked once, at its anchor, so that no file makes the walk long or endless.
    """
    lines: dict[Key, int] = {}
    problems: list[Problem] = []
    waiting: list[tuple[Node, Key]] = [(root, ())]
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
    return lines, tuple(problems)
