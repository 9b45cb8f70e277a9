"""The article's `Images/N.PNG` beside `Labels/N.txt`: three lines for each cell of its grid, then `---`.

    0 1 0            one-hot class; the last place means that the cell is empty
    40 22 18 10      centre x, y, width, height in pixels
    1                confidence: 1 where a word is, 0 where none is

The labels have no names: `classes` gives them, in the order of the one-hot places, without the empty one.
"""

from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines, parse_number
from humbleyolo.labels.label_file_pairs import first_label, read_pairs
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import counted

_END = "---"


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    label = first_label(source, _fits)
    return f"{label} ends in {_END}" if label else ""


def _fits(text: str) -> bool:
    return text.rstrip().endswith(_END)


def read(reader: SourceReader) -> UncheckedSet:
    """Return every image that has a label file; see `registry.Format`."""
    names = reader.options.classes
    if not names:
        why = "the labels hold no names; give classes in the order of the one-hot places: [chat, rat]"
        reader.ledger.problem(".", BadInput("no-class-names", "only one-hot places", why), "all boxes dropped")

    def fill(image: UncheckedImage, text: str) -> None:
        lines = numbered_lines(text)
        if not lines or lines[-1][1] != _END or (len(lines) - 1) % 3:
            why = f"three lines a cell and then {_END}; the file is not whole"
            raise BadInput("columns", counted(len(lines), "line"), why)
        for place in range(0, len(lines) - 1, 3):
            where = f"lines {lines[place][0]} to {lines[place + 2][0]}"
            with reader.ledger.reporting(image.label_file, "box dropped", where), image.losing():
                image.boxes += _boxes([line for _, line in lines[place : place + 3]], names, where)

    return UncheckedSet(read_pairs(reader, _fits, fill), all_images=True)


def _boxes(lines: list[str], names: tuple[str, ...], where: str) -> list[UncheckedBox]:
    """Return the box of one cell, or none."""
    one_hot, values, confidence = (line.split() for line in lines)
    if sorted(one_hot) != ["0"] * (len(one_hot) - 1) + ["1"] or len(one_hot) != len(names) + 1:
        why = f"must be one-hot with {len(names) + 1} places: {', '.join(names)}, empty"
        raise BadInput("unknown-class", shorten(lines[0]), why)
    if len(values) != 4:
        raise BadInput("columns", shorten(lines[1]), "must be centre x, y, width, height in pixels")
    if confidence not in (["0"], ["1"]) or (confidence == ["0"]) != (one_hot[-1] == "1"):
        raise BadInput("columns", shorten(lines[2]), "must be 1 where a word is and 0 where the last place is 1")
    if confidence == ["0"]:
        return []
    x, y, width, height = (parse_number(text, "a coordinate") for text in values)
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return [UncheckedBox(where, names[one_hot.index("1")], corners)]
