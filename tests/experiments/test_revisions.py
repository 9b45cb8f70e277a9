"""`humbleyolo compare` on runs that git and DVC remember. Slow: each run is DVC's."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT
from split_writer import write_split

from humbleyolo.commands import compare
from humbleyolo.experiments.revisions import read_run

pytestmark = pytest.mark.slow


def test_its_help_tells_the_exit_codes(project):
    said = project.command("python", "-m", "humbleyolo", "compare", "--help", check=True).stdout
    said = " ".join(said.split())
    assert "Exit code: 0; 1 if the AP of REV_B is lower than that of REV_A by more than chance; 2 if" in said
    assert compare.__doc__.startswith("`humbleyolo compare REV_A [REV_B]`: ")


def said_of(project, *revisions):
    return project.command("python", "-m", "humbleyolo", "compare", *revisions)


def test_runs_at_commits_in_experiments_and_as_they_are_now(project):
    project.set("evaluate.max_detections", 1)
    project.repro("evaluate")
    now = said_of(project, "HEAD")
    assert now.returncode in (0, 1)
    assert now.stdout.startswith("A: HEAD, B: the working tree; 4 test images, resampled 1,000 times\n")
    project.commit("Fewer detections")
    committed = said_of(project, "HEAD~1", "HEAD")
    assert committed.stdout.splitlines()[1:] == now.stdout.splitlines()[1:]
    assert committed.returncode == now.returncode

    same = said_of(project, "HEAD", "HEAD")
    assert same.returncode == 0
    assert "yes" not in same.stdout
    assert re.search(r"\nA and B are the same: \d+ detections?, and all are equal.\n\Z", same.stdout)

    project.git("branch", "stages")  # as a folder is named
    assert said_of(project, "stages", "HEAD").stdout.startswith("A: stages, B: HEAD; 4 test images")
    project.dvc("exp", "run", "--name", "strict", "-S", "evaluate.nms_iou=0.1", "evaluate")
    project.git("checkout", "params.yaml", "dvc.lock", "data/evaluation")
    (project.path / "strict").mkdir()
    assert said_of(project, "HEAD", "strict").stdout.startswith("A: HEAD, B: strict; 4 test images")


def test_what_cannot_be_compared_is_told_with_exit_code_2(project):
    def told(*revisions):
        done = said_of(project, *revisions)
        assert done.returncode == 2
        assert done.stdout == ""
        return done.stderr

    assert told("nope").startswith("error: nope: no such folder, and no revision that git knows; give")
    assert told("data", "HEAD").startswith("error: data: holds no metrics.json; give a folder that")
    assert told(str(project.path)).startswith(f"error: {project.path}: holds no metrics.json; give a folder that")
    project.set("dataset.synthetic.images.test", 5)
    project.repro("evaluate")
    assert re.search("tested on different data(?s:.)*test images: 4, and 5", told("HEAD"))
    project.git("checkout", "--", ".")
    project.set("evaluate.resamples", 0)
    assert "evaluate.resamples is 0" in told("HEAD", "HEAD")
    project.git("checkout", "--", ".")

    metrics = project.path / "data/evaluation/metrics.json"
    metrics.write_text('{"ap": 0.5}')
    project.commit("As an older version wrote it")
    assert "HEAD: metrics.json: 1 problem\n  threshold is missing" in told("HEAD", "HEAD~1")
    (project.path / ".dvc/cache").rename(project.path / ".dvc/away")
    assert "No storage files available" in told("HEAD~1")
    (project.path / "params.yaml").unlink()
    assert told("HEAD").startswith("error: params.yaml: no such file")


@pytest.mark.parametrize("recorded", [True, False])
def test_a_clone_without_the_data_is_told_with_exit_code_2(recorded: bool, tmp_path: Path) -> None:
    """1 would say that the second run is worse. `recorded`: `dvc.lock` names folders that are in no cache here."""
    outs = {"encode": "grid/test", "generate": "dataset/test"}
    stages = "".join(f"{stage}: {{cmd: 'true', outs: [{path}]}}, " for stage, path in outs.items()) * recorded
    stages += (
        "evaluate: {cmd: 'true', deps: [grid/test, dataset/test], "
        "outs: [detections.json: {cache: false}, metrics.json: {cache: false}]}"
    )
    files = {"dvc.yaml": f"stages: {{{stages}}}\n", "detections.json": "[]", "metrics.json": "{}"}
    if recorded:
        known = {stage: f"{{path: {path}, hash: md5, md5: {32 * 'a'}.dir, size: 1}}" for stage, path in outs.items()}
        locked = ", ".join(f"{stage}: {{cmd: 'true', outs: [{out}]}}" for stage, out in known.items())
        files["dvc.lock"] = f"schema: '2.0'\nstages: {{{locked}}}\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@b.c")
    dvc = (sys.executable, "-m", "dvc", "init", "--quiet")
    for command in ((*git, "init", "-q"), dvc, (*git, "add", "."), (*git, "commit", "-qm", "A clone")):
        subprocess.run(command, cwd=tmp_path, check=True)
    why = "grid/test is in no cache or remote here" if recorded else "grid/test and dataset/test hold no archive"
    command = (sys.executable, "-m", "humbleyolo", "compare", "HEAD")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.startswith(f"error: HEAD: its results cannot be read ({why}); commit dvc.lock after")
    assert "`dvc pull`" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("once", [False, True])
def test_a_project_in_a_folder_of_a_repository(once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a revision of a version in which the split was one file."""
    folder = tmp_path / "ours/detector"
    (folder / "grid/test/all").mkdir(parents=True)
    (folder / "grid/test/all/split.json").write_text("{}")
    with write_split(folder / "dataset/test", ("cat",)) as archive:
        archive.add("a.png", b"", 10, 10, np.zeros((0, 4)), np.zeros(0, np.int64))
    if once:
        (folder / "dataset/test/all.zip").rename(folder / "test.zip")
    (folder / "detections.json").write_text("[]")
    (folder / "metrics.json").write_text(json.dumps({"threshold": 0.25}))
    deps = "[grid/test, test.zip]" if once else "[grid/test, dataset/test]"
    outs = "[detections.json: {cache: false}, metrics.json: {cache: false}]"
    (folder / "dvc.yaml").write_text(f"stages: {{evaluate: {{cmd: 'true', deps: {deps}, outs: {outs}}}}}\n")
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@b.c")
    dvc = (sys.executable, "-m", "dvc", "init", "--quiet", "--subdir")
    for command in ((*git, "init", "-q"), dvc, (*git, "add", "."), (*git, "commit", "-qm", "A project")):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "metrics.json").write_text(json.dumps({"threshold": 0.5}))
    monkeypatch.chdir(folder)
    assert [read_run(one).threshold for one in ("HEAD", None)] == [0.25, 0.5]
    assert read_run("HEAD").file_names == ("a.png",)
