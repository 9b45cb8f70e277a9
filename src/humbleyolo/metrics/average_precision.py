"""Average precision of one class, for many weightings of images at once.

    D detections, best first, P of them right, W weightings

A weight says how often a detection's image counts: once in a measurement, as often as it was drawn in a bootstrap. A
detection of weight 2 changes AP as two equal ones beside each other would.
"""

import numpy as np

from humbleyolo.metrics.tables import ratio
from humbleyolo.storage.array_types import Bools, Floats, Ints

COCO_RECALLS: Floats = np.linspace(0, 1, 101)  # https://cocodataset.org/#detection-eval
VOC_RECALLS: Floats = np.linspace(0, 1, 11)  # Everingham et al. 2010, section 4.2

Weights = Ints


class Curve:
    """Precision against recall of one class, at the detections that are right.

    Args:
        right: (D,) bool, best first.
        weights: (W, D) int64 of each detection; 0 if it is not counted.
        positives: (W,) int64 ground truths to be found, weighted.
    """

    def __init__(self, right: Bools, weights: Weights, positives: Weights) -> None:
        self._positives = positives
        hits = np.flatnonzero(right)
        self._own = weights[:, hits]  # (W, P)
        self._found = np.cumsum(self._own, axis=1)
        taken = np.cumsum(weights, axis=1)[:, hits]
        precision = self._found / np.maximum(taken, 1)
        # The highest precision at this recall or a higher one.
        self._envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]

    def area(self) -> Floats:
        """Return the (W,) area under the curve, by every point; NaN if there is nothing to find.

        Source: the development kit of Pascal VOC 2010 and later.
        """
        return ratio((self._own * self._envelope).sum(axis=1), self._positives)

    def mean_at(self, recalls: Floats) -> Floats:
        """Return the (W,) mean of the precision at recalls, 0 at one that is not reached; NaN likewise."""
        count, points = self._found.shape
        if not points:
            return ratio(np.zeros(count), self._positives)
        positives = np.maximum(self._positives, 1)[:, None]
        least = np.ceil(recalls * positives).astype(np.int64)  # (W, recalls) right ones that reach it,
        least -= (least - 1) / positives >= recalls  # as floats are compared elsewhere
        least += least / positives < recalls
        # One search for all rows: each row's counts rise, and a step lifts them over the row before.
        step = int(max(self._found[:, -1].max(), least.max())) + 1
        lift = np.arange(count, dtype=np.int64)[:, None] * step
        at = np.searchsorted((self._found + lift).ravel(), (least + lift).ravel()).reshape(least.shape)
        at -= np.arange(count)[:, None] * points
        reached = self._found[:, -1:] >= least
        row = np.arange(count)[:, None]
        precision = np.where(reached, self._envelope[row, np.minimum(at, points - 1)], 0.0)
        return np.asarray(np.where(self._positives > 0, precision.mean(axis=1), np.nan))
