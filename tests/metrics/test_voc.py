"""Pascal VOC's AP against its development kit's rule written out, and on a worked example of others."""

import numpy as np
import pytest
from repository import ROOT
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.metrics.average_precision import VOC_RECALLS
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.metrics.voc import voc_average_precision
from tests.metrics.test_average_precision import area_slowly, mean_slowly

EXAMPLE = ROOT.parent / "shared/data/object_detection_metrics"


def right_slowly(truths: TruthTable, detections: DetectionTable, label: int, iou: float) -> list[bool]:
    """The rule, one detection after the other: only the best truth counts, and only once."""
    taken: set[int] = set()
    result = []
    for row in detections.order().tolist():
        if detections.labels[row] != label:
            continue
        best, best_iou = -1, 0.0
        for truth in truths.order().tolist():
            if truths.images[truth] != detections.images[row] or truths.labels[truth] != label:
                continue
            found = pairwise_iou(
                ltwh_to_xyxy(detections.boxes_ltwh[[row]]), ltwh_to_xyxy(truths.boxes_ltwh[[truth]])
            )[0, 0]
            if not truths.crowd[truth] and found > best_iou:
                best, best_iou = truth, found
        result.append(best >= 0 and best_iou >= iou and best not in taken)
        if result[-1]:
            taken.add(best)
    return result


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_the_rule_written_out(seed: int) -> None:
    truths, detections, names = random_case(seed)
    every_point, eleven = voc_average_precision(truths, detections, len(names), 0.4)
    for label in range(len(names)):
        positives = int(np.count_nonzero((truths.labels == label) & ~truths.crowd))
        if not positives:
            assert every_point[label] is eleven[label] is None
            continue
        right = right_slowly(truths, detections, label, 0.4)
        assert every_point[label] == pytest.approx(area_slowly(right, positives), abs=1e-11)
        assert eleven[label] == pytest.approx(mean_slowly(right, positives, VOC_RECALLS), abs=1e-11)


def test_a_worked_example_of_others() -> None:
    if not EXAMPLE.is_dir():
        pytest.skip(f"needs {EXAMPLE}")
    truths, detections = [], []
    for file in sorted((EXAMPLE / "groundtruths").iterdir()):
        lines = [line.split() for line in file.read_text().splitlines()]
        found = [line.split() for line in (EXAMPLE / "detections" / file.name).read_text().splitlines()]
        # Its pixels count from the first to the last, both included: a width of 31 covers 32.
        boxes = np.array([line[1:] for line in lines], np.float64)
        found_boxes = np.array([line[2:] for line in found], np.float64)
        boxes[:, 2:] += 1
        found_boxes[:, 2:] += 1
        truths.append((boxes, np.zeros(len(boxes)), np.zeros(len(boxes))))
        detections.append((found_boxes, np.zeros(len(found)), [float(line[1]) for line in found]))
    known, results = TruthTable.gather(truths), DetectionTable.gather(detections)
    assert (len(known), len(results)) == (15, 24)
    (every_point,), (eleven,) = voc_average_precision(known, results, 1, 0.3)
    assert every_point == pytest.approx(0.2456, abs=1e-4)
    assert eleven == pytest.approx(0.2684, abs=1e-4)


def test_unlike_coco_no_second_best_truth_is_taken() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False), (0, [2, 0, 10, 10], 0, False)])
    detections = table_of_detections(1, [(0, [0, 0, 10, 10], 0, 0.9), (0, [0.5, 0, 10, 10], 0, 0.8)])
    assert (match(truths, detections, 1).truths >= 0).all()
    assert voc_average_precision(truths, detections, 1, 0.5)[0] == [0.5]


def test_the_threshold_itself_is_enough() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False)])
    half = table_of_detections(1, [(0, [0, 0, 10, 5], 0, 0.9)])
    assert voc_average_precision(truths, half, 1, 0.5) == ([1.0], [1.0])
    assert voc_average_precision(truths, half, 1, 0.51) == ([0.0], [0.0])
