"""From a network's answer to detections, and a saved model that answers as the one that was trained."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sections import model_section

from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid, decode_grid, encode_boxes
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.models.artifact import ModelInfo, save_model
from humbleyolo.models.build import build_model
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import Network, images_at_a_time, select_detections

GRID = Grid(height=48, width=80, rows=3, cols=5, boxes=2, classes=3)
ALL = Selection(min_score=0.0, nms_iou=1.0, max_detections=1000)
MODEL = model_section("compact", width=0.1, depth=1.0, stride=4)
INFO = ModelInfo(MODEL, GRID, ("chat", "rat", "日本"), 0, "scratch")


@given(rows=st.integers(1, 200), cols=st.integers(1, 200))
def test_images_at_a_time_have_2_million_pixels_at_most_or_are_one(rows: int, cols: int) -> None:
    grid = Grid(height=16 * rows, width=16 * cols, rows=rows, cols=cols, boxes=1, classes=1)
    most, pixels = images_at_a_time(grid), grid.height * grid.width
    assert 1 <= most <= 128
    assert most == 1 or most * pixels <= 2**21
    assert most == 128 or (most + 1) * pixels > 2**21


@pytest.fixture(scope="module")
def network() -> keras.Model:
    network = build_model(INFO.model, GRID, seed=3)
    rng = np.random.default_rng(0)
    for weight in network.weights:  # as after training: no moving mean of 0
        weight.assign(np.asarray(weight) + rng.uniform(0.01, 0.1, weight.shape).astype(np.float32))
    return network


@pytest.fixture(scope="module")
def folder(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, INFO, {weight.path: np.asarray(weight) for weight in network.weights})
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Network:
    return Network.load(folder)


def noise(images: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (images, 48, 80, 3), np.uint8)


def test_a_saved_model_answers_as_the_one_that_was_trained(network: keras.Model, loaded: Network) -> None:
    np.testing.assert_allclose(loaded.predict(noise(2)), network(noise(2), training=False), rtol=1e-5, atol=1e-6)
    assert loaded.info == INFO


def test_any_number_of_images_is_answered(loaded: Network) -> None:
    whole = loaded.predict(noise(5))
    assert whole.shape == (5, *GRID.shape)
    np.testing.assert_allclose(loaded.predict(noise(5)[:1]), whole[:1], rtol=1e-4, atol=1e-6)
    found = loaded.detect_batch(noise(5), ALL)
    assert len(found) == 5
    for image, expected in zip(found, select_detections(whole, GRID, ALL), strict=True):
        np.testing.assert_array_equal(image.boxes, expected.boxes)


def test_a_model_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    other = build_model(model_section("humble"), GRID, seed=0)
    save_model(tmp_path, INFO, {weight.path: np.asarray(weight) for weight in other.weights})
    with pytest.raises(UserError, match=r"weights\.npz: holds other weights"):
        Network.load(tmp_path)


def test_a_grid_that_the_network_cannot_have_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("weights.npz", "model.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes().replace(b'"rows": 3', b'"rows": 7'))
    with pytest.raises(UserError, match=r"model\.json: .*cannot be built"):
        Network.load(tmp_path)


def test_targets_come_out_as_the_objects_that_they_hold() -> None:
    boxes = np.array([[2.0, 3, 20, 30], [40, 20, 60, 45], [41, 21, 59, 44], [70, 30, 80, 48]])
    labels, index = np.array([0, 2, 2, 1]), np.array([0, 0, 0, 1])
    targets = encode_boxes(boxes, labels, index, 2, GRID).targets
    first, second = select_detections(targets, GRID, ALL)
    np.testing.assert_allclose(first.boxes[np.argsort(first.boxes[:, 0])], boxes[:3], atol=1e-4)
    assert sorted(first.labels.tolist()) == [0, 2, 2]
    np.testing.assert_allclose(second.boxes, boxes[3:], atol=1e-4)
    (lone, _) = select_detections(targets, GRID, Selection(0.0, 0.5, 100))
    assert len(lone.boxes) == 2  # the two of one class that overlap are one


@st.composite
def answers(draw: st.DrawFn) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tensor = rng.uniform(-0.2, 1.2, (3, *GRID.shape)).astype(np.float32)
    if draw(st.booleans()):
        tensor[rng.random(tensor.shape) < 0.1] = draw(st.sampled_from([0.0, np.nan, np.inf, -np.inf]))
    return tensor


@given(answers(), st.floats(0, 1), st.floats(0, 1), st.integers(1, 40))
def test_whatever_a_network_answers_detections_are_sound(
    tensor: np.ndarray, min_score: float, iou: float, most: int
) -> None:
    with np.errstate(all="ignore"):
        found = select_detections(tensor, GRID, Selection(min_score, iou, most))
        decoded = decode_grid(tensor, GRID)
    assert len(found) == 3
    for number, image in enumerate(found):
        assert len(image.boxes) == len(image.scores) == len(image.labels) <= most
        assert ((image.scores >= min_score) & (image.scores > 0) & (image.scores <= 1)).all()
        assert (np.diff(image.scores) <= 0).all()
        assert (image.boxes >= 0).all()
        assert (image.boxes <= (80, 48, 80, 48)).all()
        assert (image.boxes[:, 2:] > image.boxes[:, :2]).all()
        assert ((image.labels >= 0) & (image.labels < 3)).all()
        clash = (pairwise_iou(image.boxes, image.boxes) > iou) & (image.labels[:, None] == image.labels)
        assert not (clash & ~np.eye(len(clash), dtype=bool)).any()
        for score, label in zip(image.scores, image.labels, strict=True):
            assert score in decoded.scores[number, :, label]


def test_two_numbers_under_0_are_no_object_and_no_score_is_over_1() -> None:
    tensor = np.full((1, *GRID.shape), 0.5, np.float32)
    tensor[..., :3] = -0.2
    tensor[..., 3 + 4 :: 5] = -0.3  # confidences
    assert not len(select_detections(tensor, GRID, ALL)[0].scores)
    tensor[..., :3] = 1.3
    tensor[..., 3 + 4 :: 5] = 1.1
    assert set(select_detections(tensor, GRID, ALL)[0].scores) == {1.0}


def test_the_best_are_kept_where_there_are_too_many() -> None:
    tensor = np.random.default_rng(0).uniform(0.1, 0.9, (1, *GRID.shape)).astype(np.float32)
    (everything,) = select_detections(tensor, GRID, ALL)
    (best,) = select_detections(tensor, GRID, Selection(0.0, 1.0, 7))
    assert len(everything.scores) == 3 * 5 * 2 * 3  # each box for each class
    np.testing.assert_array_equal(best.scores, everything.scores[:7])


def test_a_score_at_the_limit_is_a_detection() -> None:
    targets = encode_boxes(np.array([[2.0, 3, 20, 30]]), np.array([0]), np.array([0]), 1, GRID).targets
    assert len(select_detections(targets, GRID, Selection(1.0, 0.5, 9))[0].scores) == 1
