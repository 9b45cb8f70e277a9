"""A character that no line can show is one to class names, terminals and pages alike."""

import sys
import unicodedata

from humbleyolo.params.one_line import is_one_line
from humbleyolo.process import terminal
from humbleyolo.report import number_format

TURNS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_every_character_is_shown_or_not_everywhere() -> None:
    shown = []
    for character in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in TURNS:
            assert not is_one_line(f"a{character}b")
            assert terminal.printable(character) != character
            assert number_format.printable(character) == "\N{REPLACEMENT CHARACTER}"
        else:
            shown.append(character)
    text = "".join(shown)
    assert is_one_line(text)
    assert terminal.printable(text) == text
    told = number_format.printable(text)
    assert {one for one, its in zip(text, told, strict=True) if one != its} == {
        chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
    }
