"""BBox-Label-Tool text: `Images/001/a.JPEG` beside `Labels/001/a.txt`; a count, then corners in whole pixels.

    2
    80 8 172 111
    20 30 44 60 cat

The class is the fifth column if there is one (the tool's branch for several classes). Otherwise it is the one
name in `classes`, or else the name of the label's folder (`001`), which is the class in the tool's own layout.
"""

import posixpath

from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines, parse_integer, parse_number
from humbleyolo.labels.label_file_pairs import first_label, read_pairs
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import counted

_CORNERS = ("left", "top", "right", "bottom")


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    label = first_label(source, _fits)
    return f"{label} has a count, then lines of corners" if label else ""


def _fits(text: str) -> bool:
    lines = [line.split(maxsplit=4) for _, line in numbered_lines(text)]
    if not lines or len(lines[0]) != 1 or "---" in text:
        return False
    try:
        count = parse_integer(lines[0][0], "")
    except BadInput:
        return False
    return count == len(lines) - 1 > 0 and all(len(line) in (4, 5) for line in lines[1:])


def read(reader: SourceReader) -> UncheckedSet:
    """Return every image that has a label file; see `registry.Format`."""

    def fill(image: UncheckedImage, text: str) -> None:
        lines = numbered_lines(text)
        if not lines:
            return  # an empty file: background
        first, head = lines[0]
        count = parse_integer(head, "the first line, the count of boxes,") if " " not in head else -1
        if count != len(lines) - 1:
            why = f"the first line is the count of boxes, with {counted(len(lines) - 1, 'line')} after it; correct it"
            raise BadInput("count-differs", shorten(head), why, f"line {first}")
        for number, line in lines[1:]:
            with reader.ledger.reporting(image.label_file, "box dropped", f"line {number}"), image.losing():
                image.boxes.append(_box(reader.options.classes, image.label_file, line, number))

    return UncheckedSet(read_pairs(reader, _fits, fill), all_images=True)


def _box(classes: tuple[str, ...], file: str, line: str, number: int) -> UncheckedBox:
    columns = line.split(maxsplit=4)
    if len(columns) < 4:
        why = "a line has 4: left top right bottom, and the class if there are several"
        raise BadInput("columns", f"{len(columns)} columns: {shorten(line)}", why)
    left, top, right, bottom = (parse_number(text, name) for text, name in zip(columns[:4], _CORNERS, strict=True))
    label = columns[4] if len(columns) == 5 else _only_class(classes, file)
    return UncheckedBox(f"line {number}", label, (left, top, right, bottom))


def _only_class(classes: tuple[str, ...], file: str) -> str:
    if len(classes) == 1:
        return classes[0]
    folder = posixpath.basename(posixpath.dirname(file))
    if folder.lower() in ("", "labels"):
        raise BadInput("no-class-names", "no class", "no fifth column and no class folder; give one name in classes")
    return folder
