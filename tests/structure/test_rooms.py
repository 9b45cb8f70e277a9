"""The layout of the library: its rooms, their order, and the size and name of what stands in them.

Sources are read, nothing is run.
"""

import ast
import re
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from repository import ROOT

PACKAGE = ROOT / "src/humbleyolo"
ROOMS = re.findall(  # the table of CONTRIBUTING.md; each imports from those before it alone
    r"^\| `(\w+)(?:/|\.py)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
)
AFTER_ALL = ("cli", "__main__", "__init__")  # files of the package itself that bring the rooms together
OTHER_TESTS = {"benchmarks", "chain", "documents", "stages", "structure", "support"}
RIDDLES = {
    "common", "context", "digest", "edits", "finder", "gather", "helpers", "legibility", "native", "orphan",
    "overlap", "overlaps", "pairing", "pictures", "quiet", "record", "selected", "source", "truths", "utils",
}  # fmt: skip
LONGEST_MODULE, LONGEST_FUNCTION = 350, 70

MODULES = sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), path)


def shown(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name


def room_of(dotted: str) -> str:
    """`humbleyolo.a.b.c` -> `a`; the package by itself -> `__init__`."""
    return [*dotted.split("."), "__init__"][1]


@cache
def imported(path: Path) -> set[str]:
    """The dotted names of the library that a module imports: in functions, for type checkers and by name too."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{shown(path)}:{node.lineno}: a relative import"
            module = file_of(node.module or "")
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if file_of(name) else str(node.module) for name in inner} if module else set()
        elif isinstance(node, ast.Call) and "import_module" in (
            getattr(node.func, "attr", None), getattr(node.func, "id", None)
        ):  # fmt: skip
            names |= {part.value.rstrip(".") for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)}
    return {name for name in names if name.split(".")[0] == "humbleyolo"}


@cache
def file_of(dotted: str) -> Path | None:
    path = ROOT.joinpath("src", *dotted.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in candidates if dotted.startswith("humbleyolo") and file.is_file()), None)


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)]


def test_the_package_holds_its_rooms_and_few_files():
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert {path.name for path in entries if path.is_dir()} == set(ROOMS) - {"errors"}
    assert sum(path.is_file() for path in entries) <= 6


@pytest.mark.parametrize("room", [*ROOMS, *AFTER_ALL])
def test_a_room_imports_from_those_before_it_alone(room):
    order = [*ROOMS, *AFTER_ALL]
    backwards = {
        f"{shown(path)} imports {name}"
        for path in MODULES
        if shown(path).split("/")[0].removesuffix(".py") == room
        for name in imported(path)
        if room_of(name) != room and order.index(room_of(name)) > order.index(room)
    }
    assert not backwards


def test_modules_import_each_other_in_no_circle():
    graph = {
        path: {file for name in imported(path) if (file := file_of(name)) not in (None, path)}
        for path in MODULES
        if path.name != "__init__.py"
    }
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle


def test_a_module_has_a_name_of_its_own():
    names = [path.stem for path in MODULES if path.stem != "__init__" and path.parent.name != "commands"]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    assert repeated <= {"json"}  # that of any file, and that of label files
    assert not RIDDLES & {*names, *(path.parent.name for path in MODULES)}


def test_modules_and_functions_are_short():
    stages = sorted((ROOT / "stages").glob("*.py"))
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in [*MODULES, *stages]}
    assert not {name for name, length in lengths.items() if length > LONGEST_MODULE}
    long = {
        f"{shown(path)}: {function.name}"
        for path in [*MODULES, *stages]
        for function in functions(path)
        if function.end_lineno - function.lineno >= LONGEST_FUNCTION
    }
    assert not long


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"][1:], ids=shown)
def test_a_room_opens_with_a_docstring_alone(path):
    body = tree_of(path).body
    assert len(body) == 1
    assert ast.get_docstring(tree_of(path))


def test_tests_lie_in_folders_of_rooms():
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders <= {*ROOMS, *OTHER_TESTS}
