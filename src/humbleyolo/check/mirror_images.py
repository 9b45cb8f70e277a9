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


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Boxes whose class was recognized.

    Attributes:
        boxes: Number of boxes that were judged.
        right: Number recognized as they are; `right_mirrored`: likewise, mirrored.
        lost: Number recognized only as they are; `won`: only mirrored.
    """

    boxes: int
    right: int
    right_mirrored: int
    lost: int
    won: int

    @property
    def hurts(self) -> bool:
        """True if boxes are recognized less often when mirrored, by more than chance (McNemar 1947)."""
        loss = self.lost - self.won
        return loss >= _LOST * self.right and loss > _ERRORS * np.sqrt(self.lost + self.won)


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
    return dict(zip(("flip", "flip_vertical"), (_compare(right[0], one) for one in right[1:]), strict=True))


def _compare(right: Bools, mirrored: Bools) -> Mirrored:
    lost, won = int((right & ~mirrored).sum()), int((~right & mirrored).sum())
    return Mirrored(len(right), int(right.sum()), int(mirrored.sum()), lost, won)


def _answers(model: CropClassifier, features: Floats32) -> Ints:
    return np.asarray(model.scores(features).argmax(axis=1))
