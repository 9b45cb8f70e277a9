"""A run that is stopped anywhere and goes on has the bytes of one that never was; no other file is believed."""

import dataclasses
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from repository import ROOT
from sections import PARAMS, loss_section, model_section
from small_disk import small_disk
from small_training import ODD, PLAIN, TINY, draw_split, encode_noise, stateful, write_params
from small_training import start as start_humble

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Train
from humbleyolo.storage.partial_files import partial_path
from humbleyolo.training import checkpoint as module
from humbleyolo.training.checkpoint import Checkpoint, Progress, State, describe_run
from humbleyolo.training.loop import Trained, train_network
from humbleyolo.training.trainer import Trainer, build_trainer

pytestmark = pytest.mark.usefixtures("all_eagerly")

RUN = {"parameters": "1", "data": "2"}
AUGMENT = PLAIN.augment.model_copy(
    update={"flip": 0.5, "translate": 0.2, "brightness": 0.2, "mosaic": 0.3, "cutout": 0.3}
)
TRAIN = PLAIN.model_copy(update={"weight_decay": 0.01, "clip_norm": 1.0, "augment": AUGMENT})


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("tiny"), TINY, 14, objects=1)


@pytest.fixture(scope="module")
def whole(split: EncodedSplit) -> Trained:
    """A run that nobody stopped."""
    trained, _ = run(split, None)
    assert trained is not None
    return trained


@pytest.fixture(autouse=True)
def after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST_S", 0.0)
    monkeypatch.setattr(module, "SHARE", 1e9)


def start(split: EncodedSplit) -> Trainer:
    return Trainer(stateful(), stateful(), split, loss_section("yolov1"), TRAIN, 1)


class KilledError(Exception):
    """Ends a run after a step."""


def run(
    split: EncodedSplit,
    file: Path | None,
    steps: int | None = None,
    train: Train = TRAIN,
    begin: Callable[[EncodedSplit], Trainer] = start,
    copied: tuple[int, Path] | None = None,
) -> tuple[Trained | None, list[tuple[int, int]]]:
    """Train, for so many steps at most, and return what came out and where it went on.

    The file is `copied` as a kill after so many steps would have left it.
    """
    went_on: list[tuple[int, int]] = []
    left, number = [steps], itertools.count()

    def on_step(*_: Any) -> None:
        if copied and file and next(number) == copied[0]:
            shutil.copyfile(file, copied[1])
        if left[0] is not None:
            left[0] -= 1
            if left[0] < 0:
                raise KilledError

    try:
        trained = train_network(
            begin(split), split, train, on_step, lambda _: None,
            Checkpoint(file, RUN) if file else None, lambda *place: went_on.append(place),
        )  # fmt: skip
    except KilledError:
        return None, went_on
    return trained, went_on


def assert_same(one: Trained, other: Trained) -> None:
    assert one.history == other.history
    assert one.best_epoch == other.best_epoch
    assert one.weights.keys() == other.weights.keys()
    for name in one.weights:
        assert one.weights[name].tobytes() == other.weights[name].tobytes(), name


def test_stopped_again_and_again_it_gives_the_same_bytes(split: EncodedSplit, whole: Trained, tmp_path: Path) -> None:
    file, places = tmp_path / "kept/train", []
    for _ in range(6):
        trained, went_on = run(split, file, steps=2)
        places += went_on
        if trained is not None:
            break
    assert trained is not None
    # Three steps an epoch, of three epochs; none is kept after the last of an epoch, before val has been scored.
    assert places == [(0, 2), (1, 1), (2, 0), (2, 2)]
    assert_same(trained, whole)


@pytest.mark.slow
def test_a_pretrained_start_is_continued_with_the_same_bytes(tmp_path: Path) -> None:
    """Two optimizers, one of which rests in the first half, after which it is stopped."""
    (tmp_path / "odd").mkdir()
    split = draw_split(tmp_path / "odd", ODD, 8)
    backbone = TRAIN.backbone.model_copy(update={"frozen_part": 0.5, "frozen_blocks": 10, "weight_decay": 0.1})
    train = TRAIN.model_copy(update={"start": "pretrained", "backbone": backbone, "epochs": 2, "warmup_epochs": 0.0})
    (runtime,) = load_params(PARAMS, "runtime")

    def begin(split: EncodedSplit) -> Trainer:
        model = model_section("lite", width=0.1, depth=0.1)
        return build_trainer(1, runtime, model, loss_section("aligned", lambda_distribution=1.0), train, split)

    whole, _ = run(split, tmp_path / "whole", None, train, begin, (2, tmp_path / "kept"))
    assert whole is not None
    trained, went_on = run(split, tmp_path / "kept", None, train, begin)
    assert went_on == [(1, 0)]
    assert trained is not None
    assert_same(trained, whole)


