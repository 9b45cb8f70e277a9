"""The losses, term by term.

Each loss takes targets and predictions in the grid's layout (`grid.py`) and gives, for each of its terms, one
number an image, so that a term can be logged, weighted and, where it is not finite, traced to its images. What is
minimised is the mean over images of the weighted sum of the terms.

    N images    R, S rows and columns of cells    B boxes a cell    C classes    K = C + 5 B
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from humbleyolo.grid import Grid, Parts, cell_corners, split_parts
from humbleyolo.params import Loss

Terms = dict[str, tf.Tensor]  # name -> (N,)

_TINY = 1e-7  # keeps logarithms and quotients finite in float32
_SHORTEST = 0.01  # pixels; the shape of a smaller box means nothing, and its gradient has no bound


class Corners(NamedTuple):
    """Boxes as edges, in pixels: one unit for all four numbers."""

    left: tf.Tensor  # (N, R, S, B)
    top: tf.Tensor
    right: tf.Tensor
    bottom: tf.Tensor


def corners(parts: Parts, grid: Grid) -> Corners:
    """Return the edges of all boxes of a grid tensor."""
    cols, rows = cell_corners(grid)
    cx = (parts.x_cell + cols) * (grid.width / grid.cols)
    cy = (parts.y_cell + rows) * (grid.height / grid.rows)
    half_w, half_h = parts.w_rel * (grid.width / 2), parts.h_rel * (grid.height / 2)
    return Corners(cx - half_w, cy - half_h, cx + half_w, cy + half_h)


def iou(a: Corners, b: Corners) -> tf.Tensor:
    """Return the intersection over union of boxes pair by pair; 0 where neither has area.

    Args:
        a: Edges, any shape.
        b: Edges, of a shape that broadcasts with it.
    """
    both = _lengths_product(
        tf.minimum(a.right, b.right) - tf.maximum(a.left, b.left),
        tf.minimum(a.bottom, b.bottom) - tf.maximum(a.top, b.top),
    )
    union = _area(a) + _area(b) - both
    return both / tf.maximum(union, _TINY)


def _area(box: Corners) -> tf.Tensor:
    return _lengths_product(box.right - box.left, box.bottom - box.top)


def _lengths_product(across: tf.Tensor, down: tf.Tensor) -> tf.Tensor:
    return tf.maximum(across, 0.0) * tf.maximum(down, 0.0)


class Assigned(NamedTuple):
    """Truth laid out as predictions are: box b of a cell is the truth that predictor b is responsible for."""

    parts: Parts  # as in the targets, but the boxes of a cell in their predictors' places
    iou: tf.Tensor  # (N, R, S, B) of each predictor with its truth, 0 where it has none; no gradient


def assign_responsible(truth: Parts, predicted: Parts, grid: Grid) -> Assigned:
    """Give each true box of a cell to the predictor that overlaps it best.

    "We assign one predictor to be responsible for predicting an object based on which prediction has the highest
    current IOU with the ground truth" (Redmon et al. 2016, section 2). A cell's truths choose in the order in
    which the encoder wrote them; a predictor that is taken is not chosen again; equal overlaps go to the first.

    Args:
        truth: Parts of targets.
        predicted: Parts of predictions.
        grid: Their grid.
    """
    true_box, predicted_box = corners(truth, grid), corners(predicted, grid)
    if grid.boxes == 1:
        return Assigned(truth, tf.stop_gradient(iou(true_box, predicted_box) * truth.confidence))
    free = tf.ones_like(truth.confidence)  # (N, R, S, B) predictors not taken yet
    sources = truth[1:]
    moved = [tf.zeros_like(part) for part in sources]
    overlap = tf.zeros_like(free)
    for slot in range(grid.boxes):
        exists = truth.confidence[..., slot : slot + 1]  # (N, R, S, 1)
        pair = iou(Corners(*(edge[..., slot : slot + 1] for edge in true_box)), predicted_box)  # (N, R, S, B)
        best = tf.argmax(pair * free + free, axis=-1)  # a taken predictor has 0, a free one 1 or more
        mine = tf.one_hot(best, grid.boxes, dtype=pair.dtype) * exists
        moved = [to + mine * part[..., slot : slot + 1] for to, part in zip(moved, sources, strict=True)]
        overlap += mine * pair
        free -= mine
    return Assigned(Parts(truth.class_probs, *moved), tf.stop_gradient(overlap))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def safe_sqrt(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Return the square root of what is positive, 0 elsewhere, with a gradient that is finite and never 0.

    The true gradient is infinite at 0, where a box of no width starts; here it is that of 1e-4 from there down.
    """
    root = tf.sqrt(tf.maximum(x, 0.0))
    return root, lambda upstream: upstream * 0.5 / tf.maximum(root, 0.01)


