"""The losses, term by term.

Each loss takes targets (N, R, S, K) and predictions (N, R, S, K) in the grid's layout (`geometry/grid.py`). It gives
one number per image for each of its terms, not yet weighted. So a term can be logged, weighted and traced to its
images. Training minimises the mean over images of the weighted sum of the terms.

    N images    R, S rows and columns of cells    B boxes per cell    C classes    K = C + 5 B
"""

import math
from collections.abc import Callable, Collection, Sequence

import tensorflow as tf

from humbleyolo.geometry.grid import Grid, Parts, box_edges, split_parts
from humbleyolo.geometry.iou import Edges, iou
from humbleyolo.training.assignment import Assigned, assign_responsible
from humbleyolo.training.distribution_loss import Choices

Terms = dict[str, tf.Tensor]  # name -> (N,)

TINY = 1e-7  # keeps logarithms and quotients finite in float32
_SHORTEST = 0.01  # pixels; the shape of a smaller box means nothing, and its gradient has no bound


@tf.custom_gradient  # type: ignore[untyped-decorator]
def safe_sqrt(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Return the square root of positive numbers, 0 for others, with a gradient that is finite and never 0.

    The true gradient is infinite at 0, where a box of no width starts; here it is that of 1e-4 from there down.
    """
    root = tf.sqrt(tf.maximum(x, 0.0))
    return root, lambda upstream: upstream * 0.5 / tf.maximum(root, 0.01)


def yolov1(y_true: tf.Tensor, y_pred: tf.Tensor, grid: Grid, class_weights: Sequence[float]) -> Terms:
    r"""Sum of squares: equation 3 of Redmon et al. 2016, "You Only Look Once".

        xy      sum over responsible boxes of (x - x')^2 + (y - y')^2                   cell units
        wh      sum over responsible boxes of (sqrt w - sqrt w')^2 + (sqrt h - sqrt h')^2   image fractions
        obj     sum over responsible boxes of (IoU - confidence')^2
        noobj   sum over all other boxes of confidence'^2
        class   sum over cells with an object of a_c sum over classes of (p - p')^2

    The IoU, which is the confidence's target, is a constant: it sends no gradient into the box. a_c is the weight of
    the cell's true class; the paper's is 1 for all.
    """
    predicted = split_parts(y_pred, grid.classes)
    assigned = assign_responsible(split_parts(y_true, grid.classes), predicted, grid)
    return _squares(assigned, predicted, class_weights)


def mistaken_iou(truth: Parts, predicted: Parts, grid: Grid, *, mixed_units: bool, square_for_abs: bool) -> tf.Tensor:
    """Return the IoU (N, R, S, B) of boxes pair by pair, or the article's formula, 0 to 1.

    By that formula two boxes overlap, in each direction, by half the sum of their lengths less the distance of their
    centres. It gives too much if one box holds the other. Without mistakes it is `iou`. A word of 24 x 10 pixels
    moved by 8 pixels, on 64 pixels with 2 x 2 cells: 0.50; 0.20 with `mixed_units`; 0.71 with both.

    By `mixed_units` distances are in cells, but lengths in fractions of the image; by `square_for_abs` distances are
    squared.
    """
    if not (mixed_units or square_for_abs):
        return iou(box_edges(truth, grid), box_edges(predicted, grid), tf)
    unit = (1.0, 1.0) if mixed_units else (grid.cols, grid.rows)
    overlaps = []
    for a, b, length_a, length_b, cells in (
        (truth.x_cell, predicted.x_cell, truth.w_rel, predicted.w_rel, unit[0]),
        (truth.y_cell, predicted.y_cell, truth.h_rel, predicted.h_rel, unit[1]),
    ):
        distance = (a - b) / cells
        distance = distance**2 if square_for_abs else tf.abs(distance)
        overlaps.append(tf.maximum((length_a + length_b) / 2 - distance, 0.0))
    both = overlaps[0] * overlaps[1]
    union = truth.w_rel * truth.h_rel + predicted.w_rel * predicted.h_rel - both
    return tf.clip_by_value(both / tf.maximum(union, TINY), 0.0, 1.0)


def article(
    y_true: tf.Tensor, y_pred: tf.Tensor, grid: Grid, class_weights: Sequence[float], mistakes: Collection[str] = ()
) -> Terms:
    r"""The loss of "Humble YOLO implementation in Keras": as it was meant, or with some of its mistakes.

    As it was meant it is `yolov1`. Each of the `mistakes` can be put back by itself, to see its cost:

        size_from_prediction   the text takes the true w, h from the prediction: `wh` is always 0, the IoU wrong
        empty_untaught         the text multiplies the whole confidence loss by the truth: `noobj` is always 0
        square_for_abs         the code squares the centres' distance where it means its absolute value
        mixed_units            both compute the IoU with x, y in cells but w, h in fractions of the image
        iou_gradient           both let the IoU send its gradient into the box
        none_responsible       both train all B boxes of a cell to be its first object
    """
    predicted = split_parts(y_pred, grid.classes)
    truth = split_parts(y_true, grid.classes)
    if "none_responsible" in mistakes:
        truth = Parts(truth.class_probs, *(tf.repeat(part[..., :1], grid.boxes, -1) for part in truth[1:]))
    else:
        truth = assign_responsible(truth, predicted, grid).parts
    if "size_from_prediction" in mistakes:
        truth = truth._replace(w_rel=predicted.w_rel, h_rel=predicted.h_rel)
    overlap = truth.confidence * mistaken_iou(
        truth, predicted, grid, mixed_units="mixed_units" in mistakes, square_for_abs="square_for_abs" in mistakes
    )
    if "iou_gradient" not in mistakes:
        overlap = tf.stop_gradient(overlap)
    terms = _squares(Assigned(truth, overlap), predicted, class_weights)
    if "empty_untaught" in mistakes:
        terms["noobj"] = tf.zeros_like(terms["noobj"])
    return terms


def _squares(assigned: Assigned, predicted: Parts, class_weights: Sequence[float]) -> Terms:
    """Return the terms of equation 3 for ground truth laid out as the predictions are."""
    truth, overlap = assigned
    xy = (truth.x_cell - predicted.x_cell) ** 2 + (truth.y_cell - predicted.y_cell) ** 2
    w = safe_sqrt(truth.w_rel) - safe_sqrt(predicted.w_rel)
    h = safe_sqrt(truth.h_rel) - safe_sqrt(predicted.h_rel)
    probs = (truth.class_probs - predicted.class_probs) ** 2
    return {
        "xy": _sum(truth.confidence * xy),
        "wh": _sum(truth.confidence * (w**2 + h**2)),
        "obj": _sum(truth.confidence * (overlap - predicted.confidence) ** 2),
        "noobj": _sum((1 - truth.confidence) * predicted.confidence**2),
        "class": _sum(_weight_of_cell(truth, class_weights)[..., None] * probs),
    }


def complete_iou(truth: Parts, predicted: Parts, grid: Grid) -> tf.Tensor:
    """Return the CIoU (N, R, S, B) of boxes pair by pair (Zheng et al. 2020).

    It is the IoU, less the centres' squared distance over the squared diagonal of the box around both, less a
    term of the aspect ratios.
    """
    angles = _shape_angle(truth, grid), _shape_angle(predicted, grid)
    return complete_iou_of(box_edges(truth, grid), box_edges(predicted, grid), *angles)


def complete_iou_of(a: Edges, b: Edges, angle_a: tf.Tensor, angle_b: tf.Tensor) -> tf.Tensor:
    """Return the CIoU (...) of boxes pair by pair; their angles are arctan(width / height)."""
    overlap = iou(a, b, tf)
    distance = ((a.left + a.right - b.left - b.right) ** 2 + (a.top + a.bottom - b.top - b.bottom) ** 2) / 4
    around = (tf.maximum(a.right, b.right) - tf.minimum(a.left, b.left)) ** 2 + (
        tf.maximum(a.bottom, b.bottom) - tf.minimum(a.top, b.top)
    ) ** 2
    aspect = (4 / math.pi**2) * (angle_a - angle_b) ** 2
    weight = tf.stop_gradient(aspect / tf.maximum(1 - overlap + aspect, TINY))
    return overlap - distance / tf.maximum(around, TINY) - weight * aspect


def _shape_angle(parts: Parts, grid: Grid) -> tf.Tensor:
    """Return arctan(width / height), (N, R, S, B), of boxes whose sides are taken as `_SHORTEST` at least."""
    return shape_angle(parts.w_rel * grid.width, parts.h_rel * grid.height)


def shape_angle(width: tf.Tensor, height: tf.Tensor) -> tf.Tensor:
    """Return arctan(width / height) (...) of boxes in pixels, whose sides are taken as `_SHORTEST` at least."""
    return tf.atan2(*(tf.maximum(side, _SHORTEST) for side in (width, height)))


def iou_loss(
    y_true: tf.Tensor, y_pred: tf.Tensor, grid: Grid, class_weights: Sequence[float], choices: Choices | None = None
) -> Terms:
    r"""An overlap loss for the box, cross-entropy for class and confidence.

        box     sum over responsible boxes of 1 - CIoU   (Zheng et al. 2020, "Distance-IoU Loss", equations 7, 10)
        obj     sum over responsible boxes of H(IoU, confidence')
        noobj   sum over all other boxes of H(0, confidence')
        class   sum over cells with an object of - a_c sum over classes of p log p'
        distribution   sum over responsible boxes of `Choices.loss`, if there are `choices`

    H(q, p) = - q log p - (1 - q) log (1 - p). The IoU in `obj` is a constant. a_c is the weight of the true class.
    Class probabilities and confidence of predictions lie between 0 and 1.
    """
    predicted = split_parts(y_pred[..., : grid.shape[-1]], grid.classes)
    truth, overlap = assign_responsible(split_parts(y_true, grid.classes), predicted, grid)
    entropy = binary_entropy(overlap, predicted.confidence)
    log_probs = tf.math.log(tf.maximum(predicted.class_probs, TINY))
    terms = {
        "box": _sum(truth.confidence * (1 - complete_iou(truth, predicted, grid))),
        "obj": _sum(truth.confidence * entropy),
        "noobj": _sum((1 - truth.confidence) * entropy),
        "class": -_sum(_weight_of_cell(truth, class_weights)[..., None] * truth.class_probs * log_probs),
    }
    if choices:
        boxes = tf.stack([truth.x_cell, truth.y_cell, truth.w_rel, truth.h_rel], axis=-1)
        terms["distribution"] = _sum(truth.confidence * choices.loss(y_pred, boxes))
    return terms


def binary_entropy(target: tf.Tensor, prob: tf.Tensor) -> tf.Tensor:
    """Return H(target, prob) (...) = - target log prob - (1 - target) log (1 - prob)."""
    prob = tf.clip_by_value(prob, TINY, 1 - TINY)
    return -target * tf.math.log(prob) - (1 - target) * tf.math.log(1 - prob)


def _weight_of_cell(truth: Parts, class_weights: Sequence[float]) -> tf.Tensor:
    """Return the weight (N, R, S) of each cell's true class, 0 if the cell is empty."""
    return tf.reduce_sum(truth.class_probs * tf.constant(class_weights, tf.float32), axis=-1)


def _sum(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values, axis=list(range(1, len(values.shape))))  # (N,)
