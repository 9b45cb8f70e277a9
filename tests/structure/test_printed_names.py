"""Names of files and classes are a stranger's: commands show their control characters, by `tell` or `wrapped`."""

import ast
from collections.abc import Iterator

import pytest
from repository import ROOT

SHOWS = ("wrapped", "printable", "json.dumps")  # what these return holds no control characters


def is_safe(value: ast.expr) -> bool:
    """Tell if what is printed is a constant, or is shown by `wrapped`; a name alone may hold anything."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.Starred):
        return is_safe(value.value)
    if isinstance(value, ast.IfExp):
        return is_safe(value.body) and is_safe(value.orelse)
    if isinstance(value, ast.Call):
        name = ast.unparse(value.func)
        return name in SHOWS or (name == "map" and ast.unparse(value.args[0]) in SHOWS)
    return False


def raw_prints(source: str) -> Iterator[str]:
    """Yield calls of `print` that may send what a name holds."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "print" and not all(map(is_safe, call.args)):
            yield ast.unparse(call)


@pytest.mark.parametrize("room", ["check", "commands", "detection", "experiments", "export", "labels", "serve"])
def test_names_are_printed_with_their_controls_shown(room: str) -> None:
    paths = list((ROOT / "src/humbleyolo" / room).rglob("*.py"))
    assert paths
    assert {path.name: found for path in paths if (found := list(raw_prints(path.read_text("utf-8"))))} == {}


def test_a_raw_print_is_seen() -> None:
    raw = ["print(f'{name}')", "print(name)", "print('note:', name)", "print('{}'.format(name))"]
    safe = ["print('done')", "print(wrapped(name))", "print()", "print(*map(wrapped, names), sep='\\n')"]
    assert list(raw_prints("\n".join(raw + safe))) == raw