def test_the_state_is_all_that_a_step_depends_on(split: EncodedSplit) -> None:
    first, second = start(split), start(split)
    state_before = second.state()
    list(first.run_epoch(0))
    state = {name: values.copy() for name, values in first.state().items()}
    expected = [terms.tobytes() for terms in first.run_epoch(1)]
    second.restore(state)
    assert [terms.tobytes() for terms in second.run_epoch(1)] == expected
    moved = {name for name in state if (state[name] != state_before[name]).any()}
    counted = {name.partition("/")[0] for name in moved if state[name].dtype.kind in "iu"}
    assert counted == {"network", "optimizer"}  # the seeds of dropout, the count of steps


# -- the file


STATE = State(
    Progress(
        epoch=1, step=2, sums=(0.1, 1e-300), best_ap=0.0, best_epoch=1,
        history=({"epoch": 1, "val_ap": None, "val_ap50": 0.0, "train_box": 1 / 3},),
    ),
    {
        "network/0": np.arange(6, dtype=np.float32).reshape(2, 3),
        "network/1": np.array([1, 2**32 - 1], np.uint32),
        "optimizer/0": np.array(7),
        "average/0": np.zeros((0, 3), np.float32),
        "best/a": np.array([np.pi], np.float32),
    },
)  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoint:
    checkpoint = Checkpoint(tmp_path / "kept", RUN)
    checkpoint.write(lambda: STATE)
    return checkpoint


def test_what_is_written_is_read(kept: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    found = kept.read(STATE.arrays, "best/")
    assert found is not None
    assert found.progress == STATE.progress
    assert isinstance(found.progress.history[0]["epoch"], int)
    assert isinstance(found.progress.history[0]["val_ap50"], float)
    assert found.arrays.keys() == STATE.arrays.keys()
    for name, values in STATE.arrays.items():
        assert found.arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(found.arrays[name], values)
    assert capsys.readouterr().err == ""


def test_before_there_is_a_best_epoch_its_weights_are_not_there(tmp_path: Path) -> None:
    arrays = {name: values for name, values in STATE.arrays.items() if name != "best/a"}
    checkpoint = Checkpoint(tmp_path / "kept", RUN)
    checkpoint.write(lambda: State(Progress(), arrays))
    found = checkpoint.read(STATE.arrays, "best/")
    assert found is not None
    assert found.arrays.keys() == arrays.keys()


def test_no_file_is_nothing_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Checkpoint(tmp_path / "none/kept", RUN).read(STATE.arrays, "best/") is None
    assert capsys.readouterr().err == ""


def refused(checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str], arrays: Any = STATE.arrays) -> str:
    assert checkpoint.read(arrays, "best/") is None
    told = capsys.readouterr().err
    assert told.startswith(f"{checkpoint.path}: ")
    assert told.endswith("; training starts at the first epoch\n")
    assert told.count("\n") == 1
    return told


