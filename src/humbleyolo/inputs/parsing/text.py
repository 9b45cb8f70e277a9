"""Text from files that nobody checked: encoding, lines and numbers, strictly."""

import math
import re

from humbleyolo.inputs.ledger import BadInput, shorten

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00": "UTF-16 or UTF-32"}
_DIGITS = 400  # the longest number read


def refuse_encoding(data: bytes) -> None:
    """Raise BadInput for text that is not UTF-8 by its first bytes."""
    for mark, name in _MARKS.items():
        if data.startswith(mark) or (mark == b"\x00" and mark in data[:64]):
            raise BadInput("encoding", f"{name} text", "must be UTF-8; save the file as UTF-8")


def decode(data: bytes) -> str:
    """Return a file's text. UTF-8, with or without a byte order mark; line ends of any kind become one.

    Raises:
        BadInput: For any other encoding, with the line.
    """
    refuse_encoding(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        why = "not UTF-8 (Latin-1?); save the file as UTF-8"
        line = before.count(b"\n") + 1
        raise BadInput("encoding", f"byte 0x{data[error.start]:02x}", why, f"line {line}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def numbered_lines(text: str) -> list[tuple[int, str]]:
    """Return (line number from 1, stripped text) of each line that is not blank."""
    return [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def parse_number(text: str, name: str) -> float:
    """Return a decimal number such as `12`, `-3.5`, `1e-3`.

    Raises:
        BadInput: For anything else that `float` takes: `nan`, `inf`, `1_0`, digits of other scripts; for a
            decimal comma, and for numbers beyond what a float holds.
    """
    if len(text) > _DIGITS or not _NUMBER.fullmatch(text):
        fix = "write a decimal point, not a comma" if re.fullmatch(r"[+-]?\d+,\d+", text) else "correct it"
        allowed = f"{name} must be a finite decimal number such as 12 or 0.5; {fix}"
        raise BadInput("not-a-number", shorten(text), allowed)
    value = float(text)
    if not math.isfinite(value):
        raise BadInput("not-finite", shorten(text), f"{name} must be a finite number; correct it")
    return value


def parse_integer(text: str, name: str) -> int:
    """Return a whole number.

    Raises:
        BadInput: For anything else, or more than 18 digits.
    """
    if len(text) > 19 or not _INTEGER.fullmatch(text):
        raise BadInput("not-an-integer", shorten(text), f"{name} must be a whole number in digits 0 to 9; correct it")
    return int(text)


def parse_size(text: str, name: str) -> int:
    """Return a number of pixels: a whole number, also as some tables write it, `160.0`.

    Raises:
        BadInput: For anything else.
    """
    whole, point, rest = text.partition(".")
    return parse_integer(whole if point and rest.strip("0") == "" else text, name)


def parse_flag(text: str, name: str) -> bool:
    """Return a flag: `0`, `1`, `true`, `false`, `yes`, `no`, in any case.

    Raises:
        BadInput: For anything else.
    """
    values = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
    if text.strip().lower() not in values:
        raise BadInput("not-a-flag", shorten(text), f"{name} must be 0 or 1; correct it")
    return values[text.strip().lower()]
