"""The columns of text, held to the tables of another program."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from humbleyolo.process.display_width import cut, display_width, padded, wrap_columns

# Latin, combining accents, kana, ideographs, Hangul syllables, full and half width, emoji
TEXTS = st.text("ab-é\u0301\u200b日本語カガ한글\uff21ｱ🐈 ", max_size=60)


@pytest.mark.parametrize("text", ["", "chat", "日本 語", "한글", "e\u0301te\u0301", "\uff26 ｱ", "🐈 cat", "كلب"])
def test_a_wide_character_takes_two_columns_and_a_combining_one_none(text: str) -> None:
    assert display_width(text) == wcswidth(text)


@given(TEXTS, st.integers(3, 40))
def test_a_text_is_cut_and_padded_to_columns(text: str, width: int) -> None:
    shown = cut(text, width)
    assert wcswidth(shown) <= width
    assert wcswidth(padded(shown, width)) == width
    assert padded(shown, width).rstrip(" ") == shown.rstrip(" ")
    if shown != text:
        assert wcswidth(text) > width
        assert text.startswith(shown.removesuffix("..."))
        assert wcswidth(shown) >= width - 1  # of a wide character no half is shown


@given(TEXTS, st.integers(6, 40))
def test_lines_keep_to_columns_and_words_stay_whole(text: str, width: int) -> None:
    lines = wrap_columns(text, width, " ", "  ")
    assert " ".join(lines).split(" ") != [""] or not text.strip(" ")
    assert [word for line in lines for word in line.split(" ") if word] == [word for word in text.split(" ") if word]
    assert all(wcswidth(line) <= width or len(line.split()) == 1 for line in lines)


@given(st.text("ab-c, ", max_size=200), st.integers(1, 30))
def test_narrow_text_is_wrapped_as_the_standard_library_does(text: str, width: int) -> None:
    expected = textwrap.wrap(
        text, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    assert wrap_columns(text, width, "  ", "    ") == expected
