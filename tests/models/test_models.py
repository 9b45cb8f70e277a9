"""The networks: the layers that they are said to have, what they answer, and how far they see."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from repository import ROOT
from sections import model_section

from humbleyolo.geometry.grid import Grid, split_parts
from humbleyolo.models.artifact import ModelInfo, save_model
from humbleyolo.models.build import build_model
from humbleyolo.models.layers import DetectionHead, SpaceToDepth
from humbleyolo.params.loader import load_params
from humbleyolo.params.rules import HUMBLE_LEAST

ARTICLE = Grid(height=64, width=64, rows=2, cols=2, boxes=1, classes=3)
ODD = Grid(height=48, width=80, rows=3, cols=5, boxes=2, classes=4)


def build(name: str, grid: Grid, seed: int = 1, **changes: object) -> keras.Model:
    return build_model(model_section(name, **{"width": 1.0, "depth": 1.0, "stride": 4, **changes}), grid, seed)


def noise(grid: Grid, images: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (images, grid.height, grid.width, 3), np.uint8)


@pytest.fixture(scope="module")
def small() -> keras.Model:
    return build("compact", ODD, width=0.25, depth=0.5)


def test_humble_is_the_articles_network_to_the_layer() -> None:
    network = build("humble", ARTICLE)
    assert network.count_params() == 1_406_896
    article = [
        ("Conv2D", 16, (1, 1)), ("Conv2D", 32, (3, 3)), ("LeakyReLU", 0.3), ("MaxPooling2D", (2, 2)),
        ("Conv2D", 16, (3, 3)), ("Conv2D", 32, (3, 3)), ("LeakyReLU", 0.3), ("MaxPooling2D", (2, 2)),
        ("Flatten",), ("Dense", 256, "sigmoid"), ("Dense", 4 * (3 + 5), "sigmoid"), ("Reshape", (2, 2, 8)),
    ]  # fmt: skip

    def describe(layer: keras.Layer) -> tuple[object, ...]:
        kind = type(layer).__name__
        if kind == "Conv2D":
            assert (layer.padding, layer.strides, layer.activation) == ("valid", (1, 1), keras.activations.linear)
            return kind, layer.filters, layer.kernel_size
        if kind == "LeakyReLU":
            return kind, pytest.approx(layer.negative_slope)
        if kind == "MaxPooling2D":
            assert layer.padding == "valid"
            return kind, layer.pool_size
        if kind == "Dense":
            return kind, layer.units, layer.activation.__name__
        return (kind, layer.target_shape) if kind == "Reshape" else (kind,)

    own = [layer for layer in network.layers if type(layer).__name__ not in ("InputLayer", "Rescaling")]
    assert [describe(layer) for layer in own] == article
    answer = np.asarray(network(noise(ARTICLE)))
    assert answer.shape == (2, 2, 2, 8)
    assert 0 <= answer.min() <= answer.max() <= 1


@pytest.mark.parametrize(
    ("grid", "width", "depth"),
    [
        (Grid(48, 80, 3, 5, 2, 4), 0.25, 1.0),
        pytest.param(Grid(96, 64, 3, 1, 1, 1), 0.5, 0.3, marks=pytest.mark.slow),
        (Grid(64, 64, 16, 16, 5, 3), 0.1, 2.0),  # cells of 4 pixels
        (Grid(40, 24, 1, 2, 1, 20), 0.3, 1.0),  # cells of 40 x 12 pixels: not square, and not a power of two
        (Grid(128, 256, 2, 2, 1, 2), 0.25, 1.0),
    ],
)
def test_compact_fits_any_grid_that_divides_the_image(grid: Grid, width: float, depth: float) -> None:
    network = build("compact", grid, width=width, depth=depth)
    answer = network(noise(grid))
    assert answer.shape == (2, *grid.shape)
    parts = split_parts(np.asarray(answer), grid.classes)
    np.testing.assert_allclose(parts.class_probs.sum(axis=-1), 1, atol=1e-5)
    for part in (parts.class_probs, parts.x_cell, parts.y_cell, parts.confidence):
        assert 0 <= part.min() <= part.max() <= 1
    assert min(parts.w_rel.min(), parts.h_rel.min()) > 0
    names = [weight.path for weight in network.weights]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("grid", [Grid(50, 80, 3, 5, 1, 1), Grid(48, 78, 3, 5, 1, 1), Grid(48, 80, 5, 3, 1, 1)])
def test_compact_refuses_a_grid_that_does_not(grid: Grid) -> None:
    with pytest.raises(ValueError, match="do not divide"):
        build("compact", grid)


def test_compact_stays_small() -> None:
    default = build("compact", Grid(64, 64, 2, 2, 1, 2), stride=8).count_params()
    assert default < 1_500_000
    narrow = build("compact", Grid(64, 64, 2, 2, 1, 2), stride=8, width=0.5).count_params()
    deeper = build("compact", Grid(64, 64, 2, 2, 1, 2), stride=8, width=0.5, depth=2.0).count_params()
    assert narrow < default / 2
    assert narrow < deeper


def test_the_default_is_small_on_disk_too(tmp_path: Path) -> None:
    model, encode, dataset = load_params(ROOT / "params.yaml", "model", "encode", "dataset")
    words = tuple(dataset.synthetic.words)
    grid = Grid(encode.height, encode.width, encode.rows, encode.cols, encode.boxes, len(words))
    network = build_model(model, grid, 1)
    assert model.name == "compact"
    assert network.count_params() < 1_500_000
    weights = {weight.path: np.asarray(weight) for weight in network.weights}
    save_model(tmp_path, ModelInfo(model, grid, words, 0, "scratch"), weights)
    assert (tmp_path / "weights.npz").stat().st_size < 6_000_000


def test_the_seed_makes_the_weights() -> None:
    one, again, other, far = (
        [np.asarray(weight) for weight in build("compact", ODD, seed, width=0.25, depth=0.3).weights]
        for seed in (1, 1, 2, 1 + 2**31)
    )
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    kernels = [number for number, weight in enumerate(one) if weight.ndim == 4]
    for number in kernels:
        assert not np.isclose(one[number], other[number]).all()
        assert not np.isclose(one[number], far[number]).all(), "a seed of more than 31 bits is cut off"
    firsts = {one[number].ravel()[:3].tobytes() for number in kernels}
    assert len(firsts) == len(kernels)  # no two layers start alike
    shared = firsts & {other[number].ravel()[:3].tobytes() for number in kernels}
    assert not shared, "one seed's layers are another's, shifted"


def test_yolov1_is_the_papers_network_but_for_its_width() -> None:
    """Figure 3 of Redmon et al. 2016, written out: (kernel, filters) of the 24 convolutions."""
    paper = [
        (7, 64), (3, 192), (1, 128), (3, 256), (1, 256), (3, 512),
        (1, 256), (3, 512), (1, 256), (3, 512), (1, 256), (3, 512), (1, 256), (3, 512), (1, 512), (3, 1024),
        (1, 512), (3, 1024), (1, 512), (3, 1024), (3, 1024), (3, 1024), (3, 1024), (3, 1024),
    ]  # fmt: skip
    assert len(paper) == 24
    grid = Grid(128, 192, 2, 3, 2, 20)
    network = build("yolov1", grid, width=1 / 16)
    count, channels = 0, 3
    for kernel, filters in paper:
        count += (kernel * kernel * channels + 1) * (filters // 16)
        channels = filters // 16
    count += (2 * 3 * channels + 1) * 256 + (256 + 1) * 2 * 3 * 30  # 128 x 192 pixels come to 2 x 3
    assert (
        sum(weight.shape.num_elements() for weight in map(tf.convert_to_tensor, network.trainable_weights)) == count
    )
    answer = np.asarray(network(noise(grid), training=False))
    assert answer.shape == (2, *grid.shape)
    assert answer.min() < 0  # linear
    np.testing.assert_array_equal(answer, network(noise(grid), training=False))  # nothing is dropped out


@pytest.mark.parametrize("block", [(1, 1), (2, 2), (3, 3), (2, 3), (4, 1), (1, 5)])
def test_space_to_depth_lays_each_block_into_channels(block: tuple[int, int]) -> None:
    down, across = block
    values = np.arange(2 * 3 * down * 4 * across * 2, dtype=np.float32).reshape(2, 3 * down, 4 * across, 2)
    found = np.asarray(SpaceToDepth(block)(tf.constant(values)))
    assert found.shape == (2, 3, 4, down * across * 2)
    for row, col in np.ndindex(3, 4):
        patch = values[:, row * down : (row + 1) * down, col * across : (col + 1) * across]
        np.testing.assert_array_equal(found[:, row, col], patch.reshape(2, -1))


def test_the_head_keeps_the_grids_layout() -> None:
    """Raw: C class numbers, B confidences, then for each box the bins of x, y, w and h."""
    bins, rng = 7, np.random.default_rng(0)
    head = DetectionHead(ODD.classes, ODD.boxes, bins)
    raw = rng.normal(0, 2, (2, 3, 5, head.raw_numbers)).astype(np.float32)
    found = np.asarray(head(tf.constant(raw)))
    assert found.shape == (2, *ODD.shape)

    def softmax(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(values) / np.exp(values).sum())

    for image, row, col in ((0, 0, 0), (1, 2, 3)):
        cell = raw[image, row, col].astype(np.float64)
        expected = [*softmax(cell[:4])]
        for box in range(2):
            choices = cell[6 + box * 4 * bins : 6 + (box + 1) * 4 * bins].reshape(4, bins)
            even = np.arange(bins) / (bins - 1)
            for one, values in zip(choices, (even, even, even**2, even**2), strict=True):
                expected.append(sum(softmax(one) * values))
            expected.append(1 / (1 + np.exp(-cell[4 + box])))
        np.testing.assert_allclose(found[image, row, col], expected, rtol=1e-4)


@pytest.mark.parametrize("extreme", [-1e4, 1e4])
def test_the_head_answers_and_learns_whatever_the_numbers(extreme: float) -> None:
    head = DetectionHead(ODD.classes, ODD.boxes, 7)
    raw = tf.Variable(np.full((1, 3, 5, head.raw_numbers), extreme, np.float32))
    raw[..., ::2].assign(-raw[..., ::2])
    with tf.GradientTape() as tape:
        answer = head(raw)
        total = tf.reduce_sum(answer)
    assert 0 <= np.min(answer) <= np.max(answer) <= 1
    assert np.isfinite(np.asarray(tape.gradient(total, raw))).all()


def seen(network: keras.Model, grid: Grid, row: int, col: int) -> np.ndarray:
    """(R, S) whether a pixel of each cell has an influence on the answer in one of them."""
    image = tf.Variable(noise(grid, 1).astype(np.float32))
    with tf.GradientTape() as tape:
        raw = network(image, training=False)[:, row, col]
        total = tf.reduce_sum(raw * tf.constant(np.random.default_rng(1).normal(size=raw.shape), tf.float32))
    influence = np.abs(np.asarray(tape.gradient(total, image))[0]).sum(axis=-1)
    cells = influence.reshape(grid.rows, grid.height // grid.rows, grid.cols, grid.width // grid.cols)
    return np.asarray((cells > 0).any(axis=(1, 3)))


def test_a_cell_sees_its_neighbours_and_theirs(small: keras.Model) -> None:
    assert seen(small, ODD, 1, 2).all()
    corner = seen(small, ODD, 0, 0)
    assert corner[:3, :3].all()


def test_every_pixel_of_a_cell_counts(small: keras.Model) -> None:
    image = tf.Variable(noise(ODD, 1).astype(np.float32))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(small(image, training=False)[:, 1, 2, ODD.classes :])
    influence = np.abs(np.asarray(tape.gradient(total, image))[0, 16:32, 32:48]).sum(axis=-1)
    assert (influence > 0).all()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_pixels_may_be_bytes_or_floats(kind: type, small: keras.Model) -> None:
    expected = small(noise(ODD), training=False)
    np.testing.assert_allclose(small(noise(ODD).astype(kind), training=False), expected, rtol=1e-6)


def test_images_of_a_batch_do_not_touch_each_other_when_used(small: keras.Model) -> None:
    images = noise(ODD, 3)
    whole = np.asarray(small(images, training=False))
    for number in range(3):
        np.testing.assert_allclose(
            small(images[number : number + 1], training=False)[0], whole[number], rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_the_trunk_of_compact_ends_at_the_stride_declared(stride: int) -> None:
    network = build("compact", ODD, stride=stride, width=0.25)
    assert network.get_layer("cells").input.shape[1:3] == (ODD.height // stride, ODD.width // stride)
    assert network.output.shape == (None, *ODD.shape)


def test_where_asked_for_compact_knows_the_whole_image() -> None:
    grid = Grid(64, 512, 2, 16, 1, 2)
    image = noise(grid)[:1]
    elsewhere = image.copy()
    elsewhere[:, :, 448:] = 0  # farther from the first cell than the convolutions reach

    def change(**options: bool) -> float:
        network = build("compact", grid, stride=8, width=0.25, depth=0.2, **options)
        first = [np.asarray(network(pixels))[0, 0, 0] for pixels in (image, elsewhere)]
        return float(np.abs(first[0] - first[1]).max())

    assert change() == 0
    assert change(squeeze_excitation=True) > 0


def test_its_weights_of_channels_are_those_of_the_formula() -> None:
    """Hu et al. 2018, equations 2 to 4: means over the image, two dense layers, a factor for each channel."""
    network = build("compact", ODD, width=0.5, squeeze_excitation=True)
    parts = [f"mix1{part}" for part in ("b_silu", "_excite_a", "_excite_b", "_weighed")]
    inside = keras.Model(network.input, [network.get_layer(name).output for name in parts])
    features, _, _, weighed = (np.asarray(output, np.float64) for output in inside(noise(ODD)))
    (to_few, bias_few), (to_all, bias_all) = (network.get_layer(name).get_weights() for name in parts[1:3])
    assert to_few.shape == (1, 1, 64, 16)
    few = features.mean(axis=(1, 2)) @ to_few[0, 0] + bias_few
    few /= 1 + np.exp(-few)
    factors = 1 / (1 + np.exp(-(few @ to_all[0, 0] + bias_all)))
    np.testing.assert_allclose(weighed, features * factors[:, None, None], rtol=1e-4, atol=1e-6)


def test_compact_refuses_cells_that_the_stride_does_not_divide() -> None:
    with pytest.raises(ValueError, match="3 x 5 cells do not divide 48 x 80 pixels into cells of a multiple of"):
        build("compact", ODD, stride=32)


def test_humble_sees_bytes_as_the_article_does_unless_they_are_scaled() -> None:
    raw, scaled = (build("humble", ARTICLE, scale_pixels=scale) for scale in (False, True))
    scaled.set_weights(raw.get_weights())
    pixels = noise(ARTICLE).astype(np.float32)
    np.testing.assert_allclose(raw(pixels / 255), scaled(pixels), rtol=1e-5)


def test_humble_normalises_behind_every_convolution_where_asked_to() -> None:
    network = build("humble", ARTICLE, batch_norm=True)
    for number in range(1, 5):
        assert network.get_layer(f"conv{number}_norm").input is network.get_layer(f"conv{number}").output
        assert not network.get_layer(f"conv{number}").use_bias


@pytest.mark.parametrize("grid", [ARTICLE, Grid(48, 80, 3, 5, 2, 4), Grid(64, 96, 16, 24, 1, 2)])
def test_the_convolutional_head_of_humble_is_one_network_for_all_cells(grid: Grid) -> None:
    network = build("humble", grid, head="convolutional")
    assert network.output.shape == (None, *grid.shape)
    assert not any(isinstance(layer, keras.layers.Dense) for layer in network.layers)
    tensor = np.asarray(network(noise(grid), training=False))
    assert tensor.min() >= 0
    assert tensor.max() <= 1


def test_the_convolutional_head_refuses_a_grid_that_halving_does_not_reach() -> None:
    with pytest.raises(ValueError, match="does not lead to 3 x 3 cells"):
        build("humble", Grid(64, 64, 3, 3, 1, 2), head="convolutional")


def test_the_smallest_image_of_humble_is_that_of_params() -> None:
    assert build_model(model_section("humble"), Grid(HUMBLE_LEAST, HUMBLE_LEAST, 2, 2, 1, 2), 0).output.shape == (
        None,
        2,
        2,
        7,
    )
    with pytest.raises(ValueError, match=r"negative dimension size|zero or negative"):
        build_model(model_section("humble"), Grid(HUMBLE_LEAST - 1, HUMBLE_LEAST, 2, 2, 1, 2), 0)
