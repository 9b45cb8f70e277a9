"""Boxes of grid tensors put against each other: corners, IoU, CIoU, and which predictor is responsible.

All of it is differentiable where the losses need that. Shapes are the grid's (`grid.py`):

    N images    R, S rows and columns of cells    B boxes a cell
"""

import math
from typing import NamedTuple

import tensorflow as tf

from humbleyolo.geometry.grid import Grid, Parts, cell_corners

TINY = 1e-7  # keeps logarithms and quotients finite in float32
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
    return both / tf.maximum(union, TINY)


def _area(box: Corners) -> tf.Tensor:
    return _lengths_product(box.right - box.left, box.bottom - box.top)


def _lengths_product(across: tf.Tensor, down: tf.Tensor) -> tf.Tensor:
    return tf.maximum(across, 0.0) * tf.maximum(down, 0.0)


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
    weight = tf.stop_gradient(aspect / tf.maximum(1 - overlap + aspect, TINY))
    return overlap - distance / tf.maximum(around, TINY) - weight * aspect


def _shape_angle(parts: Parts, grid: Grid) -> tf.Tensor:
    """Return arctan(width / height), (N, R, S, B), of boxes whose sides are taken as `_SHORTEST` at least."""
    width = tf.maximum(parts.w_rel * grid.width, _SHORTEST)
    height = tf.maximum(parts.h_rel * grid.height, _SHORTEST)
    return tf.atan2(width, height)


def mistaken_iou(
    truth: Parts, predicted: Parts, grid: Grid, *, mixed_units: bool, square_for_abs: bool
) -> tf.Tensor:
    """Return the IoU (N, R, S, B) of boxes pair by pair, or what the article computed in its place.

    Two boxes overlap, in each direction, by half the sum of their lengths less the distance of their centres: the
    article's formula, which gives too much where one box holds the other. Without mistakes it is `iou`.

    Args:
        truth: Parts of targets.
        predicted: Parts of predictions.
        grid: Their grid.
        mixed_units: Distances are in cells while lengths are in fractions of the image.
        square_for_abs: Distances are squared.

    Returns:
        Between 0 and 1. A word of 24 x 10 pixels moved by 8 pixels, on 64 pixels with 2 x 2 cells: 0.50; 0.20 with
        `mixed_units`; 0.71 with both.
    """
    if not (mixed_units or square_for_abs):
        return iou(corners(truth, grid), corners(predicted, grid))
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
