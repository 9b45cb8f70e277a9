"""`lite`: its layout on grids that are not square, its size, and its seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sections import model_section

from humbleyolo.geometry.grid import Grid, split_parts
from humbleyolo.models.build import build_model
from humbleyolo.models.lite import BACKBONE, backbone_block

ODD = Grid(height=48, width=80, rows=3, cols=5, boxes=1, classes=4)


def build(grid: Grid = ODD, seed: int = 1, **changes: object) -> keras.Model:
    return build_model(model_section("lite", **{"width": 1.0, "depth": 1.0, **changes}), grid, seed)


def noise(grid: Grid, images: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (images, grid.height, grid.width, 3), np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build()


@pytest.mark.parametrize("grid", [ODD, Grid(64, 192, 2, 3, 2, 1)])  # the second has cells of 32 x 64 pixels
def test_it_answers_with_probabilities_in_the_layout_of_the_grid(grid: Grid) -> None:
    answer = np.asarray(build(grid)(noise(grid), training=False))
    assert answer.shape == (2, *grid.shape)
    parts = split_parts(answer, grid.classes)
    np.testing.assert_allclose(parts.class_probs.sum(axis=-1), 1, atol=1e-5)
    for part in (parts.class_probs, parts.confidence, parts.w_rel / 2, parts.h_rel / 2):
        assert 0 <= part.min() <= part.max() <= 1


@pytest.mark.parametrize("grid", [Grid(48, 80, 5, 3, 1, 1), Grid(48, 80, 6, 5, 1, 1), Grid(48, 88, 3, 5, 1, 1)])
def test_cells_of_no_multiple_of_16_pixels_are_refused(grid: Grid) -> None:
    with pytest.raises(ValueError, match=rf"{grid.rows} x {grid.cols} cells do not divide 48 x .* multiple of 16"):
        build(grid)


def test_rows_and_columns_are_not_exchanged(network: keras.Model) -> None:
    """Pixels of a cell have the most influence on the answer of this very cell."""
    image = tf.Variable(noise(ODD, 1).astype(np.float32))
    with tf.GradientTape() as tape:
        raw = network(image, training=False)[:, 0, 4]
        total = tf.reduce_sum(raw * tf.constant(np.random.default_rng(1).normal(size=raw.shape), tf.float32))
    influence = np.abs(np.asarray(tape.gradient(total, image))[0]).sum(axis=-1)
    cells = influence.reshape(3, 16, 5, 16).sum(axis=(1, 3))
    assert np.unravel_index(cells.argmax(), cells.shape) == (0, 4)


def test_the_backbone_is_that_of_efficientnet_lite0_up_to_its_eleventh_block(network: keras.Model) -> None:
    """Tan & Le 2019, table 1: number, kernel, expansion and channels of the blocks, with a bias for each norm."""
    count, channels = (3 * 3 * 3 + 1) * 32, 32
    stages = ((1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80), (3, 5, 6, 112))
    for repeats, kernel, expansion, out in stages:
        for _ in range(repeats):
            inner = expansion * channels
            count += (channels + 1) * inner if expansion > 1 else 0
            count += (kernel * kernel + 1) * inner + (inner + 1) * out
            channels = out
    own = sum(weight.shape.num_elements() for weight in network.weights if weight.path.startswith(BACKBONE))
    assert own == count == 692_688
    assert {backbone_block(layer.name) for layer in network.layers} == {None, *range(12)}


def test_width_and_depth_change_what_lies_behind_the_backbone(network: keras.Model) -> None:
    blocks = 2 * (2 * 9 * 96 * 96 + 2 * 4 * 96)
    behind = (4 * 40 + 112) * 96 + 4 * 96 + blocks + (96 + 1) * (4 + 4 * 17 + 1)
    assert network.count_params() == 692_688 + behind == 1_059_577
    assert build(width=0.5).count_params() - 692_688 < behind / 2
    assert build(depth=2.0).count_params() == network.count_params() + blocks


def test_a_cell_sees_the_edges_of_a_large_object() -> None:
    """Of what moves a cell's raw numbers, a part lies over 96 pixels away: without dilation, 1 in 5,000."""
    network = build(Grid(height=320, width=320, rows=20, cols=20, boxes=1, classes=1))
    raw = keras.Model(network.input, network.get_layer("head_conv").output)
    pixels = tf.constant(noise(Grid(320, 320, 20, 20, 1, 1), 1), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        middle = tf.reduce_sum(raw(pixels)[0, 10, 10])
    moved = np.abs(np.asarray(tape.gradient(middle, pixels))).sum(axis=(0, 1, 3))
    far = np.abs(np.arange(320) - 168) > 96
    assert moved[far].sum() > 0.05 * moved.sum()


@pytest.mark.slow
def test_the_seed_makes_the_weights(network: keras.Model) -> None:
    first, again, other = ([np.asarray(one) for one in made.weights] for made in (network, build(), build(seed=2)))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    kernels = [number for number, weight in enumerate(first) if weight.ndim == 4]
    assert all(not np.isclose(first[number], other[number]).all() for number in kernels)
    assert len({first[number].ravel()[:3].tobytes() for number in kernels}) == len(kernels)  # no two layers alike


def test_pixels_may_be_bytes_or_floats(network: keras.Model) -> None:
    expected = network(noise(ODD), training=False)
    np.testing.assert_allclose(network(noise(ODD).astype(np.float32), training=False), expected, rtol=1e-6)


def test_an_untrained_network_finds_objects_rarely(network: keras.Model) -> None:
    parts = split_parts(np.asarray(network(noise(ODD), training=False)), ODD.classes)
    assert parts.confidence.max() < 0.1
