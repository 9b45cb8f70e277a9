"""DVC killed, stopped or without space: nothing runs on, no half is believed, and the next run goes on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_disk import small_disk
from tiny_project import Project

from tests.process.test_parent_watch import ended

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' list of processes"),
]


class Started:
    """`dvc repro train` in the background, in a group of its own as a terminal would have it."""

    def __init__(self, project: Project) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        environment.pop("PYTHONPATH", None)
        self.log = project.path.parent / f"log-{time.monotonic_ns()}"
        self._opened = self.log.open("wb")
        self.process = subprocess.Popen(
            ["dvc", "repro", "train"], cwd=project.path, env=environment, start_new_session=True,
            stdout=self._opened, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.project = project

    def wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 180
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.02)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold DVC and its stage, so that none ends during the block, however long that takes."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            assert self.stages(), self.said()
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def has_ended_an_epoch(self) -> bool:
        return re.search(r"^epoch \d+/\d+: ", self.said(), re.MULTILINE) is not None

    def end(self) -> str:
        """Wait until it has ended, and return all that was said."""
        self.process.wait(120)
        self._opened.close()
        return self.said()

    def stages(self) -> list[int]:
        """Return the processes of this project that run `train`."""
        return [
            int(folder.name)
            for folder in Path("/proc").iterdir()
            if folder.name.isdecimal() and self._is_stage(folder)
        ]

    def _is_stage(self, folder: Path) -> bool:
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            return b"stages.train" in words and (folder / "cwd").resolve() == self.project.path.resolve()
        except OSError:
            return False


@pytest.fixture
def long(project: Project) -> Project:
    project.set("train.epochs", 20_000)
    return project


def test_dvc_killed_and_the_next_run_goes_on_and_stops_in_words(long: Project) -> None:
    before_all = long.outputs()
    kept = long.path / ".humbleyolo/train.checkpoint"
    first = Started(long)
    first.wait_for(kept.exists)
    stages = first.stages()
    assert stages
    second = long.dvc("repro", "train", check=False)  # one works, the other says why not
    assert second.returncode == 255
    assert f"is busy, it is being blocked by:\n  (PID {first.process.pid}): " in second.stderr
    first.process.send_signal(signal.SIGKILL)
    first.end()
    for pid in stages:
        assert ended(pid)

    again = Started(long)
    again.wait_for(lambda: "continues from epoch " in again.said())
    before = kept.stat().st_mtime_ns
    again.wait_for(again.has_ended_an_epoch)
    os.killpg(again.process.pid, signal.SIGINT)
    said = again.end()
    assert again.process.returncode != 0
    assert kept.stat().st_mtime_ns > before  # the run was kept before it ended
    assert "stopped; `dvc repro` goes on with train" in said
    assert "Traceback" not in said
    assert not again.stages()
    files = sorted(path.name for path in (long.path / "data/model").iterdir())
    assert files == [
        "augmented.png",
        "history.csv",
        "model.json",
        "selection.json",
        "weights.npz",
    ]  # of the run before

    other = Started(long)
    long.set("train.epochs", 20_001)
    other.wait_for(lambda: "continues from epoch " in other.said() or other.has_ended_an_epoch())
    (pid,) = other.stages()
    os.kill(pid, signal.SIGTERM)  # a scheduler's way
    assert "stopped; `dvc repro` goes on with train" in other.end()

    long.set("train.epochs", 1)  # as it was
    assert long.repro().run == []
    assert long.outputs() == before_all
    assert long.git("diff", "--stat", "--", "data", "dvc.lock") == ""


def test_dvc_goes_on_once_a_full_disk_has_space(project: Project) -> None:
    before, grid = project.outputs(), project.path / "data/grid"
    shutil.rmtree(grid)
    with small_disk(grid, "8k") as disk:
        full = project.dvc("repro", "--single-item", "--force", "encode", check=False)
        assert full.returncode != 0
        assert re.search(r"error: data/grid: the work needs 0\.\d MB, and 0\.0 MB are free on its disk", full.stderr)
        assert "Traceback" not in full.stderr
        disk.remount("size=8m")
        project.repro()
        assert project.outputs() == before
        assert project.git("status", "--porcelain") == ""


@pytest.mark.parametrize("whose", ["its own", "another stage's"])
def test_what_is_edited_while_a_stage_runs_is_never_recorded_as_what_was_run(whose: str, project: Project) -> None:
    """tests/pipeline/test_changed_dependencies.py holds that each edit is found by itself."""
    before = project.outputs()
    project.set("train.epochs", 25)
    started = Started(project)
    started.wait_for(lambda: "epoch 2/" in started.said())
    if whose == "another stage's":
        with started.held():
            project.set("render.scale", 2)
        said = started.end()
        assert started.process.returncode == 0, said
        return
    with started.held():
        project.set("train.learning_rate", 0.0017)
        project.edit("src/humbleyolo/training/losses.py", lambda text: text + "\nraise SystemExit('broken')\n")
    said = started.end()
    assert started.process.returncode != 0
    assert "edited while train ran, so that nothing is kept of this run" in said
    assert "params.yaml: train" in said
    assert "src/humbleyolo/training/losses.py" in said
    stale = project.dvc("status", "train").stdout
    assert "up to date" not in stale
    after = project.outputs()
    assert {name: after.get(name) for name in before if "data/model" in name} == {
        name: content for name, content in before.items() if "data/model" in name
    }


def test_a_stage_killed_and_gone_on_with_gives_the_bytes_of_one_that_never_was(
    project: Project, tmp_path: Path
) -> None:
    project.set("train.epochs", 30)
    project.set("train.augment.translate", 0.1)
    sooner = [("SHORTEST_S = 5.0", "SHORTEST_S = 0.1"), ("SHARE = 0.005", "SHARE = 0.5")]
    for before, after in sooner:  # a checkpoint, so that few epochs are enough
        project.edit("src/humbleyolo/training/checkpoint.py", lambda text, put=(before, after): text.replace(*put))
        assert after in (project.path / "src/humbleyolo/training/checkpoint.py").read_text()
    whole = project.copy(tmp_path / "whole/project")
    started = Started(project)
    started.wait_for((project.path / ".humbleyolo/train.checkpoint").exists)
    for pid in started.stages():
        os.kill(pid, signal.SIGKILL)
    started.end()
    assert started.process.returncode != 0
    again = Started(project)
    said = again.end()
    assert again.process.returncode == 0, said
    assert "continues from epoch " in said
    whole.dvc("repro", "train")
    for name in ("weights.npz", "model.json", "history.csv", "augmented.png"):
        model = Path("data/model") / name
        assert (project.path / model).read_bytes() == (whole.path / model).read_bytes(), name
