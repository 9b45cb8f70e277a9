"""Task-aligned assignment and its loss against the paper's formulas, written out in loops over objects and cells."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sections import loss_section

from humbleyolo.geometry.grid import Grid
from humbleyolo.params.sections import Aligned
from humbleyolo.storage.array_types import Floats, Floats32, Ints32
from humbleyolo.training.aligned_loss import align, aligned, pad_objects
from humbleyolo.training.weighted_loss import WeightedLoss

GRID = Grid(height=63, width=100, rows=3, cols=5, boxes=1, classes=4)
RULE = Aligned(cells=3, alpha=1.0, beta=6.0, gamma=2.0)
WEIGHTS = (1.0, 3.0, 1.0, 0.5)


def random_objects(seed: int, images: int = 3, most: int = 4) -> tuple[Floats, Ints32, np.ndarray]:
    """Boxes (M, 4) xyxy pixels, classes and rising image indices; some images have none."""
    rng = np.random.default_rng(seed)
    image_index = np.sort(rng.integers(0, images, rng.integers(0, most * images + 1)))
    lengths = rng.uniform(2, 60, (len(image_index), 2))
    centres = rng.uniform(0, 1, (len(image_index), 2)) * (GRID.width, GRID.height)
    boxes = np.concatenate([centres - lengths / 2, centres + lengths / 2], axis=1)
    return boxes, rng.integers(0, GRID.classes, len(boxes)).astype(np.int32), image_index


def random_predictions(seed: int, images: int = 3) -> Floats32:
    """(N, R, S, K) in the range of a network, x and y outside their cell too."""
    rng = np.random.default_rng(seed + 1000)
    predictions = rng.uniform(0.02, 0.98, (images, *GRID.shape)).astype(np.float32)
    predictions[..., : GRID.classes] /= predictions[..., : GRID.classes].sum(axis=-1, keepdims=True)
    predictions[..., GRID.classes : GRID.classes + 2] = rng.uniform(-0.7, 1.7, (*predictions.shape[:3], 2))
    return predictions


def slow_iou(a: Floats, b: Floats) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = across * down
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def slow_ciou(a: Floats, b: Floats) -> float:
    """Equations 7, 10 and 11 of Zheng et al. 2020."""
    overlap = slow_iou(a, b)
    distance = (a[0] + a[2] - b[0] - b[2]) ** 2 / 4 + (a[1] + a[3] - b[1] - b[3]) ** 2 / 4
    diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    angles = [math.atan((box[2] - box[0]) / (box[3] - box[1])) for box in (a, b)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return overlap - distance / diagonal - (v / (1 - overlap + v) * v if v else 0.0)


def slow_cells(predictions: Floats32) -> tuple[list[Floats], list[Floats]]:
    """Boxes and scores of an image's cells, row by row."""
    boxes, scores = [], []
    for row in range(GRID.rows):
        for col in range(GRID.cols):
            cell = predictions[row, col].astype(np.float64)
            x, y = (col + cell[4]) * GRID.width / GRID.cols, (row + cell[5]) * GRID.height / GRID.rows
            half_w, half_h = cell[6] * GRID.width / 2, cell[7] * GRID.height / 2
            boxes.append(np.array([x - half_w, y - half_h, x + half_w, y + half_h]))
            scores.append(cell[:4] * cell[8])
    return boxes, scores


def slow_align(
    objects: Floats, labels: Ints32, boxes: list[Floats], scores: list[Floats], rule: Aligned
) -> dict[int, tuple[int, float]]:
    """Cell -> (object, target), of one image: section 3.2 of the paper and the rule in `align`."""
    metric = [
        [scores[cell][label] ** rule.alpha * slow_iou(box, boxes[cell]) ** rule.beta for cell in range(len(boxes))]
        for box, label in zip(objects, labels, strict=True)
    ]
    wishes: dict[int, list[int]] = {}
    for number, box in enumerate(objects):
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        candidates = []
        for cell in range(len(boxes)):
            row, col = divmod(cell, GRID.cols)
            left, top = col * GRID.width / GRID.cols, row * GRID.height / GRID.rows
            right, bottom = (col + 1) * GRID.width / GRID.cols, (row + 1) * GRID.height / GRID.rows
            x, y = (left + right) / 2, (top + bottom) / 2
            inside = box[0] < x < box[2] and box[1] < y < box[3]
            if inside or (left <= middle[0] < right and top <= middle[1] < bottom):
                candidates.append(cell)
        for cell in sorted(candidates, key=lambda cell: -metric[number][cell])[: rule.cells]:
            wishes.setdefault(cell, []).append(number)
    owner = {cell: max(some, key=lambda one: slow_iou(objects[one], boxes[cell])) for cell, some in wishes.items()}
    result = {}
    for number in range(len(objects)):
        own = [cell for cell, one in owner.items() if one == number]
        for cell in own:
            largest = max(metric[number][one] for one in own)
            best = max(slow_iou(objects[number], boxes[one]) for one in own)
            result[cell] = number, metric[number][cell] / largest * best if largest else 0.0
    return result


