import ast
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from textwrap import dedent

import pytest
from import_closure import room_of, stage_files, stage_rooms, write_deps
from repository import ROOT
from ruamel.yaml import YAML

import humbleyolo
from humbleyolo.params.sections import Params
from humbleyolo.pipeline.project_folders import DATASET, GRID, MODEL

STAGES = ["generate", "encode", "train", "evaluate", "render"]
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
NEEDS_TENSORFLOW = {"train", "evaluate"}


def outs_of(entry):
    return entry["outs"] + entry.get("plots", []) + entry.get("metrics", [])


def declared_code(stage):
    return [dep for dep in PIPELINE["stages"][stage]["deps"] if dep.startswith(("src/", "stages/"))]


def declared_outs(stage):
    entry = PIPELINE["stages"][stage]
    return [out if isinstance(out, str) else next(iter(out)) for out in outs_of(entry)]


def test_the_five_stages_are_declared_in_the_order_of_the_chain():
    assert list(PIPELINE["stages"]) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_rooms_that_it_imports(stage):
    assert declared_code(stage) == stage_rooms(stage), "run `python tests/support/import_closure.py`"


@pytest.mark.parametrize(
    "stage", [pytest.param(name, marks=[pytest.mark.slow] * (name != "render")) for name in STAGES]
)
def test_what_python_imports_is_declared(stage):
    # The second opinion on the import statements: the interpreter's own.
    code = f"""
        import sys, stages.{stage}
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        print(*(file for file in files if file), sep="\\n")
    """
    printed = subprocess.run(
        [sys.executable, "-c", dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    loaded = {Path(line) for line in printed.splitlines()}
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in loaded
        if path.is_relative_to(ROOT / "src") or path.is_relative_to(ROOT / "stages")
    }
    assert f"stages/{stage}.py" in ours
    assert {room_of(name) for name in ours} <= set(declared_code(stage))


@pytest.mark.parametrize("stage", sorted(set(STAGES) - NEEDS_TENSORFLOW))
def test_stages_without_a_network_do_not_depend_on_tensorflow(stage):
    sources = [(ROOT / name).read_text() for name in stage_files(stage) if name.endswith(".py")]
    assert not [text for text in sources if re.search(r"\bimport (tensorflow|keras)\b", text)]


def test_the_project_itself_does_not_use_what_the_package_gives_late():
    # Its lists of imports do not see it.
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "humbleyolo":
                assert not {alias.name for alias in node.names} & set(humbleyolo.__all__), path


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_exactly_the_sections_that_it_loads(stage):
    tree = ast.parse((ROOT / f"stages/{stage}.py").read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "load_params"
    ]
    assert len(calls) == 1
    assert ast.unparse(calls[0].args[0]) == "Path('params.yaml')"
    loaded = [ast.literal_eval(argument) for argument in calls[0].args[1:]]
    assert loaded == [key.partition(".")[0] for key in PIPELINE["stages"][stage]["params"]]  # or one value of it


def test_every_section_of_the_parameters_is_read_by_a_stage():
    declared = {key.partition(".")[0] for stage in PIPELINE["stages"].values() for key in stage["params"]}
    assert declared == set(Params.model_fields)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_into_its_own_folder_alone(stage):
    folder = PIPELINE["stages"][stage]["cmd"].split()[-1]
    outs = {one: {*declared_outs(one)} for one in STAGES}
    outs["evaluate"].remove("data/model/selection.json")  # so that the model's folder alone has it
    assert {str(PurePosixPath(out).parent) for out in outs[stage]} == {folder}
    others = {out for other in STAGES if other != stage for out in outs[other]}
    assert not [out for out in others if out.startswith(f"{folder}/")]


def test_every_data_dependency_is_an_output_of_a_stage_before():
    known = {"${dataset.inputs}", "data/start"}
    for stage, entry in PIPELINE["stages"].items():
        data = {dep for dep in entry["deps"] if not dep.startswith(("src/", "stages/"))}
        assert data <= known, stage
        known |= set(declared_outs(stage))


def test_training_depends_on_the_model_that_it_begins_with():
    train = PIPELINE["stages"]["train"]
    assert "data/start" in train["deps"]
    # A training checks the folder behind its first option for edits while it runs.
    assert train["cmd"].startswith("python -m stages.train --start data/start ")
    tracked = subprocess.run(["git", "ls-files", "data/start"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert tracked.stdout.split() == ["data/start/README.md"]  # no model, and the folder is there for DVC
    model = ["git", "check-ignore", "--quiet", "data/start/model.json"]
    assert subprocess.run(model, cwd=ROOT, check=False).returncode == 0


def test_training_never_sees_the_test_split():
    assert not [dep for dep in PIPELINE["stages"]["train"]["deps"] if dep.startswith("data/") and "test" in dep]


@pytest.mark.parametrize("stage", STAGES)
def test_commands_need_no_shell_and_no_uv(stage):
    cmd = PIPELINE["stages"][stage]["cmd"]
    assert cmd.startswith(f"python -m stages.{stage} ")
    assert not set(cmd.replace("${dataset.inputs}", "")) & set("$&|;<>*?~\\'\"`()")


def test_the_metrics_are_in_git_and_the_rest_in_the_cache():
    uncached = [
        path
        for entry in PIPELINE["stages"].values()
        for out in outs_of(entry)
        if isinstance(out, dict)
        for path, options in out.items()
        if not options["cache"]
    ]
    assert uncached == ["data/evaluation/metrics.json", "data/evaluation/headline.json"]


def test_the_artifact_is_the_folder_that_train_writes():
    assert {name: one["path"] for name, one in PIPELINE["artifacts"].items()} == {"model": MODEL}
    assert {str(PurePosixPath(out).parent) for out in declared_outs("train")} == {MODEL}


def test_commands_look_where_the_stages_write():
    written = [PIPELINE["stages"][stage]["cmd"].split()[-1] for stage in ("generate", "encode", "train")]
    assert written == [DATASET, GRID, MODEL]


class TestClosure:
    """Of a made-up project."""

    @pytest.fixture
    def root(self, tmp_path):
        for name, text in {
            "stages/__init__.py": "",
            "stages/a.py": "import json\nfrom typing import TYPE_CHECKING\nfrom humbleyolo import one\n"
            "if TYPE_CHECKING:\n    import humbleyolo.types_only\n",
            "src/humbleyolo/__init__.py": "",
            "src/humbleyolo/one.py": "def f():\n    from .deep import two\n",
            "src/humbleyolo/types_only.py": "",
            "src/humbleyolo/unused.py": "",
            "src/humbleyolo/deep/__init__.py": "FONT = 'font.ttf'",
            "src/humbleyolo/deep/font.ttf": "",
            "src/humbleyolo/deep/LICENSE": "",
            "src/humbleyolo/deep/two.py": "import importlib\nimportlib.import_module(f'humbleyolo.any.{x}')",
            "src/humbleyolo/any/__init__.py": "",
            "src/humbleyolo/any/first.py": "import humbleyolo.one",
            "src/humbleyolo/any/second.py": "",
        }.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    def test_it_follows_every_import(self, root):
        assert stage_files("a", root) == [
            "src/humbleyolo/__init__.py",
            "src/humbleyolo/any/__init__.py",
            "src/humbleyolo/any/first.py",
            "src/humbleyolo/any/second.py",
            "src/humbleyolo/deep/__init__.py",
            "src/humbleyolo/deep/font.ttf",
            "src/humbleyolo/deep/two.py",
            "src/humbleyolo/one.py",
            "stages/__init__.py",
            "stages/a.py",
        ]

    def test_an_import_that_cannot_be_read_is_an_error(self, root):
        (root / "src/humbleyolo/one.py").write_text("import importlib\nimportlib.import_module(name)")
        with pytest.raises(ValueError, match=r"one\.py:2: cannot tell what"):
            stage_files("a", root)

    def test_what_a_package_gives_late_is_not_followed(self, root):
        late = "import importlib\ndef __getattr__(name):\n    return importlib.import_module(HOMES[name])\n"
        (root / "src/humbleyolo/__init__.py").write_text(late)
        assert "src/humbleyolo/one.py" in stage_files("a", root)

    def test_writing_the_lists_changes_nothing_else(self, tmp_path):
        path = tmp_path / "dvc.yaml"
        path.write_bytes((ROOT / "dvc.yaml").read_bytes())
        write_deps(path)
        assert path.read_bytes() == (ROOT / "dvc.yaml").read_bytes()
