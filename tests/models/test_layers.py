"""Layers of `lite` against independent arithmetic: boxes by their edges, and the gradient that a GPU computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from humbleyolo.geometry.grid import Grid, box_edges, split_parts
from humbleyolo.models import layers as module
from humbleyolo.models.layers import DepthwiseConv, DilatedConv, EdgesHead

ODD = Grid(height=48, width=80, rows=3, cols=5, boxes=2, classes=4)
BINS = 7


def edges_of(raw: np.ndarray) -> np.ndarray:
    """(N, R, S, B, 4) xyxy pixels that `EdgesHead` makes of raw numbers."""
    answer = np.asarray(EdgesHead(ODD.classes, ODD.boxes, BINS)(tf.constant(raw)), np.float64)
    return np.stack(box_edges(split_parts(answer, ODD.classes), ODD), axis=-1)


def choosing(*places: int) -> np.ndarray:
    """Raw numbers with which every box takes these of the seven distances to left, top, right and lower edge."""
    raw = np.full((1, 3, 5, EdgesHead(ODD.classes, ODD.boxes, BINS).raw_numbers), -50, np.float32)
    for box, side in np.ndindex(2, 4):
        raw[..., ODD.classes + ODD.boxes + (box * 4 + side) * BINS + places[side]] = 50
    return raw


def test_a_box_has_the_edges_at_the_distances_chosen() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 3, (4, 3, 5, EdgesHead(ODD.classes, ODD.boxes, BINS).raw_numbers)).astype(np.float32)
    found = edges_of(raw)
    values = (np.arange(BINS) / (BINS - 1)) ** 2
    sides = np.array([80, 48, 80, 48])
    beyond = np.array([16, 16, 16, 16]) / 2  # pixels: half a cell
    checked = 0
    for image, row, col, box in np.ndindex(4, 3, 5, 2):
        first = ODD.classes + ODD.boxes + box * 4 * BINS
        weights = np.exp(raw[image, row, col, first : first + 4 * BINS].reshape(4, BINS).astype(np.float64))
        reach = (weights / weights.sum(axis=1, keepdims=True)) @ values * sides - beyond
        centre = np.array([16 * col + 8, 16 * row + 8] * 2)
        expected = centre + reach * [-1, -1, 1, 1]
        if (expected[2:] > expected[:2]).all():
            np.testing.assert_allclose(found[image, row, col, box], expected, atol=1e-3)
            checked += 1
    assert checked > 50
    assert found.dtype == np.float64


def test_classes_and_confidence_are_as_everywhere_but_for_rarity() -> None:
    raw = np.random.default_rng(1).normal(0, 1, (1, 3, 5, EdgesHead(4, 2, BINS).raw_numbers)).astype(np.float32)
    parts = split_parts(np.asarray(EdgesHead(4, 2, BINS)(tf.constant(raw))), 4)
    other = split_parts(np.asarray(module.DetectionHead(4, 2, BINS)(tf.constant(raw))), 4)
    np.testing.assert_array_equal(parts.class_probs, other.class_probs)
    np.testing.assert_allclose(parts.confidence, 1 / (1 + np.exp(4 - raw[..., 4:6])), rtol=1e-5)


def test_a_box_reaches_from_inside_its_cell_to_every_border() -> None:
    """The farthest edge lies one whole image less half a cell from the centre: at the border, seen from a corner."""
    far = edges_of(choosing(6, 6, 6, 6))
    assert (far[..., :2] <= 1e-3).all()
    assert (far[..., 2:] >= np.array([80, 48]) - 1e-3).all()
    np.testing.assert_allclose(far[0, 0, 0, :, 2:], [[80, 48]] * 2, atol=1e-3)
    np.testing.assert_allclose(far[0, 2, 4, :, :2], 0, atol=1e-3)
    small = edges_of(choosing(2, 2, 2, 2))  # 1/9 of the image less half a cell
    centre_x, centre_y = 16 * np.arange(5)[:, None] + 8, 16 * np.arange(3)[:, None, None] + 8
    np.testing.assert_allclose(small[0, ..., 2], centre_x + 80 / 9 - 8 + np.zeros((3, 1, 2)), atol=1e-3)
    assert (small[0, ..., 2] < centre_x + 8).all()
    nothing = edges_of(choosing(0, 0, 0, 0))  # opposite edges have passed each other: no size, at the centre
    np.testing.assert_allclose(nothing[0, ..., 0], centre_x + np.zeros((3, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(nothing[0, ..., 3], centre_y + np.zeros((3, 5, 2)), atol=1e-3)


def test_the_centre_of_a_box_may_lie_in_another_cell() -> None:
    answer = np.asarray(EdgesHead(4, 2, BINS)(tf.constant(choosing(0, 6, 6, 0))))
    parts = split_parts(answer, 4)
    assert (parts.x_cell > 1).all()
    assert (parts.y_cell < 0).all()


def test_it_is_built_again_from_its_settings() -> None:
    head = EdgesHead(4, 2, BINS, name="head")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    assert isinstance(again, EdgesHead)
    assert again.get_config() == head.get_config()


@pytest.mark.parametrize(
    ("kernel", "stride", "height", "width"), [(3, 1, 6, 10), (3, 2, 7, 10), (5, 2, 8, 9), (5, 1, 3, 4), (5, 2, 3, 5)]
)
def test_a_depthwise_kernel_has_one_gradient_on_every_device(
    kernel: int, stride: int, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    layer = DepthwiseConv(kernel, stride, "same")
    x = tf.constant(rng.normal(size=(2, height, width, 3)), tf.float32)
    layer(x)
    layer.bias.assign(rng.normal(size=3))
    found: list[list[np.ndarray]] = []
    for gpu in (False, True):
        monkeypatch.setattr(module, "_has_gpu", lambda gpu=gpu: gpu)
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x, training=True)
            total = tf.reduce_sum(tf.sin(output))
        of_x, *of_weights = tape.gradient(total, [x, *(one.value for one in layer.trainable_variables)])
        found.append([np.asarray(one) for one in (output, of_x, *of_weights)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=3e-5)
    assert found[0][2].shape == (kernel, kernel, 3, 1)


@pytest.mark.parametrize(("apart", "height", "width"), [(2, 6, 10), (4, 7, 9), (4, 3, 2)])
def test_a_dilated_convolution_predicts_what_it_is_trained_as(apart: int, height: int, width: int) -> None:
    """By NumPy: the nine neighbours that lie so far apart, and zeros beyond the edges."""
    rng = np.random.default_rng(0)
    layer = DilatedConv(4, 3, padding="same", dilation_rate=apart, use_bias=False)
    x = rng.normal(size=(2, height, width, 3)).astype(np.float32)
    trained = layer(x, training=True)
    padded = np.pad(x, ((0, 0), (apart, apart), (apart, apart), (0, 0)))
    kernel = np.asarray(layer.kernel)
    places = [(row, col) for row in range(3) for col in range(3)]
    expected = sum(
        padded[:, row * apart : row * apart + height, col * apart : col * apart + width] @ kernel[row, col]
        for row, col in places
    )
    np.testing.assert_allclose(trained, expected, atol=1e-5)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_a_dilated_convolution_is_one_operation_where_nothing_is_trained() -> None:
    layer = DilatedConv(4, 3, padding="same", dilation_rate=2, use_bias=False)
    layer.build((None, 8, 8, 3))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((1, 8, 8, 3))).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert "Conv2D" in kinds
    assert not kinds & {"SpaceToBatchND", "BatchToSpaceND"}
