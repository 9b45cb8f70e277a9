"""Mirror images: boxes whose content means something else when mirrored, as text and gloves do.

The classifier of `wrong_labels` learns the classes from four fifths of the images. It then judges the boxes of the
last fifth, as they are and mirrored. Mirroring hurts if many boxes are no longer recognized. It also hurts if two of
many classes are mirror images of each other, as arrows are: nothing could tell them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.check.crop_classifier import CropClassifier, crop_boxes, describe
from humbleyolo.check.wrong_labels import decoded, fold_of
from humbleyolo.inputs.folder import Source
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Floats32, Ints

_MOST_IMAGES = 300
_LOST = 0.2  # of the boxes that are recognized as they are: if so many are not when mirrored, mirroring hurts
_ERRORS = 2.0  # standard errors that the loss is above 0, or swaps above those of guesses
_ERRORS_OF_A_CLASS = 3.0  # likewise for a class by itself, of which there may be many
_LEAST_BOXES = 5  # of each of two classes that swap: with fewer, chance makes pairs where classes are many
_GUESSED = 1 / 4  # of the boxes of two classes: by guesses, right as they are and the other class mirrored


@dataclass(frozen=True, slots=True)
class Swapped:
    """Two classes, and their boxes: `swaps` of them are recognized as the other class when mirrored."""

    names: tuple[str, str]
    swaps: int
    boxes: int

    @property
    def share(self) -> str:
        """The boxes that swap, of all, in words."""
        return f"{self.swaps:,} of {counted(self.boxes, 'box', 'boxes')}"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Boxes whose class was recognized.

    Attributes:
        boxes: Number of boxes that were judged.
        right: Number recognized as they are; `right_mirrored`: likewise, mirrored.
        lost: Number recognized only as they are; `won`: only mirrored.
        hurt: Names of classes whose boxes are recognized less often when mirrored, by much more than chance.
        pairs: Two classes that are mirror images of each other, the clearest first.
    """

    boxes: int
    right: int
    right_mirrored: int
    lost: int
    won: int
    hurt: tuple[str, ...] = ()
    pairs: tuple["Swapped", ...] = ()

    @property
    def tells(self) -> bool:
        """True if at least half of the boxes were recognized as they are; else nothing shows but pairs."""
        return 2 * self.right >= self.boxes

    @property
    def hurts(self) -> bool:
        """True if boxes are recognized less often when mirrored, of all classes or of one, or two classes swap."""
        loses = bool(self.hurt) or _loses(self.right, self.lost, self.won, _ERRORS)
        return bool(self.pairs) or (self.tells and loses)


def _loses(right: int, lost: int, won: int, errors: float) -> bool:
    """Return True if a loss is large, and so many standard errors from none (McNemar 1947)."""
    return lost - won >= _LOST * max(1, right) and lost - won > errors * np.sqrt(lost + won)


def judge_mirrored(records: Sequence[LabelledImage], classes: Sequence[str], source: Source) -> dict[str, Mirrored]:
    """Compare boxes with their mirror images.

    Returns:
        The outcome for `flip`, left to right, and `flip_vertical`, top to bottom. It is empty if there is one class,
        or too few images for every fold.
    """
    labelled = sorted((one for one in records if one.labels), key=lambda one: one.info.sha256)
    some = labelled[:: max(1, -(-len(labelled) // _MOST_IMAGES))]
    folds = np.repeat([fold_of(one) for one in some], [len(one.labels) for one in some])
    if len(classes) < 2 or len(set(folds.tolist())) < 2:
        return {}
    crops = np.concatenate([crop_boxes(image, one.boxes) for one, image in decoded(some, source, "mirror images")])
    boxes = np.concatenate([one.boxes for one in some])
    lengths, kinds = (
        boxes[:, 2:] - boxes[:, :2],
        np.array([classes.index(label) for one in some for label in one.labels]),
    )
    views = [describe(one, lengths) for one in (crops, crops[:, :, ::-1], crops[:, ::-1])]
    scores = np.zeros((len(views), len(kinds), len(classes)), np.float32)
    for fold in np.unique(folds).tolist():
        learned, asked = folds != fold, folds == fold
        model = CropClassifier(views[0][learned], kinds[learned], len(classes))
        scores[:, asked] = [model.scores(one[asked]) for one in views]
    return {
        name: _compare(scores[0], one, kinds, classes)
        for name, one in zip(("flip", "flip_vertical"), scores[1:], strict=True)
    }


def _compare(plain: Floats32, mirrored: Floats32, kinds: Ints, classes: Sequence[str]) -> Mirrored:
    """Compare the scores, (N, C), of boxes as they are and mirrored. `kinds` are their class indices, (N,)."""
    right, right_mirrored = (one.argmax(axis=1) == kinds for one in (plain, mirrored))
    lost, won = right & ~right_mirrored, ~right & right_mirrored
    counts = [np.bincount(kinds[some], minlength=len(classes)).tolist() for some in (right, lost, won)]
    rows = zip(classes, *counts, strict=True)
    hurt = tuple(name for name, known, less, more in rows if _loses(known, less, more, _ERRORS_OF_A_CLASS))
    pairs = tuple(
        Swapped((classes[first], classes[second]), swaps, boxes)
        for first, second, swaps, boxes in swapped_pairs(plain, mirrored, kinds)
    )
    return Mirrored(
        len(right), int(right.sum()), int(right_mirrored.sum()), int(lost.sum()), int(won.sum()), hurt, pairs
    )


def swapped_pairs(plain: Floats32, mirrored: Floats32, kinds: Ints) -> list[tuple[int, int, int, int]]:
    """Find classes that are mirror images of each other, though few boxes may show it.

    Each of the two, mirrored, looks more like the other than like any class, itself too. Chance makes less than half
    a pair so, for any number of classes. Besides, more boxes swap than stay, and more than by guesses. Each of the
    two has five boxes at least.

    Args:
        plain: (N, C) scores of the boxes as they are.
        mirrored: Likewise, mirrored.
        kinds: (N,) class indices.

    Returns:
        Pairs of class indices, the lower first, with the boxes that swap and all of theirs. The pair in which most
        swap comes first.
    """
    totals = np.zeros((plain.shape[1], plain.shape[1]))
    np.add.at(totals, kinds, mirrored)  # (C, C): class, score
    counts = np.bincount(kinds, minlength=len(totals))
    totals[:, counts == 0] = -np.inf
    like, every = totals.argmax(axis=1), np.arange(len(totals))
    found = []
    for first in np.flatnonzero((like[like] == every) & (like > every)).tolist():
        second = int(like[first])
        if min(counts[first], counts[second]) < _LEAST_BOXES:
            continue
        boxes = np.isin(kinds, (first, second))
        sign = np.where(kinds[boxes] == first, 1, -1)
        known, stays = (sign * (one[boxes, first] - one[boxes, second]) > 0 for one in (plain, mirrored))
        swaps, kept, guessed = int((known & ~stays).sum()), int((known & stays).sum()), _GUESSED * len(sign)
        if swaps > max(kept, guessed + _ERRORS * np.sqrt(guessed * (1 - _GUESSED))):
            found.append((kept - swaps, first, second, swaps, len(sign)))
    return [row[1:] for row in sorted(found)]
