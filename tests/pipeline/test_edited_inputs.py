"""What is edited while a stage runs is told; what the stage does not depend on is not."""

import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from humbleyolo.pipeline import edited_inputs
from humbleyolo.pipeline.edited_inputs import edited, look

PIPELINE = "stages:\n  draw:\n    params: [seed, train]\n"
PARAMS = "seed: 1\ntrain: {epochs: 3}\nrender: {scale: 2}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/a.txt").write_text("a")
    return tmp_path


def test_nothing_is_told_where_nothing_was_edited(project: Path) -> None:
    before = look(["in"])
    assert edited(before, "draw", ["in"]) == []


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
    before = look([])
    (project / "params.yaml").write_text(text)
    assert edited(before, "draw", []) == told


def test_inputs_count_with_all_that_is_in_them(project: Path) -> None:
    before = look(["in"])
    (project / "in/deep/a.txt").write_text("longer")
    (project / "in/new.txt").write_text("new")
    assert edited(before, "draw", ["in"]) == ["in/deep/a.txt", "in/new.txt"]
    (project / "in/deep/a.txt").unlink()
    assert "in/deep/a.txt" in edited(before, "draw", ["in"])


def test_sources_in_use_count(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("src/ours.py", "elsewhere/theirs.py"):
        (project / name).parent.mkdir()
        (project / name).write_text("")
        os.utime(project / name, ns=(1, 1))
        module = ModuleType(Path(name).stem)
        module.__file__ = str(project / name)
        monkeypatch.setitem(sys.modules, Path(name).stem, module)
    assert edited(look([]), "draw", []) == []
    for name in ("src/ours.py", "src/unused.py", "elsewhere/theirs.py"):
        (project / name).write_text("raise SystemExit")
    assert edited(look([]), "draw", []) == ["src/ours.py"]  # also when it was changed before the work began
    (project / "src/ours.py").unlink()
    assert edited(look([]), "draw", []) == ["src/ours.py"]


def test_the_process_began_before_now() -> None:
    assert 0 < edited_inputs.STARTED_NS < time.time_ns()
