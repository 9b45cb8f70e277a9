"""Average precision by the rule of Pascal VOC.

A detection, best score first, belongs to the ground truth of its class that it overlaps most. It is right if their
IoU reaches the threshold and no better detection has that ground truth. Unlike by COCO's rule, it takes no
second-best one. Difficult objects are left out: they need not be found, and a detection of one is neither right nor
wrong. Source: Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge", section 4.2, and the
development kit's `VOCevaldet.m`, whose pixels are inclusive: labels read with `one_based` have its IoU.
"""

import numpy as np

from humbleyolo.metrics.average_precision import VOC_RECALLS, Curve
from humbleyolo.metrics.nearest_ground_truth import Nearest, nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Bools


def voc_right(truths: TruthTable, detections: DetectionTable, nearest: Nearest, iou: float) -> tuple[Bools, Bools]:
    """Return the right detections, (D,) bool, in the order of the table, and likewise those that count.

    `iou` is the least IoU of a match.
    """
    order = detections.order()
    candidates = order[(nearest.own_iou[order] >= iou) & (nearest.own[order] >= 0)]
    _, first = np.unique(nearest.own[candidates], return_index=True)
    right = np.zeros(len(detections), np.bool_)
    right[candidates[first]] = True
    counted = np.ones(len(detections), np.bool_)
    counted[candidates] = ~truths.difficult[nearest.own[candidates]]
    return right & counted, counted


def voc_positives(truths: TruthTable) -> Bools:
    """Return the ground truths that are to be found, (M,) bool."""
    return ~truths.crowd & ~truths.difficult


def voc_average_precision(
    truths: TruthTable, detections: DetectionTable, class_count: int, iou: float
) -> tuple[list[float | None], list[float | None]]:
    """Return the AP of each class by every point, and by 11 points; None for a class without ground truths.

    Crowd regions are left out: nothing can be right there.
    """
    order = detections.order()
    right, counted = (rows[order] for rows in voc_right(truths, detections, nearest_truths(truths, detections), iou))
    labels = detections.labels[order]
    positives = np.bincount(truths.labels[voc_positives(truths)], minlength=class_count)

    areas: list[float | None] = []
    means: list[float | None] = []
    for label in range(class_count):
        own = labels == label
        curve = Curve(right[own], counted[own].astype(np.int64)[None], positives[[label]])
        for values, (value,) in ((areas, curve.area()), (means, curve.mean_at(VOC_RECALLS))):
            values.append(None if np.isnan(value) else round(float(value), 12))
    return areas, means