def yolov1(y_true: tf.Tensor, y_pred: tf.Tensor, grid: Grid) -> Terms:
    r"""Sum of squares: equation 3 of Redmon et al. 2016, "You Only Look Once".

        xy      sum over responsible boxes of (x - x')^2 + (y - y')^2                   cell units
        wh      sum over responsible boxes of (sqrt w - sqrt w')^2 + (sqrt h - sqrt h')^2   image fractions
        obj     sum over responsible boxes of (IoU - confidence')^2
        noobj   sum over all other boxes of confidence'^2
        class   sum over cells with an object of sum over classes of (p - p')^2

    The IoU that the confidence is trained to be is a constant: it sends no gradient into the box.

    Args:
        y_true: (N, R, S, K) targets.
        y_pred: (N, R, S, K) predictions.
        grid: Their grid.

    Returns:
        Each term (N,), not yet weighted.
    """
    predicted = split_parts(y_pred, grid.classes)
    truth, overlap = assign_responsible(split_parts(y_true, grid.classes), predicted, grid)
    return {
        "xy": _sum(
            truth.confidence
            * ((truth.x_cell - predicted.x_cell) ** 2 + (truth.y_cell - predicted.y_cell) ** 2)
        ),
        "wh": _sum(
            truth.confidence
            * (
                (tf.sqrt(truth.w_rel) - safe_sqrt(predicted.w_rel)) ** 2
                + (tf.sqrt(truth.h_rel) - safe_sqrt(predicted.h_rel)) ** 2
            )
        ),
        "obj": _sum(truth.confidence * (overlap - predicted.confidence) ** 2),
        "noobj": _sum((1 - truth.confidence) * predicted.confidence**2),
        "class": _sum(_cell_has_object(truth)[..., None] * (truth.class_probs - predicted.class_probs) ** 2),
    }


def iou_loss(y_true: tf.Tensor, y_pred: tf.Tensor, grid: Grid) -> Terms:
    r"""An overlap loss for the box, cross-entropy for class and confidence.

        box     sum over responsible boxes of 1 - CIoU   (Zheng et al. 2020, "Distance-IoU Loss", equations 7, 10)
        obj     sum over responsible boxes of H(IoU, confidence')
        noobj   sum over all other boxes of H(0, confidence')
        class   sum over cells with an object of - sum over classes of p log p'

    H(q, p) = - q log p - (1 - q) log (1 - p). The IoU in `obj` is a constant.

    Args:
        y_true: (N, R, S, K) targets.
        y_pred: (N, R, S, K) predictions, class_probs and confidence between 0 and 1.
        grid: Their grid.

    Returns:
        Each term (N,), not yet weighted.
    """
    predicted = split_parts(y_pred, grid.classes)
    truth, overlap = assign_responsible(split_parts(y_true, grid.classes), predicted, grid)
    entropy = _binary_entropy(overlap, predicted.confidence)
    log_probs = tf.math.log(tf.maximum(predicted.class_probs, _TINY))
    return {
        "box": _sum(truth.confidence * (1 - complete_iou(truth, predicted, grid))),
        "obj": _sum(truth.confidence * entropy),
        "noobj": _sum((1 - truth.confidence) * entropy),
        "class": -_sum(truth.class_probs * log_probs),
    }


def complete_iou(truth: Parts, predicted: Parts, grid: Grid) -> tf.Tensor:
    """Return the CIoU (N, R, S, B) of boxes pair by pair (Zheng et al. 2020).

    IoU, less the centres' squared distance over the squared diagonal of the box around both, less the term that
    compares the aspect ratios.
    """
    a, b = corners(truth, grid), corners(predicted, grid)
    overlap = iou(a, b)
    distance = ((a.left + a.right - b.left - b.right) ** 2 + (a.top + a.bottom - b.top - b.bottom) ** 2) / 4
    around = (tf.maximum(a.right, b.right) - tf.minimum(a.left, b.left)) ** 2 + (
        tf.maximum(a.bottom, b.bottom) - tf.minimum(a.top, b.top)
    ) ** 2
    aspect = (4 / math.pi**2) * (_shape_angle(truth, grid) - _shape_angle(predicted, grid)) ** 2
    weight = tf.stop_gradient(aspect / tf.maximum(1 - overlap + aspect, _TINY))
    return overlap - distance / tf.maximum(around, _TINY) - weight * aspect


def _shape_angle(parts: Parts, grid: Grid) -> tf.Tensor:
    """Return arctan(width / height), (N, R, S, B), of boxes whose sides are taken as `_SHORTEST` at least."""
    width = tf.maximum(parts.w_rel * grid.width, _SHORTEST)
    height = tf.maximum(parts.h_rel * grid.height, _SHORTEST)
    return tf.atan2(width, height)


def _binary_entropy(target: tf.Tensor, prob: tf.Tensor) -> tf.Tensor:
    prob = tf.clip_by_value(prob, _TINY, 1 - _TINY)
    return -target * tf.math.log(prob) - (1 - target) * tf.math.log(1 - prob)


def _cell_has_object(truth: Parts) -> tf.Tensor:
    return tf.reduce_sum(truth.class_probs, axis=-1)  # (N, R, S): 1 or 0


def _sum(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values, axis=list(range(1, len(values.shape))))  # (N,)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor, Grid], Terms]] = {"yolov1": yolov1, "iou": iou_loss}


def weighted_terms(y_true: tf.Tensor, y_pred: tf.Tensor, grid: Grid, loss: Loss) -> Terms:
    """Return the terms of the chosen loss, each (N,), times its weight.

    Args:
        y_true: (N, R, S, K) targets.
        y_pred: (N, R, S, K) predictions.
        grid: Their grid.
        loss: Which loss, and the weights.
    """
    weights = {
        "xy": loss.lambda_coord,
        "wh": loss.lambda_coord,
        "box": loss.lambda_coord,
        "obj": loss.lambda_obj,
        "noobj": loss.lambda_noobj,
        "class": loss.lambda_class,
    }
    return {name: weights[name] * term for name, term in LOSSES[loss.name](y_true, y_pred, grid).items()}
