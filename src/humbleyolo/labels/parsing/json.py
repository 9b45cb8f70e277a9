"""JSON from files that nobody checked: what RFC 8259 leaves open is refused."""

import json
import math
import re
from typing import Any

from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.text import decode

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
        where = f"line {_line_too_deep(text)}"
        raise BadInput("json", "nested too deeply", f"label files have a few levels; {_FIX}", where) from None
    except _Refused as refused:
        line = _line_twice(text) if refused.token is None else _line_of(text, refused.token)
        raise refused.error.at(f"line {line}") from None


class _Refused(Exception):  # noqa: N818  (it becomes a BadInput with a line)
    """What one of the decoder's hooks, which know no line, does not take.

    Args:
        error: What is wrong.
        token: The number as it is written; None for a key that is there twice.
    """

    def __init__(self, error: BadInput, token: str | None) -> None:
        super().__init__(error, token)
        self.error, self.token = error, token


_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|-?Infinity|NaN|-?\d[0-9.eE+-]*|[{}\[\]]', re.DOTALL)
_DEEP = 100  # levels


def _line(text: str, token: re.Match[str]) -> int:
    return text.count("\n", 0, token.start()) + 1


def _line_of(text: str, wanted: str) -> int:
    return next((_line(text, token) for token in _TOKENS.finditer(text) if token[0] == wanted), 1)


def _line_too_deep(text: str) -> int:
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > _DEEP:
            return _line(text, token)
    return 1


def _line_twice(text: str) -> int:
    """Return the line of the first object's second key of one name, in the order in which objects end."""
    keys: list[set[str]] = []
    lines: list[int] = []
    for token in _TOKENS.finditer(text):
        if token[0] == "{":
            keys.append(set())
            lines.append(0)
        elif token[0] == "}":
            keys.pop()
            if line := lines.pop():
                return line
        elif token[1]:
            key = json.loads(token[0].removesuffix(token[1]))
            if key in keys[-1] and not lines[-1]:
                lines[-1] = _line(text, token)
            keys[-1].add(key)
    return 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        error = BadInput("json", f"key {shorten(twice)} twice in one object", f"one must go; {_FIX}")
        raise _Refused(error, None)
    return result


def _constant(text: str) -> float:
    raise _Refused(BadInput("not-finite", text, f"JSON has finite numbers only; {_FIX}"), text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(BadInput("not-finite", shorten(text), f"must be a finite number; {_FIX}"), text)
    return value


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        error = BadInput(
            "json", f"a number of {len(text)} digits", f"at most {_MOST_DIGITS} are read; {_FIX}"
        )
        raise _Refused(error, text)
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
