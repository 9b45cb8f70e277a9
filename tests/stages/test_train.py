"""The train stage: a model that can be loaded and its history, the same bytes every time."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from repository import ROOT
from sections import loss_section, model_section
from small_training import encode_noise, write_params

from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.trained_network import Network
from humbleyolo.params.loader import load_params
from humbleyolo.training import checkpoint
from humbleyolo.training.progress_bar import TrainingProgress
from stages.train import AP_NOTE, train

GRID = Grid(height=16, width=24, rows=1, cols=2, boxes=2, classes=2)
RUNTIME, PARAMS = load_params(ROOT / "params.yaml", "runtime", "train")
PARAMS = PARAMS.model_copy(update={"epochs": 2, "batch": 4, "warmup_epochs": 0.0, "patience": 0})
LOSS = loss_section("yolov1")
MODEL = model_section("humble")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    encode_noise(folder / "train", GRID, 9)
    encode_noise(folder / "val", GRID, 5)
    return folder


def test_it_writes_a_model_that_answers(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = train(1, RUNTIME, MODEL, LOSS, PARAMS, data / "train", data / "val", tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "augmented.png", "history.csv", "model.json", "weights.npz",
    ]  # fmt: skip
    network = Network.load(tmp_path / "model")
    assert network.info.categories == ("chat", "rat")
    assert (network.info.grid, network.info.fill, network.info.model) == (GRID, 7, MODEL)
    assert network.info.start == "scratch"
    history = pd.read_csv(tmp_path / "model/history.csv")
    terms = ["xy", "wh", "obj", "noobj", "class"]
    assert set(history) >= {
        "epoch",
        "val_ap",
        "val_ap50",
        *(f"{part}_{term}" for part in ("train", "val") for term in terms),
    }
    assert history["epoch"].tolist() == [1, 2]
    assert (made.what, made.folder) == ("humble trained", tmp_path / "model")
    assert re.match("epoch [12] of 2 is kept, ", made.more)
    said = capsys.readouterr().err  # no terminal here: a plain line an epoch
    shown = f"{tmp_path / 'model/augmented.png'} shows the pictures as training changes them"
    assert [line.split(":")[0] for line in said.splitlines()] == [shown, AP_NOTE, "epoch 1/2", "epoch 2/2"]
    assert all(len(line) <= 80 for line in said.splitlines()[1:])
    assert "; xy " in said


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_and_removes_what_it_went_on_from(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    split, val, kept = data / "train", data / "val", tmp_path / "aside/kept"
    monkeypatch.setattr(checkpoint, "SHORTEST_S", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)
    train(1, RUNTIME, MODEL, LOSS, PARAMS, split, val, tmp_path / "whole")

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "epoch", fail)
        with pytest.raises(RuntimeError):
            train(1, RUNTIME, MODEL, LOSS, PARAMS, split, val, tmp_path / "cut", kept)
    assert kept.exists()
    capsys.readouterr()
    train(1, RUNTIME, MODEL, LOSS, PARAMS, split, val, tmp_path / "cut", kept)
    assert capsys.readouterr().err.splitlines()[2] == "continues from epoch 1/2, step 2 of 2"
    assert not list(kept.parent.iterdir())
    for name in ("weights.npz", "model.json", "history.csv", "augmented.png"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_it_goes_on_from_a_model_of_its_own_with_other_classes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(1, RUNTIME, MODEL, LOSS, PARAMS, data / "train", data / "val", tmp_path / "first")
    more = replace(GRID, classes=3)
    split, val = (encode_noise(tmp_path / name, more, 5, ("rat", "dog", "chat")) for name in ("more", "val"))
    own = PARAMS.model_copy(update={"start": "own", "epochs": 1})
    capsys.readouterr()

    def go_on(out: str, start: str, kept: Path | None = None) -> bytes:
        train(1, RUNTIME, MODEL, LOSS, own, split, val, tmp_path / out, kept, tmp_path / start)
        return (tmp_path / out / "weights.npz").read_bytes()

    second = go_on("second", "first")
    told = "12 of 12 arrays taken over; classes: rat, chat; new classes: dog"
    assert capsys.readouterr().err.startswith(f"begins with {tmp_path / 'first'}: {told}\n")
    info = Network.load(tmp_path / "second").info
    assert info.categories == ("rat", "dog", "chat")
    assert re.fullmatch(
        rf"own: model\.json and .* of sha256 [0-9a-f]{{64}}; {told}; it began from scratch", info.start
    )
    assert go_on("again", "first") == second

    # Another model to begin with is another run.
    monkeypatch.setattr(checkpoint, "SHORTEST_S", 0.0)
    monkeypatch.setattr(checkpoint.Checkpoint, "remove", lambda _: None)
    own = own.model_copy(update={"epochs": 2})
    kept = tmp_path / "kept"
    go_on("second", "first", kept)
    capsys.readouterr()
    go_on("again", "first", kept)
    assert "continues from epoch" in capsys.readouterr().err
    go_on("third", "second", kept)
    assert "is of a run with other start; training starts at the first epoch" in capsys.readouterr().err


def test_without_a_model_to_begin_with_nothing_is_written(data: Path, tmp_path: Path) -> None:
    own = PARAMS.model_copy(update={"start": "own"})
    with pytest.raises(UserError, match=r"start holds no model; put one there: `cp -r data/model/\. data/start/`"):
        train(
            1, RUNTIME, MODEL, LOSS, own, data / "train", data / "val", tmp_path / "model", start=tmp_path / "start"
        )
    assert not (tmp_path / "model").exists()


def test_a_batch_larger_than_the_split_is_refused(data: Path, tmp_path: Path) -> None:
    split = data / "train"
    with pytest.raises(UserError, match=r"train\.batch 10 is more than the 9 images of the train split"):
        train(1, RUNTIME, MODEL, LOSS, PARAMS.model_copy(update={"batch": 10}), split, split, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_network_that_the_grid_does_not_fit_is_refused(data: Path, tmp_path: Path) -> None:
    split = encode_noise(tmp_path / "odd", Grid(18, 26, 3, 2, 1, 2), 4)
    compact = model_section("compact", width=0.25, depth=1.0, stride=4)
    with pytest.raises(UserError, match=r"model\.name compact cannot be built for this grid: 3 x 2 cells"):
        train(1, RUNTIME, compact, LOSS, PARAMS, split, split, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_splits_that_do_not_belong_together_are_refused(data: Path, tmp_path: Path) -> None:
    split = data / "train"
    other = encode_noise(tmp_path / "val", GRID, 4, ("rat", "chat"))
    with pytest.raises(UserError, match="other data; run `dvc repro encode`"):
        train(1, RUNTIME, MODEL, LOSS, PARAMS, split, other, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def run(folder: Path, data: Path, out: str = "model", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stages.train", str(data / "train"), str(data / "val"), out]
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=folder, env=everything, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_started_as_dvc_starts_it_the_bytes_are_the_same_on_any_number_of_cores(tmp_path: Path) -> None:
    grid = Grid(48, 80, 3, 5, 1, 2)
    for name, images in (("train", 33), ("val", 5)):
        encode_noise(tmp_path / name, grid, images)
    write_params(
        tmp_path, encode__height=48, encode__width=80, encode__rows=3, encode__cols=5, train__epochs=2,
        train__warmup_epochs=1.0, train__batch=16, model__name="compact", model__width=0.5,
    )  # fmt: skip
    first = run(tmp_path, tmp_path, "one")
    assert first.returncode == 0, first.stderr
    assert "compact trained into one in" in first.stdout
    assert len(first.stdout.splitlines()) == 1
    second = subprocess.run(
        ["taskset", "-c", "0", sys.executable, "-m", "stages.train", "train", "val", "two"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), "TF_NUM_INTRAOP_THREADS": "7"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert second.returncode == 0, second.stderr
    for name in ("weights.npz", "model.json", "history.csv", "augmented.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.slow
def test_the_thread_counts_of_params_yaml_are_those_of_tensorflow() -> None:
    code = (
        "from humbleyolo.models.tensorflow_setup import start_runtime;"
        "from humbleyolo.params.sections import Runtime;"
        "import tensorflow as tf;"
        "start_runtime(Runtime(intra_op_threads=3, inter_op_threads=5, precision='float32'));"
        "t = tf.config.threading;"
        "print(t.get_intra_op_parallelism_threads(), t.get_inter_op_parallelism_threads())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TF_NUM_INTRAOP_THREADS": "1"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["3", "5"]


@pytest.mark.slow
def test_a_mistake_in_the_parameters_ends_it_before_any_work(data: Path, tmp_path: Path) -> None:
    write_params(tmp_path, train__epochs=-1)
    done = run(tmp_path, data)
    assert done.returncode == 2
    assert "train.epochs: -1 is not allowed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "model").exists()
