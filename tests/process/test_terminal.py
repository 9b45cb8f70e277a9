"""Lines at a terminal: their width, their colours, and what a name may hide."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.errors import UserError
from humbleyolo.process.exits import exit_with
from humbleyolo.process.terminal import coloured, counted, first_few, hide_password, printable, tell, wrapped_lines


def test_colours_are_for_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert coloured("error: x", sys.stderr) == "error: x"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("error: x", sys.stderr) == "\x1b[1;31merror:\x1b[0m x"
    assert coloured("a.png: x", sys.stderr) == "a.png: x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("error: x", sys.stderr) == "error: x"


def test_controls_are_shown_and_numbers_agree_with_their_nouns(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("a\x1b[2J\n\u202eb\x9b é\u200c") == r"a\x1b[2J\n\u202eb\x9b" + " é\u200c"
    assert [counted(one, "image") for one in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]
    assert counted(2, "box", "boxes") == "2 boxes"
    assert wrapped_lines("a\n\x1b[2Jb c") == [r"a\n\x1b[2Jb c"]
    tell()
    tell("a\x1b[2J\nb", "c")
    tell("d\n", to=sys.stderr)
    assert capsys.readouterr() == ("a\\x1b[2J\\nb\nc\n", "d\\n\n")


@given(
    texts=st.lists(st.text("ab,; 12"), max_size=8),
    most=st.integers(1, 9),
    joint=st.sampled_from((", ", "; ")),
    beside=st.integers(0, 5000),
)
def test_a_line_of_the_first_few_counts_the_rest(texts: list[str], most: int, joint: str, beside: int) -> None:
    shown = joint.join(texts[:most])
    line = first_few(texts, most, joint)
    assert line.startswith(shown)
    if len(texts) > most:
        told = re.fullmatch(r"( |; )and ([1-8]) more", line[len(shown) :])
        assert told is not None
        assert told[1] == joint.strip(",")
        assert most + int(told[2]) == len(texts)
    else:
        assert line == shown
    known = texts[:most]  # as a run keeps the first alone
    assert first_few(known, most, joint, count=len(texts)) == line
    if known:
        end = f"{joint.strip(',')}and {beside:,} more" * (beside > 0)
        assert first_few(known, len(known), joint, count=len(known) + beside) == joint.join(known) + end


def test_on_a_terminal_a_message_keeps_to_80_columns_and_its_paths_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "data/" + "long-" * 20 + "name"
    said = [f"params.yaml: {'word ' * 40}", f"  line 3: {path}: {'more ' * 30}"]

    def fail() -> None:
        raise UserError(*said)

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit):
        exit_with(fail)
    shown = capsys.readouterr().err
    assert all(len(line) <= 80 or path in line for line in shown.splitlines())
    assert shown.split() == ["error:", *" ".join(said).split()]
    assert "\n  line 3:" in shown
    tell(*said, "short", to=sys.stderr)
    shown = capsys.readouterr().err
    assert all(len(line) <= 80 or path in line for line in shown.splitlines())
    assert shown.split() == [*" ".join(said).split(), "short"]
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    tell(*said, to=sys.stderr)
    assert capsys.readouterr().err.splitlines() == said  # as it is, for programs that read lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p/w@h:5/a", "rtsp://u:***@h:5/a"),
        ("rtsp://u:p?w#@h/a@b", "rtsp://u:***@h/a@b"),
        ("rtsp://u:p@w@h/a", "rtsp://u:***@h/a"),
        ("https://me:TOKEN@host/x.git", "https://me:***@host/x.git"),
        ("https://TOKEN@host/x.git", "https://***@host/x.git"),
        (
            "fatal: 'https://TOKEN@host/x.git' and https://me:T@h",
            "fatal: 'https://***@host/x.git' and https://me:***@h",
        ),
        *[
            (same, same)
            for same in ("http://h:80/a@b", "ssh://git@host/x", "git@host:x.git", "http://h/a:b@c", "a.jpg")
        ],
    ],
)
def test_passwords_of_any_form_are_hidden_and_nothing_else(text: str, shown: str) -> None:
    assert hide_password(text) == shown
