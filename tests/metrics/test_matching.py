"""Matching against the rule written out slowly."""

import numpy as np
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.metrics.matching import COCO_DETECTIONS, Matches, match, mean_iou
from humbleyolo.metrics.tables import DetectionTable, TruthTable


def match_slowly(truths: TruthTable, detections: DetectionTable, iou: float) -> Matches:
    """COCO's rule, read from `match`'s docstring, one detection after the other."""
    result = Matches(np.full(len(detections), -1), np.zeros(len(detections)), np.zeros(len(detections), np.bool_))
    if not len(detections):
        return result
    found_boxes, known_boxes = ltwh_to_xyxy(detections.boxes_ltwh), ltwh_to_xyxy(truths.boxes_ltwh)
    overlaps = pairwise_iou(found_boxes, known_boxes)
    seen: dict[tuple[int, int], int] = {}
    taken: set[int] = set()
    known_rows = truths.order().tolist()
    for row in detections.order().tolist():
        own = int(detections.images[row]), int(detections.labels[row])
        seen[own] = seen.get(own, 0) + 1
        if seen[own] > COCO_DETECTIONS:
            result.ignored[row] = True
            continue
        mine = [t for t in known_rows if (int(truths.images[t]), int(truths.labels[t])) == own]
        best, best_iou = -1, min(iou, 1 - 1e-10)
        for candidate in mine:
            if candidate in taken or truths.crowd[candidate]:
                continue
            if overlaps[row, candidate] >= best_iou:  # of equal ones, the later
                best, best_iou = candidate, overlaps[row, candidate]
        if best >= 0:
            taken.add(best)
            result.truths[row], result.iou[row] = best, overlaps[row, best]
            continue
        for candidate in (t for t in mine if truths.crowd[t]):
            a, b = found_boxes[row], known_boxes[candidate]
            shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
            own_area = np.prod(a[2:] - a[:2])
            if own_area > 0 and shared / own_area >= iou:
                result.ignored[row] = True
    return result


@pytest.mark.parametrize("seed", range(150))
def test_equal_to_the_rule_written_out(seed: int) -> None:
    truths, detections, names = random_case(seed)
    fast, slow = match(truths, detections, len(names)), match_slowly(truths, detections, 0.5)
    np.testing.assert_array_equal(fast.truths, slow.truths)
    np.testing.assert_array_equal(fast.ignored, slow.ignored)
    np.testing.assert_allclose(fast.iou, slow.iou, atol=1e-12)


def test_of_many_images_in_any_order_each_is_matched_by_itself() -> None:
    """They are matched some at a time: those of an image lie far apart in the table here."""
    rng, count = np.random.default_rng(1), 201  # 100 at a time
    images, found = rng.permutation(count).tolist(), rng.integers(0, count, 2 * count).tolist()
    truths = table_of_truths(count, [(image, (image, 0, 8, 8), 0, False) for image in images])
    detections = table_of_detections(count, [(image, (image + 1, 0, 8, 8), 0, rng.random()) for image in found])
    matches = match(truths, detections, 1)
    assert set(matches.truths[matches.truths >= 0].tolist()) == {images.index(image) for image in found}
    np.testing.assert_array_equal(matches.truths, match_slowly(truths, detections, 0.5).truths)


@pytest.mark.parametrize("seed", range(50))
def test_each_truth_is_found_once_by_its_own_class_in_its_own_image(seed: int) -> None:
    truths, detections, names = random_case(seed)
    matches = match(truths, detections, len(names), iou=0.6)
    hits = matches.truths >= 0
    found = matches.truths[hits]
    assert len(set(found.tolist())) == len(found)
    assert not truths.crowd[found].any()
    assert (truths.images[found] == detections.images[hits]).all()
    assert (truths.labels[found] == detections.labels[hits]).all()
    assert (matches.iou[hits] >= 0.6 - 1e-12).all()
    assert not (matches.ignored & hits).any()


def test_the_mean_iou_is_over_found_pairs_alone() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False), (0, [50, 50, 10, 10], 0, False)])
    detections = table_of_detections(
        1,
        [
            (0, [0, 0, 10, 10], 0, 0.1),  # IoU 1, but the other is more sure and comes first
            (0, [0, 0, 10, 8], 0, 0.9),  # IoU 0.8
            (0, [50, 50, 10, 6], 0, 0.05),  # IoU 0.6
            (0, [80, 80, 5, 5], 0, 0.99),  # nothing there
        ],
    )
    matches = match(truths, detections, 1)
    assert matches.truths.tolist() == [-1, 0, 1, -1]
    assert mean_iou(matches) == pytest.approx(0.7)


def test_no_match_has_no_mean_iou() -> None:
    assert mean_iou(match(table_of_truths(1, []), table_of_detections(1, [(0, [1, 1, 2, 2], 0, 0.5)]), 1)) is None
    assert mean_iou(match(table_of_truths(1, []), table_of_detections(1, []), 1)) is None
