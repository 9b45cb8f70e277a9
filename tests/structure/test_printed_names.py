"""Names of files and classes are a stranger's: commands show their control characters, by `tell`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT

SHOWS = ("printable", "shown", "json.dumps")  # what these return holds no control characters
SOURCES = (*sorted((ROOT / "src/humbleyolo").iterdir()), ROOT / "stages")


def is_safe(value: ast.expr) -> bool:
    """Tell if what is printed is a constant, or is shown by `printable`; a name alone may hold anything."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.Starred):
        return is_safe(value.value)
    if isinstance(value, ast.IfExp):
        return is_safe(value.body) and is_safe(value.orelse)
    if isinstance(value, ast.Call):
        name = ast.unparse(value.func)
        if name == "coloured":
            return is_safe(value.args[0])
        return name in SHOWS or (name == "map" and ast.unparse(value.args[0]) in SHOWS)
    return False


def raw_prints(source: str) -> Iterator[str]:
    """Yield calls of `print`, and of a progress bar's `write`, that may send what a name holds."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        above_a_bar = ast.unparse(call.func).endswith(".write") and any(one.arg == "file" for one in call.keywords)
        if (above_a_bar or ast.unparse(call.func) == "print") and not all(map(is_safe, call.args)):
            yield ast.unparse(call)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_names_are_printed_with_their_controls_shown(source: Path) -> None:
    paths = [source] if source.suffix == ".py" else list(source.rglob("*.py"))
    assert paths or source.name == "__pycache__" or source.suffix
    assert {path.name: found for path in paths if (found := list(raw_prints(path.read_text("utf-8"))))} == {}


def test_a_raw_print_is_seen() -> None:
    raw = ["print(f'{name}')", "print(name)", "print('note:', name)", "print('{}'.format(name))"]
    raw += ["bar.write(name, file=sys.stderr)", "print(coloured(name, sys.stderr))"]
    safe = ["print('done')", "print(printable(name))", "print(coloured(shown(name, out), out))", "file.write(name)"]
    safe += ["print()", "print(*map(printable, names), sep='\\n')"]
    assert list(raw_prints("\n".join(raw + safe))) == raw
