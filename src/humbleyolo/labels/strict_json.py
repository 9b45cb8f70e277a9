"""JSON from files that nobody checked: what RFC 8259 leaves open is refused."""

import json
import math
from typing import Any

from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.text import decode

_FIX = "mend the file or export it again"
_MOST_DIGITS = 30


def parse(data: bytes) -> Any:
    """Return the value in a JSON file.

    Raises:
        BadInput: For anything but one JSON value in UTF-8: NaN and Infinity, numbers beyond a float, whole
            numbers of more than 30 digits, a key twice in one object, nesting that is too deep to read.
    """
    text = decode(data)
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise BadInput("json", error.msg, f"must be JSON; {_FIX}", f"line {error.lineno}") from None
    except RecursionError:
        raise BadInput("json", "nested too deeply", f"label files have a few levels; {_FIX}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadInput("json", f"key {shorten(twice)} twice in one object", f"one must go; {_FIX}")
    return result


def _constant(text: str) -> float:
    raise BadInput("not-finite", text, f"JSON has finite numbers only; {_FIX}")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadInput("not-finite", shorten(text), f"must be a finite number; {_FIX}")
    return value


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise BadInput("json", f"a number of {len(text)} digits", f"at most {_MOST_DIGITS} are read; {_FIX}")
    return int(text)


def get(record: Any, key: str, kind: type | tuple[type, ...], where: str, default: Any = ...) -> Any:
    """Return `record[key]` where it has the type wanted.

    Args:
        record: What should be an object.
        key: Its key.
        kind: `int`, `str`, `list`, `dict`, or `(int, float)`; `True` is not an int.
        where: How a message names the record.
        default: Returned where the key is missing or null; without it a missing key is a mistake.

    Raises:
        BadInput: Otherwise.
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


_TITLES: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}
