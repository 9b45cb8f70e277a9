"""Hashes in dvc.lock, compared with sources and with another run's."""

import json
from pathlib import Path
from typing import Any

import pytest

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.experiments.dvc_lock import check_sources, differing_outputs, read_lock, require_data_of_params
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
    digests = {name: dvc_digest(tmp_path / name, tmp_path) for name in ("a.py", "room")}
    right = {"params": {"seed": 1, "train.epochs": 2}, "deps": digests | {"not/in/git": "1"}}
    check_sources({"train": right}, tmp_path)
    with pytest.raises(UserError, match=r"is of another a\.py than"):
        check_sources({"train": right | {"deps": {"a.py": "1"}}}, tmp_path)
    with pytest.raises(UserError, match=r"is of another room than"):
        check_sources({"train": right | {"deps": {"room": "1.dir"}}}, tmp_path)
    for params in ({"seed": 2}, {"train": {"epochs": 3}}, {"train.epochs": 3}, {"seed.more": 1}, {"loss": {}}):
        with pytest.raises(UserError, match=rf"is of another params\.yaml \({next(iter(params))}\) than"):
            check_sources({"train": right | {"params": params}}, tmp_path)


MADE = """stages:
  generate:
    params: {params.yaml: {seed: 1, dataset: {inputs: a, labelled: {split: {by: hash, val: 0.1}}}}}
    outs: [{path: data/dataset/train, md5: 1}]
  encode:
    deps: [{path: data/dataset/train, md5: 1}]
    params: {params.yaml: {encode: {fill: 0}, loss.name: boxes}}
"""
PARAMS = (
    "seed: 1\ndataset: {inputs: a, labelled: {split: {by: hash, val: 1e-1}}}\nencode: {fill: 0}\nloss: {name: iou}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("inputs: a", "inputs: b", "params.yaml: dataset.inputs is b, the data was made with a"),
        ("hash", "lists", "params.yaml: dataset.labelled.split.by is lists, the data was made with hash"),
        (", val: 1e-1", "", "params.yaml: dataset.labelled.split.val is None, the data was made with 0.1"),
        ("seed: 1", "seed: 2", "params.yaml: seed is 2, the data was made with 1"),
        ("fill: 0", "fill: 9", "params.yaml: encode.fill is 9, the data was made with 0"),
    ],
)
def test_data_of_other_parameters_than_now_is_told(old: str, new: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    require_data_of_params(tmp_path)  # no lock: nothing is known
    (tmp_path / "dvc.lock").write_text(MADE)
    require_data_of_params(tmp_path)
    assert old in PARAMS
    (tmp_path / "params.yaml").write_text(PARAMS.replace(old, new))
    with pytest.raises(ProblemsError, match="the data is not up to date; run `dvc repro encode`") as caught:
        require_data_of_params(tmp_path)
    assert caught.value.problems == (problem,)


def test_data_that_was_made_anew_but_not_encoded_is_told(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc.lock").write_text(MADE.replace("md5: 1", "md5: 2", 1))
    with pytest.raises(ProblemsError) as caught:
        require_data_of_params(tmp_path)
    assert caught.value.problems == ("data/dataset/train was made anew since it was encoded",)


CHANGED = "0 0.5 0.5 0.2 0.3"


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("pictures/a.txt", CHANGED, "pictures changed since it was read"),
        ("pictures/a.txt", None, "pictures changed since it was read"),
        ("data/dataset/train/all.zip", CHANGED, "data/dataset/train is of another run"),
        ("data/grid/train.npy", CHANGED, "data/grid/train.npy is of another run"),
    ],
)
def test_files_that_changed_since_are_told(path: str, text: str | None, problem: str, tmp_path: Path) -> None:
    """The names in params.yaml are those of before: only the files tell."""
    for name in ("pictures/a.txt", "pictures/b.txt", "data/dataset/train/all.zip", "data/grid/train.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("0 0.5 0.5 0.2 0.2")
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    made, read, encoded = (
        {"path": name, "md5": dvc_digest(tmp_path / name, tmp_path)}
        for name in ("data/dataset/train", "pictures", "data/grid/train.npy")
    )
    code = {"path": "src/humbleyolo/labels", "md5": "of another version"}
    params = {"params.yaml": {"seed": 1}}
    lock = {
        "generate": {"params": params, "deps": [read, code], "outs": [made]},
        "encode": {"deps": [made], "outs": [encoded]},
    }
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": lock}))
    (tmp_path / "pictures/.git").mkdir()
    (tmp_path / "pictures/.git/index").write_text("a clone's, which DVC does not hash")
    require_data_of_params(tmp_path)
    if text is None:
        (tmp_path / path).unlink()
    else:
        (tmp_path / path).write_text(text)
    with pytest.raises(ProblemsError, match="the data is not up to date; run `dvc repro encode`") as caught:
        require_data_of_params(tmp_path)
    assert caught.value.problems == (problem,)


def test_a_lock_with_the_marks_of_a_merge_is_told() -> None:
    with pytest.raises(UserError, match=r"HEAD:dvc\.lock: is no YAML"):
        read_lock("<<<<<<< HEAD\nstages: {}\n=======\n", "HEAD:dvc.lock")


@pytest.mark.parametrize("text", ["", "stages: 3", "a: b", "stages: {a: {outs: [{md5: 1}]}}"])
def test_a_lock_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UserError, match="is not what `dvc repro` writes"):
        read_lock(text, "dvc.lock")
