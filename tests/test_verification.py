"""Results built anew and compared: what is equal, what differs, how much, and by whose fault."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_project import ROOT, Project

from humbleyolo import verification
from humbleyolo.environment import RECORDS, describe_environment
from humbleyolo.errors import UserError
from humbleyolo.verification import TOLERANCE, _compare, _how_much, _judge, _read_lock

METRICS = dict.fromkeys(TOLERANCE, 0.5)
LOCK = {"train": {"deps": {"src/a.py": "1", "grid": "2"}, "outs": {"model/weights.npz": "3"}}}
LOCK = {"encode": {"deps": {}, "outs": {"grid": "2"}}, **LOCK}


def changed(kind: str, path: str) -> dict[str, Any]:
    stage = LOCK["train"]
    return LOCK | {"train": stage | {kind: stage[kind] | {path: "other"}}}


def test_hashes_are_compared_output_by_output() -> None:
    assert not list(_compare(LOCK, LOCK))
    assert list(_compare(LOCK, changed("outs", "model/weights.npz"))) == [("train", "model/weights.npz")]
    assert not list(_compare(LOCK, changed("deps", "grid")))  # follows from `encode`, which is told


def test_a_lock_of_other_sources_is_told() -> None:
    with pytest.raises(UserError, match=r"HEAD:dvc.lock: is of another src/a\.py than the last commit has"):
        list(_compare(LOCK, changed("deps", "src/a.py")))
    with pytest.raises(UserError, match="has no stage train"):
        list(_compare({"encode": LOCK["encode"]}, LOCK))


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
    told = {path.name: _how_much(path, tmp_path / "two" / path.name) for path in (tmp_path / "one").iterdir()}
    assert told == {
        "w.npz": "differs by 0.25 at most, in b; 1 of 2 arrays",
        "c.npy": "differs by 0.25 at most",
        "h.csv": "differs from line 3 on",
        "p.png": "differs from byte 3 on (6 and 6 bytes)",
    }
    assert "`dvc pull`" in _how_much(None, tmp_path / "two/w.npz")
    (tmp_path / "longer.csv").write_text("epoch,ap\n1,0.5\n2,0.0\n3,1\n")
    assert _how_much(tmp_path / "one/h.csv", tmp_path / "longer.csv") == "differs from line 4 on"
    np.save(tmp_path / "shape.npy", np.zeros(3))
    assert _how_much(tmp_path / "one/c.npy", tmp_path / "shape.npy") == "differs by inf at most"


def test_the_tolerance_is_that_of_the_project_s_own_checks() -> None:
    theirs = runpy.run_path(str(ROOT / ".ci/compare_metrics.py"))["TOLERANCE"]
    assert {name: allowed for name, allowed in theirs.items() if allowed} == TOLERANCE


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Judge a run whose committed metrics are `METRICS`."""
    monkeypatch.setattr(verification, "_git", lambda *_: json.dumps(METRICS))

    def judge(record: dict[str, str] | None, new: dict[str, Any]) -> int:
        (tmp_path / RECORDS).mkdir(parents=True, exist_ok=True)
        (tmp_path / RECORDS / "train.json").write_text("{" if record is None else json.dumps(record))
        (tmp_path / "metrics.json").write_text(json.dumps(METRICS | new))
        return _judge(tmp_path, tmp_path, ["weights.npz", "metrics.json"])

    return judge


def test_in_the_same_environment_nothing_may_differ(judged: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(describe_environment(), {}) == 1
    assert judged(describe_environment() | {"cores": "999"}, {}) == 1
    assert "the environment is the same" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("new", "code"), [({"ap": 0.52}, 0), ({"ap": 0.54}, 1), ({"ap50": 0.52}, 1), ({"ar100": None}, 1)]
)
def test_in_another_one_the_tolerance_holds(
    new: dict[str, Any], code: int, judged: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(describe_environment() | {"keras": "1.0"}, new) == code
    told = capsys.readouterr().out
    assert "keras: made with 1.0; here " in told
    assert ("beyond" in told) == bool(code)
    assert judged(None, new) == code
    assert "not known" in capsys.readouterr().out


def test_of_a_long_list_only_what_the_other_has_not_is_told(
    judged: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = " ".join(f"f{number}" for number in range(30))
    here = describe_environment() | {"features": few}
    monkeypatch.setattr(verification, "describe_environment", lambda: here)
    judged(here | {"features": few + " avx512"}, {})
    assert "features: made with 31, of which the other has not avx512; here 30, of which" in (
        capsys.readouterr().out
    )


@pytest.mark.slow
def test_a_project_is_built_anew_and_compared(project: Project) -> None:
    done = project.command("humbleyolo", "verify")
    assert done.returncode == 0, done.stderr
    assert "outputs of 5 stages have the committed hashes" in done.stdout
    assert project.git("status", "--porcelain") == ""

    weights = project.path / "data/model/weights.npz"
    lock = project.path / "dvc.lock"
    digest = verification._md5(weights)
    lock.write_text(lock.read_text().replace(digest, "a" * 32))
    project.commit("Claim other weights")
    done = project.command("humbleyolo", "verify")
    assert done.returncode == 1, done.stderr
    assert "train: data/model/weights.npz: differs; `dvc pull`" in done.stdout
    assert "the environment is the same" in done.stdout

    project.edit("src/humbleyolo/loss.py", lambda text: text + "# More.\n")
    project.commit("Forget to run it")
    done = project.command("humbleyolo", "verify")
    assert done.returncode == 2
    assert "is of another src/humbleyolo/loss.py than the last commit has" in done.stderr
