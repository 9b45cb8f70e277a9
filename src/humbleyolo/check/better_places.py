"""Places around a box that look more like its object than the box itself.

A box beside its object has such a place. An unusual object has none: it is as unusual from everywhere. So a doubt is
the gain from the box to its best place. The worse the classifier knows the boxes, the more gain it takes.
"""

from dataclasses import dataclass

import numpy as np

from humbleyolo.check.crop_classifier import CropClassifier, crop_boxes, describe
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.storage.array_types import Bools, Floats, Floats32, Ints, Rgb

_STEPS = (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6)
_OFFSETS = np.array([(x, y) for x in _STEPS for y in _STEPS if x or y])  # (48, 2), lengths of the box
_INSIDE = 0.9  # part of each length of a place that is in the image, at least
_OTHER = 0.3  # IoU of a place with another labelled box, at most
_ASKED, _MOST_ASKED, _FEWEST_ASKED = 0.3, 0.05, 60  # least doubt; part of the boxes, or so many, at most
_GAIN, _SPREADS = 0.8, 1.8  # least gain, as such and in spreads of the doubts
_NAMED, _FEWEST_NAMED = 0.02, 3  # part of the boxes, or so many, at most


@dataclass(frozen=True, slots=True)
class Place:
    """A place around a box.

    Attributes:
        gain: Fall of the doubt from the box to the place.
        across: Distance to the right, in lengths of the box; negative to the left.
        down: Distance downwards likewise.
    """

    gain: float
    across: float
    down: float

    def __str__(self) -> str:
        """Return the way from the box in words."""
        ways = [
            f"{abs(part):g} of its {length} {forward if part > 0 else back}"
            for part, length, forward, back in (
                (self.across, "width", "to the right", "to the left"), (self.down, "height", "down", "up"),
            )
            if part
        ]  # fmt: skip
        return " and ".join(ways)


def rows_to_look_around(doubts: Floats32) -> Ints:
    """Return the rows of the boxes that are doubted most, of (N,) doubts; few, since many crops of each are cut."""
    most = max(_FEWEST_ASKED, round(_MOST_ASKED * len(doubts)))
    rows = np.argsort(-doubts, kind="stable")[:most]
    return np.sort(rows[doubts[rows] > _ASKED])


def best_place(
    image: Rgb, boxes: Floats, index: int, label: int, doubt: float, model: CropClassifier, classes: int
) -> Place | None:
    """Return the place around a box that the classifier doubts least; None if there is no place to look at.

    Args:
        image: (H, W, 3).
        boxes: (M, 4) xyxy pixels, all boxes of the image.
        index: Number of the box.
        label: Its class index.
        doubt: Its own doubt.
        model: A classifier that has not learned from the image.
        classes: Number of classes; the classifier's others are background and moved boxes.
    """
    height, width = image.shape[:2]
    around = boxes[index] + np.tile(_OFFSETS, 2) * np.tile(boxes[index, 2:] - boxes[index, :2], 2)  # (48, 4)
    cut = np.clip(around, 0, [width, height, width, height])
    free = (cut[:, 2:] - cut[:, :2] >= _INSIDE * (around[:, 2:] - around[:, :2])).all(axis=1)
    free &= pairwise_iou(around, np.delete(boxes, index, axis=0)).max(axis=1, initial=0) <= _OTHER
    places, offsets = cut[free], _OFFSETS[free]
    if not len(places):
        return None
    doubts = doubts_of(
        model.scores(describe(crop_boxes(image, places), places[:, 2:] - places[:, :2])), label, classes
    )
    best = int(doubts.argmin())
    return Place(doubt - float(doubts[best]), *offsets[best].tolist())


def doubts_of(scores: Floats32, labels: Ints | int, classes: int) -> Floats32:
    """Return (N,) doubts about being on an object of a class: high for background and moved boxes.

    `scores` are (N, classes + 2), `labels` the class index of each, or of all.
    """
    own = scores[np.arange(len(scores)), labels]
    return np.asarray(scores[:, classes:].sum(axis=1) - own)


def clear_gains(gains: Floats, doubts: Floats32) -> Bools:
    """Tell, of (N,) gains of all boxes, the few that are clear: of a box beside its object.

    `doubts` (N,) are those of the boxes themselves. Their spread says how well the classifier knows the boxes.
    """
    spread = 1.4826 * float(np.median(np.abs(doubts - np.median(doubts))))  # the standard deviation of a normal one
    return worst_few(gains) & (gains > max(_GAIN, _SPREADS * spread))


def worst_few(doubts: Floats) -> Bools:
    """Tell, of (N,) doubts of all boxes, the largest: as many as a person looks at, 2 % or three."""
    few = np.zeros(len(doubts), np.bool_)
    few[np.argsort(-doubts, kind="stable")[: max(_FEWEST_NAMED, round(_NAMED * len(doubts)))]] = True
    return few
