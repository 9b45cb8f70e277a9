"""Characters that no line of text can show as they stand."""

import re

NOT_IN_A_LINE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
"""A control character, the end of a line, half of a character, or one after which text is read in another order.

Python's `isprintable` refuses spaces and joiners of real names besides: U+202F (macOS), U+00A0, U+200C (Persian).
"""


def is_one_line(text: str) -> bool:
    """Return True if a text is a line that reads as it stands."""
    return not NOT_IN_A_LINE.search(text)
