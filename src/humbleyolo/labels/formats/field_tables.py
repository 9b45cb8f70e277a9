"""JSON formats that differ by the names of their fields and the geometry of a box: what they share."""

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from humbleyolo.inputs.file_names import splits_in
from humbleyolo.inputs.folder import LABEL_BYTES, LOOKED_AT, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get, parse
from humbleyolo.labels.class_numbers import settle_count
from humbleyolo.labels.formats.masks import points_corners
from humbleyolo.labels.formats.shapes import one_box_per_group
from humbleyolo.labels.labelled_image import Corners, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader

_NUMBER = (int, float)


@dataclass(slots=True)
class Entry:
    """An image as a file of the format has it.

    Attributes:
        image: Its name there; `folders` are those where it may lie.
        where: Its place in the file.
        shapes: Its shapes, each a record, with its place.
        size: Height and width, if the file says.
        splits: Lists that hold it.
        relative: Corners are fractions of its width and height.
        lost: Shapes that could not be read.
        slack: Pixels that a box may cross the border by, because the format's digits are few.
    """

    image: str
    where: str
    shapes: list[tuple[Any, str]]
    size: tuple[int | None, int | None] = (None, None)
    folders: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    relative: bool = False
    lost: int = 0
    slack: float = 0.0


@dataclass(slots=True)
class LabelFile:
    """One label file.

    Attributes:
        name: Its name in the source.
        root: Its content.
        reader: The source being read.
        classes: Names that it declares, in the order of their numbers.
        size: Height and width, if it is about one image and says them.
        class_field: Field of a shape that is its class, if files differ in it.
        numbers: Numbers of classes that its shapes have, once per shape.
    """

    name: str
    root: Any
    reader: SourceReader
    classes: Sequence[str] = ()
    size: tuple[int | None, int | None] = (None, None)
    class_field: str = ""
    numbers: Counter[int] = field(default_factory=Counter)

    @property
    def near(self) -> tuple[str, ...]:
        """Folders where its images may lie."""
        here = posixpath.dirname(self.name)
        above = posixpath.dirname(here)
        return here, f"{here}/images".lstrip("/"), above, f"{above}/images".lstrip("/")

    def named(self, key: Any, where: str) -> str:
        """Return the name of a class that a box has by its number; BadInput if there is none."""
        if isinstance(key, bool) or not isinstance(key, int) or not 0 <= key < len(self.classes):
            allowed = f"0 to {len(self.classes) - 1}" if self.classes else "none, because there are no class names"
            fix = "correct it, or give classes in the order of the numbers"
            kind = "unknown-class" if self.classes else "no-class-names"
            raise BadInput(kind, f"class {shorten(key)}", f"allowed: {allowed}; {fix}", where)
        return self.classes[key]


def _find(file: LabelFile, entry: Entry) -> str:
    return file.reader.images.find_named(entry.image, *(entry.folders or file.near))


Entries = Callable[[LabelFile], Iterator[Entry]]
Shape = Callable[[LabelFile, Any, str], tuple[UncheckedBox, int | None] | None]


