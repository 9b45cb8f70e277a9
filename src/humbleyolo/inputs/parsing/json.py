"""JSON from files that nobody checked, with mistakes as rows of the ledger."""

from typing import Any

from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import decode
from humbleyolo.storage.json import JsonError, parse_json

_FIX = "mend the file or export it again"
_TITLES: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}


def parse(data: bytes) -> Any:
    """Return the value in a JSON file.

    Raises:
        BadInput: For anything but one JSON value in UTF-8; see `storage.json.parse_json`.
    """
    try:
        return parse_json(decode(data))
    except JsonError as error:
        raise BadInput(error.kind, error.found, f"{error.allowed}; {_FIX}", f"line {error.line}") from None


def get_size(record: Any, key: str, where: str) -> int | None:
    """Return `record[key]`, a number of pixels, also as `160.0`; None if it is missing. BadInput for all else."""
    value = get(record, key, (int, float), where, None)
    return int(value) if isinstance(value, float) and value.is_integer() else get(record, key, int, where, None)


def get_id(record: Any, key: str, where: str) -> int:
    """Return `record[key]`, a whole number by which lists are joined, also as `160.0`, as pandas writes some."""
    value = record.get(key) if isinstance(record, dict) else None
    return int(value) if isinstance(value, float) and value.is_integer() else get(record, key, int, where)


def get_id_or_text(record: Any, key: str, where: str) -> int | str:
    """Return `record[key]`, as `get_id` does, or a text by which lists are joined to the letter."""
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) and value.strip() else get_id(record, key, where)


def get(record: Any, key: str, kind: type | tuple[type, ...], where: str, default: Any = ...) -> Any:
    """Return `record[key]` if it has the type wanted; `True` is not an int.

    A missing or null key gives the default, if there is one. `where` is the record's name in a message.

    Raises:
        BadInput: For another type, a missing key without a default, or a record that is no object.
    """
    if not isinstance(record, dict):
        raise BadInput("json", shorten(record), "must be an object {...}", where)
    value = record.get(key)
    if value is None and default is not ...:
        return default
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(_TITLES[one] for one in kinds)
        found = shorten(value) if key in record else "missing"
        raise BadInput("json", f"{key} {found}", f"must be {names}; {_FIX}", where)
    return value
