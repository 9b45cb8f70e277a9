"""COCO's metrics, equal to pycocotools' to 12 decimals; what is undefined is None, never -1 or NaN.

AP is the mean, over the classes that have truths, over IoU thresholds 0.50, 0.55 ... 0.95 and over 101
recalls 0, 0.01 ... 1, of the precision that is reached at that recall or a higher one. AR is the mean of the
highest recall, with so many detections for each image and class. Small, medium and large are areas up to
32 x 32, up to 96 x 96, and from there on. Source: https://cocodataset.org/#detection-eval
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.metrics.matching import MOST_DETECTIONS, WHOLE_RANGE, evaluator
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Floats

# Positions in the evaluator's arrays: precision (T, R, C, A, D), recall (T, C, A, D), for T IoU thresholds, R
# recalls, C classes, A ranges of area, D limits on detections.
IOUS = tuple(np.linspace(0.5, 0.95, 10).tolist())  # to the last digit as pycocotools has them
_IOU_50, _IOU_75 = 0, 5
AREA_RANGES = {  # square pixels
    "all": WHOLE_RANGE,
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
_AREAS = {name: position for position, name in enumerate(AREA_RANGES)}
_LIMITS = {1: 0, 10: 1, MOST_DETECTIONS: 2}


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class by itself.

    Attributes:
        objects: Truths, crowds left out.
        ap: AP over all ten IoU thresholds.
        ap50: At IoU 0.5.
        ap75: At IoU 0.75.
        ar100: AR with 100 detections.
    """

    objects: int
    ap: float | None
    ap50: float | None
    ap75: float | None
    ar100: float | None


@dataclass(frozen=True, slots=True)
class CocoScore:
    """COCO's twelve numbers in its own order, and the classes in theirs."""

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar1: float | None
    ar10: float | None
    ar100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None
    per_class: dict[str, ClassScore]


def score(truths: TruthTable, detections: DetectionTable, categories: Sequence[str]) -> CocoScore:
    """Return COCO's metrics.

    Args:
        truths: M rows.
        detections: D rows, of the same images.
        categories: C names, in the order of the labels.

    Raises:
        ValueError: Where the tables are of different images, or a label is no class.
    """
    precision, recall = _arrays(truths, detections, len(categories))
    most = _LIMITS[MOST_DETECTIONS]
    objects = np.bincount(truths.labels[~truths.crowd], minlength=len(categories))

    def ap(
        iou: int | slice = slice(None), label: int | slice = slice(None), size: str = "all"
    ) -> float | None:
        return _mean(precision[iou, :, label, _AREAS[size], most])

    def ar(label: int | slice = slice(None), size: str = "all", limit: int = MOST_DETECTIONS) -> float | None:
        return _mean(recall[:, label, _AREAS[size], _LIMITS[limit]])

    return CocoScore(
        ap=ap(),
        ap50=ap(_IOU_50),
        ap75=ap(_IOU_75),
        ap_small=ap(size="small"),
        ap_medium=ap(size="medium"),
        ap_large=ap(size="large"),
        ar1=ar(limit=1),
        ar10=ar(limit=10),
        ar100=ar(),
        ar_small=ar(size="small"),
        ar_medium=ar(size="medium"),
        ar_large=ar(size="large"),
        per_class={
            name: ClassScore(
                objects=int(objects[label]),
                ap=ap(label=label),
                ap50=ap(_IOU_50, label),
                ap75=ap(_IOU_75, label),
                ar100=ar(label),
            )
            for label, name in enumerate(categories)
        },
    )


def average_precision(
    truths: TruthTable, detections: DetectionTable, class_count: int
) -> tuple[float | None, float | None]:
    """Return AP and AP50 as `score` does, in a quarter of the time: what training asks for every epoch.

    Raises:
        ValueError: Where the tables are of different images, or a label is no class.
    """
    result = evaluator(
        truths,
        detections,
        class_count,
        area_ranges={"all": WHOLE_RANGE},
        max_detections=[MOST_DETECTIONS],
    )
    result.accumulate()
    assert result.eval is not None  # noqa: S101 - it was just accumulated
    precision = np.asarray(result.eval["precision"])  # (T, R, C, 1, 1)
    return _mean(precision), _mean(precision[_IOU_50])


def _arrays(truths: TruthTable, detections: DetectionTable, class_count: int) -> tuple[Floats, Floats]:
    """Return the evaluator's precision (T, R, C, A, D) and recall (T, C, A, D); -1 where undefined."""
    result = evaluator(truths, detections, class_count)
    result.accumulate()
    assert result.eval is not None  # noqa: S101 - it was just accumulated
    return np.asarray(result.eval["precision"]), np.asarray(result.eval["recall"])


def _mean(values: Floats) -> float | None:
    """Return the mean of what is defined, as pycocotools takes it, without the noise of its last digits.

    A precision is tp / (tp + fp + 2.2e-16), so that all right would be 0.9999999999999998.
    """
    defined = values[values > -1]
    return round(float(defined.mean()), 12) if defined.size else None
