"""Box algebra against counted pixels, pycocotools and a slow suppression."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask

from humbleyolo.geometry.boxes import (
    area,
    cxcywh_to_xyxy,
    ltwh_to_xyxy,
    nms,
    pairwise_iou,
    to_whole_pixels,
    xyxy_to_cxcywh,
    xyxy_to_ltwh,
)
from humbleyolo.storage.array_types import Floats, Ints

SIDE = 16  # pixels of the images drawn here


@st.composite
def whole_boxes(draw: st.DrawFn, most: int = 8) -> Floats:
    """(M, 4) xyxy on whole pixels inside SIDE x SIDE, some without area."""
    count = draw(st.integers(0, most))
    corners = draw(arrays(np.int64, (count, 2, 2), elements=st.integers(0, SIDE)))
    return np.sort(corners, axis=1).reshape(count, 4).astype(np.float64)


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[Floats, Floats, Ints]:
    """Boxes, scores of which many are equal, and labels."""
    boxes = draw(whole_boxes(12))
    scores = draw(arrays(np.float64, len(boxes), elements=st.sampled_from([0.1, 0.5, 0.5000001, 0.9])))
    return boxes, scores, draw(arrays(np.int64, len(boxes), elements=st.integers(0, 2)))


def paint(box: Floats) -> np.ndarray:
    canvas = np.zeros((SIDE, SIDE), bool)
    left, top, right, bottom = box.astype(int)
    canvas[top:bottom, left:right] = True
    return canvas


@given(whole_boxes())
def test_formats_convert_there_and_back(boxes: Floats) -> None:
    np.testing.assert_array_equal(ltwh_to_xyxy(xyxy_to_ltwh(boxes)), boxes)
    np.testing.assert_array_equal(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)


def test_formats_are_what_their_names_say() -> None:
    box = np.array([[[1.0, 2.0, 5.0, 10.0]]])  # any number of leading axes
    np.testing.assert_array_equal(xyxy_to_ltwh(box), [[[1, 2, 4, 8]]])
    np.testing.assert_array_equal(xyxy_to_cxcywh(box), [[[3, 6, 4, 8]]])


@given(whole_boxes(), whole_boxes())
def test_iou_is_what_counting_pixels_gives(a: Floats, b: Floats) -> None:
    expected = np.zeros((len(a), len(b)))
    for row, first in enumerate(a):
        for col, second in enumerate(b):
            union = (paint(first) | paint(second)).sum()
            expected[row, col] = (paint(first) & paint(second)).sum() / union if union else 0
    np.testing.assert_array_equal(pairwise_iou(a, b), expected)
    np.testing.assert_array_equal(area(a), [paint(box).sum() for box in a])


@given(
    arrays(np.float64, (4, 4), elements=st.floats(-100, 100)),
    arrays(np.float64, (3, 4), elements=st.floats(-100, 100)),
)
def test_iou_is_that_of_pycocotools(corners: Floats, others: Floats) -> None:
    def boxes(raw: Floats) -> Floats:
        pairs = np.sort(raw.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
        return np.add(pairs, (0, 0, 0.5, 0.5))  # none without area, which pycocotools divides by

    a, b = boxes(corners), boxes(others)
    expected = mask.iou(xyxy_to_ltwh(a), xyxy_to_ltwh(b), [0] * len(b))
    np.testing.assert_allclose(pairwise_iou(a, b), expected, rtol=1e-9, atol=1e-12)


@given(whole_boxes(), whole_boxes())
def test_iou_is_symmetric_and_that_with_itself_is_1(a: Floats, b: Floats) -> None:
    np.testing.assert_array_equal(pairwise_iou(a, b), pairwise_iou(b, a).T)
    np.testing.assert_array_equal(np.diag(pairwise_iou(a, a)), area(a) > 0)


def test_a_corner_on_the_wrong_side_makes_no_area() -> None:
    inside_out = np.array([[5.0, 5.0, 1.0, 1.0]])
    assert area(inside_out)[0] == 0
    assert pairwise_iou(inside_out, np.array([[0.0, 0.0, 6.0, 6.0]])).item() == 0


def slow_nms(boxes: Floats, scores: Floats, labels: Ints, iou: float) -> list[int]:
    waiting = sorted(range(len(boxes)), key=lambda index: (-scores[index], index))
    kept: list[int] = []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [
            other
            for other in waiting
            if labels[other] != labels[best] or pairwise_iou(boxes[[best]], boxes[[other]]).item() <= iou
        ]
    return kept


@given(scored_boxes(), st.sampled_from([0.0, 1 / 3, 0.5, 1.0]))
def test_nms_is_the_greedy_rule(case: tuple[Floats, Floats, Ints], iou: float) -> None:
    assert nms(*case, iou).tolist() == slow_nms(*case, iou)


@given(scored_boxes(), st.floats(0, 1), st.randoms(use_true_random=False))
def test_nms_keeps_the_same_boxes_in_any_order_where_scores_differ(
    case: tuple[Floats, Floats, Ints], iou: float, random: object
) -> None:
    boxes, _, labels = case
    scores = np.linspace(0.1, 0.9, len(boxes))
    order = np.array(sorted(range(len(boxes)), key=lambda _: random.random()), int)  # type: ignore[attr-defined]
    shuffled = order[nms(boxes[order], scores[order], labels[order], iou)]
    np.testing.assert_array_equal(shuffled, nms(boxes, scores, labels, iou))


@given(whole_boxes(), st.floats(-0.49, 0.49))
def test_whole_pixels_are_where_labels_are(boxes: Floats, error: float) -> None:
    solid = area(boxes) > 0
    np.testing.assert_array_equal(to_whole_pixels(boxes + error)[solid], boxes[solid])


def test_a_box_too_small_for_whole_pixels_stays_as_it_is() -> None:
    boxes = np.array([[1.1, 1.1, 1.4, 5.2], [0.6, 0.2, 1.6, 1.4]])
    np.testing.assert_array_equal(to_whole_pixels(boxes), [[1.1, 1.1, 1.4, 5.2], [1, 0, 2, 1]])


@given(scored_boxes(), st.floats(0, 1))
def test_nms_leaves_no_overlap_and_takes_none_without_reason(
    case: tuple[Floats, Floats, Ints], iou: float
) -> None:
    boxes, scores, labels = case
    kept = nms(*case, iou)
    clash = (pairwise_iou(boxes, boxes[kept]) > iou) & (labels[:, None] == labels[kept])
    assert not (clash[kept] & ~np.eye(len(kept), dtype=bool)).any()
    gone = np.setdiff1d(np.arange(len(boxes)), kept)
    assert (clash[gone] & (scores[kept] >= scores[gone, None])).any(axis=1).all()
    assert (np.diff(scores[kept]) <= 0).all()


def test_nms_keeps_overlapping_boxes_of_two_classes() -> None:
    boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4]])
    assert nms(boxes, np.array([0.5, 0.7, 0.7]), np.array([0, 0, 1]), 0.5).tolist() == [1, 2]


@pytest.mark.parametrize("iou", [0.0, 1.0])
def test_nms_of_nothing_is_nothing(iou: float) -> None:
    assert nms(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), iou).tolist() == []


def test_nms_of_very_many_boxes_does_not_hold_every_pair() -> None:
    count = 2_000  # one matrix of their pairs would be 32 MB
    left = np.arange(count, dtype=np.float64)
    boxes = np.stack([left, left * 0, left + 2, left * 0 + 2], axis=1)  # neighbours overlap by a third
    tracemalloc.start()
    kept = nms(boxes, -left, np.zeros(count, np.int64), 0.3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
    np.testing.assert_array_equal(kept, np.arange(0, count, 2))
