"""The tensor against the article's layout, a slow encoder written from the rule, and its own inverse."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humbleyolo.geometry.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from humbleyolo.geometry.grid import (
    Grid,
    answering_cells,
    box_edges,
    decode_grid,
    decode_tensor,
    encode_boxes,
    split_parts,
)
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.storage.array_types import Floats, Ints

# 3 x 5 cells of 21 x 20 pixels, so that no two lengths agree: what swaps rows and columns shows.
ODD = Grid(height=63, width=100, rows=3, cols=5, boxes=2, classes=3)

Case = tuple[Grid, Floats, Ints, Ints, int]  # grid, boxes xyxy, labels, image_index, images


@st.composite
def cases(draw: st.DrawFn, boxes_a_cell: tuple[int, ...] = (1, 2, 5), most: int = 14) -> Case:
    """Objects on few different places, so that many share a cell, many are equal and many lie on an edge."""
    grid = Grid(
        draw(st.sampled_from([63, 64])), draw(st.sampled_from([100, 37])),
        draw(st.sampled_from([3, 1])), draw(st.sampled_from([5, 2])), draw(st.sampled_from(boxes_a_cell)), 3,
    )  # fmt: skip
    count, images = draw(st.integers(0, most)), draw(st.integers(1, 3))
    quarter = st.integers(0, 4)
    at = draw(arrays(np.int64, (count, 2), elements=quarter)) / 4 * (grid.width, grid.height)
    lengths = draw(arrays(np.int64, (count, 2), elements=st.integers(1, 4))) * 3.0
    labels = draw(arrays(np.int64, count, elements=st.integers(0, 2)))
    image_index = draw(arrays(np.int64, count, elements=st.integers(0, images - 1)))
    return grid, cxcywh_to_xyxy(np.concatenate([at, lengths], axis=1)), labels, image_index, images


def slow_encode(grid: Grid, boxes: Floats, labels: Ints, image_index: Ints, images: int) -> np.ndarray:
    """The rule in the docstring of `grid.py`, object by object."""
    targets = np.zeros((images, grid.rows, grid.cols, grid.classes + 5 * grid.boxes), np.float32)
    cells: dict[tuple[int, int, int], list[tuple[float, ...]]] = {}
    for (left, top, right, bottom), label, image in zip(
        boxes.tolist(), labels.tolist(), image_index.tolist(), strict=True
    ):
        col = min(int((left + right) / 2 * grid.cols / grid.width), grid.cols - 1)
        row = min(int((top + bottom) / 2 * grid.rows / grid.height), grid.rows - 1)
        size = (right - left) * (bottom - top)
        cells.setdefault((image, row, col), []).append((-size, left, top, right, bottom, label))
    for (image, row, col), objects in cells.items():
        objects.sort()
        winning_class = int(objects[0][-1])
        cell = targets[image, row, col]
        cell[winning_class] = 1
        for slot, (_, left, top, right, bottom, _) in enumerate(
            [one for one in objects if one[-1] == winning_class][: grid.boxes]
        ):
            cell[grid.classes + 5 * slot : grid.classes + 5 * slot + 5] = (
                (left + right) / 2 * grid.cols / grid.width - col,
                (top + bottom) / 2 * grid.rows / grid.height - row,
                (right - left) / grid.width,
                (bottom - top) / grid.height,
                1,
            )
    return targets


def test_the_layout_is_the_articles() -> None:
    """A 64 x 64 image of 2 x 2 cells: "rat" (class 1), 16 x 10 pixels around (40, 24), in the upper right cell."""
    grid = Grid(64, 64, 2, 2, boxes=1, classes=3)
    box = np.array([[32.0, 19, 48, 29]])
    targets = encode_boxes(box, np.array([1]), np.array([0]), 1, grid).targets
    expected = np.zeros((1, 2, 2, 8), np.float32)
    #                       chat rat nothing x      y        w        h        confidence
    expected[0, 0, 1] = [0, 1, 0, 8 / 32, 24 / 32, 16 / 64, 10 / 64, 1]
    np.testing.assert_array_equal(targets, expected)


def test_several_boxes_of_a_cell_lie_one_behind_the_other() -> None:
    grid = Grid(64, 64, 2, 2, boxes=5, classes=3)  # the article's example: 2 x 2 x (3 + 5 x (4 + 1))
    assert grid.shape == (2, 2, 28)
    boxes = np.array([[0.0, 0, 8, 8], [0, 0, 16, 16]])
    (cell,) = encode_boxes(boxes, np.array([2, 2]), np.array([0, 0]), 1, grid).targets[:, 0, 0]
    larger, smaller = [8 / 32, 8 / 32, 0.25, 0.25, 1], [4 / 32, 4 / 32, 0.125, 0.125, 1]
    np.testing.assert_array_equal(cell, np.array([0, 0, 1, *larger, *smaller, *[0] * 15], np.float32))


@given(cases())
def test_it_is_what_the_rule_says(case: Case) -> None:
    np.testing.assert_array_equal(encode_boxes(case[1], *case[2:], case[0]).targets, slow_encode(*case))


@given(cases(), st.data())
def test_the_order_of_the_labels_does_not_matter(case: Case, data: st.DataObject) -> None:
    grid, boxes, labels, image_index, images = case
    order = np.array(data.draw(st.permutations(range(len(boxes)))), int)
    one = encode_boxes(boxes, labels, image_index, images, grid)
    other = encode_boxes(boxes[order], labels[order], image_index[order], images, grid)
    np.testing.assert_array_equal(one.targets, other.targets)
    np.testing.assert_array_equal(one.shared[order], other.shared)
    assert one.kept.sum() == other.kept.sum()
    rows = np.concatenate([boxes, labels[:, None], image_index[:, None]], axis=1)
    np.testing.assert_array_equal(  # which objects: of two that are equal in all, either
        np.sort(rows[one.kept], axis=0), np.sort(rows[order][other.kept], axis=0)
    )


@given(cases(), st.data())
def test_images_do_not_touch_each_other(case: Case, data: st.DataObject) -> None:
    grid, boxes, labels, image_index, images = case
    image = data.draw(st.integers(0, images - 1))
    own = image_index == image
    alone = encode_boxes(boxes[own], labels[own], image_index[own] * 0, 1, grid)
    together = encode_boxes(boxes, labels, image_index, images, grid)
    np.testing.assert_array_equal(together.targets[image], alone.targets[0])
    np.testing.assert_array_equal(together.kept[own], alone.kept)
    np.testing.assert_array_equal(together.shared[own], alone.shared)


@given(cases())
def test_what_is_kept_and_what_shares_a_cell_is_told(case: Case) -> None:
    grid, boxes, labels, image_index, images = case
    encoded = encode_boxes(boxes, labels, image_index, images, grid)
    assert encoded.kept.sum() == (split_parts(encoded.targets, grid.classes).confidence > 0).sum()
    for index in range(len(boxes)):
        neighbours = 0  # objects that share its cell where no others are there
        for other in np.flatnonzero((image_index == image_index[index]) & (np.arange(len(boxes)) != index)):
            pair = np.array([index, other])
            alone = encode_boxes(boxes[pair], labels[pair], pair * 0, 1, grid).shared
            neighbours += int(alone.all())
        assert encoded.shared[index] == (neighbours > 0)


@given(
    arrays(np.float64, (15, 4), elements=st.floats(0.01, 0.99)),
    arrays(np.int64, 15, elements=st.integers(0, 2)),
    st.sampled_from([1, 2, 5]),
)
def test_round_trip_on_a_3_x_5_grid(parts: Floats, labels: Ints, boxes_a_cell: int) -> None:
    """One object a cell: each comes back but for the rounding to float32, in its place, with score 1."""
    grid = Grid(63, 100, 3, 5, boxes_a_cell, 3)
    rows, cols = np.divmod(np.arange(15), 5)
    x, y = (cols + parts[:, 0]) * 20, (rows + parts[:, 1]) * 21
    boxes = cxcywh_to_xyxy(np.stack([x, y, parts[:, 2] * 100, parts[:, 3] * 63], axis=1))
    encoded = encode_boxes(boxes, labels, np.zeros(15, int), 1, grid)
    assert encoded.kept.all()
    assert not encoded.shared.any()
    decoded = decode_grid(encoded.targets, grid)
    first = np.arange(15) * boxes_a_cell  # A = R S B boxes an image, cell by cell
    np.testing.assert_allclose(decoded.boxes[0, first], boxes, atol=100 * 2**-22)
    np.testing.assert_array_equal(decoded.scores[0, first], np.eye(3)[labels])
    assert decoded.scores.sum() == 15


@given(cases())
def test_every_kept_object_comes_back(case: Case) -> None:
    grid, boxes, labels, image_index, images = case
    encoded = encode_boxes(boxes, labels, image_index, images, grid)
    decoded = decode_grid(encoded.targets, grid)
    for index in np.flatnonzero(encoded.kept):
        image = image_index[index]
        fitting = decoded.scores[image, :, labels[index]] == 1
        assert pairwise_iou(boxes[[index]], decoded.boxes[image, fitting]).max() > 1 - 1e-5
    assert np.count_nonzero(decoded.scores) == encoded.kept.sum()


@pytest.mark.parametrize(
    ("centre", "cell"),
    [
        ((0, 0), (0, 0)),
        ((20, 21), (1, 1)),  # on an edge: to the right and below
        ((19.999, 20.999), (0, 0)),
        ((40, 5), (0, 2)),
        ((100, 63), (2, 4)),  # on the far edge of the image: the last cell
        ((100, 0), (0, 4)),
        ((0, 63), (2, 0)),
    ],
)
def test_a_centre_on_an_edge_belongs_to_one_cell(centre: tuple[float, float], cell: tuple[int, int]) -> None:
    box = cxcywh_to_xyxy(np.array([[*centre, 6.0, 8.0]]))
    encoded = encode_boxes(box, np.array([0]), np.array([0]), 1, ODD)
    parts = split_parts(encoded.targets, ODD.classes)
    assert np.argwhere(parts.confidence[0, ..., 0]).tolist() == [list(cell)]
    for part in (parts.x_cell, parts.y_cell):
        assert 0 <= part.min() <= part.max() <= 1
    decoded = decode_grid(encoded.targets, ODD)
    np.testing.assert_allclose(decoded.boxes[decoded.scores.any(axis=-1)], box, atol=1e-4)


@given(st.integers(1, 512), st.integers(1, 8192), st.data())
def test_every_edge_of_every_grid_is_inside(cols: int, width: int, data: st.DataObject) -> None:
    """Rounding never puts a centre outside the cells, or more than itself outside its cell."""
    assume(cols <= width)
    x = width * data.draw(st.integers(0, cols)) / cols
    grid = Grid(8, width, 1, cols, 1, 1)
    encoded = encode_boxes(np.array([[x - 1, 1, x + 1, 3]]), np.array([0]), np.array([0]), 1, grid)
    x_cell = split_parts(encoded.targets, 1).x_cell
    assert -1e-9 <= x_cell.min() <= x_cell.max() <= 1
    found = decode_grid(encoded.targets, grid)
    (box,) = found.boxes[found.scores[..., 0] == 1]
    assert xyxy_to_cxcywh(box)[0] == pytest.approx(x, abs=width * 2**-22)


@given(st.integers(1, 64), st.integers(1, 1000), st.data())
@example(18, 291, None)
def test_the_cell_that_a_small_object_is_encoded_to_may_answer_for_it(
    cols: int, width: int, data: st.DataObject | None
) -> None:
    x = 242.5 if data is None else data.draw(st.integers(0, 4 * width)) / 4
    box = np.array([[x, 4.0, x, 4.0]])
    grid = Grid(8, width, 1, cols, 1, 1)
    encoded = encode_boxes(box, np.array([0]), np.array([0]), 1, grid)
    (answering,) = answering_cells(box, grid)
    assert np.flatnonzero(answering).tolist() == encoded.place.tolist()


def test_tensorflow_divides_where_it_could_multiply_by_a_reciprocal() -> None:
    """12 is no power of 2: x times 1/12 rounds up to 5 here, where x is under 60."""
    grid, x = Grid(12, 84, 1, 7, 1, 1), np.nextafter(np.float32(60), np.float32(0))
    boxes = tf.constant([[x, 6, x, 6]], tf.float32)
    answering = tf.function(lambda boxes: answering_cells(boxes, grid, tf))(boxes)
    assert np.flatnonzero(answering).tolist() == [4]


def test_the_larger_object_wins_a_shared_cell_and_its_class_is_the_cells() -> None:
    boxes = np.array([[1.0, 1, 9, 9], [0, 0, 19, 19], [2, 2, 8, 8], [3, 3, 7, 7]])
    encoded = encode_boxes(boxes, np.array([1, 0, 0, 0]), np.zeros(4, int), 1, ODD)
    assert encoded.kept.tolist() == [False, True, True, False]  # of another class; first; second; one too many
    assert encoded.shared.all()
    assert encoded.targets[0, 0, 0, :3].tolist() == [1, 0, 0]


@pytest.mark.parametrize("equal", ["left", "top", "class"])
def test_ties_are_broken_by_place_then_class(equal: str) -> None:
    boxes = {
        "left": np.array([[2.0, 1, 6, 5], [1, 2, 5, 6]]),
        "top": np.array([[1.0, 2, 5, 6], [1, 1, 5, 5]]),
        "class": np.array([[1.0, 1, 5, 5], [1, 1, 5, 5]]),
    }[equal]
    grid = Grid(63, 100, 3, 5, 1, 3)
    encoded = encode_boxes(boxes, np.array([2, 1]), np.zeros(2, int), 1, grid)
    assert encoded.kept.tolist() == [False, True]
    assert encoded.targets[0, 0, 0, :3].tolist() == [0, 1, 0]


def test_no_objects_are_empty_targets() -> None:
    none = np.zeros(0, int)
    encoded = encode_boxes(np.zeros((0, 4)), none, none, 2, ODD)
    assert encoded.targets.shape == (2, 3, 5, 13)
    assert not encoded.targets.any()
    assert encoded.targets.dtype == np.float32
    assert decode_grid(encoded.targets, ODD).scores.shape == (2, 30, 3)


def test_no_images_are_no_boxes() -> None:
    decoded = decode_grid(np.zeros((0, *ODD.shape), np.float32), ODD)
    assert decoded.boxes.shape == (0, 30, 4)
    assert decoded.scores.shape == (0, 30, 3)


@pytest.mark.parametrize(
    ("box", "label", "image", "match"),
    [
        ([-9.0, 0, 8, 8], 0, 0, "centre"),
        ([0.0, 60, 8, 68], 0, 0, "centre"),
        ([float("nan"), 0, 8, 8], 0, 0, "centre"),
        ([0.0, 0, 8, 8], 3, 0, "class"),
        ([0.0, 0, 8, 8], -1, 0, "class"),
        ([0.0, 0, 8, 8], 0, 1, "image index"),
        ([0.0, 0, 8, 8], 0, -1, "image index"),
    ],
)
def test_what_fits_nowhere_is_refused(box: list[float], label: int, image: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        encode_boxes(np.array([box]), np.array([label]), np.array([image]), 1, ODD)


@given(arrays(np.float32, (2, 3, 5, 13), elements=st.floats(0, 1, width=32)))
def test_a_boxs_score_is_class_probability_times_confidence(tensor: np.ndarray) -> None:
    decoded = decode_grid(tensor, ODD)
    for row, col, slot in ((0, 0, 0), (1, 3, 1), (2, 4, 0)):
        cell = tensor[1, row, col].astype(np.float64)
        place = (row * 5 + col) * 2 + slot
        x, y, w, h, confidence = cell[3 + 5 * slot : 8 + 5 * slot]
        np.testing.assert_array_equal(decoded.scores[1, place], cell[:3] * confidence)
        centre_lengths = [(col + x) * 20, (row + y) * 21, w * 100, h * 63]
        np.testing.assert_allclose(xyxy_to_cxcywh(decoded.boxes[1, place]), centre_lengths, rtol=1e-12, atol=1e-9)


def test_a_finer_grid_is_of_the_same_image() -> None:
    assert ODD.finer(3) == Grid(63, 100, 9, 15, 2, 3)


@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_tensorflow_and_numpy_decode_to_the_same_bits(boxes_a_cell: int, seed: int) -> None:
    """On 3 x 5 cells of a wide image, for outputs that leave 0 to 1."""
    grid = Grid(height=47, width=81, rows=3, cols=5, boxes=boxes_a_cell, classes=2)
    tensor = np.random.default_rng(seed).uniform(-0.5, 1.5, (2, *grid.shape)).astype(np.float32)
    found = decode_tensor(tf.constant(tensor), grid, tf)
    for tensorflow, numpy, exact in zip(found, decode_tensor(tensor, grid), decode_grid(tensor, grid), strict=True):
        np.testing.assert_array_equal(tensorflow, numpy)
        np.testing.assert_allclose(tensorflow, exact, rtol=1e-5, atol=1e-4)


def test_edges_are_those_of_the_boxes() -> None:
    grid = Grid(height=63, width=100, rows=3, cols=5, boxes=1, classes=2)
    box = np.array([[61.5, 23.25, 79.25, 60.0]])  # in row 1, column 3
    targets = encode_boxes(box, np.array([0]), np.array([0]), 1, grid).targets
    found = box_edges(split_parts(tf.constant(targets), grid.classes), grid)
    np.testing.assert_allclose([float(edge[0, 1, 3, 0]) for edge in found], box[0], rtol=1e-6)
