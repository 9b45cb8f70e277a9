"""Hashes in dvc.lock, compared with sources and with another run's."""

from pathlib import Path
from typing import Any

import pytest

from humbleyolo.errors import UserError
from humbleyolo.experiments.dvc_lock import check_sources, differing_outputs, read_lock
from humbleyolo.storage.hashes import dvc_digest

LOCK = {"train": {"deps": {"src/a.py": "1", "grid": "2"}, "outs": {"model/weights.npz": "3"}}}
LOCK = {"encode": {"deps": {}, "outs": {"grid": "2"}}, **LOCK}
LOCK = {stage: {"params": {}, **content} for stage, content in LOCK.items()}


def changed(kind: str, path: str) -> dict[str, Any]:
    stage = LOCK["train"]
    return LOCK | {"train": stage | {kind: stage[kind] | {path: "other"}}}


def test_hashes_are_compared_output_by_output() -> None:
    assert not differing_outputs(LOCK, LOCK, "fonts")
    assert differing_outputs(LOCK, changed("outs", "model/weights.npz"), "fonts") == {"train": ["model/weights.npz"]}
    assert not differing_outputs(LOCK, changed("deps", "grid"), "fonts")  # follows from `encode`, which is told


def test_a_lock_of_other_sources_is_told() -> None:
    with pytest.raises(UserError, match=r"HEAD:dvc.lock: is of another src/a\.py than the last commit has"):
        differing_outputs(LOCK, changed("deps", "src/a.py"), "fonts")
    with pytest.raises(UserError, match="is not here what the last commit was made from; `dvc checkout`"):
        differing_outputs(
            LOCK, changed("deps", "src/a.py"), "src/a.py"
        )  # the labelled folder, which git does not keep
    with pytest.raises(UserError, match=r"is of another dvc\.yaml \(cmd of train\) than"):
        differing_outputs(LOCK, LOCK | {"train": LOCK["train"] | {"cmd": "python -m stages.train --quiet"}}, "fonts")
    with pytest.raises(UserError, match=r"has stage train, which dvc\.yaml has not"):
        differing_outputs(LOCK, {"encode": LOCK["encode"]}, "fonts")
    with pytest.raises(UserError, match="has no stage train"):
        differing_outputs({"encode": LOCK["encode"]}, LOCK, "fonts")


def test_a_lock_of_other_sources_or_parameters_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 1\ntrain: {epochs: 2}\n")
    (tmp_path / "a.py").write_text("")
    (tmp_path / "room").mkdir()
    (tmp_path / "room/b.py").write_text("")
    digests = {name: dvc_digest(tmp_path / name) for name in ("a.py", "room")}
    right = {"params": {"seed": 1, "train.epochs": 2}, "deps": digests | {"not/in/git": "1"}}
    check_sources({"train": right}, tmp_path)
    with pytest.raises(UserError, match=r"is of another a\.py than"):
        check_sources({"train": right | {"deps": {"a.py": "1"}}}, tmp_path)
    with pytest.raises(UserError, match=r"is of another room than"):
        check_sources({"train": right | {"deps": {"room": "1.dir"}}}, tmp_path)
    for params in ({"seed": 2}, {"train": {"epochs": 3}}, {"train.epochs": 3}, {"seed.more": 1}, {"loss": {}}):
        with pytest.raises(UserError, match=rf"is of another params\.yaml \({next(iter(params))}\) than"):
            check_sources({"train": right | {"params": params}}, tmp_path)


def test_a_lock_with_the_marks_of_a_merge_is_told() -> None:
    with pytest.raises(UserError, match=r"HEAD:dvc\.lock: is no YAML"):
        read_lock("<<<<<<< HEAD\nstages: {}\n=======\n", "HEAD:dvc.lock")


@pytest.mark.parametrize("text", ["", "stages: 3", "a: b", "stages: {a: {outs: [{md5: 1}]}}"])
def test_a_lock_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UserError, match="is not what `dvc repro` writes"):
        read_lock(text, "dvc.lock")
