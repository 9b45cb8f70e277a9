"""The precision-recall tables."""

import numpy as np
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.evaluation.precision_recall import precision_recall
from humbleyolo.metrics.coco_metrics import score


@pytest.mark.parametrize("seed", range(60))
def test_the_area_under_a_curve_is_its_ap(seed: int) -> None:
    truths, detections, names = random_case(seed)
    whole = score(truths, detections, names)
    overall, by_class = precision_recall(truths, detections, names)
    if whole["ap50"] is None:
        assert overall.empty
        assert by_class.empty
        return
    assert overall["precision"].mean() == pytest.approx(whole["ap50"], abs=1e-11)
    for name, one in whole["per_class"].items():
        curve = by_class[by_class["class"] == name]
        if one["ap50"] is None:
            assert curve.empty
        else:
            assert curve["precision"].mean() == pytest.approx(one["ap50"], abs=1e-11)
            assert curve["recall"].tolist() == [round(step / 100, 2) for step in range(101)]
            assert (curve["precision"].diff().dropna() <= 1e-12).all()


def test_confidence_is_that_of_the_detection_that_reaches_the_recall() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False), (0, [50, 50, 10, 10], 0, False)])
    detections = table_of_detections(
        1, [(0, [0, 0, 10, 10], 0, 0.9), (0, [90, 90, 5, 5], 0, 0.8), (0, [50, 50, 10, 10], 0, 0.7)]
    )
    _, curve = precision_recall(truths, detections, ["chat"])
    assert curve.loc[curve["recall"] <= 0.5, "confidence"].unique().tolist() == [0.9]
    assert curve.loc[curve["recall"] > 0.5, "confidence"].unique().tolist() == [0.7]
    assert curve.loc[curve["recall"] > 0.5, "precision"].unique() == pytest.approx([2 / 3])


def test_recall_that_is_not_reached_has_no_confidence() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False), (0, [50, 50, 10, 10], 0, False)])
    _, curve = precision_recall(truths, table_of_detections(1, [(0, [0, 0, 10, 10], 0, 0.9)]), ["chat"])
    unreached = curve[curve["recall"] > 0.5]
    assert unreached["confidence"].isna().all()
    assert (unreached["precision"] == 0).all()
    assert np.isfinite(curve.loc[curve["recall"] <= 0.5, "confidence"]).all()
