"""Names of files and classes are a stranger's: commands show their control characters, by `tell` or `wrapped`."""

import re
from collections.abc import Iterator

import pytest
from repository import ROOT

SAFE = r"wrapped\(|\*map\(wrapped|textwrap\.|\"|\)"


def raw_prints(source: str) -> Iterator[str]:
    """Yield calls of `print` that send what they are given."""
    yield from re.findall(rf"\bprint\((?!{SAFE})[^\n]*", source)


@pytest.mark.parametrize("room", ["check", "commands", "detection", "experiments", "export", "serve"])
def test_names_are_printed_with_their_controls_shown(room: str) -> None:
    paths = (ROOT / "src/humbleyolo" / room).rglob("*.py")
    assert {path.name: found for path in paths if (found := list(raw_prints(path.read_text("utf-8"))))} == {}


def test_a_raw_print_is_seen() -> None:
    lines = ['print(f"{name}")', "print(name)", 'print("done")', "print(wrapped(name))", "print()"]
    assert list(raw_prints("\n".join(lines))) == lines[:2]
