"""Choice of the confidence threshold; precision, recall and F1 at each threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from humbleyolo.metrics.matching import Matches, match
from humbleyolo.metrics.tables import DetectionTable, TruthTable, ratio
from humbleyolo.storage.array_types import Bools, Floats

THRESHOLDS: Floats = np.linspace(0, 1, 101).round(2)  # those of the table


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Least scores of the detections that are taken, found on val; None if no score is any good.

    Attributes:
        overall: One for all classes.
        per_class: The best for each of C classes by itself.
    """

    overall: float | None
    per_class: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of the detections that are taken; None if there is nothing to divide by.

    Attributes:
        precision: Right ones of those taken.
        recall: Right ones of the ground truths.
        f1: Harmonic mean of both: 2 right / (taken + ground truths).
    """

    precision: float | None
    recall: float | None
    f1: float | None

    @classmethod
    def of(cls, right: int, taken: int, positives: int) -> Self:
        """Return the rates of counts: right detections, those taken, and ground truths."""
        parts = ((right, taken), (right, positives), (2 * right, taken + positives))
        return cls(*(round(part / whole, 12) if whole else None for part, whole in parts))


def find_thresholds(truths: TruthTable, detections: DetectionTable, class_count: int, match_iou: float) -> Thresholds:
    """Find the thresholds with the best F1; on val, since test is for measuring them."""
    matches = match(truths, detections, class_count, match_iou)
    return Thresholds(
        best_threshold(truths, detections, matches),
        tuple(best_threshold(truths, detections, matches, label) for label in range(class_count)),
    )


def find_careful_thresholds(
    truths: TruthTable, detections: DetectionTable, class_count: int, match_iou: float
) -> Thresholds:
    """Find thresholds on images that were trained on, whose scores are higher than those of others.

    They are half of the F1 at the best threshold, if that is less. Where a score is the probability to be right, no
    other threshold is the best (Lipton et al. 2014, "Optimal thresholding of classifiers to maximize F1 measure").
    """
    matches = match(truths, detections, class_count, match_iou)

    def careful(label: int | None = None) -> float | None:
        best = best_threshold(truths, detections, matches, label)
        f1 = rates_at(truths, detections, matches, best, label).f1
        return best if best is None or f1 is None else min(best, f1 / 2)

    return Thresholds(careful(), tuple(map(careful, range(class_count))))


def rates_at(
    truths: TruthTable,
    detections: DetectionTable,
    matches: Matches,
    threshold: float | None,
    label: int | None = None,
) -> Rates:
    """Return the rates of the detections at or above a threshold; with None nothing is taken.

    They are of one class, or with a `label` of None of all detections and ground truths together.
    """
    scores, is_right, positives = _best_first(truths, detections, matches, label)
    taken = 0 if threshold is None else int(np.count_nonzero(scores >= threshold))
    right = int(np.count_nonzero(is_right[:taken]))
    return Rates.of(right, taken, positives)


def taken_at(detections: DetectionTable, matches: Matches, threshold: float | None) -> Bools:
    """Return the detections taken at a threshold, (D,) bool: those that count, from this score on."""
    least = np.inf if threshold is None else threshold
    return (detections.scores >= least) & ~matches.ignored


def best_threshold(
    truths: TruthTable, detections: DetectionTable, matches: Matches, label: int | None = None
) -> float | None:
    """Return the threshold with the highest F1; of equal ones the highest.

    It lies halfway between the lowest score that is taken and the highest that is not, 0 if all are taken. So a
    score need not be hit to the last digit. None if no threshold gives an F1 above 0. For `label` see `rates_at`.
    """
    scores, right, positives = _best_first(truths, detections, matches, label)
    if not right.any():
        return None
    found, taken = np.cumsum(right), np.arange(1, len(scores) + 1)
    f1 = 2 * found / (taken + positives)
    f1[:-1][scores[:-1] == scores[1:]] = -1  # equal scores are taken together
    last = int(np.argmax(f1))
    below = scores[last + 1] if last + 1 < len(scores) else min(0.0, scores[last])
    middle = float((scores[last] + below) / 2)
    return middle if middle > below else float(scores[last])


def threshold_table(
    truths: TruthTable, detections: DetectionTable, matches: Matches, categories: Sequence[str]
) -> pd.DataFrame:
    """Return the rates at thresholds 0, 0.01 ... 1, for all classes together (class empty), then for each.

    Columns: class, threshold, precision, recall, f1; NaN where undefined.
    """
    parts = []
    for label in (None, *range(len(categories))):
        scores, right, positives = _best_first(truths, detections, matches, label)
        taken = np.searchsorted(-scores, -THRESHOLDS, "right")
        found = np.concatenate([[0], np.cumsum(right)])[taken]
        parts.append(
            pd.DataFrame(
                {
                    "class": "" if label is None else categories[label],
                    "threshold": THRESHOLDS,
                    "precision": ratio(found, taken).round(12),
                    "recall": ratio(found, np.full(len(taken), positives)).round(12),
                    "f1": ratio(2 * found, taken + positives).round(12),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _best_first(
    truths: TruthTable, detections: DetectionTable, matches: Matches, label: int | None
) -> tuple[Floats, Bools, int]:
    """Return the scores that count, falling, the right ones of them, and the number of ground truths."""
    counted, positive = ~matches.ignored, ~truths.crowd
    if label is not None:
        counted, positive = counted & (detections.labels == label), positive & (truths.labels == label)
    rows = np.flatnonzero(counted)
    rows = rows[np.argsort(-detections.scores[rows], kind="stable")]
    return detections.scores[rows], matches.truths[rows] >= 0, int(np.count_nonzero(positive))
