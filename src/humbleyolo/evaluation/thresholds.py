"""Precision, recall and F1 against the confidence from which on a detection is taken."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from humbleyolo.metrics.matching import Matches
from humbleyolo.metrics.tables import DetectionTable, TruthTable, ratio
from humbleyolo.storage.array_types import Bools, Floats

THRESHOLDS: Floats = np.linspace(0, 1, 101).round(2)  # those of the table


@dataclass(frozen=True, slots=True)
class Rates:
    """How good the detections are that are taken; None where there is nothing to divide by.

    Attributes:
        precision: Right ones of those taken.
        recall: Right ones of the truths.
        f1: The harmonic mean of both: 2 right / (taken + truths).
    """

    precision: float | None
    recall: float | None
    f1: float | None


def rates(right: int, taken: int, positives: int) -> Rates:
    """Return the rates of so many right ones, of so many taken, of so many truths."""
    return Rates(
        *(
            round(part / whole, 12) if whole else None
            for part, whole in ((right, taken), (right, positives), (2 * right, taken + positives))
        )
    )


def rates_at(
    truths: TruthTable,
    detections: DetectionTable,
    matches: Matches,
    threshold: float | None,
    label: int | None = None,
) -> Rates:
    """Return the rates of the detections at or above a threshold; with None nothing is taken.

    Args:
        truths: M rows.
        detections: D rows.
        matches: What became of them.
        threshold: The least score.
        label: Of one class; None: all detections and truths together.
    """
    taken = taken_at(detections, matches, threshold)
    positives = ~truths.crowd
    if label is not None:
        taken, positives = taken & (detections.labels == label), positives & (truths.labels == label)
    return rates(
        int(np.count_nonzero(taken & (matches.truths >= 0))),
        int(np.count_nonzero(taken)),
        int(np.count_nonzero(positives)),
    )


def taken_at(detections: DetectionTable, matches: Matches, threshold: float | None) -> Bools:
    """Return (D,) which detections are taken at a threshold: those that count, from this score on."""
    least = np.inf if threshold is None else threshold
    return (detections.scores >= least) & ~matches.ignored


def best_threshold(
    truths: TruthTable, detections: DetectionTable, matches: Matches, label: int | None = None
) -> float | None:
    """Return the threshold with the highest F1; of equal ones the highest.

    It lies halfway between the lowest score that is taken and the highest that is not (0 where all are
    taken), so that a score need not be hit to the last digit. None where no threshold gives an F1 above 0.

    Args:
        truths: M rows.
        detections: D rows.
        matches: What became of them.
        label: Of one class; None: all together.
    """
    scores, right = _best_first(detections, matches, label)
    positives = _positives(truths, label)
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
    """Return the rates at thresholds 0, 0.01 ... 1, of all classes together (class empty), then of each.

    Args:
        truths: M rows.
        detections: D rows.
        matches: What became of them.
        categories: C names.

    Returns:
        Columns class, threshold, precision, recall, f1; NaN where undefined.
    """
    parts = []
    for label in (None, *range(len(categories))):
        scores, right = _best_first(detections, matches, label)
        positives = _positives(truths, label)
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


def _best_first(detections: DetectionTable, matches: Matches, label: int | None) -> tuple[Floats, Bools]:
    """Return the scores that count, falling, and whether each is right."""
    counted = ~matches.ignored if label is None else ~matches.ignored & (detections.labels == label)
    rows = np.flatnonzero(counted)
    rows = rows[np.argsort(-detections.scores[rows], kind="stable")]
    return detections.scores[rows], matches.truths[rows] >= 0


def _positives(truths: TruthTable, label: int | None) -> int:
    return int(np.count_nonzero(~truths.crowd & ((truths.labels == label) if label is not None else True)))
