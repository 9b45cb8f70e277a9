"""Numbers and names as the report shows them."""

from typing import Any

from humbleyolo.params.one_line import NOT_IN_A_LINE

UNDEFINED = "\N{EN DASH}"


def number(value: Any, digits: int = 3) -> str:
    """Return a number to be read: whole ones with commas, others to `digits` decimals or as many figures."""
    if value is None:
        return UNDEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    if abs(value) < 10**-digits or abs(value) >= 1e6:
        return f"{value:.{digits}g}"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def metric(value: float | None) -> str:
    """Return a metric between 0 and 1 with three decimals, and a count as `number` does."""
    return number(value) if value is None or isinstance(value, int) else f"{value:.3f}"


def gain(value: float | None) -> str:
    """Return a difference of AP with four decimals."""
    if value is None:
        return UNDEFINED
    return "under 0.0001" if 0 < value < 0.00005 else f"{value + 0.0:.4f}"


def cut(text: str, most: int) -> str:
    """Return a text, cut and given an ellipsis if it has more than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def printable(text: str) -> str:
    """Return a text whose characters can be encoded and shown: the others become U+FFFD.

    Those that no line can show, and those that Unicode keeps free of any character (U+FFFE, U+FFFF), are such.
    """
    shown = NOT_IN_A_LINE.sub("\N{REPLACEMENT CHARACTER}", text)
    return "".join("\N{REPLACEMENT CHARACTER}" if ord(one) & 0xFFFE == 0xFFFE else one for one in shown)
