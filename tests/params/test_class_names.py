"""The rule for names of classes and files: one line of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.params.class_names import is_class_name
from humbleyolo.params.one_line import is_one_line


@given(st.text())
def test_all_that_python_prints_is_one_line(text: str) -> None:
    assert is_one_line(text) or not text.isprintable()
    assert is_one_line(text) == all(map(is_one_line, text))


@pytest.mark.parametrize(
    "text", ["10.12\u202fAM", "5\u00a0kg", "\u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f680"]
)
def test_spaces_and_joiners_are_text(text: str) -> None:
    assert is_class_name(text)


@pytest.mark.parametrize(
    "text", ["a\nb", "a\tb", "a\x7f", "a\x85b", "a\u2028b", "a\u2029", "a\udc80", "a\u202eb", "a\u2067b"]
)
def test_what_breaks_or_turns_a_line_is_not(text: str) -> None:
    assert not is_one_line(text)


@pytest.mark.parametrize("text", ["", " a", "a\u00a0", "\u202fa"])
def test_no_spaces_around_a_class_name(text: str) -> None:
    assert is_one_line(text)
    assert not is_class_name(text)
