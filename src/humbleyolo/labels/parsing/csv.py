"""CSV files that nobody checked: rows as dictionaries, with their line."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from humbleyolo.labels.ledger import BadInput, Ledger, NoImage, shorten
from humbleyolo.process.terminal import first_few

Row = dict[str, str]
_FIELD = 10_000  # characters in one field


def take_rows(
    text: str,
    file: str,
    ledger: Ledger,
    take: Callable[[int, Row], None],
    lose: Callable[[Row], None],
    header: Sequence[str] = (),
) -> None:
    """Give each row to `take`, with its line; report what is wrong, and rows for which it raises BadInput.

    `lose` gets the row, as far as it goes, in place of `take` if its columns are too many or too few.
    Commas, with or without spaces behind them; quotes doubled inside quotes. Values stay texts: `NA`, `null` and
    `007` are what they are. A header that is missing or names a column twice, and quotes that do not end, drop the
    rest of the file. `header` names the columns of a file whose first line does not. Lines about an image that is not
    there are reported once.
    """
    absent: dict[tuple[str, str], tuple[BadInput, list[int]]] = {}  # by kind and name: their lines
    with ledger.reporting(file, "rest of the file dropped"):
        for line, row, error in _rows(text, header):
            with ledger.reporting(file, "line dropped", f"line {line}"):
                if error:
                    lose(row)
                    raise error
                try:
                    take(line, row)
                except NoImage as missing:
                    if (key := (missing.kind, missing.name)) not in absent:
                        absent[key] = missing.at(""), []  # a copy, without the traceback
                    absent[key][1].append(line)
    for error, lines in absent.values():
        where = first_few([f"line {lines[0]}"], 1, count=len(lines))
        ledger.problem(file, error.at(where), "lines dropped" if lines[1:] else "line dropped")


def _rows(text: str, given: Sequence[str]) -> Iterator[tuple[int, Row, BadInput | None]]:
    reader = csv.reader(io.StringIO(text), strict=True, skipinitialspace=True)
    csv.field_size_limit(_FIELD)
    try:
        header = list(given) or [name.strip() for name in next(reader, [])]
        if len(header) < 2:
            hint = "; separate by commas" if any(mark in "".join(header) for mark in ";\t") else ""
            raise BadInput("csv", shorten(",".join(header)), f"the first line must name the columns{hint}", "line 1")
        if len(set(header)) != len(header):
            raise BadInput("csv", shorten(",".join(header)), "each column needs its own name", "line 1")
        for row in reader:
            line = reader.line_num
            if len(row) == len(header):
                yield line, dict(zip(header, row, strict=True)), None
            elif row:
                why = f"must be {len(header)}, as in the first line; quote a value that holds a comma"
                yield line, dict(zip(header, row, strict=False)), BadInput("columns", f"{len(row)} columns", why)
    except csv.Error as error:
        why = "must be CSV: commas, and double quotes that end"
        raise BadInput("csv", shorten(str(error)), why, f"line {reader.line_num}") from None


def values_of(text: str, column: str, header: Sequence[str] = ()) -> set[str]:
    """Return the values of a column, without those of rows that `take_rows` would refuse."""
    values: set[str] = set()
    with suppress(BadInput):
        for _, row, error in _rows(text, header):
            if error is None and column in row:
                values.add(row[column])
    return values


def header_of(text: str | bytes) -> list[str]:
    """Return the names in the first line of a text, or of a file's beginning."""
    text = text[:4096].decode("utf-8-sig", "replace") if isinstance(text, bytes) else text
    first = [re.split("[\r\n]", text, maxsplit=1)[0]]
    try:
        return [name.strip() for name in next(csv.reader(first, skipinitialspace=True), [])]
    except csv.Error:
        return []
