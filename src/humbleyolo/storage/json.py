"""Strict JSON: RFC 8259, less what can be read in two ways or would fill the memory, with the line of a mistake."""

import json
import math
import re
from pathlib import Path
from typing import Any

from humbleyolo.storage.atomic import atomic_write

MOST_BYTES = 1 << 26
"""Size of a file that does not grow with the images; one with 100,000 classes of long names has less."""
_MOST_DIGITS = 30
_LEVELS = 100  # nesting beyond this is named where Python's parser gives up
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|-?Infinity|NaN|-?\d[0-9.eE+-]*|[{}\[\]]', re.DOTALL)


class JsonError(ValueError):
    """JSON that is refused.

    Args:
        found: The mistake.
        allowed: The rule.
        line: Line in the text, from 1.
        kind: `json`, or `not-finite`.
    """

    def __init__(self, found: str, allowed: str, line: int, kind: str = "json") -> None:
        super().__init__(f"line {line}: {found}: {allowed}")
        self.found, self.allowed, self.line, self.kind = found, allowed, line, kind


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """Return the value in a file, read in memory of no more than some times `most_bytes`.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is larger than that, or as for `parse_json`.
    """
    with path.open("rb") as file:
        content = file.read(min(path.stat().st_size, most_bytes) + 1)
    if len(content) > most_bytes:
        raise ValueError(f"more than {most_bytes:,} bytes")
    return parse_json(content)


def write_json(path: Path, value: Any) -> None:
    """Write a value atomically, one number or text a line, so that a diff shows which one has changed.

    Raises:
        UserError: If the file cannot be written.
        ValueError: For a number that is not finite.
    """
    with atomic_write(path) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def parse_json(content: bytes | str) -> Any:
    """Return the value in a text, or in its UTF-8 bytes.

    Raises:
        JsonError: For anything but one JSON value; for NaN and Infinity, numbers beyond a float or of more than
            30 digits. Also for a key twice in one object, and nesting that is too deep to read.
        UnicodeDecodeError: For bytes that are not UTF-8.
    """
    text = content if isinstance(content, str) else content.decode()
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, "must be JSON", error.lineno) from None
    except RecursionError:
        raise JsonError("nested too deeply", "such files have a few levels", _line_too_deep(text)) from None
    except _Refused as refused:
        line = _line_twice(text) if refused.token is None else _line_of(text, refused.token)
        raise JsonError(refused.found, refused.allowed, line, refused.kind) from None


class _Refused(Exception):  # noqa: N818  (it becomes a JsonError)
    """A mistake seen by one of the decoder's hooks, which know no line.

    Args:
        found: The mistake.
        allowed: The rule.
        token: The number as it is written; None for a key that is there twice.
        kind: See `JsonError`.
    """

    def __init__(self, found: str, allowed: str, token: str | None, kind: str = "json") -> None:
        super().__init__(found)
        self.found, self.allowed, self.token, self.kind = found, allowed, token, kind


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"key {twice[:80]!r} twice in one object", "one must go", None)
    return result


def _constant(text: str) -> float:
    raise _Refused(text, "JSON has finite numbers only", text, "not-finite")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(repr(text[:80]), "must be a finite number", text, "not-finite")
    return value


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise _Refused(f"a number of {len(text)} digits", f"at most {_MOST_DIGITS} are read", text)
    return int(text)


def _line(text: str, token: re.Match[str]) -> int:
    return text.count("\n", 0, token.start()) + 1


def _line_of(text: str, wanted: str) -> int:
    return next((_line(text, token) for token in _TOKENS.finditer(text) if token[0] == wanted), 1)


def _line_too_deep(text: str) -> int:
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > _LEVELS:
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
