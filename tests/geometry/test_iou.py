"""IoU against counted pixels and pycocotools, and in TensorFlow against NumPy."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask
from random_boxes import SIDE, whole_boxes

from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.geometry.iou import area, edges_of, paired_iou, pairwise_iou, pairwise_share
from humbleyolo.storage.array_types import Floats


def paint(box: Floats) -> np.ndarray:
    canvas = np.zeros((SIDE, SIDE), bool)
    left, top, right, bottom = box.astype(int)
    canvas[top:bottom, left:right] = True
    return canvas


@given(whole_boxes(), whole_boxes())
def test_iou_is_what_counting_pixels_gives(a: Floats, b: Floats) -> None:
    expected = np.zeros((len(a), len(b)))
    for row, first in enumerate(a):
        for col, second in enumerate(b):
            union = (paint(first) | paint(second)).sum()
            expected[row, col] = (paint(first) & paint(second)).sum() / union if union else 0
    np.testing.assert_array_equal(pairwise_iou(a, b), expected)
    np.testing.assert_array_equal(area(edges_of(a)), [paint(box).sum() for box in a])


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
    np.testing.assert_array_equal(np.diag(pairwise_iou(a, a)), area(edges_of(a)) > 0)


def test_a_corner_on_the_wrong_side_makes_no_area() -> None:
    inside_out = np.array([[5.0, 5.0, 1.0, 1.0]])
    assert area(edges_of(inside_out))[0] == 0
    assert pairwise_iou(inside_out, np.array([[0.0, 0.0, 6.0, 6.0]])).item() == 0


@given(whole_boxes(), whole_boxes())
def test_pairs_are_the_diagonal_of_all_pairs(a: Floats, b: Floats) -> None:
    count = min(len(a), len(b))
    np.testing.assert_array_equal(paired_iou(a[:count], b[:count]), np.diag(pairwise_iou(a[:count], b[:count])))


@given(whole_boxes(), whole_boxes())
def test_the_share_is_of_the_smaller_box(a: Floats, b: Floats) -> None:
    for row, first in enumerate(a):
        for col, second in enumerate(b):
            smaller = min(paint(first).sum(), paint(second).sum())
            expected = (paint(first) & paint(second)).sum() / smaller if smaller else 0
            assert pairwise_share(a, b)[row, col] == expected


@given(
    arrays(np.float32, (2, 5, 4), elements=st.floats(-50, 50, width=32)),
    arrays(np.float32, (2, 3, 4), elements=st.floats(-50, 50, width=32)),
)
def test_tensorflow_and_numpy_give_the_same_bits(a: np.ndarray, b: np.ndarray) -> None:
    """Of two images at once, with corners on the wrong side among them."""
    found = pairwise_iou(tf.constant(a), tf.constant(b), tf)
    assert found.shape == (2, 5, 3)
    expected = pairwise_iou(a, b)
    # TensorFlow's threads take a number below the least normal one for 0.
    expected = np.where(expected < np.finfo(np.float32).tiny, 0, expected)
    np.testing.assert_array_equal(np.where(found.numpy() < np.finfo(np.float32).tiny, 0, found), expected)
