"""A network that sees mirror images too: what a mirror does to a grid, and that the mean is of all views."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sections import model_section

from humbleyolo.geometry.grid import Grid, decode_grid, encode_boxes
from humbleyolo.models.build import build_model
from humbleyolo.models.mirrored import VIEWS, MeanOfViews, MirrorImages, with_mirrored

GRID = Grid(height=32, width=48, rows=2, cols=3, boxes=1, classes=2)
CHANGES = {"horizontal": [(False, False), (True, False)]}
CHANGES["both"] = [*CHANGES["horizontal"], (False, True), (True, True)]


def mirror_boxes(boxes: NDArray[np.float64], across: bool, down: bool) -> NDArray[np.float64]:
    """Mirror xyxy boxes in pixels: the definition, apart from any grid."""
    left, top, right, bottom = boxes.T
    if across:
        left, right = GRID.width - right, GRID.width - left
    if down:
        top, bottom = GRID.height - bottom, GRID.height - top
    return np.stack([left, top, right, bottom], axis=1)


def encode(boxes: NDArray[np.float64], label: int) -> NDArray[np.float32]:
    return encode_boxes(boxes, np.full(len(boxes), label, np.int32), np.zeros(len(boxes), np.int64), 1, GRID).targets


@pytest.mark.parametrize("mirrored", ["horizontal", "both"])
@given(
    centre=st.tuples(
        st.floats(1, 47).filter(lambda x: x % 16 > 0.1), st.floats(1, 31).filter(lambda y: y % 16 > 0.1)
    ),
    half=st.tuples(st.floats(0.5, 1), st.floats(0.5, 1)),
    label=st.integers(0, 1),
)
def test_the_targets_of_mirrored_boxes_turned_back_are_the_targets(
    mirrored: str, centre: tuple[float, float], half: tuple[float, float], label: int
) -> None:
    middle, reach = np.array(centre), np.array(half)
    boxes = np.concatenate([middle - reach, middle + reach])[None]
    each = [encode(mirror_boxes(boxes, *change), label) for change in CHANGES[mirrored]]
    mean = np.asarray(MeanOfViews(mirrored, 2)(tf.constant(np.concatenate(each))))
    object_there = each[0][..., -1] > 0
    np.testing.assert_allclose(mean[object_there], each[0][object_there], atol=1e-5)
    np.testing.assert_array_equal(mean[..., -1], each[0][..., -1])
    found = decode_grid(mean, GRID).boxes[0][object_there.reshape(-1)]
    np.testing.assert_allclose(found, boxes, atol=1e-3)


@pytest.mark.parametrize("mirrored", ["horizontal", "both"])
def test_the_views_are_the_image_and_its_mirror_images_of_all_images_in_turn(mirrored: str) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 5, 3), np.uint8)
    views = np.asarray(MirrorImages(mirrored)(tf.constant(images)))
    assert views.dtype == np.uint8
    expected = []
    for across, down in CHANGES[mirrored]:
        seen = images[:, :, ::-1] if across else images
        expected.append(seen[:, ::-1] if down else seen)
    np.testing.assert_array_equal(views, np.concatenate(expected))


@pytest.mark.parametrize("name", ["compact", pytest.param("lite", marks=pytest.mark.slow)])
def test_the_mean_is_what_the_network_says_of_each_view_by_itself(name: str) -> None:
    network = build_model(model_section(name, width=0.25, depth=0.2, stride=8), GRID, seed=1)
    images = np.random.default_rng(2).integers(0, 256, (2, 32, 48, 3), np.uint8)
    answers = []
    for across, down in CHANGES["both"]:
        seen = images[:, :, ::-1] if across else images
        answer = np.asarray(network(seen[:, ::-1] if down else seen, training=False)).copy()
        if across:
            answer = answer[:, :, ::-1].copy()
            answer[..., 2] = 1 - answer[..., 2]
        if down:
            answer = answer[:, ::-1].copy()
            answer[..., 3] = 1 - answer[..., 3]
        answers.append(answer)
    both = with_mirrored(network, GRID, "both")
    np.testing.assert_allclose(both(images, training=False), np.mean(answers, axis=0), atol=1e-5)
    mirrored = np.asarray(both(images[:, :, ::-1], training=False))[:, :, ::-1].copy()
    mirrored[..., 2] = 1 - mirrored[..., 2]
    np.testing.assert_allclose(mirrored, both(images, training=False), atol=1e-5)  # it cannot tell a mirror


def test_none_is_the_network_itself() -> None:
    network = keras.Sequential([keras.Input((32, 48, 3))])
    assert with_mirrored(network, GRID, "none") is network
    assert VIEWS["none"] == [[]]


def test_several_boxes_in_a_cell_are_refused() -> None:
    with pytest.raises(ValueError, match="a cell has 2 boxes"):
        with_mirrored(keras.Sequential(), Grid(32, 48, 2, 3, 2, 2), "both")
