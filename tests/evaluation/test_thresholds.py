"""Rates at thresholds, and the best one, against counting one by one."""

from typing import Any

import numpy as np
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.evaluation.thresholds import (
    THRESHOLDS,
    Rates,
    best_threshold,
    find_careful_thresholds,
    find_thresholds,
    rates_at,
    threshold_table,
)  # fmt: skip
from humbleyolo.metrics.matching import Matches, match
from humbleyolo.metrics.tables import DetectionTable, TruthTable


def rates_slowly(
    truths: TruthTable, detections: DetectionTable, matches: Matches, threshold: float, label: int | None
) -> list[float | None]:
    right = taken = 0
    for row in range(len(detections)):
        if matches.ignored[row] or detections.scores[row] < threshold:
            continue
        if label is not None and detections.labels[row] != label:
            continue
        taken += 1
        right += matches.truths[row] >= 0
    positives = sum(
        not crowd and label in (None, one)
        for one, crowd in zip(truths.labels.tolist(), truths.crowd.tolist(), strict=True)
    )
    precision = right / taken if taken else None
    recall = right / positives if positives else None
    f1 = 2 * right / (taken + positives) if taken + positives else None
    return [precision, recall, f1]


def close(rates: Rates | Any, expected: list[float | None]) -> bool:
    found = [
        None if value is None or np.isnan(value) else value for value in (rates.precision, rates.recall, rates.f1)
    ]
    return all(
        one is other if one is None or other is None else abs(one - other) < 1e-11
        for one, other in zip(found, expected, strict=True)
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_the_table_is_counted(seed: int) -> None:
    truths, detections, names = random_case(seed)
    matches = match(truths, detections, len(names))
    table = threshold_table(truths, detections, matches, names)
    assert list(table.columns) == ["class", "threshold", "precision", "recall", "f1"]
    assert len(table) == (len(names) + 1) * len(THRESHOLDS)
    labels = {"": None} | {name: label for label, name in enumerate(names)}
    for row in table.iloc[::7].itertuples(index=False):
        label = labels[row[0]]
        assert close(row, rates_slowly(truths, detections, matches, row.threshold, label))
        assert close(
            rates_at(truths, detections, matches, row.threshold, label),
            rates_slowly(truths, detections, matches, row.threshold, label),
        )


@pytest.mark.parametrize("label", [None, 0])
@pytest.mark.parametrize("seed", range(60))
def test_no_threshold_is_better_than_the_best(seed: int, label: int | None) -> None:
    truths, detections, names = random_case(seed)
    matches = match(truths, detections, len(names))
    best = best_threshold(truths, detections, matches, label)
    own = detections.labels == label if label is not None else np.ones(len(detections), np.bool_)
    f1s = {
        threshold: rates_slowly(truths, detections, matches, threshold, label)[2] or 0.0
        for threshold in [*detections.scores[own & ~matches.ignored].tolist(), 2.0]
    }
    highest = max(f1s.values())
    if best is None:
        assert highest == 0
        return
    assert rates_slowly(truths, detections, matches, best, label)[2] == pytest.approx(highest, abs=1e-12)
    lowest = min(score for score in f1s if score >= best)
    assert all(f1 < highest - 1e-12 for threshold, f1 in f1s.items() if threshold > lowest)


def test_it_lies_halfway_to_the_next_score() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False), (0, [50, 50, 10, 10], 0, False)])
    rows = [(0, [0, 0, 10, 10], 0, 0.9), (0, [50, 50, 10, 10], 0, 0.8), (0, [90, 90, 5, 5], 0, 0.5)]
    detections = table_of_detections(1, rows)
    assert best_threshold(truths, detections, match(truths, detections, 1)) == pytest.approx(0.65)
    alone = table_of_detections(1, rows[:2])
    assert best_threshold(truths, alone, match(truths, alone, 1)) == pytest.approx(0.4)


def test_equal_scores_are_taken_together() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False)])
    detections = table_of_detections(
        1, [(0, [0, 0, 10, 10], 0, 0.5), *[(0, [50 + place, 50, 5, 5], 0, 0.5) for place in range(3)]]
    )
    matches = match(truths, detections, 1)
    threshold = best_threshold(truths, detections, matches)
    assert rates_at(truths, detections, matches, threshold) == Rates(0.25, 1.0, 0.4)


def test_without_a_threshold_nothing_is_taken() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False)])
    wrong = table_of_detections(1, [(0, [50, 50, 10, 10], 0, 0.9)])
    matches = match(truths, wrong, 1)
    assert best_threshold(truths, wrong, matches) is None
    assert rates_at(truths, wrong, matches, None) == Rates(None, 0.0, 0.0)
    nothing = table_of_detections(1, [])
    assert best_threshold(truths, nothing, match(truths, nothing, 1)) is None


@pytest.mark.parametrize("seed", range(60))
def test_images_that_were_trained_on_give_half_of_their_f1_at_most(seed: int) -> None:
    truths, detections, names = random_case(seed)
    matches = match(truths, detections, len(names))
    best = find_thresholds(truths, detections, len(names), 0.5)
    careful = find_careful_thresholds(truths, detections, len(names), 0.5)
    for label, one, less in zip(
        [None, *range(len(names))],
        [best.overall, *best.per_class],
        [careful.overall, *careful.per_class],
        strict=True,
    ):
        f1 = rates_slowly(truths, detections, matches, 2.0 if one is None else one, label)[2] or 0.0
        assert less == (None if one is None else pytest.approx(min(one, f1 / 2)))


def test_where_scores_are_probabilities_half_of_the_f1_is_the_best_threshold() -> None:
    rng = np.random.default_rng(1)
    scores = np.sort(rng.uniform(0, 1, 4000))[::-1]
    right = rng.uniform(0, 1, 4000) < scores
    f1s = 2 * np.cumsum(right) / (np.arange(1, 4001) + right.sum())
    assert f1s.max() / 2 == pytest.approx(scores[f1s.argmax()], abs=0.03)
