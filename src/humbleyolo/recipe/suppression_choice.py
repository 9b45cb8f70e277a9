"""Choice of the suppression for a folder, by a rule on its boxes: which of them it would lose if all were found.

The rule: the smallest of the recipe's `nms_iou`, 0.6 and 0.7 at which suppression loses at most 1 % of the labelled
boxes. What 0.7 loses lies nearly on another box. If that alone is more, 1 % above it is allowed. Where boxes vote,
`vote_iou` is 0.1 more, so that few have a say in where their neighbour lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.geometry.suppression import nms
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.metrics.detection_limits import EVALUATION_LIMIT, VALIDATION_LIMIT
from humbleyolo.metrics.matching import COCO_DETECTIONS
from humbleyolo.params.keys import Key
from humbleyolo.process.terminal import counted
from humbleyolo.recipe.grid_advice import Choice

_LARGER = (0.6, 0.7)
_LOST = 0.01  # of the boxes that suppression may lose
_VOTE = 0.1  # above the limit of suppression
_NMS, _VOTES = ("evaluate", "nms_iou"), ("evaluate", "vote_iou")
_LIMITS: list[Key] = [(*key.split("."),) for key in (VALIDATION_LIMIT, EVALUATION_LIMIT)]


@dataclass(frozen=True, slots=True)
class Suppression:
    """Values of the selection of boxes: YAML of one line, and the reason, by key; and a line to tell, if any."""

    values: dict[Key, tuple[str, str]]
    told: tuple[str, ...]


def choose_suppression(
    records: Sequence[LabelledImage], choice: Choice, most: int, recipe: Mapping[Key, tuple[str, str]]
) -> Suppression:
    """Return the suppression of a recipe, loosened if the boxes ask for it, and the number of boxes that it keeps.

    Args:
        records: The labelled images.
        choice: Input of the network, in whose pixels boxes overlap.
        most: The most objects of an image; more than the usual 100 are let be found.
        recipe: Values of the recipe, for `evaluate.nms_iou` and `evaluate.vote_iou`.
    """
    own, vote = float(recipe[_NMS][0]), float(recipe[_VOTES][0])
    lost = count_suppressed(records, (choice.height, choice.width), (own, *(one for one in _LARGER if one > own)))
    boxes, limits = sum(len(one.labels) for one in records), [*lost]
    allowed = _LOST * boxes
    if lost[limits[-1]] > allowed:
        allowed += lost[limits[-1]]
    limit = next(one for one in limits if lost[one] <= allowed)
    both = "as evaluate's, so that both mean the same AP"
    values: dict[Key, tuple[str, str]] = {}
    if most > COCO_DETECTIONS:
        values |= {key: (str(most), f"an image has {counted(most, 'object')}") for key in _LIMITS}
    values["train", "validation", "nms_iou"] = f"{limit:g}", both
    if limit == own:
        return Suppression(values, ())
    counts = f"loses {lost[limit]:,} of {counted(boxes, 'object')}, {lost[own]:,} at {own:g}"
    values[_NMS] = f"{limit:g}", f"objects overlap: suppression {counts}"
    chosen = f"nms_iou {limit:g}"
    if vote < 1:
        values[_VOTES] = f"{limit + _VOTE:g}", f"{_VOTE:g} over nms_iou, so that few neighbours have a say"
        values["train", "validation", "vote_iou"] = f"{limit + _VOTE:g}", both
        chosen += f", vote_iou {limit + _VOTE:g}"
    return Suppression(values, (f"{chosen}: {counts}",))


def count_suppressed(
    records: Sequence[LabelledImage], size: tuple[int, int], limits: Sequence[float]
) -> dict[float, int]:
    """Count the boxes that suppression loses in an input (height, width), though all are found and all fit.

    Their scores are equal, so that of two the one that is labelled first stays. The `limits` of IoU rise.
    """
    left = [record for record in records if len(record.labels) > 1]
    lost = {}
    for limit in limits:
        counts = [len(record.labels) - len(_kept(record, size, limit)) for record in left]
        lost[limit] = sum(counts)
        left = [record for record, count in zip(left, counts, strict=True) if count]  # no others at a larger one
    return lost


def _kept(record: LabelledImage, size: tuple[int, int], limit: float) -> np.ndarray:
    boxes = Letterbox(record.height, record.width, *size).boxes_in(record.boxes)
    _, labels = np.unique(record.labels, return_inverse=True)
    return nms(boxes, np.ones(len(boxes)), labels, limit)
