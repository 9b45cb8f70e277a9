"""CSV tables and JSON objects read back, with an error that names the file, the line and the column."""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.storage.json import read_json

_MOST_PROBLEMS = 20  # told of one file
_LONGEST_LINE = 1 << 20  # characters
_MOST = 2**53  # from here on a float, as JavaScript has it, is not whole numbers one by one

Reader = Callable[[str], Any]


def text(field: str) -> str:
    """Return a text as it is."""
    return field


def whole(field: str) -> int:
    """Return a whole number of 0 or more."""
    value = int(field)
    if not 0 <= value < _MOST:
        raise ValueError(field)
    return value


def whole_or_none(field: str) -> int | None:
    """Return a whole number of 0 or more; None for an empty field."""
    return whole(field) if field else None


def index(field: str) -> int:
    """Return a whole number of -1 or more: -1 stands for none."""
    return whole(field) if field != "-1" else -1


def number(field: str) -> float:
    """Return a finite number."""
    value = float(field)
    if not math.isfinite(value):
        raise ValueError(field)
    return value


def number_or_none(field: str) -> float | None:
    """Return a finite number; None for an empty field: what is undefined."""
    return number(field) if field else None


def is_number_or_none(value: Any) -> bool:
    """Return True for a number of a JSON file that can be shown, and for null, an undefined one."""
    if type(value) is int:
        return -_MOST < value < _MOST
    return value is None or (type(value) is float and math.isfinite(value))


_ALLOWED: dict[Reader, str] = {
    whole: "a whole number, 0 or more",
    whole_or_none: "a whole number, 0 or more, or nothing",
    index: "a whole number, -1 or more",
    number: "a finite number",
    number_or_none: "a finite number or nothing",
}


def read_table(path: Path, columns: dict[str, Reader], fix: str) -> list[dict[str, Any]]:
    """Read a CSV table.

    Args:
        path: Path of the table, UTF-8, names in the first line.
        columns: Columns to read, each with its reader; others are left alone.
        fix: End of each error's text, the command that mends the file.

    Returns:
        One mapping from column to value for each row.

    Raises:
        UserError: If the file is missing or cannot be read.
        ProblemsError: With the columns that are missing, or the first 20 values that are not allowed.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            return _read_rows(path, csv.reader(_lines(file), strict=True), columns, fix)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {fix}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}; {fix}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a table ({error}); {fix}") from None


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        csv.Error: If a line is too long to be one of ours.
    """
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error(f"a line of {_LONGEST_LINE:,} characters or more")
        yield line


def _read_rows(
    path: Path, rows: Iterator[list[str]], columns: dict[str, Reader], fix: str
) -> list[dict[str, Any]]:
    head = next(rows, [])
    if missing := [name for name in columns if name not in head]:
        raise ProblemsError(
            str(path),
            [*(f"column {name} is missing" for name in missing), f"written by another version? {fix}"],
        )
    places = {name: head.index(name) for name in columns}
    problems: list[str] = []
    table = []
    for line, row in enumerate(rows, 2):
        if len(problems) >= _MOST_PROBLEMS:
            break
        if len(row) != len(head):
            problems.append(f"line {line}: {len(row)} fields; allowed: {len(head)}")
            continue
        values = {}
        for name, read in columns.items():
            field = row[places[name]]
            try:
                values[name] = read(field)
            except ValueError:
                problems.append(
                    f"line {line}: {name} {field[:80]!r} is not allowed; allowed: {_ALLOWED[read]}"
                )
        table.append(values)
    if problems:
        raise ProblemsError(str(path), [*problems[:_MOST_PROBLEMS], fix])
    return table


def read_object(path: Path, fix: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: If the file is missing, damaged or holds something else.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {fix}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}; {fix}") from None
    except ValueError as error:
        raise UserError(f"{path}: is damaged, or no JSON ({error}); {fix}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: is a {type(content).__name__}, not values by name; {fix}")
    return content


def column(table: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """Return one column of a table."""
    return [row[name] for row in table]