def slow_terms(seed: int, rule: Aligned) -> dict[str, list[float]]:
    """Equations 5 to 7 with CIoU, divided by the mean over images of the sum of targets."""
    boxes, labels, image_index = random_objects(seed)
    predictions = random_predictions(seed)
    total, terms = 0.0, {"box": [0.0] * 3, "class": [0.0] * 3}
    for image in range(3):
        own = image_index == image
        cells, scores = slow_cells(predictions[image])
        learns = slow_align(boxes[own], labels[own], cells, scores, rule)
        for cell in range(len(cells)):
            number, weight = learns.get(cell, (None, 0.0))
            total += weight
            for name in range(GRID.classes):
                right = number is not None and labels[own][number] == name
                t, s = weight if right else 0.0, float(scores[cell][name])
                worth = WEIGHTS[name] if right else 1.0
                entropy = -t * math.log(s) - (1 - t) * math.log(1 - s)
                terms["class"][image] += worth * abs(t - s) ** rule.gamma * entropy
            if number is not None:
                terms["box"][image] += weight * (1 - slow_ciou(boxes[own][number], cells[cell]))
    return {name: [value / (max(total, 1.0) / 3) for value in values] for name, values in terms.items()}


@pytest.mark.parametrize("rule", [RULE, Aligned(cells=10, alpha=0.5, beta=2.0, gamma=0.0)], ids=["paper", "other"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_each_term_is_the_formula(rule: Aligned, seed: int) -> None:
    boxes, labels, image_index = random_objects(seed)
    objects = tf.constant(pad_objects(boxes, labels, image_index, 3))
    found = aligned(objects, tf.constant(random_predictions(seed)), GRID, WEIGHTS, rule)
    for name, values in slow_terms(seed, rule).items():
        np.testing.assert_allclose(found[name], values, rtol=2e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_score_that_is_exactly_its_target_has_a_finite_gradient(gamma: float) -> None:
    boxes, labels, image_index = random_objects(2)
    values = random_predictions(2)
    values[..., 0] = 0.0  # a class that is ruled out
    predictions = tf.Variable(values)
    with tf.GradientTape() as tape:
        rule = Aligned(cells=3, alpha=1.0, beta=6.0, gamma=gamma)
        terms = aligned(tf.constant(pad_objects(boxes, labels, image_index, 3)), predictions, GRID, WEIGHTS, rule)
        total = tf.add_n([tf.reduce_sum(term) for term in terms.values()])
    assert np.isfinite(tape.gradient(total, predictions).numpy()).all()


def test_padding_holds_every_object_of_its_image() -> None:
    boxes, labels, image_index = random_objects(4)
    padded = pad_objects(boxes, labels, image_index, 5)
    assert padded[..., 5].sum() == len(boxes)
    for image in range(5):
        rows = padded[image][padded[image, :, 5] > 0]
        np.testing.assert_array_equal(rows[:, :4], boxes[image_index == image].astype(np.float32))
        np.testing.assert_array_equal(rows[:, 4], labels[image_index == image])


def test_an_image_without_objects_teaches_that_nothing_is_there() -> None:
    predictions = tf.Variable(random_predictions(1))
    with tf.GradientTape() as tape:
        terms = aligned(tf.zeros((3, 1, 6)), predictions, GRID, WEIGHTS, RULE)
        total = tf.add_n([tf.reduce_sum(term) for term in terms.values()])
    gradient = tape.gradient(total, predictions).numpy()
    assert (terms["box"].numpy() == 0).all()
    assert (gradient[..., 8] > 0).all()  # every confidence is to fall
    assert (gradient[..., 4:8] == 0).all()


def test_every_object_alone_has_a_cell_however_small_and_no_more_than_the_rule_allows() -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 1, (200, 2)) * (GRID.width, GRID.height)
    half = rng.choice([0.6, 8, 40], (200, 1))
    objects = np.concatenate([centres - half, centres + half, np.zeros((200, 1)), np.ones((200, 1))], axis=1)
    predictions = random_predictions(5, 200)
    cells = [slow_cells(one) for one in predictions]
    boxes, scores = (tf.constant(np.array([one[part] for one in cells]), tf.float32) for part in (0, 1))
    mine, weight = align(tf.constant(objects[:, None], tf.float32), scores, boxes, GRID, RULE)
    count = mine.numpy().sum(axis=(1, 2))
    assert count.min() == 1
    assert count.max() == RULE.cells
    assert ((weight.numpy() > 0) <= (mine.numpy() > 0)).all()


def test_a_cell_learns_one_object_alone() -> None:
    for seed in range(20):
        boxes, labels, image_index = random_objects(seed, most=8)
        objects = tf.constant(pad_objects(boxes, labels, image_index, 3))
        cells = [slow_cells(one) for one in random_predictions(seed)]
        found, scores = (tf.constant(np.array([one[part] for one in cells]), tf.float32) for part in (0, 1))
        assert align(objects, scores, found, GRID, RULE).mine.numpy().sum(axis=1).max() <= 1


def test_the_order_of_objects_does_not_matter() -> None:
    boxes, labels, image_index = random_objects(7, images=1)
    loss = WeightedLoss(loss_section("aligned"), "abcd", GRID)
    predictions = tf.constant(random_predictions(7, 1))
    one = loss(tf.constant(loss.targets(boxes, labels, image_index, 1)), predictions)
    other = loss(tf.constant(loss.targets(boxes[::-1], labels[::-1], image_index, 1)), predictions)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5)
