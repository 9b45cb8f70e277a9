"""Pascal VOC's AP against its development kit's rule written out, and on a worked example of others."""

from pathlib import Path

import numpy as np
import pytest
from folders import Maker, picture
from repository import ROOT
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.metrics.average_precision import VOC_RECALLS
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.metrics.voc_metrics import voc_average_precision
from humbleyolo.scoring.scored_labels import read_labels
from tests.metrics.test_average_precision import area_slowly, mean_slowly

EDGES = ("xmin", "ymin", "xmax", "ymax")
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


def devkit_ap(truths: list[list[tuple[str, list[int], bool]]], found: list[tuple[int, float, list[int]]]) -> float:
    """`VOCevaldet.m` and `VOCap.m` of the VOC 2012 development kit for class `a`: pixels from 1, the last one too."""
    known = [[(box, difficult) for name, box, difficult in image if name == "a"] for image in truths]
    positives = sum(not difficult for image in known for _, difficult in image)
    taken = [[False] * len(image) for image in known]
    hits, misses = [], []
    for image, _, box in sorted(found, key=lambda one: -one[1]):
        best, place = -np.inf, -1
        for number, (other, _) in enumerate(known[image]):
            left, top, right, bottom = *np.maximum(box[:2], other[:2]), *np.minimum(box[2:], other[2:])
            wide, high = right - left + 1, bottom - top + 1
            if wide > 0 and high > 0:
                sizes = [(one[2] - one[0] + 1) * (one[3] - one[1] + 1) for one in (box, other)]
                overlap = wide * high / (sum(sizes) - wide * high)
                if overlap > best:
                    best, place = overlap, number
        hit = miss = 0
        if best >= 0.5:
            if not known[image][place][1]:
                hit, miss = (0, 1) if taken[image][place] else (1, 0)
                taken[image][place] = True
        else:
            miss = 1
        hits.append(hit)
        misses.append(miss)
    tp, fp = np.cumsum(hits), np.cumsum(misses)
    recall = np.concatenate([[0], tp / positives, [1]])
    precision = np.concatenate([[0], np.divide(tp, tp + fp, out=np.zeros(len(tp)), where=tp + fp > 0), [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(((recall[steps] - recall[steps - 1]) * precision[steps]).sum())


@pytest.mark.parametrize("seed", range(20))
def test_labels_of_the_devkit_score_as_in_the_devkit(tmp_path: Path, seed: int) -> None:
    """Difficult objects are neither to be found nor wrong to find; the last pixel belongs to a box."""
    rng = np.random.default_rng(seed)
    truths, found, files = [], [], {}
    for image in range(4):
        objects, xml = [], ""
        for _ in range(rng.integers(1, 6)):
            left, top = rng.integers(1, 25, 2).tolist()
            box = [left, top, left + int(rng.integers(3, 14)), top + int(rng.integers(3, 14))]
            name, difficult = "ab"[rng.integers(2)], bool(rng.random() < 0.4)
            if any(one[:2] == (name, box) for one in objects):
                continue
            objects.append((name, box, difficult))
            edges = "".join(f"<{key}>{value}</{key}>" for key, value in zip(EDGES, box, strict=True))
            flag = f"<difficult>{int(difficult)}</difficult>"
            xml += f"<object><name>{name}</name>{flag}<bndbox>{edges}</bndbox></object>"
            for _ in range(rng.integers(0, 3)):
                moved = np.array(box) + rng.integers(-2, 3, 4)
                moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
                found.append((image, float(rng.random()), moved.tolist()))
        truths.append(objects)
        files[f"{image}.png"] = picture(image, 40, 40)
        files[f"{image}.xml"] = f"<annotation><filename>{image}.png</filename>{xml}</annotation>"
    if not any(name == "a" and not difficult for image in truths for name, _, difficult in image):
        return
    with open_source(Maker(tmp_path).folder(files)) as source:
        labels = read_labels(source, ReadOptions(one_based=True), None)
    rows = [
        (image, [left - 1, top - 1, right - left + 1, bottom - top + 1], labels.classes.index("a"), score)
        for image, score, (left, top, right, bottom) in found
    ]
    ap = voc_average_precision(labels.truths, table_of_detections(4, rows), len(labels.classes), 0.5)[0]
    assert ap[labels.classes.index("a")] == pytest.approx(devkit_ap(truths, found), abs=1e-11)
