"""CSV tables and JSON objects read back, with an error that names the file, the line and the column."""

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from humbleyolo.errors import SCREEN, ProblemsError, UserError
from humbleyolo.storage.json import read_json

_LONGEST_LINE, _LONGEST_FIELD = 1 << 20, 1 << 17  # characters
_MOST = 2**53  # from here on a float, as JavaScript has it, is not whole numbers one by one


class Reader(NamedTuple):
    """A kind of column.

    Attributes:
        read: Function from a field to its value; it raises ValueError for a field that is not allowed.
        allowed: Allowed fields, in words.
    """

    read: Callable[[str], Any]
    allowed: str


def _whole(field: str) -> int:
    value = int(field)
    if not 0 <= value < _MOST:
        raise ValueError(field)
    return value


def _number(field: str) -> float:
    value = float(field)
    if not math.isfinite(value):
        raise ValueError(field)
    return value


text = Reader(str, "any text")
whole = Reader(_whole, "a whole number, 0 or more")
whole_or_none = Reader(lambda field: _whole(field) if field else None, "a whole number, 0 or more, or nothing")
index = Reader(lambda field: -1 if field == "-1" else _whole(field), "a whole number, -1 or more")
number = Reader(_number, "a finite number")
number_or_none = Reader(lambda field: _number(field) if field else None, "a finite number or nothing")


def is_number_or_none(value: Any) -> bool:
    """Return True for a number of a JSON file that can be shown, and for null, an undefined one."""
    if type(value) is int:
        return -_MOST < value < _MOST
    return value is None or (type(value) is float and math.isfinite(value))


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
        ProblemsError: With the columns that are missing, or the first 12 values that are not allowed.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file, _limited_fields():
            return _read_rows(path, csv.reader(_lines(file), strict=True), columns, fix)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {fix}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}; {fix}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a table ({error}); {fix}") from None


@contextmanager
def _limited_fields() -> Iterator[None]:
    """Refuse fields too long to be of ours, whatever limit the process has for other tables."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        csv.Error: If a line is too long to be one of ours.
    """
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error(f"a line of {_LONGEST_LINE:,} characters or more")
        yield line


def _read_rows(path: Path, rows: Iterator[list[str]], columns: dict[str, Reader], fix: str) -> list[dict[str, Any]]:
    head = next(rows, [])
    if missing := [f"column {name} is missing" for name in columns if name not in head]:
        raise ProblemsError(str(path), missing, fix=f"written by another version? {fix}")
    places = {name: head.index(name) for name in columns}
    problems: list[str] = []
    table = []
    for line, row in enumerate(rows, 2):
        if len(problems) >= SCREEN:
            break
        if len(row) != len(head):
            problems.append(f"line {line}: {len(row)} fields; allowed: {len(head)}")
            continue
        values = {}
        for name, reader in columns.items():
            field = row[places[name]]
            try:
                values[name] = reader.read(field)
            except ValueError:
                problems.append(f"line {line}: {name} {field[:80]!r} is not allowed; allowed: {reader.allowed}")
        table.append(values)
    if problems:
        raise ProblemsError.of_file(path, problems, fix)
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
