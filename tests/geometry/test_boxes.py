"""Box formats, there and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_boxes import whole_boxes

from humbleyolo.geometry.boxes import cxcywh_to_xyxy, ltwh_to_xyxy, to_whole_pixels, xyxy_to_cxcywh, xyxy_to_ltwh
from humbleyolo.geometry.iou import area, edges_of
from humbleyolo.storage.array_types import Floats


@given(whole_boxes())
def test_formats_convert_there_and_back(boxes: Floats) -> None:
    np.testing.assert_array_equal(ltwh_to_xyxy(xyxy_to_ltwh(boxes)), boxes)
    np.testing.assert_array_equal(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)


def test_formats_are_what_their_names_say() -> None:
    box = np.array([[[1.0, 2.0, 5.0, 10.0]]])  # any number of leading axes
    np.testing.assert_array_equal(xyxy_to_ltwh(box), [[[1, 2, 4, 8]]])
    np.testing.assert_array_equal(xyxy_to_cxcywh(box), [[[3, 6, 4, 8]]])


@given(whole_boxes(), st.floats(-0.49, 0.49))
def test_whole_pixels_are_where_labels_are(boxes: Floats, error: float) -> None:
    solid = area(edges_of(boxes)) > 0
    np.testing.assert_array_equal(to_whole_pixels(boxes + error)[solid], boxes[solid])


def test_a_box_too_small_for_whole_pixels_stays_as_it_is() -> None:
    boxes = np.array([[1.1, 1.1, 1.4, 5.2], [0.6, 0.2, 1.6, 1.4]])
    np.testing.assert_array_equal(to_whole_pixels(boxes), [[1.1, 1.1, 1.4, 5.2], [1, 0, 2, 1]])
