"""What is measured is the example's own file with the seed, and labelled folders come along."""

from pathlib import Path

import pytest
from repository import ROOT

from benchmarks import examples
from benchmarks.examples import prepare
from humbleyolo.params.loader import load_params


def test_only_the_seed_and_what_is_asked_for_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("seed", "runtime", "dataset", "encode", "model", "loss", "train", "evaluate", "render")
    monkeypatch.setattr(examples, "ROOT", tmp_path / "checkout")
    for folder in ("data/fonts", "examples/hard"):
        (tmp_path / "checkout" / folder).mkdir(parents=True)
    own = (ROOT / "examples/hard/params.yaml").read_text()
    (tmp_path / "checkout/examples/hard/params.yaml").write_text(own)
    (tmp_path / "checkout/data/fonts/a.ttf").write_bytes(b"")
    clone = tmp_path / "clone"
    clone.mkdir()
    prepare(clone, "hard", 7, {"train.epochs": 3})
    found = load_params(clone / "params.yaml", *names)
    expected = load_params(ROOT / "examples/hard/params.yaml", *names)
    assert found[0] == 7
    assert found[6] == expected[6].model_copy(update={"epochs": 3})
    assert [found[n] == expected[n] for n in range(9)] == [n not in (0, 6) for n in range(9)]
    assert (clone / "data/fonts/a.ttf").exists()


def test_what_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("train.epoch", "trian.epochs", "seed.x", "train.epochs.x.y"):
        with pytest.raises(SystemExit, match=rf"--set {key}: no such key in examples/hard/params\.yaml"):
            prepare(tmp_path, "hard", 1, {key: 3})
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    (tmp_path / "examples/bccd").mkdir(parents=True)
    (tmp_path / "examples/bccd/params.yaml").write_text((ROOT / "examples/bccd/params.yaml").read_text())
    (tmp_path / "clone").mkdir()
    with pytest.raises(
        SystemExit, match=r"data/labelled/bccd: no such folder; see the head of examples/bccd"
    ):
        prepare(tmp_path / "clone", "bccd", 1, {})
