"""Assignment of the objects in a cell to its B predictors.

N images    R, S rows and columns of cells    B boxes per cell
"""

from typing import NamedTuple

import tensorflow as tf

from humbleyolo.geometry.grid import Grid, Parts, box_edges
from humbleyolo.geometry.iou import Edges, iou


class Assigned(NamedTuple):
    """Ground truth laid out as the predictions are: box b of a cell is the object of predictor b."""

    parts: Parts  # as in the targets, but the boxes of a cell in their predictors' places
    iou: tf.Tensor  # (N, R, S, B) of each predictor with its object, 0 if it has none; no gradient


def assign_responsible(truth: Parts, predicted: Parts, grid: Grid) -> Assigned:
    """Give each object of a cell to the predictor that overlaps it best.

    "We assign one predictor to be 'responsible' for predicting an object based on which prediction has the highest
    current IOU" (Redmon et al. 2016, section 2). Objects choose in the order in which the
    encoder wrote them. A predictor that is taken is not chosen again; equal overlaps go to the first.
    """
    true_box, predicted_box = box_edges(truth, grid), box_edges(predicted, grid)
    if grid.boxes == 1:
        return Assigned(truth, tf.stop_gradient(iou(true_box, predicted_box, tf) * truth.confidence))
    free = tf.ones_like(truth.confidence)  # (N, R, S, B) predictors not taken yet
    sources = truth[1:]
    moved = [tf.zeros_like(part) for part in sources]
    overlap = tf.zeros_like(free)
    for slot in range(grid.boxes):
        exists = truth.confidence[..., slot : slot + 1]  # (N, R, S, 1)
        own = Edges(*(edge[..., slot : slot + 1] for edge in true_box))
        pair = iou(own, predicted_box, tf)  # (N, R, S, B)
        best = tf.argmax(pair * free + free, axis=-1)  # a taken predictor has 0, a free one 1 or more
        mine = tf.one_hot(best, grid.boxes, dtype=pair.dtype) * exists
        moved = [to + mine * part[..., slot : slot + 1] for to, part in zip(moved, sources, strict=True)]
        overlap += mine * pair
        free -= mine
    return Assigned(Parts(truth.class_probs, *moved), tf.stop_gradient(overlap))
