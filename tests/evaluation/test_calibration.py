"""Reliability against counting one by one, and what a perfect confidence gives."""

import numpy as np
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.evaluation.calibration import bin_of, calibrate, iou_histogram
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable


@pytest.mark.parametrize("bins", [1, 10, 20])
@pytest.mark.parametrize("seed", range(25))
def test_counted_one_by_one(seed: int, bins: int) -> None:
    truths, detections, names = random_case(seed)
    matches, nearest = match(truths, detections, len(names)), nearest_truths(truths, detections)
    result = calibrate(detections, matches, nearest, bins)
    count = iou_error = right_error = 0.0
    for row in result.table.itertuples():
        last = row.Index == bins - 1
        inside = [
            one for one in range(len(detections))
            if not matches.ignored[one]
            and row.low <= detections.scores[one] and (detections.scores[one] < row.high or last)
        ]  # fmt: skip
        assert row.count == len(inside)
        count += len(inside)
        if not inside:
            assert np.isnan([row.confidence, row.iou, row.right]).all()
            continue
        confidence = sum(detections.scores[one] for one in inside) / len(inside)
        iou = sum(nearest.own_iou[one] for one in inside) / len(inside)
        right = sum(matches.truths[one] >= 0 for one in inside) / len(inside)
        assert [row.confidence, row.iou, row.right] == pytest.approx([confidence, iou, right], abs=1e-11)
        iou_error += abs(confidence - iou) * len(inside)
        right_error += abs(confidence - right) * len(inside)
    assert count == np.count_nonzero(~matches.ignored)
    if count:
        assert result.iou_error == pytest.approx(iou_error / count, abs=1e-11)
        assert result.right_error == pytest.approx(right_error / count, abs=1e-11)
    else:
        assert result.iou_error is result.right_error is None


def test_a_score_that_is_the_iou_has_no_error() -> None:
    rng = np.random.default_rng(0)
    truths = table_of_truths(50, [(image, [0, 0, 10, 10], 0, False) for image in range(50)])
    boxes = np.column_stack([np.zeros((50, 2)), rng.uniform(1, 10, 50), np.full(50, 10)])
    detections = DetectionTable(50, truths.images, boxes, truths.labels, boxes[:, 2] / 10)
    result = calibrate(detections, match(truths, detections, 1), nearest_truths(truths, detections), 10)
    assert result.iou_error == pytest.approx(0, abs=1e-12)
    assert result.right_error is not None
    assert result.right_error > 0.1


def test_nothing_found_has_no_calibration() -> None:
    truths: TruthTable = table_of_truths(1, [(0, [1, 1, 5, 5], 0, False)])
    nothing = table_of_detections(1, [])
    result = calibrate(nothing, match(truths, nothing, 1), nearest_truths(truths, nothing), 5)
    assert result.iou_error is None
    assert result.table["count"].tolist() == [0] * 5


def test_edges_belong_to_the_bin_above_but_the_last() -> None:
    values = np.array([-0.1, 0.0, 0.0999, 0.1, 0.3, 0.7, 0.9999, 1.0, 1.3])
    assert bin_of(values, 10).tolist() == [0, 0, 0, 1, 3, 7, 9, 9, 9]


def test_the_histogram_counts_every_pair() -> None:
    table = iou_histogram(np.array([0.5, 0.55, 0.99, 1.0]), 10)
    assert table["count"].tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    assert iou_histogram(np.zeros(0), 4)["count"].tolist() == [0] * 4
