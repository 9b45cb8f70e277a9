"""CSV files that nobody checked: rows as dictionaries, with their line."""

import csv
import io
import re
from collections.abc import Iterator

from humbleyolo.labels.ledger import BadInput, shorten

Row = dict[str, str]
_FIELD = 10_000  # characters in one field


def read_rows(text: str) -> Iterator[tuple[int, Row | BadInput]]:
    """Yield (line, row by column name), or the mistake in place of a row.

    Commas, quotes doubled inside quotes. Values stay texts: `NA`, `null` and `007` are what they are.

    Raises:
        BadInput: Where the header is missing or names a column twice, or the quotes do not end.
    """
    reader = csv.reader(io.StringIO(text), strict=True)
    csv.field_size_limit(_FIELD)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(header) < 2:
            hint = "; separate by commas" if any(mark in "".join(header) for mark in ";\t") else ""
            raise BadInput(
                "csv", shorten(",".join(header)), f"the first line must name the columns{hint}", "line 1"
            )
        if len(set(header)) != len(header):
            raise BadInput("csv", shorten(",".join(header)), "each column needs its own name", "line 1")
        for row in reader:
            line = reader.line_num
            if not row:
                continue
            if len(row) != len(header):
                why = f"must be {len(header)}, as in the first line; quote a value that holds a comma"
                yield line, BadInput("columns", f"{len(row)} columns", why, f"line {line}")
                continue
            yield line, dict(zip(header, row, strict=True))
    except csv.Error as error:
        why = "must be CSV: commas, and double quotes that end"
        raise BadInput("csv", shorten(str(error)), why, f"line {reader.line_num}") from None


def header_of(text: str) -> list[str]:
    """Return the names in the first line."""
    try:
        return [name.strip() for name in next(csv.reader([re.split("[\r\n]", text, maxsplit=1)[0]]), [])]
    except csv.Error:
        return []
