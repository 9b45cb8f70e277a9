"""Dependencies in `dvc.yaml`, against what each stage does: nothing more is read, and nothing is watched in vain.

The stages run under `strace`, so that what they read is the system's word and not that of a list. Slow.
"""

import copy
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from ruamel.yaml import YAML
from tiny_project import TINY_LABELLED, Project, label_images
from traced import HERE, Stage, Trace, find_problems, read_log, trace_stage, why_not

from humbleyolo.params.sections import Params

STAGES = ["generate", "encode", "train", "evaluate", "render"]
UNTRACEABLE = why_not()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(UNTRACEABLE is not None, reason=UNTRACEABLE or "")]


@dataclass(frozen=True)
class Traced:
    """The chain as it ran under `strace`, stage by stage, and what was wrong with it."""

    project: Project
    traces: dict[str, Trace]
    problems: dict[str, list[str]]


@pytest.fixture(scope="module")
def traced(first_run: tuple[Project, object], tmp_path_factory: pytest.TempPathFactory) -> Traced:
    folder = tmp_path_factory.mktemp("traced")
    project = first_run[0].copy(folder / "project")
    traces, problems = {}, {}
    for name in STAGES:
        stage = Stage.of(project, name)
        traces[name] = trace_stage(project, stage, folder / name)
        problems[name] = find_problems(traces[name], stage, project, folder / name)
    assert project.outputs() == first_run[0].outputs()
    return Traced(project, traces, problems)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_and_writes_what_it_declares_and_nothing_else(stage: str, traced: Traced) -> None:
    assert traced.problems[stage] == []


@pytest.mark.parametrize("stage", STAGES[:-1])  # `render` shows all of them in the report, read or not
def test_a_stage_reads_from_each_section_that_it_asks_for(stage: str, traced: Traced) -> None:
    trace = traced.traces[stage]
    assert {leaf.split(".")[0] for leaf in trace.leaves if "." in leaf or leaf == "seed"} >= set(trace.sections)


def test_what_is_not_declared_would_be_found(project: Project, tmp_path: Path) -> None:
    stray = """
        import os, socket
        import humbleyolo.report.number_format
        open("README.md").close()
        os.listdir("docs")
        open("data/dataset/stray.txt", "w").close()
        os.rename("data/dataset/stray.txt", "data/moved.txt")
        os.remove("data/moved.txt")
        os.mkdir(os.path.expanduser("~/folder"))
        if os.fork() == 0:
            open("LICENSE").close()
            os._exit(0)
        os.wait()
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
    """
    project.edit("src/humbleyolo/dataset/summary.py", lambda text: f"{text}\nif True:{stray}\n")
    stage = Stage.of(project, "generate")
    stage = dataclasses.replace(stage, deps=[*stage.deps, "src/humbleyolo/training/losses.py"])
    found = find_problems(trace_stage(project, stage, tmp_path / "t"), stage, project, tmp_path / "t")
    assert [problem.partition("connect(")[0] for problem in found] == [
        "lists docs",
        "never reads src/humbleyolo/training/losses.py",
        "reads LICENSE",
        "reads README.md",
        "reads src/humbleyolo/report/__init__.py",
        "reads src/humbleyolo/report/number_format.py",
        "talks: ",
        f"writes {tmp_path}/t/home/folder",
        "writes data/dataset/stray.txt",
        "writes data/moved.txt",
    ]


class Watched:
    """A project as DVC sees it, its stages read once."""

    def __init__(self, project: Project, repo: Repo) -> None:
        self._project, self._repo = project, repo
        self._stages = list(repo.index.stages)

    def stale_after(self, name: str, change: Callable[[bytes], bytes]) -> set[str]:
        """Change a file, ask which stages `dvc repro` would run for it, and change it back."""
        file = self._project.path / name
        before = file.read_bytes()
        file.write_bytes(change(before))
        try:
            # Not `stale`, which reads all parameters anew for each source file.
            return {
                stage.name
                for stage in self._stages
                if any(dep.status() for dep in stage.deps if _is_params(dep) == (name == "params.yaml"))
            }
        finally:
            file.write_bytes(before)

    def sees(self, name: str) -> bool:
        """Tell if DVC takes a file for part of the folder that it lies in."""
        return not self._repo.dvcignore.is_ignored_file(str(self._project.path / name))

    def stale(self) -> set[str]:
        """Ask which stages `dvc repro` would run."""
        with self._repo.lock:
            return {stage.name for stage in self._stages if stage.changed_deps()}


def _is_params(dep: Any) -> bool:
    return isinstance(dep, ParamsDependency)


@pytest.fixture
def watched(project: Project) -> Iterator[Watched]:
    with Repo(str(project.path)) as repo:
        yield Watched(project, repo)


