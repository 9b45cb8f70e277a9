"""Networks that are trained to answer a question about the data, one after the other, in the time that there is.

A folder holds such a run. `plan.json` has what it depends on, and the epochs. Beside it lie the checkpoint of the
network in training, and the detections of each network that is done. Run again, it resumes, and ends with the same
bytes.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from humbleyolo.models.tensorflow_setup import start_runtime  # before all else that imports TensorFlow

# isort: split
import keras
import numpy as np
from pydantic import ValidationError

from humbleyolo.dataset.encoded_split import EncodedSplit, join_splits, pick_images
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import images_at_a_time, select_detections
from humbleyolo.params.sections import Evaluate, Loss, Model, Runtime, Section, Train
from humbleyolo.process.terminal import counted, tell
from humbleyolo.storage.array_types import Floats, Ints
from humbleyolo.storage.atomic import make_folder
from humbleyolo.storage.json import read_json, write_json
from humbleyolo.storage.npy import open_array, write_array
from humbleyolo.training.checkpoint import Checkpoint, describe_run
from humbleyolo.training.loop import train_network
from humbleyolo.training.pretrained import STARTS
from humbleyolo.training.progress_bar import TrainingProgress
from humbleyolo.training.step_time import measure_step
from humbleyolo.training.trainer import build_trainer

_SCORED = 100  # images held out on which an epoch is scored, for people; nothing depends on it
_HELD_OUT = "held-out"  # name of these images
_COLUMNS = 7  # of a network's file: image, class, score, left, top, width, height


@dataclass(frozen=True)
class RunSettings:
    """Sections of params.yaml that decide a network."""

    seed: int
    runtime: Runtime
    model: Model
    loss: Loss
    train: Train
    evaluate: Evaluate

    def begin_unseeing(self, work: str) -> Self:
        """Return the settings without a start of one's own: that model may have learned the very images.

        `work` is the name of the run's work, for people.
        """
        if self.train.start != "own":
            return self
        start = "pretrained" if self.model.name == "lite" else "scratch"
        why = "a model that may have seen the images"
        tell(f"train.start is own, {why}; the {work} begins {start}", to=sys.stderr)
        return replace(self, train=self.train.model_copy(update={"start": start}))


class Length(NamedTuple):
    """Length of the training: `epochs` of each network, or as many as fit into the `minutes` of all."""

    minutes: float
    epochs: int | None

    def __str__(self) -> str:
        return counted(self.epochs, "epoch") if self.epochs else f"{self.minutes:g} minutes"


class PlannedNetwork(NamedTuple):
    """A network of a run: the images it learns, and those on which it detects.

    Its files have its `name`: a word for the kind of run, a hyphen, a number. Images are indices
    in the run; one that is there twice is seen twice an epoch.
    """

    name: str
    seen: Ints
    shown: Ints


class _Plan(Section):
    """`plan.json`."""

    run: dict[str, str]
    epochs: int
    why: str


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """A run in a folder: its networks, and the epochs of each. `plan_run` makes one.

    Attributes:
        settings: Sections of params.yaml.
        split: All images, counted through the splits in their order.
        networks: The networks, in the order of their training.
        folder: Folder of the run.
        facts: All that the run's bits depend on, as in `plan.json`.
        epochs: Epochs of each network.
        why: Reason for that number, in words.
    """

    settings: RunSettings
    split: EncodedSplit
    networks: Sequence[PlannedNetwork]
    folder: Path
    facts: dict[str, str]
    epochs: int
    why: str

    def remove(self, names: Sequence[str]) -> None:
        """Remove files from the folder, such as results of another run; they need not be there."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def detect(self) -> list[DetectionTable]:
        """Return the detections of each network on the images that it is shown; train those that are not done.

        Tables count images through all splits; boxes are in pixels of the images before the letterbox.

        Raises:
            UserError: As for training.
            KeyboardInterrupt: If it was asked to stop; it resumes the next time.
        """
        tables = []
        for number, network in enumerate(self.networks, 1):
            rows = self._read(network)
            if rows is None:
                learned, held, scored = len(np.unique(network.seen)), len(network.shown), len(network.shown[:_SCORED])
                text = f"{counted(learned, 'image')} to learn from, {held:,} held out, {scored} scored"
                tell(f"network {number} of {len(self.networks)}: {text}", to=sys.stderr)
                rows = train_and_detect(self.settings, self.facts, self.epochs, self.split, network, self.folder)
            rows = rows[np.lexsort(rows.T[::-1])]
            images, labels = (rows[:, column].astype(np.int64) for column in (0, 1))
            tables.append(DetectionTable(len(self.split), images, rows[:, 3:].copy(), labels, rows[:, 2].copy()))
        return tables

    def _read(self, network: PlannedNetwork) -> Floats | None:
        """Return the detections of a network that is done, (D, 7); None if there are none, or the file is damaged."""
        path = self.folder / f"{network.name}.npy"
        try:
            rows = open_array(path)
            limits = (len(self.split), self.split.grid.classes)
            kind = rows.ndim == 2 and rows.shape[1] == _COLUMNS and rows.dtype == np.float64
            if kind and np.isfinite(rows).all() and (rows[:, :2] >= 0).all() and (rows[:, :2] < limits).all():
                return rows
            raise ValueError("other columns than this version writes")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            tell(f"{path}: cannot be used ({error}); this network is trained again", to=sys.stderr)
            return None


