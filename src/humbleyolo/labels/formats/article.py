"""The article's `Images/N.PNG` beside `Labels/N.txt`: three lines for each cell of its grid, then `---`.

    0 1 0            one-hot class; the last place means that the cell is empty
    40 22 18 10      centre x, y, width, height in pixels
    1                confidence: 1 where a word is, 0 where none is

The labels have no names: `classes` gives them, in the order of the one-hot places, without the empty one.
"""

from humbleyolo.labels.folder import Source
from humbleyolo.labels.label_file_pairs import pairs, some_pair
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.text import numbered_lines, parse_number
from humbleyolo.labels.source_reader import SourceReader, split_of_folder

_END = "---"


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    label = some_pair(source, lambda text: text.rstrip().endswith(_END))
    return f"{label} ends in {_END}" if label else ""


def read(context: SourceReader) -> UncheckedSet:
    """Return every image that has a label file; see `formats.Format`."""
    names = context.options.classes
    if not names:
        why = "the labels hold no names; give classes in the order of the one-hot places: [chat, rat]"
        context.ledger.problem(
            ".", BadInput("no-class-names", "only one-hot places", why), "all boxes dropped"
        )
    records = []
    for image, label in pairs(context):
        text = context.text(label)
        if text is None:
            continue
        split = split_of_folder(image)
        record = UncheckedImage(label_file=label, path=image, splits=(split,) if split else ())
        lines = numbered_lines(text)
        if not lines or lines[-1][1] != _END or (len(lines) - 1) % 3:
            why = f"three lines a cell and then {_END}; the file is not whole"
            context.ledger.problem(label, BadInput("columns", f"{len(lines)} lines", why), "file dropped")
            continue
        for place in range(0, len(lines) - 1, 3):
            where = f"lines {lines[place][0]} to {lines[place + 2][0]}"
            try:
                box = _cell([line for _, line in lines[place : place + 3]], names, where)
            except BadInput as error:
                context.ledger.problem(label, error.at(where), "box dropped")
                continue
            record.boxes += [box] if box else []
        records.append(record)
    return UncheckedSet(records, all_images=True)


def _cell(lines: list[str], names: tuple[str, ...], where: str) -> UncheckedBox | None:
    one_hot, values, confidence = (line.split() for line in lines)
    if sorted(one_hot) != ["0"] * (len(one_hot) - 1) + ["1"] or len(one_hot) != len(names) + 1:
        why = f"must be one-hot with {len(names) + 1} places: {', '.join(names)}, empty"
        raise BadInput("unknown-class", shorten(lines[0]), why)
    if len(values) != 4:
        raise BadInput("columns", shorten(lines[1]), "must be centre x, y, width, height in pixels")
    if confidence not in (["0"], ["1"]) or (confidence == ["0"]) != (one_hot[-1] == "1"):
        raise BadInput(
            "columns", shorten(lines[2]), "must be 1 where a word is and 0 where the last place is 1"
        )
    if confidence == ["0"]:
        return None
    x, y, width, height = (parse_number(text, "a coordinate") for text in values)
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return UncheckedBox(where, names[one_hot.index("1")], corners)
