"""CSV files that nobody checked: rows as dictionaries, with their line."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from humbleyolo.inputs.folder import LABEL_BYTES
from humbleyolo.inputs.ledger import BadInput, Ledger, NoImage, shorten
from humbleyolo.process.terminal import first_few

Row = dict[str, str]
_QUOTES = "end each double quote in its value, and double one that is meant"
csv.field_size_limit(LABEL_BYTES)  # of this process: a polygon of VIA is one field


@dataclass(slots=True)
class LostLines:
    """Lines of a table that could not be read.

    Attributes:
        of_image: Their number by image, whether they come before or after its right lines.
        hidden: Mistakes that hide which images other lines are about: a double quote that does not end, or not in
            its own line.
    """

    of_image: Counter[str] = field(default_factory=Counter)
    hidden: int = 0

    def count(self, image: str) -> int:
        """Return how many boxes an image of the table lost, at least."""
        return self.of_image[image] + self.hidden


class _Line(NamedTuple):
    """A row, and the first and last line of the file that hold it."""

    first: int
    last: int
    row: Row
    error: BadInput | None

    @property
    def where(self) -> str:
        return f"line {self.last}" if self.first == self.last else f"lines {self.first} to {self.last}"


def take_rows(
    text: str,
    file: str,
    ledger: Ledger,
    take: Callable[[int, Row], None],
    image_of: Callable[[Row], str],
    header: Sequence[str] = (),
) -> LostLines:
    """Give each row to `take`, with its line; report what is wrong, and rows for which it raises BadInput.

    `image_of` returns the image of a row; that of one with too many or too few columns goes as far as it goes. It
    raises BadInput or KeyError if it knows none. A row whose image is not there is no loss of another one.
    Commas, with or without spaces behind them; quotes doubled inside quotes. Values stay texts: `NA`, `null` and
    `007` are what they are. A header that is missing or names a column twice, and quotes that do not end, drop the
    rest of the file. `header` names the columns of a file whose first line does not. Lines about an image that is not
    there are reported once.
    """
    absent: dict[tuple[str, str], tuple[BadInput, list[int]]] = {}  # by kind and name: their lines
    lost = LostLines()
    with ledger.reporting(file, "rest of the file dropped"), _counting(lost):
        for line in _rows(text, header):
            with ledger.reporting(file, "line dropped", line.where):
                try:
                    if line.error:
                        raise line.error
                    take(line.last, line.row)
                except NoImage as missing:
                    lost.hidden += line.first < line.last
                    if (key := (missing.kind, missing.name)) not in absent:
                        absent[key] = missing.at(""), []  # a copy, without the traceback
                    absent[key][1].append(line.last)
                except BadInput:
                    lost.hidden += line.first < line.last
                    with suppress(BadInput, KeyError):
                        lost.of_image[image_of(line.row)] += 1
                    raise
    for error, lines in absent.values():
        where = first_few([f"line {lines[0]}"], 1, count=len(lines))
        ledger.problem(file, error.at(where), "lines dropped" if lines[1:] else "line dropped")
    return lost


@contextmanager
def _counting(lost: LostLines) -> Iterator[None]:
    """Count a BadInput that ends a file, and let it pass."""
    try:
        yield
    except BadInput:
        lost.hidden += 1
        raise


def refuse_lines(value: str, column: str) -> None:
    """Raise BadInput for a value of several lines: a double quote that ends elsewhere has swallowed other rows."""
    if "\n" in value:
        raise BadInput("csv", f"{column} {shorten(value)}", f"must be one line; {_QUOTES}")


def _rows(text: str, given: Sequence[str]) -> Iterator[_Line]:
    reader = csv.reader(io.StringIO(text), strict=True, skipinitialspace=True)
    first = 1
    try:
        header = list(given) or [name.strip() for name in next(reader, [])]
        if len(header) < 2:
            hint = "; separate by commas" if any(mark in "".join(header) for mark in ";\t") else ""
            raise BadInput("csv", shorten(",".join(header)), f"the first line must name the columns{hint}", "line 1")
        if len(set(header)) != len(header):
            raise BadInput("csv", shorten(",".join(header)), "each column needs its own name", "line 1")
        first = reader.line_num + 1
        for row in reader:
            last = reader.line_num
            if len(row) == len(header):
                yield _Line(first, last, dict(zip(header, row, strict=True)), None)
            elif row:
                why = f"must be {len(header)}, as in the first line; "
                why += _QUOTES if first < last else "quote a value that holds a comma"
                error = BadInput("columns", f"{len(row)} columns", why)
                yield _Line(first, last, dict(zip(header, row, strict=False)), error)
            first = last + 1
    except csv.Error as error:
        where = _Line(first, reader.line_num, {}, None).where
        raise BadInput("csv", shorten(str(error)), _QUOTES, where) from None


def values_of(text: str, column: str, header: Sequence[str] = ()) -> Counter[str]:
    """Return the values of a column with their counts, without those of rows that `take_rows` would refuse."""
    values: Counter[str] = Counter()
    with suppress(BadInput):
        for line in _rows(text, header):
            if line.error is None and column in line.row:
                values[line.row[column]] += 1
    return values


def header_of(text: str | bytes) -> list[str]:
    """Return the names in the first line of a text, or of a file's beginning."""
    text = text[:4096].decode("utf-8-sig", "replace") if isinstance(text, bytes) else text
    first = [re.split("[\r\n]", text, maxsplit=1)[0]]
    try:
        return [name.strip() for name in next(csv.reader(first, skipinitialspace=True), [])]
    except csv.Error:
        return []