def plan_run(
    settings: RunSettings, splits: Sequence[EncodedSplit], networks: Sequence[PlannedNetwork],
    length: Length, folder: Path, work: str,
) -> PlannedRun:  # fmt: skip
    """Plan a run in a folder, or go on with the plan that is there, if it is of this run.

    A step is measured where the length is in minutes.

    Args:
        settings: Sections of params.yaml.
        splits: Splits of one dataset.
        networks: The networks, in the order of their training.
        length: Length of the training.
        folder: Folder of the run; detections of another run are removed from it.
        work: Name of the work, for people and against mixing two kinds.

    Raises:
        UserError: If the splits are of other data than each other, or the network does not fit the grid.
    """
    path, split = make_folder(folder) / "plan.json", join_splits(*splits)
    start_runtime(settings.runtime)
    sections: dict[str, Any] = vars(settings)
    facts = describe_run(splits, STARTS[settings.train.start], **sections)
    facts["arguments"] = f"{work}: {len(networks)} networks, {len(splits)} splits, {length}"
    facts["networks"] = hashlib.sha256(b"".join(one.seen.tobytes() + b"|" for one in networks)).hexdigest()
    plan = _read_plan(path, facts, work)
    if plan is None:
        kind = networks[0].name.rpartition("-")[0]
        for left in (*folder.glob(f"{kind}-*.npy"), *folder.glob(f"{kind}-*.checkpoint")):
            left.unlink()
        epochs, why = _choose_epochs(settings, split.grid, networks, length)
        plan = _Plan(run=facts, epochs=epochs, why=why)
        write_json(path, plan.model_dump())
    return PlannedRun(settings, split, networks, folder, facts, plan.epochs, plan.why)


def _choose_epochs(
    settings: RunSettings, grid: Grid, networks: Sequence[PlannedNetwork], length: Length
) -> tuple[int, str]:
    """Return the epochs of each network, and the reason: as asked for, or as fit into the minutes.

    Those of params.yaml are the most that are taken for minutes.
    """
    if length.epochs:
        return length.epochs, "as asked for"
    train = settings.train
    time = measure_step(settings.runtime, settings.model, settings.loss, train, grid)
    steps = sum(len(network.seen) // train.batch for network in networks)
    scored = sum(len(network.shown[:_SCORED]) for network in networks)
    detected = sum(len(network.shown) for network in networks)
    once = len(networks) * time.start + detected * time.image
    epoch = steps * time.step + scored * time.image
    fits = int((60 * length.minutes - once) / epoch)
    if fits >= train.epochs:
        return train.epochs, "train.epochs of params.yaml"
    epochs = max(1, fits)
    return epochs, time.told(length.minutes, (once + epochs * epoch) / 60)


def train_and_detect(
    settings: RunSettings,
    run: dict[str, str],
    epochs: int,
    split: EncodedSplit,
    network: PlannedNetwork,
    folder: Path,
) -> Floats:
    """Train a network, detect on the images that it is shown, and write the detections, (D, 7)."""
    train = _lengthened(settings.train, epochs)
    keras.utils.clear_session()
    data = pick_images(split, network.seen)
    trainer = build_trainer(settings.seed, settings.runtime, settings.model, settings.loss, train, data)
    checkpoint = Checkpoint(folder / f"{network.name}.checkpoint", run | {"network": network.name})
    scored = pick_images(split, network.shown[:_SCORED])
    with TrainingProgress(train.epochs, trainer.steps_an_epoch, train.batch, _HELD_OUT) as progress:
        train_network(trainer, scored, train, progress.step, progress.epoch, checkpoint, progress.go_on)
    selection = Selection.from_section(settings.evaluate)
    parts = []
    most = images_at_a_time(split.grid)
    for start in range(0, len(network.shown), most):
        images = network.shown[start : start + most]
        found = select_detections(trainer.predict(split.images[images]), split.grid, selection)
        table = DetectionTable.before_letterbox(
            found, split.sizes[images], split.grid, whole_pixels=selection.whole_pixels
        )
        parts.append(np.column_stack([images[table.images], table.labels, table.scores, table.boxes_ltwh]))
    rows = np.concatenate(parts).astype(np.float64)
    write_array(folder / f"{network.name}.npy", rows)
    checkpoint.remove()
    return rows


def _read_plan(path: Path, run: dict[str, str], work: str) -> _Plan | None:
    """Return the plan in a folder if it is of this run; else None, with the reason on standard error."""
    try:
        kept = _Plan.model_validate(read_json(path))
        differ = sorted(name for name in run.keys() | kept.run.keys() if run.get(name) != kept.run.get(name))
        reason = f"is of a run with other {', '.join(differ)}" if differ else ""
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError):
        reason = "is damaged"
    if not reason:
        return kept
    tell(f"{path}: {reason}; the {work} starts anew", to=sys.stderr)
    return None


def _lengthened(train: Train, epochs: int) -> Train:
    """Return the training of other `epochs`, whose last one is kept: no image that is held out decides."""
    warmup = train.warmup_epochs * min(1, epochs / train.epochs)
    return train.model_copy(update={"epochs": epochs, "warmup_epochs": warmup, "include_val": True, "patience": 0})
