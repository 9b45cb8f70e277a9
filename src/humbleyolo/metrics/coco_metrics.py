"""COCO's metrics, equal to pycocotools' to 12 decimals; undefined ones are None, never -1 or NaN.

AP is a mean of precision: over the classes that have ground truths, over IoU thresholds 0.50, 0.55 ... 0.95, and over
101 recalls 0, 0.01 ... 1. At each recall it is the precision that is reached there or at a higher one. AR is the mean
of the highest recall, with so many detections for each image and class. Small, medium and large are areas up to
32 x 32, up to 96 x 96, and from there on; an object of just 32 x 32 is small and medium. Source:
https://cocodataset.org/#detection-eval
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from humbleyolo.geometry.boxes import SIZES
from humbleyolo.metrics.matching import COCO_DETECTIONS, WHOLE_RANGE, accumulated, evaluator
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Floats

IOUS = tuple(np.linspace(0.5, 0.95, 10).tolist())  # to the last digit as pycocotools has them
AREA_RANGES = {**WHOLE_RANGE, **SIZES}  # square pixels
_LIMITS = (1, 10, COCO_DETECTIONS)
_AP = {"ap": slice(None), "ap50": IOUS.index(0.5), "ap75": IOUS.index(0.75)}  # the IoU thresholds of each


def score(truths: TruthTable, detections: DetectionTable, categories: Sequence[str]) -> dict[str, Any]:
    """Return COCO's metrics by name.

    Returns:
        COCO's twelve numbers in its own order, then `per_class`: for each name ap, ap50, ap75 and ar100.

    Raises:
        ValueError: If the tables are of different images, or a label is no class.
    """
    arrays = accumulated(
        evaluator(truths, detections, len(categories), area_ranges=AREA_RANGES, max_detections=_LIMITS)
    )
    precision, recall = arrays["precision"], arrays["recall"]
    sizes = [(size, area) for area, size in enumerate(AREA_RANGES)][1:]
    return {
        **{name: _mean(precision[iou, ..., 0, -1]) for name, iou in _AP.items()},
        **{f"ap_{size}": _mean(precision[..., area, -1]) for size, area in sizes},
        **{f"ar{limit}": _mean(recall[..., 0, at]) for at, limit in enumerate(_LIMITS)},
        **{f"ar_{size}": _mean(recall[..., area, -1]) for size, area in sizes},
        "per_class": {
            name: {
                **{ap: _mean(precision[iou, ..., label, 0, -1]) for ap, iou in _AP.items()},
                f"ar{COCO_DETECTIONS}": _mean(recall[:, label, 0, -1]),
            }
            for label, name in enumerate(categories)
        },
    }


def average_precision(
    truths: TruthTable, detections: DetectionTable, class_count: int
) -> tuple[float | None, float | None]:
    """Return AP and AP50 as `score` does, in a quarter of the time: for validation after every epoch.

    Raises:
        ValueError: If the tables are of different images, or a label is no class.
    """
    precision = accumulated(evaluator(truths, detections, class_count))["precision"]  # (T, R, C, 1, 1)
    return _mean(precision), _mean(precision[_AP["ap50"]])


def _mean(values: Floats) -> float | None:
    """Return the mean of the values that are defined, as pycocotools takes it, without the noise of its last digits.

    A precision is tp / (tp + fp + 2.2e-16), so that all right would be 0.9999999999999998.
    """
    defined = values[values > -1]
    return round(float(defined.mean()), 12) if defined.size else None
