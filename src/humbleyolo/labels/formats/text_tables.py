"""Text formats with a file an image and a line a box, whose columns differ: a row each.

    KITTI    Car 0.00 1 -1.57 left top right bottom, then height, width, length, x, y, z and turn in metres; image_2/
             beside label_2/. `DontCare` has no class: it is left out, with a note
    OIDv4    Human face left top right bottom, in `Label/` below the images (OIDv4 ToolKit), or beside them

Corners are in pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines, parse_number
from humbleyolo.labels.label_file_pairs import first_label, read_pairs
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader

_CORNERS = ("left", "top", "right", "bottom")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A format: its columns, and the facts beside the corners.

    Attributes:
        columns: Text of a line's columns, for messages.
        fits: Function that knows a line by its columns.
        place: Column of the first corner; before it, if negative, stands the class, which may have spaces.
        flags: Function that returns the flags of a line's columns.
        no_class: Classes that are none.
        slack: Distance beyond the border that the format's rounding allows, pixels.
    """

    columns: str
    fits: Callable[[list[str]], bool]
    place: int
    flags: Callable[[list[str]], frozenset[str]] = lambda _columns: frozenset()
    no_class: tuple[str, ...] = ()
    slack: float = 0.0

    def _known(self, text: str) -> bool:
        lines = numbered_lines(text)
        return bool(lines) and self.fits(lines[0][1].split())

    def detect(self, source: Source) -> str:
        """Return the evidence that a source is in this format; empty if it is not."""
        label = first_label(source, self._known)
        return f"{label} has lines of {self.columns}" if label else ""

    def read(self, reader: SourceReader) -> UncheckedSet:
        """Return every image that has a label file; see `registry.Format`."""

        def fill(image: UncheckedImage, text: str) -> None:
            image.slack = self.slack
            for number, line in numbered_lines(text):
                where = f"line {number}"
                with reader.ledger.reporting(image.label_file, "box dropped", where), image.losing():
                    box = self._box(line.split(), where)
                    if box.label in self.no_class:
                        why = "a region that nobody labelled; objects in it are taught as background"
                        reader.ledger.note(image.label_file, BadInput("no-class", box.label, why, where), "not read")
                    else:
                        image.boxes.append(box)

        return UncheckedSet(read_pairs(reader, self._known, fill), all_images=True)

    def _box(self, columns: list[str], where: str) -> UncheckedBox:
        if not self.fits(columns):
            found = f"{len(columns)} columns: {shorten(' '.join(columns))}"
            raise BadInput("columns", found, f"a line has {self.columns}")
        place = self.place % len(columns)
        texts = columns[place : place + 4]
        left, top, right, bottom = (parse_number(text, name) for text, name in zip(texts, _CORNERS, strict=True))
        label = columns[0] if self.place > 0 else " ".join(columns[:place])
        return UncheckedBox(where, label, (left, top, right, bottom), self.flags(columns))


def _numbers(columns: list[str]) -> list[float] | None:
    try:
        return [parse_number(text, "") for text in columns]
    except BadInput:
        return None


def _is_kitti(columns: list[str]) -> bool:
    return len(columns) in (15, 16) and _numbers(columns[:1]) is None and _numbers(columns[1:]) is not None


def _kitti_flags(columns: list[str]) -> frozenset[str]:
    cut, hidden = float(columns[1]), float(columns[2])  # 0 to 1; 0, 1 partly, 2 largely, 3 unknown
    return frozenset(["truncated"] * (cut > 0) + ["occluded"] * (hidden in (1, 2)))


def _is_oidv4(columns: list[str]) -> bool:
    numbers = _numbers(columns[-4:]) or [0.0]
    named = len(columns) >= 5 and _numbers(columns[:1]) is None
    return named and max(numbers) > 1 and not _is_kitti(columns)


KITTI = TextTable(
    "a class, 3 numbers, left, top, right, bottom, and 7 more", _is_kitti, 4, _kitti_flags, ("DontCare",), 0.01
)
OIDV4 = TextTable("a class, left, top, right, bottom", _is_oidv4, -4)
