"""Results built anew and judged: by the environment they were made in, and by the metrics."""

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from repository import ROOT
from tiny_project import Project

from humbleyolo.experiments import verification
from humbleyolo.experiments.verification import TOLERANCE, _judge, verify
from humbleyolo.pipeline.environment import RECORDS
from humbleyolo.process.git import git
from humbleyolo.storage.hashes import dvc_digest

METRICS = dict.fromkeys(TOLERANCE, 0.5)


def test_the_tolerance_is_that_of_the_project_s_own_checks() -> None:
    theirs = runpy.run_path(str(ROOT / ".ci/compare_metrics.py"))["TOLERANCE"]
    assert {name: allowed for name, allowed in theirs.items() if allowed} == TOLERANCE


def test_the_clone_is_built_on_the_cluster_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environments: list[dict[str, str]] = []

    def run(*_: object, env: dict[str, str], **__: object) -> SimpleNamespace:
        environments.append(env)
        return SimpleNamespace(returncode=0)

    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://10.0.0.1:8786")
    monkeypatch.setattr(subprocess, "run", run)
    verification._rebuild(tmp_path)
    assert [one["DASK_SCHEDULER_ADDRESS"] for one in environments] == 2 * ["tcp://10.0.0.1:8786"]


HERE = {"keras": "3.0", "features": " ".join(f"f{number}" for number in range(30)), "cores": "2"}
HERE |= {"intra_op_threads": "2"}


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Judge other weights than the committed, by what `train` ran with when it made them, and by new metrics."""
    monkeypatch.setattr(verification, "git", lambda *_: json.dumps(METRICS))
    root, clone = tmp_path / "root", tmp_path / "clone"
    for folder in (root, clone):
        (folder / RECORDS).mkdir(parents=True)
    (clone / "weights.npz").write_text("other")
    lock = {
        "train": {"deps": {}, "outs": {"weights.npz": "3"}},
        "evaluate": {"deps": {"weights.npz": "3"}, "outs": {"metrics.json": "4"}},
    }

    def write_record(folder: Path, environment: dict[str, str], digest: str) -> None:
        record = {"environment": environment, "outputs": {"weights.npz": digest}}
        (folder / RECORDS / "train.json").write_text(json.dumps(record))

    def judge(there: dict[str, str], new: dict[str, Any], digest: str = "3") -> int:
        write_record(root, there, digest)
        write_record(clone, HERE, dvc_digest(clone / "weights.npz", clone))
        (clone / "metrics.json").write_text(json.dumps(METRICS | new))
        return _judge({"train": ["weights.npz"], "evaluate": ["metrics.json"]}, lock, lock, root, clone)

    return judge


def test_in_the_same_environment_nothing_may_differ(judge: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(HERE, {}) == 1
    assert judge(HERE | {"cores": "999"}, {}) == 1
    told = capsys.readouterr().out
    assert "train: its environment is the same" in told
    assert "evaluate: differs since its inputs do: weights.npz" in told


@pytest.mark.parametrize(
    ("new", "code"), [({"ap": 0.52}, 0), ({"ap": 0.54}, 1), ({"ap50": 0.52}, 1), ({"ar100": None}, 1)]
)
def test_in_another_one_the_tolerance_holds(
    new: dict[str, Any], code: int, judge: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(HERE | {"keras": "1.0", "intra_op_threads": "4", "OMP_NUM_THREADS": "1"}, new) == code
    told = capsys.readouterr().out
    assert "  keras: made with 1.0; here 3.0\n" in told
    assert "  intra_op_threads: made with 4; here 2\n" in told
    assert "  OMP_NUM_THREADS: made with 1; here none\n" in told
    assert "train: ran in another environment" in told
    assert ("beyond" in told) == bool(code)
    assert judge(HERE, new, digest="of other bytes") == code  # of a run before what was pulled
    assert "what made them is not known" in capsys.readouterr().out


def test_of_a_long_list_only_what_the_other_has_not_is_told(judge: Any, capsys: pytest.CaptureFixture[str]) -> None:
    judge(HERE | {"features": HERE["features"] + " avx512"}, {})
    assert (
        "  features: made with 31, of which the other has not avx512; here 30, of which the other has not none"
        in (capsys.readouterr().out)
    )


@pytest.mark.parametrize("inside", ["", "a/project"])
def test_bytes_that_the_same_environment_does_not_make_again_fail(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / inside
    (root / "docs").mkdir(parents=True)
    lock = "stages: {train: {cmd: train, outs: [{path: weights.npz, md5: %s}]}}\n"
    (root / "params.yaml").write_text("dataset: {inputs: params.yaml}\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    weights = root / "weights.npz"
    weights.write_text("of this environment")
    made, claimed = dvc_digest(weights, weights.parent), "a" * 32

    def write_record(folder: Path, digest: str) -> None:
        (folder / RECORDS).mkdir(parents=True, exist_ok=True)
        (folder / RECORDS / "train.json").write_text(
            json.dumps({"environment": HERE, "outputs": {"weights.npz": digest}})
        )

    def rebuild(clone: Path) -> None:
        (clone / "weights.npz").write_text("of this environment")
        (clone / "dvc.lock").write_text(lock % made)
        write_record(clone, made)

    monkeypatch.setattr(verification, "_rebuild", rebuild)
    git(tmp_path, "init", "--quiet")
    for digest, code in ((made, 0), (claimed, 1)):
        (root / "dvc.lock").write_text(lock % digest)
        write_record(root, digest)
        git(root, "add", "dvc.lock", "params.yaml", "dvc.yaml")
        git(root, "-c", "user.name=Test", "-c", "user.email=a@b.c", "commit", "--quiet", "--message", "Claim")
        assert verify(root / "docs") == code
    told = capsys.readouterr().out
    assert "all 1 outputs of 1 stages have the committed hashes\n" in told
    assert "train: weights.npz: differs; `dvc pull`" in told  # what lies here is not the committed one
    assert "train: its environment is the same" in told


@pytest.mark.slow
def test_a_project_is_built_anew_as_on_another_processor_and_compared(project: Project) -> None:
    """Other instruction sets are another class of processor, and round otherwise; below, all bytes are the same."""
    done = Project(project.path, ["env", "ONEDNN_MAX_CPU_ISA=SSE41"]).command("humbleyolo", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"train: data/model/weights\.npz: differs by \S+ at most, in \S+;", done.stdout)
    assert "  ONEDNN_MAX_CPU_ISA: made with none; here SSE41\n" in done.stdout
    assert "train: ran in another environment" in done.stdout
    assert "evaluate: differs since its inputs do: data/model/" in done.stdout
    assert "ap: committed" in done.stdout or "the metrics are the committed ones" in done.stdout
    assert "generate: " not in done.stdout
    assert project.git("status", "--porcelain") == ""

    for name, change, told in (
        ("src/humbleyolo/training/losses.py", ("\n", "\n# More.\n"), "src/humbleyolo/training"),
        ("params.yaml", ("epochs: 1", "epochs: 2"), "params.yaml (train)"),
    ):
        before = (project.path / name).read_bytes()
        project.edit(name, lambda text, change=change: text.replace(*change, 1))
        project.commit("Forget to run it")
        done = project.command("humbleyolo", "verify")
        assert done.returncode == 2
        assert f"is of another {told} than the last commit has" in done.stderr
        (project.path / name).write_bytes(before)


@pytest.mark.slow
def test_a_project_in_a_folder_of_a_repository_is_verified_and_compared(
    first_run: tuple[Project, object], tmp_path: Path
) -> None:
    top = tmp_path / "ours"
    project = first_run[0].copy(top / "detector")
    shutil.rmtree(project.path / ".git")
    ours = Project(top)
    ours.git("init", "--quiet")
    ours.git("config", "user.name", "Test")
    ours.git("config", "user.email", "test@example.org")
    ours.commit("Take in a detector")
    (top / "README.md").write_text("Ours\n")
    ours.commit("Say what it is")
    done = project.command("humbleyolo", "compare", "HEAD~1", "HEAD")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A: HEAD~1, B: HEAD; 4 test images")
    done = project.command("humbleyolo", "compare", "HEAD")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A: HEAD, B: the working tree; 4 test images")
    done = project.command("humbleyolo", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "outputs of 5 stages have the committed hashes" in done.stdout
    assert ours.git("status", "--porcelain") == ""
