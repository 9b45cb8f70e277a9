"""Kinds of mistakes against hotcoco's own, and what repairs win against tables that are really repaired."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scoring_cases import NAMES, random_case, table_of_detections, table_of_truths

from humbleyolo.evaluation.mistakes import (
    MISTAKES,
    Judgement,
    costs_in_ap,
    costs_of_kinds,
    judge,
    judged_table,
    missed_truths,
    mistakes_table,
)
from humbleyolo.metrics.coco_metrics import average_precision
from humbleyolo.metrics.matching import evaluator, match
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Bools


def judged(truths: TruthTable, detections: DetectionTable, classes: int) -> Judgement:
    matches = match(truths, detections, classes)
    return judge(matches, nearest_truths(truths, detections), 0.5, 0.1)


def without_crowds(seed: int) -> tuple[TruthTable, DetectionTable, int]:
    truths, detections, names = random_case(seed)
    kept = truths.take(~truths.crowd)
    return kept, detections, len(names)


def all_of(detections: DetectionTable) -> Bools:
    return np.ones(len(detections), np.bool_)


def ap50(truths: TruthTable, detections: DetectionTable, classes: int) -> float | None:
    return average_precision(truths, detections, classes)[1]


def repair(
    kind: str, truths: TruthTable, detections: DetectionTable, judgement: Judgement
) -> tuple[TruthTable, DetectionTable]:
    """Return tables in which one kind of mistake is not there, by the words of the module."""
    if kind == "missed":
        return truths.take(~missed_truths(truths, judgement, all_of(detections))), detections
    found = set(judgement.truths[judgement.kinds == "correct"].tolist())
    keep = judgement.kinds != kind
    boxes, labels = detections.boxes_ltwh.copy(), detections.labels.copy()
    if kind in ("classification", "localisation"):
        for row in detections.order().tolist():
            truth = int(judgement.truths[row])
            if judgement.kinds[row] == kind and truth not in found:
                found.add(truth)
                keep[row] = True
                boxes[row], labels[row] = truths.boxes_ltwh[truth], truths.labels[truth]
    return truths, replace(detections, boxes_ltwh=boxes, labels=labels).take(keep)


def test_localisation_costs_what_boxes_that_fit_would_win_though_none_is_a_mistake_at_the_match() -> None:
    truths = table_of_truths(2, [(image, [30 * row, 0, 20, 20], 0, False) for image in range(2) for row in range(3)])
    boxes = truths.boxes_ltwh + np.array([4.0, 0, 0, 0])  # IoU 2 / 3
    scores = np.linspace(0.9, 0.5, len(boxes))
    for found, ap in ((boxes, 0.4), (truths.boxes_ltwh, 1.0)):
        detections = DetectionTable(2, truths.images, found, truths.labels, scores)
        table = mistakes_table(truths, detections, judged(truths, detections, 1), all_of(detections), 1)
        gains = dict(zip(table["kind"], table["ap_gain"], strict=True))
        assert set(gains.values()) == {0.0}
        at_all_ious, at_match = average_precision(truths, detections, 1)[:2]
        assert (at_all_ious, at_match) == (pytest.approx(ap), pytest.approx(1.0))
        costs = costs_in_ap(at_all_ious, at_match, gains)
        assert costs == dict.fromkeys(MISTAKES, 0.0) | {"localisation": pytest.approx(1.0 - ap)}


def test_costs_of_an_evaluation_are_those_at_its_mean_precision() -> None:
    gains: dict[str, float | None] = dict.fromkeys(MISTAKES, 0.25)
    assert costs_of_kinds(0.25, [1.0, 0.0], gains) == costs_in_ap(0.25, 0.5, dict.fromkeys(MISTAKES, 0.25))


@pytest.mark.parametrize(
    ("ap", "curve", "gain"), [(None, [1.0], 0.1), (0.5, [], 0.1), (0.5, [1.0], None), (0.5, [1.0], math.nan)]
)
def test_what_is_undefined_costs_nothing_that_could_be_told(
    ap: float | None, curve: list[float], gain: float | None
) -> None:
    assert costs_of_kinds(ap, curve, dict.fromkeys(MISTAKES, 0.1) | {"missed": gain}) == {}


@pytest.mark.parametrize("seed", range(60))
def test_a_repair_wins_what_the_repaired_tables_score(seed: int) -> None:
    truths, detections, classes = without_crowds(seed)
    # Scores that differ: a detection that moves keeps its place among equal ones by its box.
    scores = np.random.default_rng(seed).permutation(len(detections)) / (len(detections) + 1)
    detections = replace(detections, scores=scores)
    judgement = judged(truths, detections, classes)
    table = mistakes_table(truths, detections, judgement, all_of(detections), classes).set_index("kind")
    before = ap50(truths, detections, classes)
    for kind in MISTAKES:
        gain = table.loc[kind, "ap_gain"]
        if before is None:
            assert np.isnan(gain)
            continue
        repaired = repair(kind, truths, detections, judgement)
        empty = set(truths.labels.tolist()) - set(repaired[0].labels.tolist())
        left = len(set(truths.labels.tolist())) - len(empty)
        after = (ap50(*repaired, classes) or 0.0) * left + len(empty)
        assert gain == pytest.approx(after / (left + len(empty)) - before, abs=1e-9), kind


@pytest.mark.parametrize("seed", range(150))
def test_counts_are_hotcoco_s(seed: int) -> None:
    truths, detections, classes = without_crowds(seed)
    if len(detections) > 100:
        pytest.skip("hotcoco judges the 100 best alone")
    theirs = evaluator(truths, detections, classes).tide_errors(pos_thr=0.5, bg_thr=0.1)["counts"]
    table = mistakes_table(truths, detections, judged(truths, detections, classes), all_of(detections), classes)
    ours = table.set_index("kind")["count_all"]
    names = {"Cls": "classification", "Loc": "localisation", "Both": "both", "Dupe": "duplicate", "Bkg": "background",
             "Miss": "missed"}  # fmt: skip
    assert {name: int(ours[kind]) for name, kind in names.items()} == {name: int(theirs[name]) for name in names}


def test_each_kind_is_what_its_words_say() -> None:
    truths = table_of_truths(
        1,
        [
            (0, [0, 0, 10, 10], 0, False),
            (0, [50, 0, 10, 10], 1, False),
            (0, [0, 50, 10, 10], 0, False),
            (0, [50, 50, 10, 10], 1, False),
            (0, [80, 80, 10, 10], 1, False),
            (0, [30, 30, 10, 10], 0, True),  # a crowd
        ],
    )
    detections = table_of_detections(
        1,
        [
            (0, [0, 0, 10, 10], 0, 0.9),
            (0, [0, 0, 10, 9], 0, 0.8),
            (0, [50, 0, 10, 10], 0, 0.7),
            (0, [0, 56, 10, 10], 0, 0.6),
            (0, [50, 56, 10, 10], 0, 0.5),
            (0, [20, 0, 5, 5], 1, 0.4),
            (0, [31, 31, 5, 5], 0, 0.3),
        ],
    )
    judgement = judged(truths, detections, 2)
    assert judgement.kinds.tolist() == [
        "correct", "duplicate", "classification", "localisation", "both", "background", ""
    ]  # fmt: skip
    assert judgement.truths.tolist() == [0, 0, 1, 2, 3, -1, -1]
    missed = missed_truths(truths, judgement, all_of(detections))
    assert np.flatnonzero(missed).tolist() == [3, 4]
    taken = (detections.scores > 0.65) & (judgement.kinds != "")
    table = mistakes_table(truths, detections, judgement, taken, 2).set_index("kind")
    assert table["count"].to_dict() == {
        "classification": 1, "localisation": 0, "both": 0, "duplicate": 1, "background": 0, "missed": 3
    }  # fmt: skip
    assert table["count_all"].to_dict() == {
        "classification": 1, "localisation": 1, "both": 1, "duplicate": 1, "background": 1, "missed": 2
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_rows_are_the_detections_and_the_missed_truths(seed: int) -> None:
    truths, detections, classes = without_crowds(seed)
    judgement = judged(truths, detections, classes)
    taken = (detections.scores >= 0.4) & (judgement.kinds != "")
    table = judged_table(truths, detections, judgement, taken, tuple(NAMES[:classes]))
    assert list(table.columns) == [
        "image_id", "detection", "truth", "kind", "predicted", "truth_class", "score", "iou"
    ]  # fmt: skip
    counts = mistakes_table(truths, detections, judgement, taken, classes).set_index("kind")["count"]
    assert {kind: int((table["kind"] == kind).sum()) for kind in MISTAKES} == counts.to_dict()
    assert int((table["kind"] != "missed").sum()) == taken.sum()
    assert table["image_id"].is_monotonic_increasing
    in_file = detections.take(detections.file_order())
    for row in table.itertuples(index=False):
        if row.kind != "missed":
            assert in_file.images[row.detection] + 1 == row.image_id
            assert in_file.scores[row.detection] == row.score
            assert NAMES[in_file.labels[row.detection]] == row.predicted
        else:
            assert pd.isna(row.detection)
            assert pd.isna(row.score)
        if pd.isna(row.truth):
            assert row.kind == "background"
            assert pd.isna(row.truth_class)
        else:
            assert truths.images[row.truth - 1] + 1 == row.image_id
            assert NAMES[truths.labels[row.truth - 1]] == row.truth_class


def test_a_class_of_which_nothing_is_found_wins_all() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False)])
    nothing = table_of_detections(1, [])
    table = mistakes_table(truths, nothing, judged(truths, nothing, 2), all_of(nothing), 2)
    assert table.set_index("kind")["ap_gain"].to_dict() == {kind: float(kind == "missed") for kind in MISTAKES}
