"""Nothing that the project reads can run code: the ways that would are not in its sources."""

import ast
import re

import pytest
from repository import ROOT

SOURCES = [*sorted((ROOT / "src").rglob("*.py")), *sorted((ROOT / "stages").rglob("*.py"))]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
CALLS = {"load_model", "load_weights", "unsafe_load", "eval", "exec", "from_pickle", "read_pickle"}
# A cluster runs what it is sent, so these two pickle work for its workers; docs/cluster.md says who may reach it.
PICKLING = {"src/humbleyolo/process/cluster.py", "src/humbleyolo/process/shard_runner.py"}


def found_in(text: str) -> list[str]:
    """Return each use of what can run code, or make arrays of objects, with its line."""
    found = []
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0], *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function.rpartition(".")[2] in CALLS and not _in_safe_mode(node):
                found.append(f"{node.lineno}: {function}")
            for keyword in node.keywords:
                if keyword.arg not in ("allow_pickle", "dtype"):
                    continue
                setting = f"{keyword.arg}={ast.unparse(keyword.value)}"
                if setting == "allow_pickle=True" or re.fullmatch(r"dtype=(np\.)?object_?|dtype='O'", setting):
                    found.append(f"{node.lineno}: {setting}")
            given = [
                ast.unparse(one) for one in node.args if isinstance(one, ast.Name | ast.Attribute | ast.Constant)
            ]
            if {"object", "np.object_", "'O'", "'|O'"} & set(given) and function not in ("isinstance", "issubclass"):
                found.append(f"{node.lineno}: {function} of objects")
            if function == "np.load" and "allow_pickle=False" not in ast.unparse(node):
                found.append(f"{node.lineno}: np.load without allow_pickle=False")
            if function == "YAML" and re.search(r"typ=['\"]unsafe", ast.unparse(node)):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        found += [f"{node.lineno}: {name}" for name in names if name in MODULES | CALLS]
    return found


def _in_safe_mode(call: ast.Call) -> bool:
    """Keras' own files, which `predict` takes if a user gives one, are read without code of theirs."""
    settings = [(keyword.arg, ast.unparse(keyword.value)) for keyword in call.keywords]
    return ast.unparse(call.func) == "keras.models.load_model" and ("safe_mode", "True") in settings


def test_no_source_does() -> None:
    found = {path.relative_to(ROOT).as_posix(): found_in(path.read_text(encoding="utf-8")) for path in SOURCES}
    uses = {path: [use.partition(": ")[2] for use in some] for path, some in found.items() if some}
    assert uses == {path: ["pickle"] for path in PICKLING}, found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from pickle import loads", "import yaml", "keras.models.load_model(p)",
        "keras.models.load_model(p, safe_mode=False)",
        "from keras.models import load_model", "np.load(p)", "np.load(p, allow_pickle=True)",
        "np.array(x, dtype=object)", "np.array(x, dtype='O')", "eval(text)", "YAML(typ='unsafe')",
        "np.array(x, object)", "x.astype('O')",
    ],
)  # fmt: skip
def test_it_would_be_found(text) -> None:
    assert found_in(text)


def test_the_allowed_is_not() -> None:
    assert not found_in("np.load(p, allow_pickle=False)\nYAML(typ='safe')\nnp.zeros(3, dtype=np.float32)")


def test_keras_own_files_are_read_in_one_place_alone() -> None:
    readers = [path.relative_to(ROOT).as_posix() for path in SOURCES if "load_model(" in path.read_text()]
    assert readers == ["src/humbleyolo/detection/backends/keras_file.py"]