def leaves(value: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to each value of params.yaml that is no section; an empty mapping is a value."""
    if isinstance(value, dict) and value:
        for name, inside in value.items():
            yield from leaves(inside, (*key, name))
    else:
        yield key


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, dict | list):
        return [*value, "more"] if isinstance(value, list) else value | {"more": 1}
    return f"{value}x" if isinstance(value, str) else value + 1


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_sections_or_values_that_it_reads(stage: str, traced: Traced, project: Project) -> None:
    declared = YAML(typ="safe").load(project.path / "dvc.yaml")["stages"][stage]["params"]
    read = traced.traces[stage].leaves_of_sections()
    undeclared = {leaf for leaf in read if leaf.partition(".")[0] not in declared and leaf not in declared}
    assert undeclared <= {"loss", "train"}  # sections that are opened for the values declared


def test_each_parameter_changed_by_itself_makes_stale_those_that_declare_it(
    watched: Watched, project: Project
) -> None:
    stages = YAML(typ="safe").load(project.path / "dvc.yaml")["stages"]
    declared = {stage: stages[stage]["params"] for stage in STAGES}
    whole = YAML(typ="safe").load(project.path / "params.yaml")
    for key in leaves(whole):
        if key == ("dataset", "inputs"):
            continue  # names a dependency, so that DVC must read `dvc.yaml` anew: the next test

        def change(_: bytes, key: tuple[str, ...] = key) -> bytes:
            section = document = copy.deepcopy(whole)
            for name in key[:-1]:
                section = section[name]
            section[key[-1]] = other(section[key[-1]])
            return json.dumps(document).encode()  # is YAML too, and quickly read

        expected = {stage for stage, names in declared.items() if {key[0], ".".join(key)} & set(names)}
        assert watched.stale_after("params.yaml", change) == expected, ".".join(key)
    assert watched.stale() == set()


def test_other_inputs_make_stale_what_reads_them(traced: Traced, project: Project) -> None:
    shutil.copytree(project.path / "data/fonts", project.path / "data/other")
    project.set("dataset.inputs", "data/other")
    with Repo(str(project.path)) as repo:
        expected = {stage for stage, trace in traced.traces.items() if "dataset" in trace.sections}
        assert Watched(project, repo).stale() == expected


def test_each_file_changed_by_itself_makes_stale_those_that_list_its_room(
    traced: Traced, watched: Watched, project: Project
) -> None:
    sources = project.git("ls-files", "src", "stages", "data/fonts", "data/start").split()
    assert len(sources) > 100
    deps = {stage: Stage.of(project, stage).deps for stage in STAGES}
    last = {Path(name).parent.as_posix(): name for name in sources}  # DVC is asked for one file of each folder
    for name in sources:
        listed = {stage for stage in STAGES if any(Path(name).is_relative_to(dep) for dep in deps[stage])}
        readers = {stage for stage, trace in traced.traces.items() if traced.project.path / name in trace.read}
        assert readers <= listed, name
        assert watched.sees(name), name
        folder = Path(name).parent.as_posix()
        if name == last[folder] or folder in ("src/humbleyolo", "stages"):  # whose files are named one by one
            assert watched.stale_after(name, lambda text: text + b"\n") == listed, name
    rest = set(project.git("ls-files").split()) - {*sources, "dvc.yaml", "dvc.lock", "params.yaml"}
    for name in rest:
        if not name.startswith(("data/", ".")):
            with (project.path / name).open("ab") as file:
                file.write(b"\n")
    assert watched.stale() == set()


# Settings under which those values are read that the tiny project as it is does not need.
ARTICLE = {
    "model.name": "humble",
    "loss.name": "article",
    "loss.mistakes": ["empty_untaught"],
    "train.schedule": "inverse_time",
    "train.augment": {
        "flip": 0.5, "flip_vertical": 0.5, "scale": 0.1, "translate": 0.1, "crop": 0.1, "brightness": 0.1,
        "contrast": 0.1, "saturation": 0.1, "hue": 0.1, "mosaic": 0.5, "cutout": 0.3, "min_visible": 0.4,
    },
}  # fmt: skip
FREE = {"dataset.synthetic.placement": "free"}
FRACTIONS = {"dataset.labelled.split.fractions": {"train": 0.4, "val": 0.3, "test": 0.3}}
BY_HASH = TINY_LABELLED | FRACTIONS | {"dataset.labelled.split.by": "hash"}
BY_GROUP = BY_HASH | {"dataset.labelled.split.by": "group", "dataset.labelled.split.group": "([0-9]+)"}
PHOTOGRAPHS = {
    "model.name": "lite", "loss.name": "aligned", "train.start": "pretrained", "train.micro_batches": 2
}  # fmt: skip
OTHERS = [
    (None, FREE, ["stages.generate", "data/fonts"]),
    ("bccd", BY_HASH, ["stages.generate", "data/labelled/bccd"]),
    ("bccd", BY_GROUP, ["stages.generate", "data/labelled/bccd"]),
    (None, ARTICLE, ["stages.train", "data/grid/train", "data/grid/val"]),
    (None, PHOTOGRAPHS, ["stages.train", "data/grid/train", "data/grid/val"]),
]


def test_every_parameter_is_read_by_a_stage_that_depends_on_it(
    traced: Traced, project: Project, tmp_path: Path
) -> None:
    label_images(project.path / "data/labelled/bccd")
    read = set.union(*(trace.leaves_of_sections() for trace in traced.traces.values()))
    for example, changes, command in OTHERS:
        project.git("checkout", "params.yaml")
        if example:
            project.lay_over(example)
        for key, value in changes.items():
            project.set(key, value)
        log = tmp_path / "reads"
        done = subprocess.run(
            [sys.executable, str(HERE / "trace_params.py"), *command, str(tmp_path / "out")],
            cwd=project.path, env=os.environ | {"READS_LOG": str(log)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        trace = Trace()
        read_log(log, trace)
        read |= trace.leaves_of_sections()
    every = {".".join(key) for key in leaves(kinds_of(Params))}
    assert every - read == {"dataset.inputs"}  # DVC puts it into the command


def kinds_of(section: Any) -> dict[str, Any]:
    """Return the keys of a section, nested as in the file, whatever their values are."""
    return {
        name: kinds_of(field.annotation) if hasattr(field.annotation, "model_fields") else None
        for name, field in section.model_fields.items()
    }
