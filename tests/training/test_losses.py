"""Each term of each loss against its formula, written out in loops over images, cells and boxes."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask
from repository import ROOT
from ruamel.yaml import YAML
from sections import loss_section

from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid, box_edges, encode_boxes, split_parts
from humbleyolo.geometry.iou import iou
from humbleyolo.storage.array_types import Floats
from humbleyolo.training.assignment import assign_responsible
from humbleyolo.training.losses import Terms
from humbleyolo.training.weighted_loss import LOSSES as EVERY
from humbleyolo.training.weighted_loss import WeightedLoss

TINY = 1e-7
LOSSES = {name: loss for name, loss in EVERY.items() if name != "aligned"}  # it learns from objects, not from cells


def odd_grid(boxes: int) -> Grid:
    return Grid(height=63, width=100, rows=3, cols=5, boxes=boxes, classes=4)


def random_case(grid: Grid, seed: int, images: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Targets (N, R, S, K) with several objects in some cells, and predictions in the range of a network."""
    rng = np.random.default_rng(seed)
    count = 14
    lengths = rng.uniform(2, 50, (count, 2))
    centres = rng.uniform(0, 1, (count, 2)) ** 2 * (grid.width, grid.height)
    boxes = np.concatenate([centres - lengths / 2, centres + lengths / 2], axis=1)
    labels = rng.integers(0, 2, count)
    targets = encode_boxes(boxes, labels, rng.integers(0, images, count), images, grid).targets
    predictions = rng.uniform(0.02, 0.98, targets.shape).astype(np.float32)
    predictions[..., : grid.classes] /= predictions[..., : grid.classes].sum(axis=-1, keepdims=True)
    return targets, predictions


def terms_of(name: str, targets: object, predictions: object, grid: Grid, **options: object) -> Terms:
    """Each term of a loss, every class of weight 1."""
    return LOSSES[name](
        tf.convert_to_tensor(targets), tf.convert_to_tensor(predictions), grid, [1.0] * grid.classes, **options
    )


def slow_corners(grid: Grid, row: int, col: int, box: Floats) -> list[float]:
    """(x, y, w, h) of a cell as left, top, right, bottom in pixels."""
    x, y = (col + box[0]) * grid.width / grid.cols, (row + box[1]) * grid.height / grid.rows
    w, h = box[2] * grid.width, box[3] * grid.height
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def slow_iou(a: list[float], b: list[float]) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (a, b)]
    union = sum(areas) - across * down
    return across * down / union if union else 0.0


def slow_ciou(a: list[float], b: list[float]) -> float:
    """Equations 7, 10 and 11 of Zheng et al. 2020."""
    overlap = slow_iou(a, b)
    centre = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (a, b)]
    rho2 = (centre[0][0] - centre[1][0]) ** 2 + (centre[0][1] - centre[1][1]) ** 2
    c2 = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    angle = [math.atan((box[2] - box[0]) / (box[3] - box[1])) for box in (a, b)]
    v = 4 / math.pi**2 * (angle[0] - angle[1]) ** 2
    return overlap - rho2 / c2 - (v / (1 - overlap + v) * v if v else 0.0)


def slow_responsible(grid: Grid, row: int, col: int, truth: Floats, predicted: Floats) -> dict[int, int]:
    """Predictor -> slot of its truth: truths choose in order, each the free predictor with the highest IoU."""
    taken: dict[int, int] = {}
    for slot in range(grid.boxes):
        if truth[slot][4]:
            edges = slow_corners(grid, row, col, truth[slot])
            free = [box for box in range(grid.boxes) if box not in taken]
            overlaps = [slow_iou(edges, slow_corners(grid, row, col, predicted[box])) for box in free]
            taken[free[int(np.argmax(overlaps))]] = slot
    return taken


def entropy(q: float, p: float) -> float:
    return -q * math.log(p) - (1 - q) * math.log(1 - p)


