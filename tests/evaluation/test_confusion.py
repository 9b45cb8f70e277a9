"""The confusion matrix: its sums, and the rule written out."""

import numpy as np
import pandas as pd
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.evaluation.confusion import BACKGROUND, confused_classes, confused_rows, confusion_table
from humbleyolo.evaluation.thresholds import taken_at
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.metrics.matching import Matches, match
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Bools

Counts = dict[tuple[int, int], int]


def count(truths: TruthTable, detections: DetectionTable, names: list[str], threshold: float) -> tuple[Counts, Bools]:
    matches = match(truths, detections, len(names))
    taken = taken_at(detections, matches, threshold)
    table = confusion_table(truths, detections, matches, taken, names, 0.5)
    assert len(table) == (len(names) + 1) ** 2 - 1
    counts = {(row.truth_index, row.predicted_index): row.count for row in table.itertuples(index=False)}
    for row in table.itertuples(index=False):
        assert row.truth == ("background" if row.truth_index == BACKGROUND else names[row.truth_index])
        assert row.predicted == ("background" if row.predicted_index == BACKGROUND else names[row.predicted_index])
    return counts, taken  # fmt: skip


def count_slowly(truths: TruthTable, detections: DetectionTable, matches: Matches, taken: Bools) -> Counts:
    """What is right first; then each of the others takes the best truth that is left, whatever its class."""
    counts: Counts = {}
    open_truths = set(np.flatnonzero(~truths.crowd).tolist()) - set(matches.truths[taken].tolist())
    order = [row for row in detections.order().tolist() if taken[row]]
    pairs = [(row, int(matches.truths[row])) for row in order if matches.truths[row] >= 0]
    # The order of the rest: all of one class, so by score, image and box.
    rest = sorted(
        (row for row in order if matches.truths[row] < 0),
        key=lambda row: (-detections.scores[row], detections.images[row], *detections.boxes_ltwh[row]),
    )
    for row in rest:
        best, best_iou = BACKGROUND, 0.5
        for truth in sorted(open_truths, key=lambda truth: (*truths.boxes_ltwh[truth],)):
            if truths.images[truth] == detections.images[row]:
                iou = pairwise_iou(
                    ltwh_to_xyxy(detections.boxes_ltwh[[row]]), ltwh_to_xyxy(truths.boxes_ltwh[[truth]])
                )[0, 0]
                if iou >= best_iou:
                    best, best_iou = truth, iou
        open_truths.discard(best)
        pairs.append((row, best))
    for row, truth in pairs:
        key = (BACKGROUND if truth < 0 else int(truths.labels[truth]), int(detections.labels[row]))
        counts[key] = counts.get(key, 0) + 1
    for truth in open_truths:
        key = (int(truths.labels[truth]), BACKGROUND)
        counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("threshold", [0.0, 0.45])
@pytest.mark.parametrize("seed", range(60))
def test_sums_are_what_there_is(seed: int, threshold: float) -> None:
    truths, detections, names = random_case(seed)
    counts, taken = count(truths, detections, names, threshold)
    matches = match(truths, detections, len(names))
    for label in range(len(names)):
        objects = np.count_nonzero((truths.labels == label) & ~truths.crowd)
        assert sum(number for (truth, _), number in counts.items() if truth == label) == objects
        found = np.count_nonzero(taken & (detections.labels == label))
        assert sum(number for (_, predicted), number in counts.items() if predicted == label) == found
        right = np.count_nonzero(taken & (detections.labels == label) & (matches.truths >= 0))
        assert counts[label, label] >= right  # and what two classes' boxes leave for each other
    if not truths.crowd.any():  # hotcoco takes of crowds and truths of equal IoU the truth
        slow = count_slowly(truths, detections, matches, taken)
        assert {key: number for key, number in counts.items() if number} == slow


def test_the_classes_are_told_apart_and_nothing_is_lost() -> None:
    truths = table_of_truths(
        2, [(0, [0, 0, 10, 10], 0, False), (0, [50, 50, 10, 10], 1, False), (1, [0, 0, 9, 9], 1, False)]
    )
    detections = table_of_detections(
        2,
        [
            (0, [0, 0, 10, 10], 0, 0.9),  # right
            (0, [50, 50, 10, 10], 0, 0.8),  # a rat taken for a chat
            (0, [80, 80, 5, 5], 1, 0.7),  # nothing there
            (1, [0, 0, 9, 9], 1, 0.1),  # under the threshold
        ],
    )
    counts, _ = count(truths, detections, ["chat", "background"], 0.5)
    assert {key: number for key, number in counts.items() if number} == {
        (0, 0): 1, (1, 0): 1, (BACKGROUND, 1): 1, (1, BACKGROUND): 1
    }  # fmt: skip


def test_more_detections_on_an_image_than_coco_counts() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 2, False)])
    alarms = [(0, [60 + place / 10, 60, 10, 10], place % 3, 0.5) for place in range(240)]
    detections = table_of_detections(1, [*alarms, (0, [0, 0, 10, 10], 0, 0.4)])
    counts, taken = count(truths, detections, ["a", "b", "c"], 0.0)
    assert taken.sum() == 241
    assert counts[2, 0] == 1
    assert sum(counts[BACKGROUND, label] for label in range(3)) == 240


def test_confusions_are_most_often_first_and_equals_in_the_tables_order() -> None:
    pairs = np.array([(0, 0, 9), (0, 1, 2), (0, -1, 5), (1, 0, 2), (1, 1, 3), (1, -1, 0), (-1, 0, 1), (-1, 1, 5)])
    assert confused_rows(*pairs.T).tolist() == [2, 7, 1, 3, 6]


def test_confusions_of_classes_are_without_the_background_though_a_class_has_its_name() -> None:
    rows = [("background", "rat", 0, 1, 1), ("rat", "background", 1, 0, 4), ("rat", "background", 1, -1, 7)]
    table = pd.DataFrame(rows, columns=["truth", "predicted", "truth_index", "predicted_index", "count"])
    assert confused_classes(table) == [("rat", "background", 4), ("background", "rat", 1)]
    assert confused_classes(table[2:]) == confused_classes(table[:0]) == []
