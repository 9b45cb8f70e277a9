"""The files that a stage imports, read from its import statements; run it to write their rooms into `dvc.yaml`.

Imports inside functions count, those for type checkers alone do not, nor those of a package's `__getattr__`: what it
gives is imported by those who ask for it, and no stage does. A file beside a module that the module names
in a text (a font, a template) counts too.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from repository import ROOT
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq


def stage_files(stage: str, root: Path = ROOT) -> list[str]:
    """Return the files of the project that `python -m stages.<stage>` depends on, from the root, sorted."""
    waiting, found = [f"stages.{stage}"], set[Path]()
    while waiting:
        module = waiting.pop()
        for name in _with_parents(module):
            file = _file_of(name, root)
            if file is None or file in found:
                continue
            found.add(file)
            imports, data = _needs(name, file, root)
            waiting += imports
            found |= data
    return sorted(file.relative_to(root).as_posix() for file in found)


def stage_rooms(stage: str, root: Path = ROOT) -> list[str]:
    """Return what `dvc.yaml` lists for a stage: the library's folders that its files lie in, and single files."""
    return sorted({room_of(name) for name in stage_files(stage, root)})


def room_of(file: str) -> str:
    """`src/humbleyolo/a/b/c.py` -> `src/humbleyolo/a`; a file that lies in no room stays."""
    return "/".join(file.split("/")[:3])


@cache  # stages share most of their files
def _needs(module: str, file: Path, root: Path) -> tuple[list[str], set[Path]]:
    """Return the modules that a file imports, and the files beside it that it names."""
    tree = ast.parse(file.read_text(encoding="utf-8"), file)
    return list(_imports(tree, module, file, root)), _data_files(tree, file)


def _with_parents(module: str) -> list[str]:
    """`a.b.c` -> `a`, `a.b`, `a.b.c`: importing a module runs the packages above it."""
    parts = module.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _file_of(module: str, root: Path) -> Path | None:
    """Return the source of one of the project's modules, None for anything else."""
    for folder in (root, root / "src"):
        path = folder.joinpath(*module.split("."))
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if module.split(".")[0] in ("stages", "humbleyolo") and file.is_file():
                return file
    return None


def _imports(tree: ast.AST, module: str, file: Path, root: Path) -> Iterator[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _run_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Call) and "import_module" in (
            getattr(node.func, "attr", None), getattr(node.func, "id", None)
        ):  # fmt: skip
            yield from _imported_by_name(node, file, root)


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree without what stands under `if TYPE_CHECKING:` or in `__getattr__`."""
    if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
        return
    yield node
    type_only = isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"
    for child in node.orelse if type_only else ast.iter_child_nodes(node):
        yield from _run_nodes(child)


def _imported_by_name(call: ast.Call, file: Path, root: Path) -> list[str]:
    """`import_module(f"package.{name}")` can be any module of that package."""
    name = call.args[0]
    if isinstance(name, ast.Constant):
        return [name.value]
    prefix = name.values[0].value if isinstance(name, ast.JoinedStr) else ""
    init = _file_of(prefix.removesuffix("."), root) if str(prefix).endswith(".") else None
    if init is None:
        raise ValueError(f"{file}:{call.lineno}: cannot tell what {ast.unparse(call)} imports")
    return [prefix + path.stem for path in sorted(init.parent.glob("*.py")) if path != init]


def _data_files(tree: ast.AST, file: Path) -> set[Path]:
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    beside = [path for path in file.parent.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    return {path for path in beside if path.relative_to(file.parent).as_posix() in texts}


def write_deps(path: Path = ROOT / "dvc.yaml") -> None:
    """Replace the lists of rooms and source files in `dvc.yaml`; data and comments stay."""
    yaml = YAML()
    yaml.width = 118
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(path)
    for stage, entry in document["stages"].items():
        data = [dep for dep in entry["deps"] if not dep.startswith(("src/", "stages/"))]
        entry["deps"] = CommentedSeq([*data, *stage_rooms(stage)])
    yaml.dump(document, path)


if __name__ == "__main__":
    write_deps()