def slow_terms(name: str, targets: np.ndarray, predictions: np.ndarray, grid: Grid) -> dict[str, list[float]]:
    """The formulas in the docstrings of `loss.py`."""
    squares = name in ("article", "yolov1")
    names = ("xy", "wh", "obj", "noobj", "class") if squares else ("box", "obj", "noobj", "class")
    result: dict[str, list[float]] = {term: [] for term in names}
    for image in range(len(targets)):
        total = dict.fromkeys(names, 0.0)
        for row in range(grid.rows):
            for col in range(grid.cols):
                true_cell = targets[image, row, col].astype(np.float64)
                found_cell = predictions[image, row, col].astype(np.float64)
                truth = true_cell[grid.classes :].reshape(grid.boxes, 5)
                found = found_cell[grid.classes :].reshape(grid.boxes, 5)
                responsible = slow_responsible(grid, row, col, truth, found)
                for box in range(grid.boxes):
                    x, y, w, h, confidence = found[box]
                    if box not in responsible:
                        total["noobj"] += confidence**2 if squares else entropy(0.0, confidence)
                        continue
                    own = truth[responsible[box]]
                    edges, own_edges = (slow_corners(grid, row, col, one) for one in (found[box], own))
                    overlap = slow_iou(edges, own_edges)
                    if squares:
                        total["xy"] += (x - own[0]) ** 2 + (y - own[1]) ** 2
                        total["wh"] += (w**0.5 - own[2] ** 0.5) ** 2 + (h**0.5 - own[3] ** 0.5) ** 2
                        total["obj"] += (overlap - confidence) ** 2
                    else:
                        total["box"] += 1 - slow_ciou(own_edges, edges)
                        total["obj"] += entropy(overlap, confidence)
                if truth[0][4]:
                    for true, guess in zip(true_cell[: grid.classes], found_cell[: grid.classes], strict=True):
                        total["class"] += (true - guess) ** 2 if squares else -true * math.log(guess)
        for term in names:
            result[term].append(total[term])
    return result


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("boxes", [1, 2, 5])
def test_every_term_is_its_formula(name: str, boxes: int) -> None:
    grid = odd_grid(boxes)
    for seed in range(3):
        targets, predictions = random_case(grid, seed)
        found = terms_of(name, targets, predictions, grid)
        expected = slow_terms(name, targets, predictions, grid)
        assert list(found) == list(expected)
        for term, values in expected.items():
            np.testing.assert_allclose(found[term], values, rtol=2e-5, atol=2e-5, err_msg=f"{term}, seed {seed}")


