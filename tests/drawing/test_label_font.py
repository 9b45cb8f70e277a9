"""Any text can be drawn, with the font of the package alone."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.drawing.label_font import font, presentable, shorten


@given(st.text(max_size=300))
def test_any_text_becomes_one_line_that_the_font_can_draw(text: str) -> None:
    shown = presentable(text)
    assert shown.isprintable()
    assert font(12).getlength(shown) >= 0
    assert presentable(text) == shown


@given(st.text(max_size=300), st.floats(0, 400))
def test_shortened_text_fits(text: str, width: float) -> None:
    shown = shorten(text, width, 12)
    smallest = presentable(text)[:1] + "…"
    assert font(12).getlength(shown) <= max(width, font(12).getlength(smallest)) + 1e-6


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chat", "chat"),
        ("élan", "élan"),
        ("a\nb\x00", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"),
        ("10\u202fAM\u200c", "10 AM"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("🐀", "U+1F400"),
        ("猫", "U+732B"),
        ("שלום", "םולש"),
        ("rat שלום עולם 7", "rat םלוע םולש 7"),
        ("<script>", "<script>"),
    ],
)
def test_what_is_seen(text: str, shown: str) -> None:
    assert presentable(text) == shown


def test_marks_stay_on_their_letters_when_turned_round() -> None:
    pointed = "שָׁלוֹם"
    clusters = presentable(pointed)
    assert unicodedata.combining(clusters[0]) == 0
    assert sorted(clusters) == sorted(pointed)


def test_long_names_end_in_an_ellipsis() -> None:
    assert shorten("x" * 200, 100, 12).endswith("x…")
    assert len(shorten("x" * 10_000_000, 1e9, 12)) == 401
    assert shorten("chat", 100, 12) == "chat"
    assert shorten("chat", 0, 12) == "c…"
    assert shorten("", 0, 12) == ""
