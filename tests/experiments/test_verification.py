"""Results built anew and compared: what is equal, what differs, how much, and by whose fault."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from repository import ROOT
from tiny_project import Project

from humbleyolo.errors import UserError
from humbleyolo.experiments import verification
from humbleyolo.experiments.verification import (
    TOLERANCE,
    _check_sources,
    _compare,
    _how_much,
    _judge,
    _read_lock,
)
from humbleyolo.pipeline.environment import RECORDS
from humbleyolo.storage.hashes import digest_of

METRICS = dict.fromkeys(TOLERANCE, 0.5)
LOCK = {"train": {"deps": {"src/a.py": "1", "grid": "2"}, "outs": {"model/weights.npz": "3"}}}
LOCK = {"encode": {"deps": {}, "outs": {"grid": "2"}}, **LOCK}
LOCK = {stage: {"params": {}, **content} for stage, content in LOCK.items()}


def changed(kind: str, path: str) -> dict[str, Any]:
    stage = LOCK["train"]
    return LOCK | {"train": stage | {kind: stage[kind] | {path: "other"}}}


def test_hashes_are_compared_output_by_output() -> None:
    assert not _compare(LOCK, LOCK, "fonts")
    assert _compare(LOCK, changed("outs", "model/weights.npz"), "fonts") == {"train": ["model/weights.npz"]}
    assert not _compare(LOCK, changed("deps", "grid"), "fonts")  # follows from `encode`, which is told


def test_a_lock_of_other_sources_is_told() -> None:
    with pytest.raises(UserError, match=r"HEAD:dvc.lock: is of another src/a\.py than the last commit has"):
        _compare(LOCK, changed("deps", "src/a.py"), "fonts")
    with pytest.raises(UserError, match="is not here what the last commit was made from; `dvc checkout`"):
        _compare(
            LOCK, changed("deps", "src/a.py"), "src/a.py"
        )  # the labelled folder, which git does not keep
    with pytest.raises(UserError, match=r"is of another dvc\.yaml \(cmd of train\) than"):
        _compare(LOCK, LOCK | {"train": LOCK["train"] | {"cmd": "python -m stages.train --quiet"}}, "fonts")
    with pytest.raises(UserError, match=r"has stage train, which dvc\.yaml has not"):
        _compare(LOCK, {"encode": LOCK["encode"]}, "fonts")
    with pytest.raises(UserError, match="has no stage train"):
        _compare({"encode": LOCK["encode"]}, LOCK, "fonts")


def test_a_lock_of_other_sources_or_parameters_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 1\ntrain: {epochs: 2}\n")
    (tmp_path / "a.py").write_text("")
    (tmp_path / "room").mkdir()
    (tmp_path / "room/b.py").write_text("")
    digests = {name: digest_of(tmp_path / name) for name in ("a.py", "room")}
    right = {"params": {"seed": 1}, "deps": digests | {"not/in/git": "1"}}
    _check_sources({"train": right}, tmp_path)
    with pytest.raises(UserError, match=r"is of another a\.py than"):
        _check_sources({"train": right | {"deps": {"a.py": "1"}}}, tmp_path)
    with pytest.raises(UserError, match=r"is of another room than"):
        _check_sources({"train": right | {"deps": {"room": "1.dir"}}}, tmp_path)
    for params in ({"seed": 2}, {"train": {"epochs": 3}}, {"loss": {}}):
        with pytest.raises(UserError, match=rf"is of another params\.yaml \({next(iter(params))}\) than"):
            _check_sources({"train": right | {"params": params}}, tmp_path)


def test_a_lock_with_the_marks_of_a_merge_is_told() -> None:
    with pytest.raises(UserError, match=r"HEAD:dvc\.lock: is no YAML"):
        _read_lock("<<<<<<< HEAD\nstages: {}\n=======\n", "HEAD:dvc.lock")


@pytest.mark.parametrize("text", ["", "stages: 3", "a: b", "stages: {a: {outs: [{md5: 1}]}}"])
def test_a_lock_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UserError, match="is not what `dvc repro` writes"):
        _read_lock(text, "dvc.lock")


def test_how_much_is_told_in_the_terms_of_the_file(tmp_path: Path) -> None:
    for name, offset in (("one", 0.0), ("two", 0.25)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "w.npz", a=np.zeros(3), b=np.full(2, offset))
        np.save(tmp_path / name / "c.npy", np.array([1.0, offset]))
        (tmp_path / name / "h.csv").write_text(f"epoch,ap\n1,0.5\n2,{offset}\n")
        (tmp_path / name / "p.png").write_bytes(b"abc" + name.encode())
        (tmp_path / name / "folder/same").mkdir(parents=True)
        (tmp_path / name / "folder/same/s.txt").write_text("same")
        (tmp_path / name / "folder" / name).write_text(name)
        np.save(tmp_path / name / "folder/d.npy", np.array([offset]))
    told = {path.name: _how_much(path, tmp_path / "two" / path.name) for path in (tmp_path / "one").iterdir()}
    assert told == {
        "w.npz": "differs by 0.25 at most, in b; 1 of 2 arrays",
        "c.npy": "differs by 0.25 at most",
        "h.csv": "differs from line 3 on",
        "p.png": "differs from byte 3 on (6 and 6 bytes)",
        "folder": "d.npy differs by 0.25 at most; one is in the committed one alone; two is in the new one alone",
    }
    assert "`dvc pull`" in _how_much(None, tmp_path / "two/w.npz")
    (tmp_path / "longer.csv").write_text("epoch,ap\n1,0.5\n2,0.0\n3,1\n")
    assert _how_much(tmp_path / "one/h.csv", tmp_path / "longer.csv") == "differs from line 4 on"
    np.save(tmp_path / "shape.npy", np.zeros(3))
    assert _how_much(tmp_path / "one/c.npy", tmp_path / "shape.npy") == "differs by inf at most"


def test_the_tolerance_is_that_of_the_project_s_own_checks() -> None:
    theirs = runpy.run_path(str(ROOT / ".ci/compare_metrics.py"))["TOLERANCE"]
    assert {name: allowed for name, allowed in theirs.items() if allowed} == TOLERANCE


HERE = {"keras": "3.0", "features": " ".join(f"f{number}" for number in range(30)), "cores": "2"}
HERE |= {"intra_op_threads": "2"}


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Judge other weights than the committed, by what `train` ran with when it made them, and by new metrics."""
    monkeypatch.setattr(verification, "_git", lambda *_: json.dumps(METRICS))
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
        write_record(clone, HERE, digest_of(clone / "weights.npz"))
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