@pytest.mark.parametrize("name", LOSSES)
def test_images_do_not_touch_each_other(name: str) -> None:
    grid = odd_grid(2)
    targets, predictions = random_case(grid, 7, images=4)
    order = np.array([2, 0, 3, 1])
    whole = terms_of(name, targets, predictions, grid)
    turned = terms_of(name, targets[order], predictions[order], grid)
    for term in whole:
        np.testing.assert_allclose(np.asarray(whole[term])[order], turned[term], rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("boxes", [1, 2])
def test_a_perfect_answer_costs_nothing(name: str, boxes: int) -> None:
    grid = odd_grid(boxes)
    targets, _ = random_case(grid, 3)
    for term, values in terms_of(name, targets, targets, grid).items():
        np.testing.assert_allclose(values, 0, atol=1e-4, err_msg=term)


def test_iou_is_in_one_unit() -> None:
    """The article's "chat", 24 x 10 pixels, moved by 8 to the right: 16 of 32 columns are shared."""
    grid = Grid(64, 64, 2, 2, 1, 3)
    true = encode_boxes(np.array([[4.0, 4, 28, 14]]), np.array([0]), np.array([0]), 1, grid).targets
    moved = encode_boxes(np.array([[12.0, 4, 36, 14]]), np.array([0]), np.array([0]), 1, grid).targets
    pair = [box_edges(split_parts(tf.constant(tensor), 3), grid) for tensor in (true, moved)]
    assert float(iou(*pair, tf)[0, 0, 0, 0]) == pytest.approx(0.5, abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_iou_is_that_of_pycocotools(seed: int) -> None:
    grid = odd_grid(2)
    rng = np.random.default_rng(seed)
    tensors = [rng.uniform(0.01, 1, (1, *grid.shape)).astype(np.float32) for _ in range(2)]
    a, b = (box_edges(split_parts(tf.constant(tensor), grid.classes), grid) for tensor in tensors)
    left, right = (np.stack([np.ravel(edge) for edge in edges], axis=1).astype(np.float64) for edges in (a, b))
    for one in (left, right):
        one[:, 2:] -= one[:, :2]
    expected = np.diag(mask.iou(left, right, [0] * len(right)))
    np.testing.assert_allclose(np.ravel(iou(a, b, tf)), expected, rtol=1e-4, atol=1e-6)


def gradient(name: str, targets: np.ndarray, predictions: np.ndarray, grid: Grid, *terms: str) -> np.ndarray:
    """d (sum of the terms, or of all) / d predictions, (N, R, S, K)."""
    variable = tf.Variable(predictions)
    with tf.GradientTape() as tape:
        found = terms_of(name, targets, variable, grid)
        total = tf.add_n([tf.reduce_sum(found[term]) for term in terms or found])
    assert np.isfinite(float(total))
    return np.asarray(tape.gradient(total, variable))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("boxes", [1, 2])
def test_the_confidence_sends_no_gradient_into_the_box(name: str, boxes: int) -> None:
    grid = odd_grid(boxes)
    targets, predictions = random_case(grid, 1)
    parts = split_parts(gradient(name, targets, predictions, grid, "obj", "noobj"), grid.classes)
    for part in ("class_probs", "x_cell", "y_cell", "w_rel", "h_rel"):
        assert not getattr(parts, part).any(), part
    assert (parts.confidence != 0).all()  # every confidence is taught something, empty cells too


@pytest.mark.parametrize("name", LOSSES)
def test_only_responsible_boxes_are_taught_where_to_be(name: str) -> None:
    grid = odd_grid(3)
    targets, predictions = random_case(grid, 2)
    parts = split_parts(gradient(name, targets, predictions, grid), grid.classes)
    taught = parts.w_rel != 0
    for image, row, col in np.ndindex(3, grid.rows, grid.cols):
        truth = targets[image, row, col, grid.classes :].reshape(3, 5)
        found = predictions[image, row, col, grid.classes :].reshape(3, 5)
        responsible = slow_responsible(grid, row, col, truth, found)
        assert set(np.flatnonzero(taught[image, row, col])) == set(responsible)
        assert parts.class_probs[image, row, col].any() == bool(responsible)


DEGENERATE: dict[str, Callable[[np.ndarray, Grid], None]] = {
    "width and height 0": lambda p, g: [part.fill(0) for part in (p.w_rel, p.h_rel)] and None,
    "width 0": lambda p, g: p.w_rel.fill(0),
    "height 0": lambda p, g: p.h_rel.fill(0),
    "tiny": lambda p, g: [part.fill(1e-12) for part in (p.w_rel, p.h_rel)] and None,
    "less than nothing": lambda p, g: [part.fill(-0.5) for part in (p.w_rel, p.h_rel)] and None,
    "huge": lambda p, g: [part.fill(1e4) for part in (p.w_rel, p.h_rel)] and None,
    "certain": lambda p, g: p.confidence.fill(1),
    "certain that not": lambda p, g: p.confidence.fill(0),
    "of no class": lambda p, g: p.class_probs.fill(0),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("boxes", [1, 2])
@pytest.mark.parametrize("what", DEGENERATE)
def test_gradients_are_finite(what: str, boxes: int, name: str) -> None:
    grid = odd_grid(boxes)
    targets, predictions = random_case(grid, 4)
    DEGENERATE[what](split_parts(predictions, grid.classes), grid)
    assert np.isfinite(gradient(name, targets, predictions, grid)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_at_the_truth_is_finite(name: str) -> None:
    grid = odd_grid(1)
    targets, _ = random_case(grid, 5)
    assert np.isfinite(gradient(name, targets, targets.copy(), grid)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_box_without_width_is_taught_to_grow(name: str) -> None:
    grid = odd_grid(1)
    targets, predictions = random_case(grid, 6)
    parts = split_parts(predictions, grid.classes)
    parts.w_rel.fill(0)
    parts.h_rel.fill(0)
    there = split_parts(targets, grid.classes).confidence > 0
    found = split_parts(gradient(name, targets, predictions, grid, "box" if name == "iou" else "wh"), grid.classes)
    if name != "iou":
        assert (found.w_rel[there] < 0).all()
        assert (found.h_rel[there] < 0).all()
    assert not found.w_rel[~there].any()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_none_reaches_a_term(name: str, bad: float) -> None:
    """Nothing that a network can answer wrongly is hidden, or training would go on with it."""
    grid = odd_grid(1)
    targets, predictions = random_case(grid, 8)
    there = np.argwhere(split_parts(targets, grid.classes).confidence[..., 0] > 0)[0]
    for number in range(grid.shape[-1]):
        if bad == math.inf and number not in (grid.classes + 2, grid.classes + 3):
            continue  # only lengths have no upper bound
        poisoned = predictions.copy()
        poisoned[(*there, number)] = bad
        terms = terms_of(name, targets, poisoned, grid)
        wrong = np.any([~np.isfinite(np.asarray(values)) for values in terms.values()], axis=0)
        if name == "iou" and number < grid.classes and targets[(*there, number)] == 0:
            continue  # p log p' of a class that is not there
        assert np.flatnonzero(wrong).tolist() == [there[0]], number


def test_equal_overlaps_go_to_the_first_predictor() -> None:
    grid = odd_grid(3)
    targets, predictions = random_case(grid, 9)
    same = np.tile(predictions[..., grid.classes : grid.classes + 5], 3)
    predictions[..., grid.classes :] = same
    truth = split_parts(tf.constant(targets), grid.classes)
    assigned = assign_responsible(truth, split_parts(tf.constant(predictions), grid.classes), grid)
    for one, other in zip(assigned.parts, truth, strict=True):  # slot 0 to predictor 0, 1 to 1, ...
        np.testing.assert_array_equal(one, other)


def test_responsibility_follows_the_overlap_whatever_the_order_of_predictors() -> None:
    grid = odd_grid(3)
    targets, predictions = random_case(grid, 10)
    boxes = predictions[..., grid.classes :].reshape(3, 3, 5, 3, 5)
    turned = predictions.copy()
    turned[..., grid.classes :] = boxes[..., [2, 0, 1], :].reshape(3, 3, 5, 15)
    for name in LOSSES:
        one = terms_of(name, targets, predictions, grid)
        other = terms_of(name, targets, turned, grid)
        for term in one:
            np.testing.assert_allclose(one[term], other[term], rtol=1e-5, atol=1e-5, err_msg=term)


@pytest.mark.parametrize("name", LOSSES)
def test_each_term_has_its_weight(name: str) -> None:
    grid = odd_grid(2)
    targets, predictions = (tf.constant(one) for one in random_case(grid, 11))
    weights = {"lambda_coord": 2.0, "lambda_obj": 3.0, "lambda_noobj": 5.0, "lambda_class": 7.0}
    loss = loss_section(name, **weights)
    found = WeightedLoss(loss, "abcd", grid)(targets, predictions)
    plain = terms_of(name, targets, predictions, grid)
    factors = {"xy": 2, "wh": 2, "box": 2, "obj": 3, "noobj": 5, "class": 7}
    for term, values in plain.items():
        np.testing.assert_allclose(found[term], factors[term] * np.asarray(values), rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_class_of_weight_3_counts_three_times(name: str) -> None:
    grid = odd_grid(1)
    targets, predictions = random_case(grid, 12)
    plain, found = (
        LOSSES[name](tf.constant(targets), tf.constant(predictions), grid, weights)
        for weights in ([1.0] * 4, [1.0, 3.0, 1.0, 1.0])
    )
    parts = split_parts(targets, grid.classes)
    other = targets.copy()
    other[parts.class_probs[..., 1] > 0] = 0  # without the cells of class 1
    without = terms_of(name, other, predictions, grid)["class"]
    expected = np.asarray(without) + 3 * (np.asarray(plain["class"]) - without)
    np.testing.assert_allclose(found["class"], expected, rtol=1e-5)
    for term in set(plain) - {"class"}:
        np.testing.assert_array_equal(plain[term], found[term])


def test_a_weight_for_a_class_that_does_not_exist_is_refused() -> None:
    loss = loss_section("iou", class_weights={"chat": 2.0, "rta": 2.0})
    with pytest.raises(UserError, match=r"loss.class_weights: 'rta' is no class of the data; allowed: 'chat'"):
        WeightedLoss(loss, ["chat", "rat"], Grid(64, 64, 2, 2, 1, 2))


@pytest.mark.parametrize(
    ("mistakes", "expected"),
    [([], 0.5), (["mixed_units"], 0.2), (["mixed_units", "square_for_abs"], 0.3125 / 0.4375)],
)
def test_the_articles_iou_of_a_moved_word(mistakes: list[str], expected: float) -> None:
    """The article's "chat", moved by 8 of its 24 pixels: 0.50 is right, 0.20 the text's answer, 0.71 the code's."""
    grid = Grid(64, 64, 2, 2, 1, 2)
    true, moved = (
        encode_boxes(np.array([[left, 4.0, left + 24, 14.0]]), np.array([0]), np.array([0]), 1, grid).targets
        for left in (4.0, 12.0)
    )
    moved[0, 0, 0, grid.classes + 4] = 0.0  # a confidence of 0, so that the term is the IoU's square
    found = terms_of("article", true, moved, grid, mistakes=mistakes)
    assert float(found["obj"][0]) ** 0.5 == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("boxes", [1, 3])
def test_each_mistake_does_what_it_says_and_nothing_else(boxes: int) -> None:
    grid = odd_grid(boxes)
    targets, predictions = random_case(grid, 13)
    right = terms_of("article", targets, predictions, grid)

    def changed(mistake: str) -> set[str]:
        found = terms_of("article", targets, predictions, grid, mistakes=[mistake])
        return {term for term in right if not np.allclose(found[term], right[term], rtol=1e-5)}

    assert changed("size_from_prediction") == {"wh", "obj"}
    assert changed("empty_untaught") == {"noobj"}
    assert changed("square_for_abs") == {"obj"}
    assert changed("mixed_units") == {"obj"}
    assert changed("iou_gradient") == set()
    assert changed("none_responsible") == (set() if boxes == 1 else {"xy", "wh", "obj", "noobj"})
    for mistake, term in (("size_from_prediction", "wh"), ("empty_untaught", "noobj")):
        assert not np.any(terms_of("article", targets, predictions, grid, mistakes=[mistake])[term])


def test_the_iou_gradient_reaches_the_box_only_by_mistake() -> None:
    grid = odd_grid(1)
    targets, predictions = random_case(grid, 14)
    for mistakes in ([], ["iou_gradient"]):
        variable = tf.Variable(predictions)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(terms_of("article", targets, variable, grid, mistakes=mistakes)["obj"])
        parts = split_parts(np.asarray(tape.gradient(total, variable)), grid.classes)
        assert parts.w_rel.any() == bool(mistakes)


def test_with_no_one_responsible_all_boxes_are_taught_the_first_object() -> None:
    grid = odd_grid(3)
    targets, predictions = random_case(grid, 15)
    variable = tf.Variable(predictions)
    with tf.GradientTape() as tape:
        terms = terms_of("article", targets, variable, grid, mistakes=["none_responsible"])
        total = tf.reduce_sum(terms["xy"])
    taught = split_parts(np.asarray(tape.gradient(total, variable)), grid.classes).x_cell != 0
    there = split_parts(targets, grid.classes).confidence[..., :1] > 0
    np.testing.assert_array_equal(taught, np.repeat(there, 3, axis=-1))


def test_the_weight_of_the_aspect_in_ciou_is_a_constant() -> None:
    """Zheng et al. 2020, below equation 11; against differences of the formula with that weight held still."""
    grid = Grid(60, 100, 1, 1, 1, 1)
    truth = np.array([1, 0.5, 0.5, 0.5, 0.4, 1], np.float32).reshape(1, 1, 1, 6)
    guess = np.array([1, 0.55, 0.45, 0.2, 0.6, 0.5], np.float32).reshape(1, 1, 1, 6)

    def parts(width: float, height: float) -> tuple[float, float, float]:
        """Return IoU, centres' term and the difference of shapes."""
        boxes = [(50.0, 30.0, 50.0, 24.0), (55.0, 27.0, width * 100, height * 60)]
        a, b = ([x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in boxes)
        across, along = (max(a[n + 2], b[n + 2]) - min(a[n], b[n]) for n in (0, 1))
        angles = [np.arctan(w / h) for _, _, w, h in boxes]
        aspect = 4 / np.pi**2 * (angles[0] - angles[1]) ** 2
        return slow_iou(a, b), (5.0**2 + 3.0**2) / (across**2 + along**2), aspect

    overlap, _, aspect = parts(0.2, 0.6)
    weight = aspect / (1 - overlap + aspect)

    def loss(width: float, height: float) -> float:
        overlap, distance, aspect = parts(width, height)
        return 1 - overlap + distance + weight * aspect

    step = 1e-5
    expected = [
        (loss(0.2 + step, 0.6) - loss(0.2 - step, 0.6)) / (2 * step),
        (loss(0.2, 0.6 + step) - loss(0.2, 0.6 - step)) / (2 * step),
    ]
    found = gradient("iou", truth, guess, grid, "box")[0, 0, 0, 3:5]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("name", EVERY)
def test_the_terms_that_dvc_plots_are_those_of_every_loss(name: str) -> None:
    """DVC draws an empty chart, without an error, where a file lacks one of the columns."""
    terms = WeightedLoss(loss_section(name), "abcd", odd_grid(1)).term_names()
    columns = {f"{split}_{term}" for split in ("train", "val") for term in ["total", *terms]}
    plotted = set[str]()
    for plot in YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]:
        for options in plot.values():
            plotted |= set(np.atleast_1d(options["y"].get("data/model/history.csv", [])).tolist())
    assert {"train_total", "train_class"} <= plotted
    assert plotted - {"val_ap", "val_ap50"} <= columns
