"""Stages that are stopped, robbed of a worker or of memory end in words, with their outputs as they were."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from started_stage import StartedStage, cached_outputs, left_half_written, remove_outputs
from tiny_project import Project, Ran

from tests.process.test_parent_watch import ended

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs Linux' list of processes")]

STAGES = ["generate", "encode", "train", "evaluate", "render"]


@pytest.fixture(scope="module")
def busy(first_run: tuple[Project, Ran], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with so many images that `generate` and `encode` start workers."""
    project = first_run[0].copy(tmp_path_factory.mktemp("busy") / "project")
    project.set("dataset.synthetic.images.train", 6000)
    project.dvc("repro", "encode")
    return project


def importing(stage: StartedStage) -> bool:
    heavy = {"train": "libtensorflow", "evaluate": "libtensorflow"}
    return stage.has_mapped(heavy.get(stage.stage, "_multiarray_umath"))


def working(stage: StartedStage) -> bool:
    if stage.stage in ("generate", "encode"):
        return len(stage.session()) > 2  # two workers
    return stage.has_mapped("images.npy")


def run_until(project: Project, name: str, moment: Callable[[StartedStage], bool]) -> StartedStage:
    """Start a stage without its outputs, and return it at a moment."""
    project.git("checkout", "--", "data/evaluation")  # what DVC does not put back after a stop of `evaluate`
    remove_outputs(project, name)
    stage = StartedStage(project, name)
    stage.wait_for(lambda: moment(stage))
    return stage


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize(("moment", "number"), [(importing, signal.SIGINT), (working, signal.SIGTERM)])
def test_a_stage_stopped_says_how_to_go_on(
    moment: Callable[[StartedStage], bool], number: signal.Signals, name: str, busy: Project
) -> None:
    before = cached_outputs(busy, name)
    stage = run_until(busy, name, moment)
    stage.send(number)
    code, said = stage.end()
    assert code == 130, said
    assert said.splitlines()[-1] == f"stopped; `dvc repro` goes on with {name}"
    assert "Traceback" not in said
    assert "ignored" not in said
    assert stage.session() == []
    assert cached_outputs(busy, name) == before
    assert left_half_written(busy) == []


@pytest.mark.parametrize("name", ["generate", "encode"])
def test_ctrl_c_ends_the_workers_too(name: str, busy: Project) -> None:
    before = cached_outputs(busy, name)
    stage = run_until(busy, name, working)
    stage.send(signal.SIGINT)
    code, said = stage.end()
    assert (code, said.splitlines()[-1]) == (130, f"stopped; `dvc repro` goes on with {name}")
    assert "Traceback" not in said
    assert stage.session() == []
    assert cached_outputs(busy, name) == before


@pytest.mark.parametrize("name", ["generate", "encode"])
def test_a_worker_that_is_killed_ends_the_stage_in_words(name: str, busy: Project) -> None:
    before = cached_outputs(busy, name)
    stage = run_until(busy, name, working)
    os.kill(stage.session()[-1], signal.SIGKILL)  # as the system does if memory runs out
    code, said = stage.end()
    assert code == 2, said
    assert said.splitlines()[-1].startswith("error: a worker process was killed from outside, as the system does")
    assert "Traceback" not in said
    assert stage.session() == []
    assert cached_outputs(busy, name) == before
    assert left_half_written(busy) == []


def test_a_stage_whose_dvc_is_killed_while_it_imports_ends(busy: Project) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'stages.train', *sys.argv[1:]])"
    starter = StartedStage(busy, "train", code)
    starter.wait_for(lambda: len(starter.session()) == 2)
    pid = starter.session()[-1]
    starter.wait_for(lambda: "libtensorflow" in Path(f"/proc/{pid}/maps").read_text())
    os.kill(starter.process.pid, signal.SIGKILL)
    starter.process.wait()
    assert ended(pid)
    for pipe in (starter.process.stdout, starter.process.stderr):
        assert pipe is not None
        pipe.close()


def with_little_memory(stage: str, mib: int) -> str:
    """Return a program that runs a stage with so much memory more than its imports take."""
    return dedent(f"""
        import runpy, resource, sys
        import stages.{stage}
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ({mib} << 20),) * 2)
        runpy.run_module("stages.{stage}", run_name="__main__", alter_sys=True)
    """)


@pytest.mark.parametrize(
    ("name", "mib", "changes", "advice"),
    [
        (
            "generate", 100, {"dataset.synthetic.height": 8192, "dataset.synthetic.width": 8192},
            "make the images smaller, or use one core: `taskset -c 0 dvc repro`",
        ),
        ("encode", 40, {"encode.height": 4096, "encode.width": 4096}, "lower encode.height and encode.width, or "),
        ("train", 700, {"model.width": 16.0}, "raise train.micro_batches, or lower train.batch"),
        ("render", 40, {"render.scale": 16}, "lower render.scale, render.images or render.report_images"),
    ],
)  # fmt: skip
def test_too_little_memory_is_told_with_what_to_lower(
    name: str, mib: int, changes: dict[str, Any], advice: str, project: Project
) -> None:
    before = cached_outputs(project, name)
    for key, value in changes.items():
        project.set(key, value)
    remove_outputs(project, name)
    code, said = StartedStage(project, name, with_little_memory(name, mib)).end()
    assert code == 2, said
    last = said.splitlines()[-1]
    assert last.startswith("error: not enough memory")
    assert f"; {advice}" in last
    assert "Traceback" not in said
    assert cached_outputs(project, name) == before
    assert left_half_written(project) == []
