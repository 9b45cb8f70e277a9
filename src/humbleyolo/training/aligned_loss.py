"""Task-aligned assignment and its loss: several cells learn each object, the ones that already answer best.

Feng et al. 2021, "TOOD: Task-aligned One-stage Object Detection", section 3.2. With one responsible cell per object,
few pictures teach little. Here the cells inside an object compete by t = s^alpha u^beta. Its s is their score for the
object's class, u their box's IoU with it. The best few learn it, the better ones more.

    N images    A = R S cells    C classes    M objects of an image at most, the rest of the rows empty
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from humbleyolo.geometry.grid import Grid, answering_cells, box_edges, boxes_in_cells, split_parts
from humbleyolo.geometry.iou import Edges, edges_of, pairwise_iou
from humbleyolo.params.sections import Aligned
from humbleyolo.storage.array_types import AnyInts, Floats, Floats32, Ints
from humbleyolo.training.distribution_loss import Choices
from humbleyolo.training.losses import TINY, Terms, binary_entropy, complete_iou_of, shape_angle

ROW = 6  # numbers of an object: xyxy in pixels, class index, 1 (0: the row is empty)


def pad_objects(boxes: Floats, labels: AnyInts, image_index: Ints, images: int) -> Floats32:
    """Return objects image by image, (N, M, 6).

    Args:
        boxes: (M', 4) xyxy pixels of the letterboxed images.
        labels: (M',) class indices.
        image_index: (M',) index of each object's image, rising.
        images: N.
    """
    counts = np.bincount(image_index, minlength=images)
    place = np.arange(len(boxes)) - np.repeat(np.cumsum(counts) - counts, counts)
    padded = np.zeros((images, max(1, int(counts.max(initial=0))), ROW), np.float32)
    padded[image_index, place] = np.column_stack([boxes, labels, np.ones(len(boxes))])
    return padded


class Alignment(NamedTuple):
    """The object that each cell learns, without gradient."""

    mine: tf.Tensor  # (N, M, A) 1 for the object of a cell; cells without one have none
    weight: tf.Tensor  # (N, M, A) the target t of the cell's score for its object, 0 to 1


def align(objects: tf.Tensor, scores: tf.Tensor, boxes: tf.Tensor, grid: Grid, rule: Aligned) -> Alignment:
    """Choose the cells that learn each object.

    Candidates are the object's `answering_cells`. Of these the `cells` with the largest t are chosen. A cell that
    several objects choose goes to the one with the highest IoU, the first of equals. Targets are t, scaled so that
    an object's largest is its highest IoU (equation 4).

    Args:
        objects: (N, M, 6), see `pad_objects`.
        scores: (N, A, C), 0 to 1.
        boxes: (N, A, 4) xyxy pixels.
        grid: The grid.
        rule: Number of cells, alpha and beta.
    """
    exists = objects[..., 5:]  # (N, M, 1)
    own = tf.one_hot(tf.cast(objects[..., 4], tf.int32), grid.classes)  # (N, M, C)
    score = tf.matmul(own, scores, transpose_b=True)  # (N, M, A)
    overlap = pairwise_iou(objects[..., :4], boxes, tf)
    metric = score**rule.alpha * overlap**rule.beta
    answering = answering_cells(objects[..., :4], grid, tf)
    candidate = tf.cast(tf.reshape(answering, tf.shape(metric)), tf.float32) * exists
    ranked = tf.where(candidate > 0, metric, -1.0)
    best = tf.math.top_k(ranked, min(rule.cells, grid.rows * grid.cols)).indices  # (N, M, cells)
    chosen = tf.reduce_sum(tf.one_hot(best, grid.rows * grid.cols), axis=2) * candidate
    winner = tf.argmax(tf.where(chosen > 0, overlap, -1.0), axis=1)  # (N, A)
    mine = chosen * tf.one_hot(winner, tf.shape(objects)[1], axis=1)
    metric, overlap = metric * mine, overlap * mine
    largest = tf.reduce_max(metric, axis=2, keepdims=True)
    weight = metric / tf.maximum(largest, 1e-30) * tf.reduce_max(overlap, axis=2, keepdims=True)
    return Alignment(tf.stop_gradient(mine), tf.stop_gradient(weight))


def aligned(
    objects: tf.Tensor, y_pred: tf.Tensor, grid: Grid, class_weights: Sequence[float], rule: Aligned,
    choices: Choices | None = None,
) -> Terms:  # fmt: skip
    r"""The loss of task-aligned learning, with CIoU for GIoU.

        class   sum over cells and classes of abs(t - s)^gamma H(t, s)          equations 5, 6
        box     sum over cells of objects of t (1 - CIoU)                       equation 7
        distribution    sum over cells of objects of t `Choices.loss`, if there are `choices`

    t is a cell's target for its object's class, 0 for other classes and cells; s = class probability x confidence is
    its score. The terms are divided by the mean over images of the sum of t, so that a step weighs alike however
    many objects it sees. `class_weights` multiply the first for an object's class, at its cells.
    """
    images, cells = tf.shape(y_pred)[0], grid.rows * grid.cols
    parts = split_parts(y_pred[..., : grid.shape[-1]], grid.classes)
    boxes = tf.reshape(tf.stack(box_edges(parts, grid), axis=-1), (-1, cells, 4))
    scores = tf.reshape(parts.class_probs * parts.confidence, (-1, cells, grid.classes))
    mine, weight = align(objects, scores, boxes, grid, rule)
    own = tf.one_hot(tf.cast(objects[..., 4], tf.int32), grid.classes)  # (N, M, C)
    target = tf.matmul(weight, own, transpose_a=True)  # (N, A, C)
    worth = 1 + tf.matmul(mine, own * (tf.constant(class_weights, tf.float32) - 1), transpose_a=True)
    entropy = worth * _focus(target - scores, rule.gamma) * binary_entropy(target, scores)
    truth = tf.matmul(mine, objects[..., :4], transpose_a=True)  # (N, A, 4), 0 without an object
    edges, found = edges_of(truth), edges_of(boxes)
    complete = complete_iou_of(edges, found, _angle(edges), _angle(found))
    total = tf.maximum(tf.reduce_sum(weight), 1.0) / tf.cast(images, tf.float32)
    worth_of_box = tf.reduce_sum(weight, axis=1)  # (N, A)
    terms = {
        "box": tf.reduce_sum(worth_of_box * (1 - complete), axis=1) / total,
        "class": tf.reduce_sum(entropy, axis=(1, 2)) / total,
    }
    if choices:
        sought = boxes_in_cells(truth, grid, tf)[..., None, :]  # (N, R, S, 1, 4)
        missed = tf.reshape(choices.loss(y_pred, sought), (-1, cells))
        terms["distribution"] = tf.reduce_sum(worth_of_box * missed, axis=1) / total
    return terms


def _focus(difference: tf.Tensor, gamma: float) -> tf.Tensor | float:
    """Return abs(difference) ^ gamma, of finite gradient where the difference is 0."""
    return tf.maximum(tf.abs(difference), TINY) ** gamma if gamma else 1.0


def _angle(edges: Edges) -> tf.Tensor:
    return shape_angle(edges.right - edges.left, edges.bottom - edges.top)
