"""The letterbox: boxes stay on their pixels, there and back."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.letterbox import Letterbox

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


sizes = st.integers(1, 3000)


@given(sizes, sizes, sizes, sizes, arrays(np.float64, (3, 4), elements=st.floats(-4000, 4000)))
@example(1, 3000, 64, 64, np.array([[0.0, 0, 3000, 1]]))
@example(3000, 1, 1, 1, np.array([[0.0, 0, 1, 3000]]))
def test_boxes_go_through_the_letterbox_and_back(
    image_height: int, image_width: int, height: int, width: int, boxes: np.ndarray
) -> None:
    letterbox = Letterbox(image_height, image_width, height, width)
    inside, down = letterbox.boxes_in(boxes), letterbox.boxes_out
    np.testing.assert_allclose(down(inside), boxes, rtol=1e-9, atol=1e-6)


@given(sizes, sizes, sizes, sizes)
def test_the_whole_image_fits_in_the_middle_in_its_own_shape(
    image_height: int, image_width: int, height: int, width: int
) -> None:
    letterbox = Letterbox(image_height, image_width, height, width)
    (inner_height, inner_width), (x, y) = letterbox.scaled, letterbox.origin
    assert inner_height == height or inner_width == width  # as large as it can be
    assert 1 <= inner_height <= height
    assert 1 <= inner_width <= width
    scale = min(height / image_height, width / image_width)
    assert abs(inner_height - max(image_height * scale, 1)) <= 0.5 + 1e-9
    assert abs(inner_width - max(image_width * scale, 1)) <= 0.5 + 1e-9
    assert width - inner_width - 2 * x in (0, 1)
    assert height - inner_height - 2 * y in (0, 1)
    whole = letterbox.boxes_in(np.array([[0.0, 0, image_width, image_height]]))
    np.testing.assert_allclose(whole, [[x, y, x + inner_width, y + inner_height]], rtol=1e-12)


@given(
    st.integers(20, 90), st.integers(20, 90), st.integers(24, 96), st.integers(24, 96), st.data()
)  # fmt: skip
def test_a_box_stays_on_its_pixels(
    image_height: int, image_width: int, height: int, width: int, data: st.DataObject
) -> None:
    left, top = data.draw(st.integers(0, image_width - 8)), data.draw(st.integers(0, image_height - 8))
    right, bottom = (data.draw(st.integers(left + 8, image_width)), data.draw(st.integers(top + 8, image_height)))
    image = np.zeros((image_height, image_width, 3), np.uint8)
    image[top:bottom, left:right] = 255
    letterbox = Letterbox(image_height, image_width, height, width)
    seen = letterbox.apply(image, 0)
    assert seen.shape == (height, width, 3)
    (expected,) = letterbox.boxes_in(np.array([[left, top, right, bottom]], np.float64))
    # Ink along each axis, in pixels, whole or in part: the sum of a row through the rectangle is its width.
    ink = seen[..., 0] / 255
    found_width, found_height = ink.max(axis=0).sum(), ink.max(axis=1).sum()
    peak = ink.max()
    assert found_width / peak == pytest.approx(expected[2] - expected[0], abs=1)
    assert found_height / peak == pytest.approx(expected[3] - expected[1], abs=1)
    rows, cols = np.nonzero(ink > peak / 2)
    measured = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(measured, expected, atol=1.01)


def test_the_bars_have_the_fill_and_the_image_nothing_else() -> None:
    image = np.full((4, 8, 3), 200, np.uint8)
    seen = Letterbox(4, 8, 16, 16).apply(image, 7)
    assert (seen[4:12] == 200).all()
    assert (seen[:4] == 7).all()
    assert (seen[12:] == 7).all()


def test_an_image_of_the_right_size_is_passed_on_as_it_is() -> None:
    letterbox = Letterbox(5, 7, 5, 7)
    assert letterbox.apply(RGB, 9) is RGB
    boxes = np.array([[0.1, 0.2, 6.9, 4.3]])
    np.testing.assert_array_equal(letterbox.boxes_in(boxes), boxes)


def test_detections_are_clipped_to_the_image_and_those_on_the_padding_dropped() -> None:
    letterbox = Letterbox(10, 20, 40, 40)  # twice as large, with 10 rows of padding above and below
    boxes = np.array([[4.0, 0, 8, 20], [0, 0, 40, 9], [3, 11, 9.1, 15.3]])
    found = Detections(boxes, np.array([0.9, 0.8, 0.7]), np.array([0, 1, 2]))
    undone = letterbox.undo(found)
    np.testing.assert_allclose(undone.boxes, [[2, 0, 4, 5], [1.5, 0.5, 4.55, 2.65]])
    assert (undone.scores.tolist(), undone.labels.tolist()) == ([0.9, 0.7], [0, 2])
    np.testing.assert_array_equal(letterbox.undo(found, whole_pixels=True).boxes, [[2, 0, 4, 5], [2, 0, 5, 3]])
