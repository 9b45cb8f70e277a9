"""Nearest ground truth of each detection, matched or not, for mistakes and calibration.

Crowd regions are left out; no detection stands for one object of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Floats, Ints

_PAIRS = 1 << 20  # pairs of boxes held at a time, about 80 MB with all that is computed of them


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The ground truth with the highest IoU for each detection, in the order of the detections' table.

    Attributes:
        own: (D,) int64 row of the best ground truth of the detection's class, -1 if none overlaps it.
        own_iou: (D,) float64 IoU with it, 0 if there is none.
        other: (D,) int64 row of the best ground truth of any other class, likewise.
        other_iou: (D,) float64 IoU with it.
    """

    own: Ints
    own_iou: Floats
    other: Ints
    other_iou: Floats


def nearest_truths(truths: TruthTable, detections: DetectionTable) -> Nearest:
    """Find the ground truth that each detection overlaps most; of equal ones the first in their total order."""
    count = len(detections)
    result = Nearest(np.full(count, -1), np.zeros(count), np.full(count, -1), np.zeros(count))
    known_boxes, found_boxes = ltwh_to_xyxy(truths.boxes_ltwh), ltwh_to_xyxy(detections.boxes_ltwh)
    for known, found in _by_image(truths, detections):
        overlaps = pairwise_iou(found_boxes[found], known_boxes[known])  # (d, m)
        same = detections.labels[found][:, None] == truths.labels[known]
        for rows, iou, mask in ((result.own, result.own_iou, same), (result.other, result.other_iou, ~same)):
            masked = np.where(mask, overlaps, 0.0)
            best = masked.argmax(axis=1)  # (d,)
            highest = masked[np.arange(len(found)), best]
            iou[found] = highest
            rows[found] = np.where(highest > 0, known[best], -1)
    return result


def _by_image(truths: TruthTable, detections: DetectionTable) -> Iterator[tuple[Ints, Ints]]:
    """Yield the rows of ground truths and of detections that share an image, at most `_PAIRS` pairs at a time."""
    known = truths.order()
    known = known[~truths.crowd[known]]
    found = np.argsort(detections.images, kind="stable").astype(np.int64)
    images = np.intersect1d(truths.images[known], detections.images)
    edges = [
        np.searchsorted(rows, images, side).tolist()
        for rows in (truths.images[known], detections.images[found])
        for side in ("left", "right")
    ]
    for known_start, known_stop, start, stop in zip(*edges, strict=True):
        length = max(1, _PAIRS // (known_stop - known_start))
        for first in range(start, stop, length):
            yield known[known_start:known_stop], found[first : min(first + length, stop)]
