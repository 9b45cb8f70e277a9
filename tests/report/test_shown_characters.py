"""A character that no line can show is one to class names, terminals and pages alike."""

import sys
import unicodedata

from humbleyolo.params.one_line import is_one_line
from humbleyolo.process import terminal
from humbleyolo.report import number_format

TURNS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_every_character_is_shown_or_not_everywhere() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        hostile = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in TURNS
        assert is_one_line(f"a{character}b") == (not hostile)
        assert (terminal.printable(character) != character) == hostile
        told = number_format.printable(character)
        if hostile:
            assert told == "\N{REPLACEMENT CHARACTER}"
        else:
            assert told == character or ord(character) & 0xFFFE == 0xFFFE
