"""Mirror images: boxes whose content means something else when mirrored, as text and gloves do.

The classifier of `wrong_labels` learns the classes from four fifths of the images. It then judges the boxes of the
last fifth, as they are and mirrored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.check.crop_classifier import CropClassifier, crop_boxes, describe
from humbleyolo.check.wrong_labels import decoded, fold_of
from humbleyolo.labels.folder import Source
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.storage.array_types import Bools, Floats32, Ints

_MOST_IMAGES = 300
_LOST = 0.2  # of the boxes that are recognized as they are: if so many are not when mirrored, mirroring hurts
_ERRORS = 2.0  # standard errors that the loss is above 0
_ERRORS_OF_A_CLASS = 3.0  # likewise for a class by itself, of which there may be many


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Boxes whose class was recognized.

    Attributes:
        boxes: Number of boxes that were judged.
        right: Number recognized as they are; `right_mirrored`: likewise, mirrored.
        lost: Number recognized only as they are; `won`: only mirrored.
        hurt: Names of classes whose boxes are recognized less often when mirrored, by much more than chance.
    """

    boxes: int
    right: int
    right_mirrored: int
    lost: int
    won: int
    hurt: tuple[str, ...] = ()

    @property
    def tells(self) -> bool:
        """True if at least half of the boxes were recognized as they are; else nothing shows."""
        return 2 * self.right >= self.boxes

    @property
    def hurts(self) -> bool:
        """True if boxes, of all classes or of one, are recognized less often when mirrored."""
        return bool(self.hurt) or _loses(self.right, self.lost, self.won, _ERRORS)


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
    right = np.zeros((len(views), len(kinds)), bool)
    for fold in np.unique(folds).tolist():
        learned, asked = folds != fold, folds == fold
        model = CropClassifier(views[0][learned], kinds[learned], len(classes))
        right[:, asked] = [_answers(model, one[asked]) == kinds[asked] for one in views]
    return {
        name: _compare(right[0], one, kinds, classes)
        for name, one in zip(("flip", "flip_vertical"), right[1:], strict=True)
    }


def _compare(right: Bools, mirrored: Bools, kinds: Ints, classes: Sequence[str]) -> Mirrored:
    lost, won = right & ~mirrored, ~right & mirrored
    counts = [np.bincount(kinds[some], minlength=len(classes)).tolist() for some in (right, lost, won)]
    rows = zip(classes, *counts, strict=True)
    hurt = tuple(name for name, known, less, more in rows if _loses(known, less, more, _ERRORS_OF_A_CLASS))
    return Mirrored(len(right), int(right.sum()), int(mirrored.sum()), int(lost.sum()), int(won.sum()), hurt)


def _answers(model: CropClassifier, features: Floats32) -> Ints:
    return np.asarray(model.scores(features).argmax(axis=1))
