"""The graph of tensor operations selects what NumPy selects."""

import numpy as np
import pytest

from humbleyolo.detection.graph import SelectDetections
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import select_detections

GRIDS = [
    Grid(height=48, width=80, rows=3, cols=5, boxes=2, classes=3),
    Grid(height=64, width=64, rows=1, cols=1, boxes=1, classes=1),
    Grid(height=40, width=24, rows=8, cols=6, boxes=3, classes=8),  # 1,152 pairs: more than take part
]


def layer(grid: Grid, selection: Selection) -> SelectDetections:
    fields = {name: getattr(grid, name) for name in ("height", "width", "rows", "cols", "boxes", "classes")}
    return SelectDetections(fields, selection.min_score, selection.nms_iou, selection.max_detections)


def assert_same(tensor: np.ndarray, grid: Grid, selection: Selection) -> int:
    out = {name: np.asarray(values) for name, values in layer(grid, selection)(tensor).items()}
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


@pytest.mark.parametrize("grid", GRIDS[:2])
@pytest.mark.parametrize("selection", [Selection(0.01, 0.5, 100), Selection(0.3, 0.0, 7), Selection(0.0, 1.0, 1000)])
@pytest.mark.parametrize("seed", range(4))
def test_it_selects_what_numpy_selects(grid: Grid, selection: Selection, seed: int) -> None:
    tensor = np.random.default_rng(seed).uniform(-0.2, 1.2, (5, *grid.shape)).astype(np.float32)
    assert_same(tensor, grid, selection)


def test_numbers_that_are_not_finite_are_no_detections() -> None:
    rng = np.random.default_rng(0)
    tensor = rng.uniform(0, 1, (6, *GRIDS[0].shape)).astype(np.float32)
    tensor[rng.random(tensor.shape) < 0.05] = np.nan
    tensor[rng.random(tensor.shape) < 0.05] = -np.inf
    out = layer(GRIDS[0], Selection(0.01, 0.5, 100))(tensor)
    assert np.isfinite(out["boxes"]).all()
    assert np.isfinite(out["scores"]).all()


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


def test_of_very_many_boxes_the_best_take_part() -> None:
    grid = GRIDS[2]
    tensor = np.random.default_rng(0).uniform(0.1, 1, (2, *grid.shape)).astype(np.float32)
    assert_same(tensor, grid, Selection(0.01, 0.5, 50))
