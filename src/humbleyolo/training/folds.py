"""Detections on images by networks that have not seen them: train on all folds but one, look at that one.

A folder holds the run. `plan.json` has what it depends on, and the epochs. Beside it lie the checkpoint of the fold
in training, and the detections of each fold that is done. Run again, it resumes, and ends with the same bytes.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from humbleyolo.models.tensorflow_setup import start_runtime  # before all else that imports TensorFlow

# isort: split
import keras
import numpy as np
from pydantic import ValidationError

from humbleyolo.dataset.encoded_split import EncodedSplit, join_splits, pick_images
from humbleyolo.errors import UserError
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import select_detections
from humbleyolo.params.sections import Evaluate, Loss, Model, Runtime, Section, Train
from humbleyolo.storage.array_types import Bools, Floats, Ints
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
_BATCH = 250  # images detected at a time
_LEARNED = 10  # boxes of a class in training, under which its labels are not judged
_COLUMNS = 7  # of a fold's file: image, class, score, left, top, width, height


@dataclass(frozen=True)
class FoldSettings:
    """Sections of params.yaml that decide the networks, and the number of folds."""

    seed: int
    runtime: Runtime
    model: Model
    loss: Loss
    train: Train
    evaluate: Evaluate
    folds: int


class Length(NamedTuple):
    """Length of the training: `epochs` of each fold, or as many as fit into the `minutes` of all."""

    minutes: float
    epochs: int | None


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Detections on all images, each by a network that has not seen it.

    Attributes:
        detections: D rows; images are counted through all splits.
        unlearned: (K, C) classes of which a fold's network has seen hardly a box.
        folds: (N,) fold of each image.
        epochs: Epochs of each fold.
        why: Reason for that number, in words.
    """

    detections: DetectionTable
    unlearned: Bools
    folds: Ints
    epochs: int
    why: str

    @property
    def ever_unlearned(self) -> list[bool]:
        """C times, if some fold's network has not learned a class."""
        return [bool(column.any()) for column in self.unlearned.T]

    def judged(self, images: Ints, labels: Ints) -> Bools:
        """Return the labels, (M,) of `images` and classes `labels`, whose class their fold's network has learned."""
        return np.asarray(~self.unlearned[self.folds[images], labels])


class _Plan(Section):
    """`plan.json`."""

    run: dict[str, str]
    epochs: int
    why: str


def divide(images: int, folds: int, seed: int) -> Ints:
    """Return the fold of each image, (N,) 0 to K - 1, by chance: sizes differ by one at most."""
    order = np.random.Generator(np.random.Philox(key=[seed, folds])).permutation(images)
    found = np.empty(images, np.int64)
    found[order] = np.arange(images) % folds
    return found


def detect_by_folds(settings: FoldSettings, splits: Sequence[EncodedSplit], length: Length, folder: Path) -> HeldOut:
    """Train a network per fold on the other folds, and detect on its images.

    Raises:
        UserError: If there are too few images, or no boxes; and as for training.
        KeyboardInterrupt: If it was asked to stop; it resumes the next time.
    """
    settings = replace(settings, train=_begin_unseeing(settings))
    split, train = join_splits(*splits), settings.train
    folds = divide(len(split), settings.folds, settings.seed)
    fewest = len(split) - int(np.bincount(folds, minlength=settings.folds).max())
    if not len(split.labels):
        raise UserError("the labels hold no boxes, so that there is nothing to judge and nothing to learn from")
    if fewest < train.batch:
        raise UserError(
            f"{len(split)} images in {settings.folds} folds leave {fewest} to train on, fewer than train.batch "
            f"{train.batch}; lower train.batch, give more --folds, or label more images"
        )
    start_runtime(settings.runtime)
    plan = _make_plan(settings, splits, length, folds, make_folder(folder))
    parts, unlearned = [], []
    for fold in range(settings.folds):
        learned = np.bincount(split.labels[folds[split.image_index] != fold], minlength=split.grid.classes)
        unlearned.append(learned < _LEARNED)
        rows = _read_fold(folder / f"fold-{fold + 1}.npy", split)
        if rows is None:
            rows = _run_fold(settings, plan, split, folds, fold, folder)
        parts.append(rows)
    table = np.concatenate(parts)
    table = table[np.lexsort(table.T[::-1])]
    images, labels = (table[:, column].astype(np.int64) for column in (0, 1))
    detections = DetectionTable(len(split), images, table[:, 3:].copy(), labels, table[:, 2].copy())
    return HeldOut(detections, np.array(unlearned), folds, plan.epochs, plan.why)


def _begin_unseeing(settings: FoldSettings) -> Train:
    """Return the training without a start of one's own: that model may have learned the very labels."""
    if settings.train.start != "own":
        return settings.train
    start = "pretrained" if settings.model.name == "lite" else "scratch"
    print(f"train.start is own, a model that may have seen the images; the audit begins {start}", file=sys.stderr)
    return settings.train.model_copy(update={"start": start})