@dataclass(frozen=True, slots=True)
class FieldTable:
    """A format: the words by which its files are known, its images, and the box of a shape.

    Attributes:
        words: Keys or columns in a file's first bytes that make it one: all of one text (`a b`), of several texts.
        but: Keys that none has.
        entries: Function that yields a file's images.
        shape: Function that returns a shape's box and its group, or None if it has no area.
        background: Fix for an image without objects.
        opens: First character of a file.
        endings: Extensions of its files.
        find: Function that returns the path of an entry's image.
        numbered: Name of the format, if its files have numbers of classes that `classes` names.
    """

    words: tuple[str, ...]
    entries: Entries
    shape: Shape
    background: str
    opens: bytes = b"{"
    but: str = ""
    endings: tuple[str, ...] = (".json",)
    find: Callable[[LabelFile, Entry], str] = _find
    numbered: str = ""

    def _fits(self, head: bytes) -> bool:
        start = head[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
        known = self._words_in(head)
        return (
            start.startswith(self.opens) and bool(known) and not any(_holds(head, word) for word in self.but.split())
        )

    def _words_in(self, head: bytes) -> str:
        """Return the first text of `words` that a file's beginning has; empty if it has none."""
        return next((some for some in self.words if all(_holds(head, word) for word in some.split())), "")

    def detect(self, source: Source) -> str:
        """Return the evidence that a source is in this format; empty if it is not."""
        for name in source.ending(*self.endings)[:LOOKED_AT]:
            if self._fits(head := source.head(name)):
                return f"{name} has {' and '.join(self._words_in(head).split())}"
        return ""

    def read(self, reader: SourceReader) -> UncheckedSet:
        """Return the images of every such file; see `registry.Format`."""
        result = UncheckedSet(background=self.background)
        numbers: Counter[int] = Counter()
        for name in reader.source.ending(*self.endings):
            if not self._fits(reader.source.head(name)):
                error = BadInput("not-read", name, f"has not {' and '.join(self.words[0].split())}")
                reader.ledger.note(name, error, "not read")
                continue
            with reader.ledger.reporting(name, "file dropped"):
                data = reader.source.read(name, LABEL_BYTES)
                file = LabelFile(name, parse(data) if ".json" in self.endings else data, reader)
                images = [image for entry in self.entries(file) for image in self._image(file, entry)]
                result.add(images, file.classes)
                numbers += file.numbers
        if numbers:
            settle_count(reader, self.numbered, numbers, len(reader.options.classes), result.images)
        return result

    def _image(self, file: LabelFile, entry: Entry) -> Iterator[UncheckedImage]:
        ledger = file.reader.ledger
        with ledger.reporting(file.name, "image dropped", entry.where):
            path = self.find(file, entry)
            image = UncheckedImage(file.name, path, entry.where, splits=entry.splits or splits_in(file.name))
            image.height, image.width = entry.size
            image.lost = entry.lost
            image.relative, image.slack = entry.relative, entry.slack or 1e-6 * entry.relative
            boxes: list[tuple[UncheckedBox, int | None]] = []
            for record, where in entry.shapes:
                with ledger.reporting(file.name, "box dropped", where), image.losing():
                    if box := self.shape(file, record, where):
                        boxes.append(box)
            image.boxes = one_box_per_group(boxes, file.name, ledger)
            yield image


@dataclass(frozen=True, slots=True)
class FieldTables:
    """A format of several kinds of files, each a table; all of its kinds in a source are read."""

    tables: tuple[FieldTable, ...]

    def detect(self, source: Source) -> str:
        """Return the evidence that a source is in this format; empty if it is not."""
        return next((why for table in self.tables if (why := table.detect(source))), "")

    def read(self, reader: SourceReader) -> UncheckedSet:
        """Return the images of all; see `registry.Format`."""
        tables = [table for table in self.tables if table.detect(reader.source)] or [self.tables[0]]
        result = UncheckedSet(background=self.tables[0].background)
        for table in tables:
            result.add(table.read(reader).images, ())
        return result


def _holds(head: bytes, word: str) -> bool:
    """Tell if a file's beginning has a key of JSON, or a column."""
    return word.encode() in head and bool(re.search(rf'"{word}"\s*:|(?:^|[,\t]){word}(?=[,\t\r\n])'.encode(), head))


def first(record: Any, keys: str, kind: type | tuple[type, ...], where: str, default: Any = ...) -> Any:
    """Return the value of the first of some keys, `a|b`, that a record has; see `parsing.json.get`."""
    names = keys.split("|")
    key = next((key for key in names if isinstance(record, dict) and record.get(key) is not None), names[0])
    return get(record, key, kind, where, default)


def declared(record: Any, keys: str, where: str) -> None:
    """Raise BadInput for an image without any of some keys, `a|b`: nobody has labelled it yet."""
    if isinstance(record, dict) and all(record.get(key) is None for key in keys.split("|")):
        name = keys.partition("|")[0]
        raise BadInput("label-missing", f"no {name}", f"label it, or declare it background with {name}: []", where)


def number(record: Any, key: str, where: str, default: Any = ...) -> float:
    """Return a number that a record has under a key; see `parsing.json.get`."""
    return float(get(record, key, _NUMBER, where, default))


def numbers(record: Any, keys: str, where: str) -> list[float]:
    """Return the numbers that a record has under some keys, `x y width height`."""
    return [number(record, key, where) for key in keys.split()]


def listed(value: Any, count: int, where: str) -> list[float]:
    """Return a list of so many numbers as it is; BadInput for all else."""
    if not isinstance(value, list) or len(value) != count:
        raise BadInput("columns", shorten(value), f"must be a list of {count} numbers", where)
    if not all(isinstance(one, _NUMBER) and not isinstance(one, bool) for one in value):
        raise BadInput("not-a-number", shorten(value), f"must be {count} numbers", where)
    return [float(one) for one in value]


def from_ltwh(left: float, top: float, width: float, height: float) -> Corners:
    """Return the corners of a box by its upper left corner and its lengths."""
    return left, top, left + width, top + height


def from_centre(x: float, y: float, width: float, height: float) -> Corners:
    """Return the corners of a box by its centre and its lengths."""
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def from_points(points: Any, where: str) -> Corners:
    """Return the box around points `[[x, y], ...]`."""
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise BadInput("json", f"points {shorten(points)}", "must be [[x, y], [x, y], ...]", where)
    return points_corners([value for point in points for value in point], where)


def no_rule(kind: str, allowed: str, where: str) -> BadInput:
    """Return the mistake of a shape that no rule speaks of."""
    why = f"no rule gives its box; allowed: {allowed}; draw one of these, or delete it"
    return BadInput("not-a-box", shorten(kind), why, where)


def places(records: Sequence[Any], where: str) -> list[tuple[Any, str]]:
    """Return records of a list with their places."""
    return [(record, f"{where}[{number}]") for number, record in enumerate(records)]
