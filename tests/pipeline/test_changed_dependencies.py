"""Dependencies that change while a stage runs are told; what the stage does not depend on is not."""

import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from humbleyolo.pipeline import changed_dependencies
from humbleyolo.pipeline.changed_dependencies import find_changes, take_snapshot

PIPELINE = "stages:\n  draw:\n    deps: [in, src/room, src/errors.py]\n    params: [seed, train]\n"
PARAMS = "seed: 1\ntrain: {epochs: 3}\nrender: {scale: 2}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/a.txt").write_text("a")
    return tmp_path


def test_nothing_is_told_where_nothing_was_find_changes(project: Path) -> None:
    before = take_snapshot(["in"])
    assert find_changes(before, "draw", ["in"]) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PARAMS.replace("epochs: 3", "epochs: 4"), ["params.yaml: train"]),
        (PARAMS.replace("seed: 1\n", ""), ["params.yaml: seed"]),
        (PARAMS.replace("scale: 2", "scale: 3"), []),  # of another stage
        (PARAMS + "# a remark\n", []),
        ("train: [", ["params.yaml"]),
        ("", ["params.yaml"]),
    ],
)
def test_sections_of_the_stage_count_and_no_others(text: str, told: list[str], project: Path) -> None:
    before = take_snapshot([])
    (project / "params.yaml").write_text(text)
    assert find_changes(before, "draw", []) == told


def test_a_value_that_is_declared_by_itself_counts_and_the_rest_of_its_section_does_not(project: Path) -> None:
    file = project / "dvc.yaml"
    file.write_text(file.read_text().replace("[seed, train]", "[train.epochs]"))
    before = take_snapshot([])
    for old, new, found in (("epochs: 3", "epochs: 4", ["params.yaml: train.epochs"]), ("seed: 1", "seed: 2", [])):
        assert old in PARAMS
        (project / "params.yaml").write_text(PARAMS.replace(old, new))
        assert find_changes(before, "draw", []) == found


def test_inputs_count_with_all_that_is_in_them(project: Path) -> None:
    before = take_snapshot(["in"])
    (project / "in/deep/a.txt").write_text("longer")
    (project / "in/new.txt").write_text("new")
    assert find_changes(before, "draw", ["in"]) == ["in/deep/a.txt", "in/new.txt"]
    (project / "in/deep/a.txt").unlink()
    assert "in/deep/a.txt" in find_changes(before, "draw", ["in"])


def test_files_of_an_input_that_dvc_leaves_out_do_not_count(project: Path) -> None:
    for name in ("in/.git/index", "in/notes.tmp"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("before")
    (project / ".dvcignore").write_text("*.tmp\n")
    before = take_snapshot(["in"])
    for name in ("in/.git/index", "in/.git/HEAD", "in/notes.tmp"):
        (project / name).write_text("after all")
    assert find_changes(before, "draw", ["in"]) == []


def write_code(project: Path, *names: str, old: bool) -> None:
    for name in names:
        (project / name).parent.mkdir(exist_ok=True, parents=True)
        (project / name).write_text("raise SystemExit")
        if old:
            os.utime(project / name, ns=(1, 1))


CODE = ["src/room/used.py", "src/room/data.npz", "src/errors.py", "src/other/a.py", "elsewhere/theirs.py"]


def test_code_in_rooms_of_the_stage_counts(project: Path) -> None:
    write_code(project, *CODE, old=True)
    assert find_changes(take_snapshot([]), "draw", []) == []
    write_code(project, *CODE, "src/room/deep/new.py", "src/room/__pycache__/used.pyc", old=False)
    # Also when it was changed before the work began.
    assert find_changes(take_snapshot([]), "draw", []) == [
        "src/errors.py", "src/room/data.npz", "src/room/deep/new.py", "src/room/used.py",
    ]  # fmt: skip


def test_a_module_in_use_that_is_gone_counts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_code(project, *CODE, old=True)
    for name in CODE:
        module = ModuleType(Path(name).stem)
        module.__file__ = str(project / name)
        monkeypatch.setitem(sys.modules, f"module {name}", module)
        (project / name).unlink()
    assert find_changes(take_snapshot([]), "draw", []) == ["src/errors.py", "src/room/data.npz", "src/room/used.py"]


def test_where_dvc_yaml_cannot_be_read_all_code_counts(project: Path) -> None:
    before = take_snapshot([])
    write_code(project, "src/other/a.py", old=False)
    (project / "dvc.yaml").write_text("stages: [")
    assert find_changes(before, "draw", []) == ["src/other/a.py"]
    (project / "params.yaml").write_text("seed: 2")
    assert find_changes(before, "draw", []) == ["params.yaml", "src/other/a.py"]


def test_the_process_began_before_now() -> None:
    assert 0 < changed_dependencies.STARTED_NS < time.time_ns()
