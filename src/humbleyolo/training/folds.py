"""Detections on images by networks that have not seen them: train on all folds but one, look at that one."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humbleyolo.dataset.encoded_split import EncodedSplit, join_splits
from humbleyolo.errors import UserError
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.process.terminal import counted, tell
from humbleyolo.storage.array_types import Bools, Ints
from humbleyolo.training.planned_runs import Length, PlannedNetwork, RunSettings, plan_run

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
        notes: Sentences about the classes whose labels are not judged, or not everywhere.
    """

    detections: DetectionTable
    unlearned: Bools
    folds: Ints
    epochs: int
    why: str
    notes: Sequence[str]

    def judged(self, images: Ints, labels: Ints) -> Bools:
        """Return the labels, (M,) of `images` and classes `labels`, whose class their fold's network has learned."""
        return np.asarray(~self.unlearned[self.folds[images], labels])


def divide(images: int, folds: int, seed: int, alike: Sequence[Sequence[int]] = ()) -> Ints:
    """Return the fold of each image, (N,) 0 to K - 1, by chance.

    Images that look `alike`, in groups of indices, are in one fold. Without them sizes differ by one at most.
    Units go one by one to the smallest fold, the large ones first.
    """
    order = np.random.Generator(np.random.Philox(key=[seed, folds])).permutation(images).tolist()
    unit_of = {index: list(group) for group in alike for index in group}
    units = [unit_of.get(index, [index]) for index in order]
    found, sizes = np.full(images, -1, np.int64), [0] * folds
    for unit in sorted(units, key=len, reverse=True):
        if found[unit[0]] < 0:
            found[unit] = smallest = sizes.index(min(sizes))
            sizes[smallest] += len(unit)
    return found


def detect_by_folds(
    settings: RunSettings,
    splits: Sequence[EncodedSplit],
    count: int,
    length: Length,
    folder: Path,
    earlier: Sequence[str] = (),
    alike: Sequence[Sequence[int]] = (),
) -> HeldOut:
    """Train a network per fold, of `count`, on the other folds, and detect on its images.

    Images that look `alike`, in groups of indices through all splits, are in one fold: a twin would be learned.
    Before the training it says which classes have too few boxes to be judged. Results of an `earlier` run, by their
    names in the folder, are removed once nothing refuses this one.

    Raises:
        UserError: If there are too few images or boxes; and as for training.
        KeyboardInterrupt: If it was asked to stop; it resumes the next time.
    """
    settings = settings.begin_unseeing("audit")
    split, batch = join_splits(*splits), settings.train.batch
    folds = divide(len(split), count, settings.seed, alike)
    sizes = np.bincount(folds, minlength=count)
    fewest = len(split) - int(sizes.max())
    if not len(split.labels):
        raise UserError("the labels hold no boxes, so that there is nothing to judge and nothing to learn from")
    if sizes.min() == 0:
        differing = len(split) - sum(len(group) - 1 for group in alike)
        raise UserError(
            f"{counted(differing, 'image')} that differ are fewer than {count} folds; label more images, give fewer "
            "--folds, or set dataset.labelled.split.near_duplicates: ignore if look-alikes are meant"
        )
    if fewest < batch:
        raise UserError(
            f"{counted(len(split), 'image')} in {count} folds leave {fewest} to train on, fewer than train.batch "
            f"{batch}; lower train.batch, give more --folds, or label more images"
        )
    unlearned = np.array(
        [
            np.bincount(split.labels[folds[split.image_index] != fold], minlength=split.grid.classes) < _LEARNED
            for fold in range(count)
        ]
    )
    notes = list(_not_judged(split, ~unlearned[folds[split.image_index], split.labels]))
    tell(*notes, to=sys.stderr)
    networks = [
        PlannedNetwork(f"fold-{fold + 1}", np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
        for fold in range(count)
    ]
    run = plan_run(settings, splits, networks, length, folder, "audit")
    columns = ("images", "boxes_ltwh", "labels", "scores")
    run.remove(earlier)
    parts = run.detect()
    found = DetectionTable(len(split), *(np.concatenate([getattr(one, name) for one in parts]) for name in columns))
    return HeldOut(found.take(np.argsort(found.images, kind="stable")), unlearned, folds, run.epochs, run.why, notes)


def _not_judged(split: EncodedSplit, judged: Bools) -> Iterator[str]:
    """Yield a note for the classes of whose labels none is judged, and for those of whose only some are.

    Raises:
        UserError: If no label at all is judged; `judged` is (M,).
    """
    if not judged.any():
        raise UserError(
            f"no label can be judged: no class has {_LEARNED} boxes to learn from on the images of the other folds "
            f"({counted(len(judged), 'box', 'boxes')} in all); label more images, or give more --folds"
        )
    every = np.bincount(split.labels, minlength=split.grid.classes)
    own = np.bincount(split.labels[judged], minlength=split.grid.classes)
    for which, how in (
        ((own == 0) & (every > 0), "not judged"),
        ((own > 0) & (own < every), "judged on some images only"),
    ):
        if names := [split.categories[label] for label in np.flatnonzero(which)]:
            yield f"note: too few boxes to learn, so {how}: {', '.join(names)}"
