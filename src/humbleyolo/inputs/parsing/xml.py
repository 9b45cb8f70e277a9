"""XML from files that nobody checked.

Expat, as `defusedxml` uses it, with every DTD refused: no entities, so no bombs and no external files.
Elements know their line. The children of the root come one at a time, so that memory does not grow with the
file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from xml.parsers import expat

from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import decode, parse_flag, parse_integer, parse_number, parse_size

_T = TypeVar("_T")
_DEPTH = 64
_CHUNK = 2**16


@dataclass(slots=True)
class Element:
    """One element: name, attributes, children, the text directly inside it, and its line."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    @property
    def where(self) -> str:
        """Its name in messages."""
        return f"line {self.line}, <{self.tag}>"

    def all(self, tag: str) -> list["Element"]:
        """Return the children of that name."""
        return [child for child in self.children if child.tag == tag]

    def find(self, tag: str) -> "Element | None":
        """Return the only child of that name, or None.

        Raises:
            BadInput: If there are several.
        """
        found = self.all(tag)
        if len(found) > 1:
            why = "there must be one; keep the right one"
            raise BadInput("xml", f"{len(found)} elements <{tag}>", why, self.where)
        return found[0] if found else None

    def child(self, tag: str) -> "Element":
        """Return the only child of that name.

        Raises:
            BadInput: If there is none, or several.
        """
        found = self.find(tag)
        if found is None:
            raise BadInput("xml", f"no <{tag}>", f"<{self.tag}> must hold one; add it", self.where)
        return found

    def refuse_text(self) -> None:
        """Raise BadInput for text directly inside: it may be an element whose `<` is missing."""
        if self.text:
            why = f"<{self.tag}> holds elements alone; mend it, or take it away"
            raise BadInput("xml", f"text {shorten(self.text)}", why, self.where)

    def attribute(self, name: str) -> str:
        """Return an attribute.

        Raises:
            BadInput: If it is missing.
        """
        if name not in self.attributes:
            raise BadInput("xml", f"no attribute {name}", f"<{self.tag}> must have it; add it", self.where)
        return self.attributes[name]

    def number(self, name: str = "") -> float:
        """Return the attribute `name`, or the text, as a number; BadInput otherwise."""
        return self._parsed(parse_number, self.attribute(name) if name else self.text, name)

    def integer(self, name: str = "") -> int:
        """Return the attribute `name`, or the text, as a whole number; BadInput otherwise."""
        return self._parsed(parse_integer, self.attribute(name) if name else self.text, name)

    def size(self, name: str = "") -> int:
        """Return the attribute `name`, or the text, as a number of pixels; BadInput otherwise."""
        return self._parsed(parse_size, self.attribute(name) if name else self.text, name)

    def flag(self, name: str = "") -> bool:
        """Return the attribute `name`, or the text, as true or false; a missing attribute is false."""
        return self._parsed(parse_flag, self.attributes.get(name, "0") if name else self.text, name)

    def _parsed(self, parse: Callable[[str, str], _T], text: str, name: str) -> _T:
        try:
            return parse(text, name or f"<{self.tag}>")
        except BadInput as error:
            raise error.at(self.where) from None


class _Builder:
    """Turn expat's events into elements, and hand out the root's children as they close."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.open: list[Element] = []
        self.root: Element | None = None
        self.done: list[Element] = []

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= _DEPTH:
            raise self._refuse(f"more than {_DEPTH} levels", "label files are not that deep")
        element = Element(tag, self.parser.CurrentLineNumber, attributes)
        if not self.open:
            self.root = element
        self.open.append(element)

    def _end(self, _tag: str) -> None:
        element = self.open.pop()
        element.text = element.text.strip()
        if len(self.open) == 1:
            self.done.append(element)
        elif self.open:
            self.open[-1].children.append(element)

    def _characters(self, text: str) -> None:
        if len(self.open) > 1 or text.strip():
            self.open[-1].text += text

    def _doctype(self, *_: object) -> None:
        raise self._refuse("a DTD", "label files have none, and it may hide a bomb; remove <!DOCTYPE ...>")

    def _refuse(self, found: str, why: str) -> BadInput:
        return BadInput("xml", found, why, f"line {self.parser.CurrentLineNumber}")


def stream(data: bytes) -> Iterator[Element]:
    """Yield the root (with its attributes, no children yet), then each of its children as it closes.

    Raises:
        BadInput: If the bytes are not well-formed XML, hold a DTD, or nest deeper than 64 levels.
    """
    builder = _Builder()
    started = False
    for start in range(0, max(len(data), 1), _CHUNK):
        chunk = data[start : start + _CHUNK]
        try:
            builder.parser.Parse(chunk, start + _CHUNK >= len(data))
        except expat.ExpatError as error:
            raise _ill_formed(data, error) from None
        except (LookupError, ValueError) as error:
            raise BadInput("xml", shorten(str(error)), "must be XML in UTF-8, UTF-16 or Latin-1") from None
        if builder.root is not None and not started:
            started = True
            yield builder.root
        yield from builder.done
        builder.done.clear()


def _ill_formed(data: bytes, error: expat.ExpatError) -> BadInput:
    """Return the mistake in XML that expat refused: its encoding, if that is all that is wrong."""
    invalid = error.code == expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
    if invalid and b"encoding" not in data[:200]:
        try:
            decode(data)
        except BadInput as encoding:
            return encoding
    found = f"not well-formed: {expat.ErrorString(error.code)}"
    return BadInput("xml", found, "must be XML; mend or export it again", f"line {error.lineno}")


def parse(data: bytes) -> Element:
    """Return the root with everything in it.

    Raises:
        BadInput: As `stream`.
    """
    elements = stream(data)
    root = next(elements)
    root.children.extend(elements)
    return root
