"""Calibration of the confidence: detections in bins of their score, with the IoU and the part that is right in each.

YOLO's score is Pr(class) x Pr(object) x IoU (Redmon et al. 2016, equation 1), so it should be the IoU with the ground
truth. Used as a probability, it should be the part of detections that are right. Each calibration error is the mean
gap between the score and that, over bins, weighted by their detections (Guo et al. 2017, equation 3).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from humbleyolo.metrics.matching import Matches
from humbleyolo.metrics.nearest_ground_truth import Nearest
from humbleyolo.metrics.tables import DetectionTable, ratio
from humbleyolo.storage.array_types import Array, Floats, Ints


@dataclass(frozen=True, slots=True)
class Calibration:
    """Gaps between the score and what it should be.

    Attributes:
        iou_error: Gap to the IoU with the nearest ground truth of the detection's class; None without detections.
        right_error: Gap to the part of detections that are right, likewise.
        table: One row per bin: low, high, count, confidence, iou, right (means, NaN in an empty bin).
    """

    iou_error: float | None
    right_error: float | None
    table: pd.DataFrame


def bin_of(values: Floats, bins: int) -> Ints:
    """Return the index of each value's bin, of equal bins of 0 to 1; a bin holds its lower edge, the last also 1.

    Values outside 0 to 1 go into the first bin or the last.
    """
    edges = bin_edges(bins)
    return np.clip(np.searchsorted(edges, values, "right") - 1, 0, bins - 1).astype(np.int64)


def bin_edges(bins: int) -> Floats:
    """Return the (bins + 1,) edges of equal bins of 0 to 1."""
    return np.arange(bins + 1) / bins


def calibrate(detections: DetectionTable, matches: Matches, nearest: Nearest, bins: int) -> Calibration:
    """Measure the calibration of all detections that count (those in crowd regions do not)."""
    counted = np.flatnonzero(~matches.ignored)
    scores = detections.scores[counted]
    which = bin_of(scores, bins)
    table = iou_histogram(scores, bins)
    count = table["count"].to_numpy()
    said, iou, right = (
        np.bincount(which, values, bins)
        for values in (scores, nearest.own_iou[counted], matches.truths[counted] >= 0)
    )
    for name, total in (("confidence", said), ("iou", iou), ("right", right)):
        table[name] = ratio(total, count).round(12)
    return Calibration(_error(said - iou, count), _error(said - right, count), table)


def iou_histogram(ious: Floats, bins: int) -> pd.DataFrame:
    """Count (P,) IoUs in equal bins: low, high, count."""
    edges = bin_edges(bins)
    count = np.bincount(bin_of(ious, bins), minlength=bins)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": count})


def _error(gap: Array, count: Array) -> float | None:
    return round(float(np.abs(gap).sum() / count.sum()), 12) if count.any() else None
