"""Detections on images by networks that have not seen them: train on all folds but one, look at that one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humbleyolo.dataset.encoded_split import EncodedSplit, join_splits
from humbleyolo.errors import UserError
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.array_types import Bools, Ints
from humbleyolo.training.planned_runs import Length, PlannedNetwork, PlannedRun, RunSettings

_LEARNED = 10  # boxes of a class in training, under which its labels are not judged


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


def divide(images: int, folds: int, seed: int) -> Ints:
    """Return the fold of each image, (N,) 0 to K - 1, by chance: sizes differ by one at most."""
    order = np.random.Generator(np.random.Philox(key=[seed, folds])).permutation(images)
    found = np.empty(images, np.int64)
    found[order] = np.arange(images) % folds
    return found


def detect_by_folds(
    settings: RunSettings, splits: Sequence[EncodedSplit], count: int, length: Length, folder: Path
) -> HeldOut:
    """Train a network per fold, of `count`, on the other folds, and detect on its images.

    Raises:
        UserError: If there are too few images, or no boxes; and as for training.
        KeyboardInterrupt: If it was asked to stop; it resumes the next time.
    """
    settings = settings.begin_unseeing("audit")
    split, batch = join_splits(*splits), settings.train.batch
    folds = divide(len(split), count, settings.seed)
    fewest = len(split) - int(np.bincount(folds, minlength=count).max())
    if not len(split.labels):
        raise UserError("the labels hold no boxes, so that there is nothing to judge and nothing to learn from")
    if fewest < batch:
        raise UserError(
            f"{len(split)} images in {count} folds leave {fewest} to train on, fewer than train.batch {batch}; "
            "lower train.batch, give more --folds, or label more images"
        )
    networks = [
        PlannedNetwork(f"fold-{fold + 1}", np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
        for fold in range(count)
    ]
    run = PlannedRun(settings, splits, networks, length, folder, "audit")
    columns = ("images", "boxes_ltwh", "labels", "scores")
    parts = run.detect()
    found = DetectionTable(len(split), *(np.concatenate([getattr(one, name) for one in parts]) for name in columns))
    unlearned = [
        np.bincount(split.labels[folds[split.image_index] != fold], minlength=split.grid.classes) < _LEARNED
        for fold in range(count)
    ]
    return HeldOut(
        found.take(np.argsort(found.images, kind="stable")), np.array(unlearned), folds, run.epochs, run.why
    )