def _make_plan(
    settings: FoldSettings, splits: Sequence[EncodedSplit], length: Length, folds: Ints, folder: Path
) -> _Plan:
    """Return the plan in the folder if it is of this run; else start anew, with the epochs that fit."""
    sections: dict[str, Any] = {name: value for name, value in vars(settings).items() if name != "folds"}
    asked = f"{length.epochs} epochs" if length.epochs else f"{length.minutes:g} minutes"
    run = describe_run(splits, STARTS[settings.train.start], **sections)
    run["arguments"] = f"{settings.folds} folds, {len(splits)} splits, {asked}"
    kept = _read_plan(folder / "plan.json", run)
    if kept is not None:
        return kept
    for left in (*folder.glob("fold-*.npy"), *folder.glob("fold-*.checkpoint")):
        left.unlink()
    epochs, why = (length.epochs, "as asked for") if length.epochs else _fit(settings, splits[0], folds, length)
    plan = _Plan(run=run, epochs=epochs, why=why)
    write_json(folder / "plan.json", plan.model_dump())
    return plan


def _read_plan(path: Path, run: dict[str, str]) -> _Plan | None:
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
    print(f"{path}: {reason}; the audit starts anew", file=sys.stderr)
    return None


def _fit(settings: FoldSettings, split: EncodedSplit, folds: Ints, length: Length) -> tuple[int, str]:
    """Return the epochs that fit into the minutes, those of params.yaml at most, and the reason."""
    train = settings.train
    time = measure_step(settings.runtime, settings.model, settings.loss, train, split.grid)
    sizes = len(folds) - np.bincount(folds)
    epoch = float((sizes // train.batch).sum()) * time.step + settings.folds * _SCORED * time.image
    fits = int((60 * length.minutes - settings.folds * time.start - len(folds) * time.image) / epoch)
    if fits >= train.epochs:
        return train.epochs, "train.epochs of params.yaml"
    why = f"{length.minutes:g} minutes at {time.step:.2g} s a step, as measured here"
    return max(1, fits), why


def _read_fold(path: Path, split: EncodedSplit) -> Floats | None:
    """Return the detections of a fold that is done, (D, 7); None if there are none, or the file is damaged."""
    try:
        rows = open_array(path)
        limits = (len(split), split.grid.classes)
        whole = rows.ndim == 2 and rows.shape[1] == _COLUMNS and rows.dtype == np.float64 and np.isfinite(rows).all()
        if whole and (rows[:, :2] >= 0).all() and (rows[:, :2] < limits).all():
            return rows
        raise ValueError("other columns than this version writes")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        print(f"{path}: cannot be used ({error}); this fold is trained again", file=sys.stderr)
        return None


def _run_fold(
    settings: FoldSettings, plan: _Plan, split: EncodedSplit, folds: Ints, fold: int, folder: Path
) -> Floats:
    """Train a fold's network, detect on the images held out, and write the detections."""
    train = _lengthened(settings.train, plan.epochs)
    held, seen = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
    sizes = f"{len(seen)} images to learn from, {len(held)} held out, {len(held[:_SCORED])} of these as val"
    print(f"fold {fold + 1} of {settings.folds}: {sizes}", file=sys.stderr)
    keras.utils.clear_session()
    data = pick_images(split, seen)
    trainer = build_trainer(settings.seed, settings.runtime, settings.model, settings.loss, train, data)
    checkpoint = Checkpoint(folder / f"fold-{fold + 1}.checkpoint", plan.run | {"fold": str(fold + 1)})
    scored = pick_images(split, held[:_SCORED])
    with TrainingProgress(train.epochs, trainer.steps_an_epoch, train.batch) as progress:
        train_network(trainer, scored, train, progress.step, progress.epoch, checkpoint, progress.go_on)
    selection = Selection.from_section(settings.evaluate)
    parts = []
    for start in range(0, len(held), _BATCH):
        images = held[start : start + _BATCH]
        found = select_detections(trainer.predict(split.images[images]), split.grid, selection)
        original = (
            split.letterbox(image).undo(one, selection.whole_pixels)
            for image, one in zip(images.tolist(), found, strict=True)
        )
        table = DetectionTable.from_detections(original)
        parts.append(np.column_stack([images[table.images], table.labels, table.scores, table.boxes_ltwh]))
    rows = np.concatenate(parts).astype(np.float64)
    write_array(folder / f"fold-{fold + 1}.npy", rows)
    checkpoint.remove()
    return rows


def _lengthened(train: Train, epochs: int) -> Train:
    """Return the training of other `epochs`, whose last one is kept: no image that is held out decides."""
    warmup = train.warmup_epochs * min(1, epochs / train.epochs)
    return train.model_copy(update={"epochs": epochs, "warmup_epochs": warmup, "include_val": True, "patience": 0})