def test_every_byte_is_checked(kept: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    whole = kept.path.read_bytes()
    for place in range(len(whole)):
        kept.path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert "is damaged" in refused(kept, capsys), place
    for length in range(0, len(whole), 7):
        kept.path.write_bytes(whole[:length])
        assert "is damaged" in refused(kept, capsys), length
    kept.path.write_bytes(whole + b"\0")
    assert "is damaged" in refused(kept, capsys)


@pytest.mark.parametrize("part", ["parameters", "data"])
def test_another_run_is_refused_with_what_differs(
    part: str, kept: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Checkpoint(kept.path, RUN | {part: "other"})
    assert f"is of a run with other {part};" in refused(other, capsys)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays | {"network/0": np.zeros((3, 2), np.float32)},
        lambda arrays: arrays | {"network/0": np.zeros((2, 3), np.float64)},
        lambda arrays: arrays | {"network/2": np.zeros(1, np.float32)},
        lambda arrays: {name: arrays[name] for name in list(arrays)[1:]},
    ],
)
def test_other_arrays_are_refused(
    change: Callable[[Any], Any], kept: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "holds other arrays" in refused(kept, capsys, change(STATE.arrays))


def test_a_folder_in_its_place_is_refused_and_does_not_end_training(
    split: EncodedSplit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").mkdir()
    trained, _ = run(split, tmp_path / "kept", train=TRAIN.model_copy(update={"epochs": 1}))
    assert trained is not None
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "cannot be read" in told[0]
    assert told[1].startswith("warning: ")
    assert told[1].endswith("training goes on, but not after a stop")


def test_a_full_disk_is_told_once_and_leaves_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    large = State(Progress(), {**STATE.arrays, "network/0": np.zeros((500, 500), np.float32)})
    with small_disk(size="64k") as disk:
        checkpoint = Checkpoint(disk.path / "kept", RUN)
        checkpoint.write(lambda: STATE)
        for _ in range(2):
            checkpoint.write(lambda: large)
        assert capsys.readouterr().err == (
            f"warning: {disk.path}/kept: cannot be written: the disk is full; free some space; "
            "training goes on, but not after a stop\n"
        )
        found = checkpoint.read(STATE.arrays, "best/")
        assert found is not None
        assert found.progress == STATE.progress
        assert [path.name for path in disk.path.iterdir()] == ["kept"]


def test_it_is_removed_with_what_a_kill_left(kept: Checkpoint) -> None:
    partial_path(kept.path).write_bytes(b"half")
    kept.path.with_name(f".{kept.path.name}.0a1b2c3d.partial").write_bytes(b"half")  # of a former version
    kept.remove()
    assert not list(kept.path.parent.iterdir())
    kept.remove()


def test_it_takes_no_more_than_its_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST_S", 5.0)
    monkeypatch.setattr(module, "SHARE", 0.005)
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    checkpoint = Checkpoint(tmp_path / "kept", RUN)
    written, began = 0.0, now[0]
    cost = 0.2

    def slow_write(*_: object) -> Any:
        now[0] += cost
        return module.contextmanager(original)(*_)

    original = module.atomic_write.__wrapped__  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "atomic_write", slow_write)
    while now[0] < began + 3600:
        now[0] += 0.05
        if checkpoint.due:
            checkpoint.write(lambda: STATE)
            written += cost
    assert 0.003 < written / (now[0] - began) < 0.006


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_to_be_ignored_does_not_stop_it(number: signal.Signals, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "kept", RUN)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with checkpoint.stop_when_kept():
            os.kill(os.getpid(), number)
            checkpoint.write(lambda: STATE)
    finally:
        signal.signal(number, before)


def test_a_signal_stops_it_once_the_run_is_kept(split: EncodedSplit, whole: Trained, tmp_path: Path) -> None:
    files = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        files.append(tmp_path / f"kept{number}")
        checkpoint, steps = Checkpoint(files[-1], RUN), []
        before = signal.getsignal(number)

        def on_step(*_: Any, number: int = number, steps: list[int] = steps) -> None:
            steps.append(1)
            if len(steps) == 2:
                os.kill(os.getpid(), number)

        with pytest.raises(KeyboardInterrupt):
            train_network(start(split), split, TRAIN, on_step, lambda _: None, checkpoint)
        assert len(steps) == 2
        assert signal.getsignal(number) is before
    assert len({file.read_bytes() for file in files}) == 1
    trained, went_on = run(split, files[0])
    assert went_on == [(0, 2)]
    assert trained is not None
    assert_same(trained, whole)


def test_a_second_signal_stops_it_at_once(tmp_path: Path) -> None:
    with Checkpoint(tmp_path / "kept", RUN).stop_when_kept():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


# -- what a run is


def test_parameters_data_start_and_environment_are_part_of_it(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = describe_run([split, split], "scratch", seed=1, train=TRAIN)
    assert run == describe_run([split, split], "scratch", train=TRAIN, seed=1)

    def differs(other: dict[str, str]) -> set[str]:
        return {name for name in run if run[name] != other[name]}

    assert differs(describe_run([split, split], "own", seed=1, train=TRAIN)) == {"start"}
    assert differs(describe_run([split, split], "scratch", seed=2, train=TRAIN)) == {"parameters"}
    deeper = TRAIN.model_copy(update={"augment": AUGMENT.model_copy(update={"flip": 0.51})})
    assert differs(describe_run([split, split], "scratch", seed=1, train=deeper)) == {"parameters"}
    images = np.array(split.images)
    images[-1, -1, -1, -1] ^= 1
    other = dataclasses.replace(split, images=images)
    assert differs(describe_run([split, other], "scratch", seed=1, train=TRAIN)) == {"data"}
    empty = dataclasses.replace(split, boxes=split.boxes[:0], labels=split.labels[:0])
    assert differs(describe_run([empty, split], "scratch", seed=1, train=TRAIN)) == {"data"}
    here = module.describe_environment()
    monkeypatch.setattr(module, "describe_environment", lambda: here | {"cores": "999"})
    assert not differs(describe_run([split, split], "scratch", seed=1, train=TRAIN))
    monkeypatch.setattr(module, "describe_environment", lambda: here | {"keras": "9.9"})
    assert differs(describe_run([split, split], "scratch", seed=1, train=TRAIN)) == {"environment"}


def test_the_code_is_part_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {name for name, _ in module._loaded_sources()}
    assert {
        "humbleyolo.training.checkpoint",
        "humbleyolo.training.loop",
        "humbleyolo.training.losses",
        "humbleyolo.training.pretrained",  # with the hash of the weights
        "humbleyolo.geometry.grid",
    } <= names
    assert not {name for name in names if name.partition(".")[0] in ("keras", "numpy", "tensorflow")}
    before = describe_run([], "scratch")["code"]
    changed = tmp_path / "loss.py"
    changed.write_text(Path(sys.modules["humbleyolo.training.losses"].__file__ or "").read_text() + "# More.\n")
    monkeypatch.setattr(sys.modules["humbleyolo.training.losses"], "__file__", str(changed))
    assert describe_run([], "scratch")["code"] != before


# -- real kills


@pytest.mark.slow
def test_killed_three_times_it_gives_the_same_bytes(tmp_path: Path) -> None:
    """The stage itself, killed by -9 at drawn moments, in the middle of writing a checkpoint too."""
    for name, images in (("train", 65), ("val", 9)):
        encode_noise(tmp_path / name, TINY, images)
    augment = {"flip": 0.5, "scale": 0.2, "brightness": 0.2}
    write_params(
        tmp_path, encode__height=16, encode__width=24, encode__rows=1, encode__cols=2, train__epochs=6,
        train__warmup_epochs=1.0, train__batch=4, model__name="compact", model__width=0.15, model__stride=4,
        train__augment={**PLAIN.augment.model_dump(), **augment},
    )  # fmt: skip
    assert train_stage(tmp_path, "whole").returncode == 0
    draw = random.Random(3)
    continued = 0
    for number in range(3):
        killed = train_stage(tmp_path, "cut", steps=draw.randint(2, 14), half=number != 1, checkpoint="kept")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        continued += "continues from epoch " in killed.stderr
        assert "damaged" not in killed.stderr
        assert (tmp_path / "kept").exists()
    assert continued == 2
    done = train_stage(tmp_path, "cut", checkpoint="kept")
    assert done.returncode == 0, done.stderr
    assert "continues from epoch " in done.stderr
    for name in ("weights.npz", "model.json", "history.csv", "augmented.png"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not [path.name for path in tmp_path.iterdir() if "kept" in path.name]


def train_stage(
    folder: Path, out: str, steps: int = 0, half: bool = False, checkpoint: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the stage; kill it after so many steps, or (`half`) in the first checkpoint after that."""
    code = f"""
        import os, runpy, signal, sys
        import humbleyolo.models.tensorflow_setup
        import humbleyolo.training.checkpoint as checkpoint, humbleyolo.training.trainer as training
        checkpoint.SHORTEST_S, checkpoint.SHARE = 0.0, 1e9
        left, step, bytes_of = [{steps}], training.Trainer.step, checkpoint._bytes_of
        def kill():
            os.kill(os.getpid(), signal.SIGKILL)
        def counted(*arguments):
            left[0] -= 1
            if left[0] == 0 and not {half}:
                kill()
            return step(*arguments)
        def interrupted(array):
            if left[0] < 0 and {half}:
                kill()
            return bytes_of(array)
        if {steps}:
            training.Trainer.step, checkpoint._bytes_of = counted, interrupted
        runpy.run_module("stages.train", run_name="__main__", alter_sys=True)
    """
    arguments = [*(["--checkpoint", checkpoint] if checkpoint else []), "train", "val", out]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    return subprocess.run(
        [sys.executable, "-c", dedent(code), *arguments], cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_trainer_of_the_project_has_a_state_that_goes_there_and_back(split: EncodedSplit) -> None:
    trainer = start_humble(split)
    state = {name: values.copy() for name, values in trainer.state().items()}
    list(trainer.run_epoch(0))
    trainer.restore(state)
    for name, values in trainer.state().items():
        assert values.tobytes() == state[name].tobytes(), name
