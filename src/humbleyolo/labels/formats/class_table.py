"""A table of two columns beside a CSV: the names of class numbers."""

import csv
import io
import re

from humbleyolo.inputs.file_names import is_image
from humbleyolo.inputs.ledger import BadInput, shorten

_WORD = re.compile(r"[^\W\d_]+")
_OF_CLASSES = frozenset(["id", "ids", "index", "idx", "class", "label", "code"])
"""Words in the name of a column of class numbers."""

_COUNTS = frozenset(
    [
        "count",
        "counts",
        "freq",
        "frequency",
        "num",
        "number",
        "total",
        "images",
        "boxes",
        "objects",
        "instances",
        "width",
        "height",
        "area",
    ]
)
"""Words in the name of a column of other numbers."""


def class_table(text: str) -> dict[str, str]:
    """Return the names by number of a table of two columns, in the order of the numbers; empty if it is none.

    A number that several lines have is none of a class, nor is one of an image, or of how many there are. Several
    numbers of one name are, if they count up from 0 or 1.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if len(row) == 2]
    except csv.Error as error:
        raise BadInput("csv", shorten(str(error)), "must be CSV: a name and a number a line") from None
    rows = [[one.strip() for one in row] for row in rows]
    pairs = {(row[0], row[1]) if row[0].isdecimal() else (row[1], row[0]) for row in rows}
    numbered = {(number, name) for number, name in pairs if number.isdecimal()}
    found = dict(numbered)
    distinct, from_0 = len({*found.values()}), range(len(found))
    count_up = {*map(int, found)} in ({*from_0}, {number + 1 for number in from_0})
    if len(found) < len(numbered) or any(map(is_image, found.values())):
        return {}
    if distinct < len(found) and not (count_up and distinct > 1):
        return {}
    if rows and not {*rows[0]} & {*found}:  # a line of names of the columns
        column = any(row[1].isdecimal() for row in rows)
        words = {word.lower() for word in _WORD.findall(rows[0][column])}
        if words & _COUNTS and not words & _OF_CLASSES:
            return {}
    return dict(sorted(found.items(), key=lambda pair: (len(pair[0]), pair[0])))
