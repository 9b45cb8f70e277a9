"""Floor under a detector: the score of boxes that are drawn on every image without a look at it.

Two baselines, learned from the labels of another split than the one that is scored:

    one box         the median centre and size of all labels, once on each image
    box per class   the same of each class by itself, each once on each image

Sizes and places are parts of the image. AP takes each class by itself, so that scores between classes do not matter.
Within a class all scores are equal, so that the boxes come in the order of the images.
"""

from dataclasses import dataclass

import numpy as np

from humbleyolo.geometry.boxes import cxcywh_to_xyxy, ltwh_to_xyxy, xyxy_to_cxcywh, xyxy_to_ltwh
from humbleyolo.metrics.coco_metrics import average_precision
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Floats, Ints, Ints32


@dataclass(frozen=True, slots=True)
class Floor:
    """Scores of the two baselines; None if there are no labels to learn from, or none to find.

    Attributes:
        ap: COCO AP of a box per class.
        ap50: COCO AP of it at IoU 0.5.
        one_box_ap: COCO AP of one box, of the most frequent class.
        one_box_ap50: COCO AP of it at IoU 0.5.
        precision: Part of the one boxes that match an object of any class.
        recall: Part of the objects that they match.
        f1: Harmonic mean of both.
    """

    ap: float | None = None
    ap50: float | None = None
    one_box_ap: float | None = None
    one_box_ap50: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


NO_FLOOR = Floor()


def median_boxes(known: TruthTable, sizes: Ints32, class_count: int) -> tuple[Floats, Ints]:
    """Return the median boxes of the C classes, and of all labels as the last.

    `sizes` are (N, 2), height and width of each image in pixels. Crowds are left out.

    Returns:
        (C + 1, 4) xyxy as parts of the image, clipped to it, NaN without labels; and the (C + 1,) numbers of labels.
    """
    single = known.take(~known.crowd)
    boxes_rel = xyxy_to_cxcywh(ltwh_to_xyxy(single.boxes_ltwh) / _scale(sizes)[single.images])  # (M, 4)
    rows = [*(single.labels == label for label in range(class_count)), np.ones(len(single), np.bool_)]
    medians = [np.median(boxes_rel[own], axis=0) if own.any() else np.full(4, np.nan) for own in rows]
    counts = np.array([np.count_nonzero(own) for own in rows], np.int64)
    return np.clip(cxcywh_to_xyxy(np.array(medians)), 0.0, 1.0), counts


def measure_floor(
    known: TruthTable, known_sizes: Ints32, truths: TruthTable, sizes: Ints32, class_count: int, match_iou: float
) -> Floor:
    """Learn the boxes from the labels of one split, and score them on another.

    `match_iou` is the least IoU of a match, for precision and recall.

    Raises:
        ValueError: If a label is no class.
    """
    boxes, counts = median_boxes(known, known_sizes, class_count)
    asked = np.unique(truths.labels[~truths.crowd]).tolist()
    if not counts[-1] or not asked:
        return NO_FLOOR
    most = int(np.argmax(counts[:-1]))
    one_box = _on_every_image(boxes[-1], sizes)
    by_class, by_one = np.zeros((2, len(asked), 2))  # AP and AP50 of each class
    for row, label in enumerate(asked):  # one by one: images x classes boxes may not fit into memory
        own = truths.take(truths.labels == label).as_one_class()
        if counts[label]:
            by_class[row] = average_precision(own, _on_every_image(boxes[label], sizes), 1)
        if label == most:
            by_one[row] = average_precision(own, one_box, 1)
    matches = match(truths.as_one_class(), one_box, 1, match_iou)
    right, taken, objects = (int(rows.sum()) for rows in (matches.truths >= 0, ~matches.ignored, ~truths.crowd))
    (ap, ap50), (one_ap, one_ap50) = (values.mean(axis=0).round(12).tolist() for values in (by_class, by_one))
    precision = round(right / taken, 12) if taken else None
    return Floor(
        ap, ap50, one_ap, one_ap50, precision, round(right / objects, 12), round(2 * right / (taken + objects), 12)
    )


def _on_every_image(box_rel: Floats, sizes: Ints32) -> DetectionTable:
    """Return a box (4,) as the one detection of each image, of class 0."""
    count = len(sizes)
    return DetectionTable(
        count,
        np.arange(count, dtype=np.int64),
        xyxy_to_ltwh(box_rel * _scale(sizes)),
        np.zeros(count, np.int64),
        np.ones(count),
    )


def _scale(sizes: Ints32) -> Floats:
    """Return the lengths (N, 4) by which parts of the image become pixels."""
    return np.tile(sizes[:, ::-1].astype(np.float64), 2)