def test_of_a_long_list_only_what_the_other_has_not_is_told(
    judge: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(HERE | {"features": HERE["features"] + " avx512"}, {})
    assert (
        "  features: made with 31, of which the other has not avx512; here 30, of which the other has not none"
        in (capsys.readouterr().out)
    )


@pytest.mark.slow
def test_a_project_is_built_anew_and_compared(project: Project) -> None:
    done = project.command("humbleyolo", "verify")
    assert done.returncode == 0, done.stderr
    assert "outputs of 5 stages have the committed hashes" in done.stdout
    assert project.git("status", "--porcelain") == ""

    # Other instruction sets are another class of processor, and round otherwise.
    done = Project(project.path, ["env", "ONEDNN_MAX_CPU_ISA=SSE41"]).command("humbleyolo", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"train: data/model/weights\.npz: differs by \S+ at most, in \S+;", done.stdout)
    assert "  ONEDNN_MAX_CPU_ISA: made with none; here SSE41\n" in done.stdout
    assert "train: ran in another environment" in done.stdout
    assert "evaluate: differs since its inputs do: data/model/weights.npz" in done.stdout
    assert "ap: committed" in done.stdout or "the metrics are the committed ones" in done.stdout
    assert "generate: " not in done.stdout

    # The same bytes claimed for another run of the same environment.
    digest = digest_of(project.path / "data/model/weights.npz")
    for name in ("dvc.lock", str(RECORDS / "train.json")):
        project.edit(name, lambda text: text.replace(digest, "a" * 32))
    project.commit("Claim other weights")
    done = project.command("humbleyolo", "verify")
    assert done.returncode == 1, done.stderr
    assert "train: data/model/weights.npz: differs; `dvc pull`" in done.stdout
    assert "train: its environment is the same" in done.stdout

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
