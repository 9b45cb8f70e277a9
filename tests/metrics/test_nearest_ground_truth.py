"""The nearest truths against a loop over all pairs."""

from typing import Any

import numpy as np
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.metrics import nearest_ground_truth as module
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable


def nearest_slowly(truths: TruthTable, detections: DetectionTable, row: int, own: bool) -> tuple[int, float]:
    best, best_iou = -1, 0.0
    for truth in truths.order().tolist():
        if truths.crowd[truth] or truths.images[truth] != detections.images[row]:
            continue
        if (truths.labels[truth] == detections.labels[row]) != own:
            continue
        iou = pairwise_iou(ltwh_to_xyxy(detections.boxes_ltwh[[row]]), ltwh_to_xyxy(truths.boxes_ltwh[[truth]]))[0, 0]
        if iou > best_iou:
            best, best_iou = truth, iou
    return best, best_iou


@pytest.mark.parametrize("pairs", [1 << 20, 3])
@pytest.mark.parametrize("seed", range(25))
def test_equal_to_a_loop_however_many_pairs_are_held(seed: int, pairs: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_PAIRS", pairs)
    truths, detections, _ = random_case(seed)
    found = nearest_truths(truths, detections)
    for row in range(len(detections)):
        assert (found.own[row], found.own_iou[row]) == nearest_slowly(truths, detections, row, own=True)
        assert (found.other[row], found.other_iou[row]) == nearest_slowly(truths, detections, row, own=False)


def test_nothing_there_and_nothing_found() -> None:
    nothing = nearest_truths(table_of_truths(1, []), table_of_detections(1, [(0, [1, 1, 5, 5], 0, 0.9)]))
    assert (nothing.own.tolist(), nothing.own_iou.tolist()) == ([-1], [0.0])
    none = nearest_truths(table_of_truths(1, [(0, [1, 1, 5, 5], 0, False)]), table_of_detections(1, []))
    assert len(none.own) == 0


def test_thousands_of_detections_on_one_image_take_little_memory(monkeypatch: Any) -> None:
    seen = []
    monkeypatch.setattr(module, "pairwise_iou", lambda a, b: seen.append(len(a) * len(b)) or pairwise_iou(a, b))
    monkeypatch.setattr(module, "_PAIRS", 1000)
    rng = np.random.default_rng(0)
    truths = table_of_truths(1, [(0, [*rng.uniform(0, 90, 2), 9, 9], 0, False) for _ in range(30)])
    detections = table_of_detections(1, [(0, [*rng.uniform(0, 90, 2), 9, 9], 0, 0.5) for _ in range(5000)])
    nearest_truths(truths, detections)
    assert max(seen) <= 1000
    assert sum(seen) == 30 * 5000
