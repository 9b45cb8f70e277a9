"""What a grid can hold, against counts by hand and COCO's evaluator."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from params_text import changed
from split_writer import write_split

from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.boxes import cxcywh_to_xyxy, xyxy_to_ltwh
from humbleyolo.geometry.grid import Grid, decode_grid, encode_boxes
from humbleyolo.metrics import grid_ceiling as ceiling_module
from humbleyolo.metrics.coco_metrics import score
from humbleyolo.metrics.grid_ceiling import Ceiling, advise, measure_ceiling, measure_ceilings
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.loader import find_mistakes
from humbleyolo.storage.array_types import Floats
from humbleyolo.storage.png import encode_png

GRID = Grid(height=60, width=100, rows=3, cols=5, boxes=1, classes=2)


def boxes_at(*centres: tuple[float, float], side: float = 10.0) -> Floats:
    return cxcywh_to_xyxy(np.array([[x, y, side, side] for x, y in centres]))


def test_one_object_a_cell_loses_nothing() -> None:
    boxes = boxes_at((10, 10), (30, 10), (90, 50), (10, 10))
    found = measure_ceiling(boxes, np.array([0, 1, 0, 1]), np.array([0, 0, 0, 1]), 3, GRID)
    assert (found.objects, found.shared, found.lost) == (4, 0, 0)
    assert (found.ap, found.ap50, found.recall) == (1, 1, 1)


def test_what_shares_a_cell_and_is_lost_is_counted_and_costs_recall() -> None:
    boxes = boxes_at((10, 10), (30, 10), (31, 11), (10, 10))
    found = measure_ceiling(boxes, np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]), 2, GRID)
    assert (found.rows, found.cols) == (3, 5)
    assert (found.objects, found.shared, found.lost) == (4, 2, 1)
    assert found.recall == pytest.approx(3 / 4)
    assert found.ap == pytest.approx(76 / 101)  # COCO's 101 points of recall: 0 to 0.75
    two = Grid(60, 100, 3, 5, boxes=2, classes=2)
    again = measure_ceiling(boxes, np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]), 2, two)
    assert (again.shared, again.lost, again.ap) == (2, 0, 1)


@settings(max_examples=25)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_chunks_do_not_matter(chunk: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    index = np.sort(rng.integers(0, 8, 30))
    boxes = boxes_at(*rng.uniform(0, 1, (30, 2)) * (100, 60))
    labels = rng.integers(0, 2, 30)
    whole = measure_ceiling(boxes, labels, index, 8, GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ceiling_module, "_CHUNK_NUMBERS", chunk * math.prod(GRID.shape))
        assert measure_ceiling(boxes, labels, index, 8, GRID) == whole
    cells = [(int(y // 20), int(x // 20)) for x, y in boxes[:, :2] + 5]
    places = list(zip(index.tolist(), cells, strict=True))
    assert whole.shared == sum(places.count(place) > 1 for place in places)
    assert whole.lost == 30 - len(set(places))  # with one box a cell, each cell holds one


@given(st.integers(1, 3), st.integers(0, 150), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_it_is_what_cocos_evaluator_says_of_the_decoded_targets(
    boxes_a_cell: int, objects: int, images: int, seed: int
) -> None:
    grid = Grid(height=60, width=100, rows=15, cols=20, boxes=boxes_a_cell, classes=3)
    rng = np.random.default_rng(seed)
    index = np.sort(rng.integers(0, images, objects))
    sides = rng.choice([0.5, 3.0, 30.0], (objects, 2))
    centres = rng.uniform(0, 1, (objects, 2)) * (100, 60)
    boxes = cxcywh_to_xyxy(np.concatenate([centres, sides], axis=1))
    labels = rng.choice([0, 2], objects)  # nothing of class 1
    if objects > 1:  # two that are the same
        boxes[1], labels[1], index[1] = boxes[0], labels[0], index[0]
    targets = encode_boxes(boxes, labels, index, images, grid).targets
    decoded = decode_grid(targets, grid)
    image, box, label = np.nonzero(decoded.scores)
    expected = score(
        TruthTable(images, index, xyxy_to_ltwh(boxes), labels, np.zeros(objects, bool)),
        DetectionTable(
            images, image, xyxy_to_ltwh(decoded.boxes[image, box]), label, decoded.scores[image, box, label]
        ),
        ["a", "b", "c"],
    )
    found = measure_ceiling(boxes, labels, index, images, grid)
    assert (found.ap, found.ap50, found.recall) == (expected["ap"], expected["ap50"], expected["ar100"])


def test_of_one_class_in_an_image_100_count() -> None:
    across, down = np.meshgrid(np.arange(20), np.arange(6))
    boxes = boxes_at(*(5 * np.stack([across.ravel(), down.ravel()], axis=1) + 2.5), side=4.0)
    one = measure_ceiling(boxes, np.zeros(120, int), np.zeros(120, int), 1, Grid(60, 100, 12, 20, 1, 2))
    assert (one.lost, one.recall, one.ap) == (0, round(100 / 120, 12), round(84 / 101, 12))
    two = measure_ceiling(boxes, np.arange(120) % 2, np.zeros(120, int), 1, Grid(60, 100, 12, 20, 1, 2))
    assert (two.lost, two.recall, two.ap) == (0, 1, 1)
    assert (one.kept_ap, two.kept_ap) == (1, 1)
    (text,) = advise("val", [one], 0.95)
    assert "val: no detector can pass AP 0.832 on any grid measured: COCO counts 100 detections of a class" in text
    assert "12 x 20 cells lose 0 of 120, AP 1.000 without that limit" in text


def test_a_box_that_comes_back_as_another_is_lost() -> None:
    def found(side: float) -> Ceiling:
        tiny = boxes_at((64.1234567, 40.1234567), side=side)  # about as small as float32 can tell places apart
        return measure_ceiling(tiny, np.array([0]), np.array([0]), 1, GRID)

    assert (found(1e-8).lost, found(1e-8).ap, found(1e-8).recall) == (0, 0, 0)
    assert (found(1e-6).ap50, found(1e-6).ap) == (1, 0.8)  # right at 8 of 10 thresholds


def tried_one_by_one(answering: list[set[int]], taken: frozenset[int] = frozenset()) -> int:
    """Return the most objects that get a cell of their own, by trying every way."""
    if not answering:
        return 0
    rest = answering[1:]
    tried = [1 + tried_one_by_one(rest, taken | {cell}) for cell in answering[0] - taken]
    return max([tried_one_by_one(rest, taken), *tried])


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_where_several_cells_may_answer_as_many_objects_as_can_get_one_of_their_own(seed: int, objects: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(30, 6, (objects, 2))
    boxes = cxcywh_to_xyxy(np.concatenate([centres, rng.choice([4.0, 22.0, 30.0], (objects, 2))], axis=1))
    answering = []
    for left, top, right, bottom in boxes:
        own = {int((top + bottom) // 40) * 5 + int((left + right) // 40)}
        middles = [(row * 5 + col, 20 * col + 10, 20 * row + 10) for row in range(3) for col in range(5)]
        answering.append(own | {cell for cell, x, y in middles if left < x < right and top < y < bottom})
    labels, images = rng.integers(0, 2, objects), np.zeros(objects, int)
    found = measure_ceiling(boxes, labels, images, 1, GRID, "several")
    assert found.lost == objects - tried_one_by_one(answering)
    assert found.lost <= measure_ceiling(boxes, labels, images, 1, GRID).lost


def test_several_cells_may_answer_in_each_image_by_itself() -> None:
    boxes = boxes_at((10, 10), (30, 30), (31, 31), (29, 29), side=60.0)
    found = measure_ceiling(boxes, np.array([0, 0, 1, 0]), np.array([0, 1, 1, 1]), 2, GRID, "several")
    assert (found.lost, found.shared, found.ap) == (0, 3, 1)
    small = measure_ceiling(boxes_at((30, 30), (31, 31)), np.zeros(2, int), np.zeros(2, int), 1, GRID, "several")
    assert (small.lost, small.recall) == (1, 0.5)


def test_a_split_without_objects_has_no_ap() -> None:
    none = np.zeros(0, int)
    found = measure_ceiling(np.zeros((0, 4)), none, none, 2, GRID)
    assert found == Ceiling(3, 5, 0, 0, 0, None, None, None, None)
    assert advise("test", [found], 1.0) == []


def test_finer_grids_are_those_that_some_network_can_have(tmp_path: Path) -> None:
    with write_split(tmp_path / "a", ["chat", "rat"]) as archive:
        boxes = 4 * xyxy_to_ltwh(boxes_at((11, 11), (31, 11), (35, 15)))
        archive.add("0.png", encode_png(np.zeros((240, 400), np.uint8)), 240, 400, boxes, [0, 0, 1])
    list(encode_split(tmp_path / "a", Grid(240, 400, 3, 5, 1, 2), 0, tmp_path / "grid", 0))
    found = measure_ceilings(open_encoded(tmp_path / "grid"), [4, 2, 3, 2], "one")  # 9 rows of 240 px do not fit
    assert [(one.rows, one.cols) for one in found] == [(3, 5), (6, 10), (12, 20)]
    assert [one.lost for one in found] == [1, 1, 0]


def test_both_sides_of_a_finer_cell_are_multiples_of_4_pixels(tmp_path: Path) -> None:
    with write_split(tmp_path / "a", ["chat"]) as archive:
        archive.add("0.png", encode_png(np.zeros((240, 400), np.uint8)), 240, 400, [], [])
    for rows, cols, finer in ((3, 4, [(15, 20)]), (4, 3, []), (12, 10, [(60, 50)])):
        grid = Grid(240, 400, rows, cols, 1, 1)
        list(encode_split(tmp_path / "a", grid, 0, tmp_path / "grid", 0))
        found = measure_ceilings(open_encoded(tmp_path / "grid"), [2, 5], "one")
        assert [(one.rows, one.cols) for one in found] == [(rows, cols), *finer]


def ceilings(*aps: float) -> list[Ceiling]:
    return [Ceiling(3 * (n + 1), 5 * (n + 1), 8, 4, 2, ap, ap, ap, ap) for n, ap in enumerate(aps)]


def test_the_advice_names_the_coarsest_grid_that_does() -> None:
    assert advise("val", ceilings(0.96, 1.0), 0.95) == []
    assert advise("val", ceilings(0.95), 0.95) == []
    (text,) = advise("val", ceilings(0.5, 0.7, 0.97, 1.0), 0.95)
    assert "val: no detector can pass AP 0.500 on a grid of 3 x 5 cells: 2 of 8 objects are lost" in text
    assert "encode.rows: 9 and encode.cols: 15 (AP 0.970 at most)" in text


def test_where_none_does_the_advice_names_the_best() -> None:
    assert "encode.rows: 6 and encode.cols: 10" in str(advise("val", ceilings(0.5, 0.7, 0.6), 0.95))
    assert "raise encode.boxes" in str(advise("val", ceilings(0.5, 0.5), 0.95))
    assert "raise encode.boxes" in str(advise("val", ceilings(0.5), 0.95))


@pytest.mark.parametrize("model", ["compact", "lite"])
@pytest.mark.parametrize("factor", [2, 3])
def test_the_advice_is_taken_by_every_network(model: str, factor: int) -> None:
    grid = {"height": 96, "width": 160}  # in cells of 32 pixels
    own, finer = (Ceiling(3 * n, 5 * n, 8, 4, 2, ap, ap, ap, ap) for n, ap in ((1, 0.5), (factor, 1.0)))
    (text,) = advise("val", [own, finer], 0.95)
    told = {name: int(value) for name, value in re.findall(r"encode\.(rows|cols): (\d+)", text)}
    assert told == {"rows": 3 * factor, "cols": 5 * factor}
    assert "raise encode.height and encode.width by the same factor" in text
    larger = {name: factor * grid[name] for name in ("height", "width")}
    values = [(f"encode.{name}", str(value)) for name, value in (told | larger).items()]
    assert find_mistakes(changed(("model.name", model), *values), "params.yaml") == []


def test_a_grid_and_a_limit_that_are_both_too_small_are_told_apart() -> None:
    both = [Ceiling(3, 5, 400, 300, 100, 0.25, 0.25, 0.25, 0.7), Ceiling(6, 10, 400, 0, 0, 0.25, 0.25, 0.25, 1.0)]
    measure, grid = advise("val", both, 0.95)
    assert "no detector can pass AP 0.250 on any grid measured" in measure
    assert "no detector can pass AP 0.700 on a grid of 3 x 5 cells: 100 of 400 objects are lost" in grid
    assert "set encode.rows: 6 and encode.cols: 10 (AP 1.000 at most)" in grid


def test_a_finer_grid_that_holds_more_in_spite_of_the_limit_is_told() -> None:
    both = [Ceiling(3, 5, 400, 300, 100, 0.25, 0.25, 0.25, 0.7), Ceiling(6, 10, 400, 0, 0, 0.4, 0.4, 0.4, 1.0)]
    measure, _ = advise("val", both, 0.95)
    assert "no detector can pass AP 0.250 on a grid of 3 x 5 cells, nor 0.400 on a finer one" in measure
