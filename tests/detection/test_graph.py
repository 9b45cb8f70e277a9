"""The graph of tensor operations selects what NumPy selects."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from humbleyolo.models import tensorflow_setup  # noqa: F401 - before TensorFlow

# isort: split
import tensorflow as tf

from humbleyolo.detection.graph import SelectDetections
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import select_detections

GRIDS = [
    Grid(height=48, width=80, rows=3, cols=5, boxes=2, classes=3),
    Grid(height=64, width=64, rows=1, cols=1, boxes=1, classes=1),
    Grid(height=40, width=24, rows=8, cols=6, boxes=3, classes=8),
]


@cache
def layer(grid: Grid, selection: Selection) -> Callable[[np.ndarray], dict[str, tf.Tensor]]:
    fields = {name: getattr(grid, name) for name in ("height", "width", "rows", "cols", "boxes", "classes")}
    numbers = (selection.min_score, selection.nms_iou, selection.max_detections, selection.vote_iou)
    chosen = SelectDetections(fields, *numbers)
    signature = [tf.TensorSpec((None, *grid.shape))]
    return tf.function(chosen.call, input_signature=signature, autograph=False)  # type: ignore[no-any-return]


def assert_same(tensor: np.ndarray, grid: Grid, selection: Selection) -> int:
    out = {name: values.numpy() for name, values in layer(grid, selection)(tensor).items()}
    with np.errstate(all="ignore"):
        expected = select_detections(tensor, grid, selection)
    np.testing.assert_array_equal(out["grid"], tensor)
    for number, one in enumerate(expected):
        count = int(out["count"][number])
        assert count == len(one.scores)
        np.testing.assert_allclose(out["scores"][number, :count], one.scores, rtol=1e-6)
        np.testing.assert_array_equal(out["labels"][number, :count], one.labels)
        np.testing.assert_allclose(out["boxes"][number, :count], one.boxes, atol=1e-4)
        for name in ("boxes", "scores", "labels"):
            assert not out[name][number, count:].any()
    return sum(len(one.scores) for one in expected)


SELECTIONS = [Selection(0.01, 0.5, 100), Selection(0.3, 0.0, 7), Selection(0.0, 1.0, 1000)]
# Each is a graph of its own; a third, in which every grid meets every selection and every vote, is fast.
CASES = [
    pytest.param(
        GRIDS[grid],
        replace(SELECTIONS[chosen], vote_iou=vote),
        marks=[pytest.mark.slow] * ((grid + chosen + row) % 3 > 0),
    )
    for grid, chosen, (row, vote) in product(range(2), range(3), enumerate((1.0, 0.55, 0.0)))
]


@pytest.mark.parametrize(("grid", "selection"), CASES)
@pytest.mark.parametrize("seed", range(2))
def test_it_selects_what_numpy_selects(grid: Grid, selection: Selection, seed: int) -> None:
    tensor = np.random.default_rng(seed).uniform(-0.2, 1.2, (5, *grid.shape)).astype(np.float32)
    assert_same(tensor, grid, selection)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("grid", GRIDS)
def test_of_equal_scores_the_earlier_is_first(grid: Grid, seed: int) -> None:
    tensor = np.random.default_rng(seed).integers(0, 5, (5, *grid.shape)).astype(np.float32) / 4
    assert_same(tensor, grid, Selection(0.01, 0.5, 40))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_that_are_not_finite_are_no_detections() -> None:
    rng = np.random.default_rng(0)
    tensor = rng.uniform(0, 1, (6, *GRIDS[0].shape)).astype(np.float32)
    tensor[rng.random(tensor.shape) < 0.05] = np.nan
    tensor[rng.random(tensor.shape) < 0.05] = -np.inf
    assert assert_same(tensor, GRIDS[0], Selection(0.01, 0.5, 100)) > 0
    assert assert_same(tensor, GRIDS[0], Selection(0.01, 0.5, 100, vote_iou=0.6)) > 0
    assert assert_same(np.full_like(tensor, np.nan), GRIDS[0], Selection(0.0, 0.5, 100)) == 0


def test_where_nothing_is_nothing_is_found() -> None:
    tensor = np.zeros((3, *GRIDS[0].shape), np.float32)
    tensor[1] = 0.5  # the others of its batch are empty
    for selection in (Selection(0.0, 0.5, 100), Selection(0.0, 0.5, 100, vote_iou=0.7)):
        for few in (tensor[:1], tensor[:0]):
            assert assert_same(few, GRIDS[0], selection) == 0
        assert assert_same(tensor, GRIDS[0], selection) > 0


def test_equal_boxes_and_scores_leave_the_first() -> None:
    tensor = np.full((1, *GRIDS[0].shape), 0.5, np.float32)
    assert_same(tensor, GRIDS[0], Selection(0.01, 0.3, 100))


def test_chains_in_which_each_box_removes_the_next_keep_every_other() -> None:
    grid = Grid(height=8, width=80, rows=1, cols=20, boxes=1, classes=1)
    tensor = np.zeros((1, 1, 20, 6), np.float32)
    tensor[..., 0] = 1
    tensor[0, 0, :, 1:3] = 0.5
    tensor[0, 0, :, 3], tensor[0, 0, :, 4] = 8 / 80, 1  # 8 pixels wide, 4 apart: IoU 1/3 with each neighbour
    tensor[0, 0, :, 5] = np.linspace(0.9, 0.5, 20)
    out = layer(grid, Selection(0.01, 0.3, 100))(tensor)
    assert int(out["count"][0]) == assert_same(tensor, grid, Selection(0.01, 0.3, 100)) == 10


def test_objects_behind_more_than_a_thousand_boxes_of_another_are_found() -> None:
    grid = Grid(height=64, width=32, rows=64, cols=32, boxes=1, classes=1)
    tensor = np.zeros((1, *grid.shape), np.float32)
    tensor[..., 0], tensor[..., 1:3] = 1, 0.5
    tensor[..., 3:5] = 0.5  # 1,984 cells answer for one large object
    tensor[..., 1] = 16 - np.arange(32, dtype=np.float32)
    tensor[..., 2] = 32 - np.arange(64, dtype=np.float32)[:, None]
    tensor[..., 5] = np.random.default_rng(0).uniform(0.5, 0.9, (64, 32))
    tensor[0, -2:] = 0  # those of the last row for one each
    tensor[0, -1] = (1, 0.5, 0.5, 1 / 32, 1 / 64, 0.4)
    assert assert_same(tensor, grid, Selection(0.01, 0.5, 1000)) == 1 + 32
    assert assert_same(tensor, grid, Selection(0.01, 0.5, 20)) == 20


def test_dense_images_have_as_many_detections_as_there_may_be() -> None:
    tensor = np.random.default_rng(0).uniform(0.1, 1, (2, *GRIDS[2].shape)).astype(np.float32)
    for selection in (Selection(0.01, 0.5, 50), Selection(0.01, 0.05, 1000)):
        assert_same(tensor, GRIDS[2], selection)
