"""Change values in the text of a YAML file, and add keys to it; comments, layout and all else stay."""

import io
from collections.abc import Mapping
from copy import deepcopy
from functools import reduce
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.params.keys import Key, dotted
from humbleyolo.params.yaml_lines import parse_yaml, with_lines

_Item = tuple[Node, Node]  # a key and its value, with their places in the text


class YamlText:
    """The text of a YAML file of mappings, and the place of each key in it.

    Args:
        text: Text of the file; it is YAML.
        file: Name of the file, for messages.

    Raises:
        UserError: If it uses aliases or merge keys: a value is changed where it is written, and by itself.
    """

    def __init__(self, text: str, file: str) -> None:
        self.text, self._file, self._rows = text, file, text.split("\n")
        self._sections: dict[Key, MappingNode] = {}
        self._items: dict[Key, _Item] = {}
        seen: set[int] = set()
        self._parsed = parse_yaml(text)
        waiting: list[tuple[Key, Node | None]] = [((), self._parsed.root)]
        while waiting:
            section, node = waiting.pop()
            if isinstance(node, MappingNode):
                self._sections[section] = node
                for name, value in node.value:
                    key = (*section, name.value)
                    if name.value == "<<" or id(value) in seen:
                        raise UserError(f"{file}: {dotted(key)}: aliases cannot be edited; write the value out")
                    seen.add(id(value))
                    self._items[key] = (name, value)
                    waiting.append((key, value))

    def value(self, key: Key) -> str:
        """Return the value at a key in one line, as it is written if that is one line."""
        node = self._items[key][1]
        written = self.text[node.start_mark.index : self._end(node)]
        return written if _in_line(node) and "\n" not in written else one_line(_at(self._parsed.values, key))

    def replace(self, changes: Mapping[Key, str]) -> str:
        """Return the text with other values, YAML of one line each, at keys that it has.

        A comment behind a value keeps its column, if there is room.
        """
        text = self.text
        for key in sorted(changes, key=lambda key: -self._items[key][0].start_mark.index):
            (name, node), new = self._items[key], changes[key]
            start, end = node.start_mark.index, self._end(node)
            if start == end or not _in_line(node):  # nothing, or lines below the key
                colon = text.index(":", name.end_mark.index) + 1
                start, end, new = colon, colon if start == end else end, f" {new}"
            tail = text[end:].partition("\n")[0]
            gap = len(tail) - len(tail.lstrip(" "))
            if tail[gap:].startswith("#"):
                column = gap if "\n" in text[start:end] else end + gap - start - len(new)
                new += " " * max(1, column)
                end += gap
            text = text[:start] + new + text[end:]
        return self._checked(text, changes)

    def comment(self, key: Key) -> str:
        """Return the comment behind a value, without its mark; empty if there is none."""
        return self._rows[self._rows_of(self._items[key])[0]].partition(" #")[2].strip()

    def remark(self, mark: str, remarks: Mapping[Key, str]) -> str:
        """Return the text with a comment line, `# mark: text`, above each of these keys.

        Earlier lines with the same mark are removed. A key in braces has its line above the braces.
        """
        rows: dict[int, list[str]] = {}
        for key, text in remarks.items():
            row = self._items[key][0].start_mark.line
            margin = self._rows[row][: len(self._rows[row]) - len(self._rows[row].lstrip(" "))]
            rows.setdefault(row, []).append(f"{margin}# {mark}: {text}")
        new: list[str] = []
        for number, row in enumerate(self._rows):
            new += rows.get(number, [])
            if not row.lstrip().startswith(f"# {mark}: "):
                new.append(row)
        return self._checked("\n".join(new), {})

    def remarked(self, mark: str) -> set[Key]:
        """Return the keys that have a comment line with this mark above them."""
        found: set[Key] = set()
        for key, (name, _) in self._items.items():
            above = name.start_mark.line - 1
            if above >= 0 and self._rows[above].lstrip().startswith(f"# {mark}: "):
                found.add(key)
        return found

    def add(self, key: Key, template: "YamlText") -> str:
        """Return the text with one more key, as a template has it: behind the key that it follows there.

        Its comments come along, unless the section is in braces in either text.

        Raises:
            KeyError: If the template lacks the key, or the text its section.
        """
        section, model = self._sections[key[:-1]], template._sections[key[:-1]]
        known, there = _names(model), _names(section)
        before = [section.value[there.index(name)] for name in known[: known.index(str(key[-1]))] if name in there]
        value = template.value(key)
        new = [f"{key[-1]}: {value}"]
        if section.flow_style or not section.value:
            if before:
                place, item = self._end(before[-1][1]), f", {new[0]}"
            elif section.value:
                place, item = section.value[0][0].start_mark.index, f"{new[0]}, "
            else:
                place, item = section.start_mark.index + 1, new[0]
            return self._checked(self.text[:place] + item + self.text[place:], {key: value})
        if not model.flow_style:
            first, last = template._rows_of(template._items[key])
            column = template._items[key][0].start_mark.column
            new = [row[column:].rstrip() for row in template._rows[first : last + 1]]
        margin, end = " " * section.value[0][0].start_mark.column, "\r" * ("\r\n" in self.text)
        rows = [f"{margin}{row}".rstrip() + end for row in new]
        at = self._rows_of(before[-1])[1] + 1 if before else self._rows_of(section.value[0])[0]
        return self._checked("\n".join([*self._rows[:at], *rows, *self._rows[at:]]), {key: value})

    def _end(self, node: Node) -> int:
        """Return the index behind a value, before any space or comment that follows."""
        if isinstance(node, CollectionNode) and not node.flow_style:
            last = node.value[-1]
            return self._end(last if isinstance(node, SequenceNode) else last[1])
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        return start + len(self.text[start:end].rstrip())

    def _rows_of(self, item: _Item) -> tuple[int, int]:
        """Return the first and last line, from 0, of a key, its value, its comments and the blank lines above.

        A key's comments are those directly above, as far in as the key, and those below that are further in.
        """
        name, value = item
        column = name.start_mark.column
        first = self.text.count("\n", 0, name.start_mark.index)
        last = max(first, self.text.count("\n", 0, len(self.text[: self._end(value)].rstrip())))
        while first and _comment_column(self._rows[first - 1]) == column:
            first -= 1
        while first and not self._rows[first - 1].strip():
            first -= 1
        while last + 1 < len(self._rows) and _comment_column(self._rows[last + 1]) > column:
            last += 1
        return first, last

    def _checked(self, text: str, values: Mapping[Key, str]) -> str:
        """Return an edited text, once it is sure that these values are all that differs."""
        if self._parsed.repeated:
            raise ProblemsError(self._file, with_lines(self._parsed.repeated))
        expected = deepcopy(self._parsed.values)
        for key, value in values.items():
            _at(expected, key[:-1])[key[-1]] = YAML(typ="safe", pure=True).load(value)
        try:
            if parse_yaml(text).values == expected:
                return text
        except YAMLError:
            pass
        keys = ", ".join(map(dotted, values))
        raise UserError(f"{self._file}: cannot be edited as it is written; set {keys} by hand")


def _at(values: Any, key: Key) -> Any:
    return reduce(lambda section, part: section[part], key, values)


def one_line(value: Any) -> str:
    """Return a value as YAML in one line: `[chat, rat]`."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = 10**9
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue().removesuffix("...\n").strip()


def _names(section: MappingNode) -> list[str]:
    return [name.value for name, _ in section.value]


def _in_line(node: Node) -> bool:
    """Return True if a value stands behind its key, not in the lines below."""
    return not isinstance(node, CollectionNode) or bool(node.flow_style)


def _comment_column(row: str) -> int:
    """Return the column of a line that is a comment alone; -1 for any other."""
    return row.index("#") if row.lstrip().startswith("#") else -1
