"""Curves against the definition written out, and weights against rows that are really repeated."""

import math

import numpy as np
import pytest

from humbleyolo.metrics.average_precision import COCO_RECALLS, VOC_RECALLS, Curve
from humbleyolo.storage.array_types import Floats


def points(right: list[bool], positives: int) -> list[tuple[float, float]]:
    """Return (recall, precision) after each detection."""
    found, result = 0, []
    for taken, one in enumerate(right, start=1):
        found += one
        result.append((found / positives, found / taken))
    return result


def mean_slowly(right: list[bool], positives: int, recalls: Floats) -> float:
    curve = points(right, positives)
    return sum(max((p for r, p in curve if r >= recall), default=0.0) for recall in recalls) / len(recalls)


def area_slowly(right: list[bool], positives: int) -> float:
    curve, total, before = points(right, positives), 0.0, 0.0
    for recall, _ in curve:
        total += (recall - before) * max(p for r, p in curve if r >= recall)
        before = recall
    return total


@pytest.mark.parametrize("seed", range(80))
def test_weights_are_repetitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 30))
    right = rng.random(count) < rng.random()
    weights = rng.integers(0, 4, (7, count))
    weights[0] = 1
    positives = (weights * right).sum(axis=1) + rng.integers(0, 5, 7)
    curve = Curve(right, weights, positives)
    found = curve.mean_at(COCO_RECALLS), curve.mean_at(VOC_RECALLS), curve.area()
    for row in range(7):
        repeated = np.repeat(right, weights[row]).tolist()
        if positives[row] == 0:
            assert all(np.isnan(numbers[row]) for numbers in found)
            continue
        for numbers, expected in zip(
            found,
            (
                mean_slowly(repeated, positives[row], COCO_RECALLS),
                mean_slowly(repeated, positives[row], VOC_RECALLS),
                area_slowly(repeated, positives[row]),
            ),
            strict=True,
        ):
            assert numbers[row] == pytest.approx(expected, abs=1e-12)


def test_a_recall_is_reached_as_floats_compare() -> None:
    # 7 of 25 is 0.28 exactly where 0.28 * 25 is 7.000000000000001
    assert math.ceil(0.28 * 25) == 8
    for positives in range(1, 300):
        for found in {1, positives // 3 + 1, positives}:
            curve = Curve(np.ones(found, np.bool_), np.ones((1, found), np.int64), np.array([positives]))
            reached = np.count_nonzero(found / positives >= COCO_RECALLS)
            assert curve.mean_at(COCO_RECALLS)[0] == pytest.approx(reached / 101, abs=1e-15)
