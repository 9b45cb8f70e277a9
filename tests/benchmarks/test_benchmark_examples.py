"""An example is measured with its own values and the seed, and labelled folders come along."""

import shutil
from pathlib import Path

import pytest
from repository import ROOT

from benchmarks import examples
from benchmarks.examples import prepare
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "clone/examples")
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "clone/params.yaml")
    return tmp_path / "clone"


def test_only_the_seed_and_what_is_asked_for_change(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "ROOT", tmp_path / "checkout")
    (tmp_path / "checkout/data/fonts").mkdir(parents=True)
    (tmp_path / "checkout/data/fonts/a.ttf").write_bytes(b"")
    prepare(clone, "hard", 1, {})
    names = list(Params.model_fields)
    expected = dict(zip(names, load_params(clone / "params.yaml", *names), strict=True))
    assert (expected["encode"].height, expected["seed"]) == (96, 1)
    prepare(clone, "hard", 7, {"train.epochs": 3})
    found = dict(zip(names, load_params(clone / "params.yaml", *names), strict=True))
    assert found.pop("seed") == 7
    assert found.pop("train") == expected["train"].model_copy(update={"epochs": 3})
    assert found == {name: section for name, section in expected.items() if name in found}
    assert (clone / "data/fonts/a.ttf").exists()


def test_what_cannot_be_is_told(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("train.epoch", "trian.epochs", "seed.x", "train.epochs.x.y"):
        with pytest.raises(SystemExit, match=rf"--set {key}: no such key in params\.yaml"):
            prepare(clone, "hard", 1, {key: 3})
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"data/labelled/bccd: no such folder; see the head of examples/bccd\.yaml"):
        prepare(clone, "bccd", 1, {})
