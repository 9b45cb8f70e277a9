"""Average precision by the rule of Pascal VOC.

A detection, best score first, belongs to the ground truth of its class that it overlaps most. It is right if their
IoU reaches the threshold and no better detection has that ground truth. Unlike by COCO's rule, it takes no
second-best one. Source: Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge", section 4.2.
"""

import numpy as np

from humbleyolo.metrics.average_precision import VOC_RECALLS, Curve
from humbleyolo.metrics.nearest_ground_truth import Nearest, nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Bools


def voc_right(detections: DetectionTable, nearest: Nearest, iou: float) -> Bools:
    """Return the right detections, (D,) bool, in the order of the table; `iou` is the least IoU of a match."""
    order = detections.order()
    candidates = order[(nearest.own_iou[order] >= iou) & (nearest.own[order] >= 0)]
    _, first = np.unique(nearest.own[candidates], return_index=True)
    right = np.zeros(len(detections), np.bool_)
    right[candidates[first]] = True
    return right


def voc_average_precision(
    truths: TruthTable, detections: DetectionTable, class_count: int, iou: float
) -> tuple[list[float | None], list[float | None]]:
    """Return the AP of each class by every point, and by 11 points; None for a class without ground truths.

    Crowd regions are left out, and so is every detection that COCO's rule would not count.
    """
    order = detections.order()
    right = voc_right(detections, nearest_truths(truths, detections), iou)[order]
    labels = detections.labels[order]
    positives = np.bincount(truths.labels[~truths.crowd], minlength=class_count)

    areas: list[float | None] = []
    means: list[float | None] = []
    for label in range(class_count):
        own = right[labels == label]
        curve = Curve(own, np.ones((1, len(own)), np.int64), positives[[label]])
        for values, (value,) in ((areas, curve.area()), (means, curve.mean_at(VOC_RECALLS))):
            values.append(None if np.isnan(value) else round(float(value), 12))
    return areas, means
