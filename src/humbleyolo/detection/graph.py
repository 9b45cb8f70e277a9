"""The network with its decoding and suppression as one Keras model, which every export is made from.

pixels      (N, H, W, 3) uint8, letterboxed
boxes       (N, D, 4) float32 xyxy pixels of the letterboxed image, best score first
scores      (N, D) float32
labels      (N, D) int32 class indices
count       (N,) int32 how many of the D are detections; the others are 0
grid        (N, R, S, K) float32, output of the network itself
"""

from dataclasses import asdict
from typing import Any

import keras
import tensorflow as tf

from humbleyolo.geometry.grid import Grid, decode_tensor
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.models.selection import Selection

_MOST_CANDIDATES = 1024  # the best so many boxes of an image are compared, or twice as many as it may have detections


@keras.saving.register_keras_serializable("humbleyolo")
class SelectDetections(keras.layers.Layer):  # type: ignore[misc]
    """Selection of detections by tensor operations, equal to `models.network.select_detections` in NumPy.

    Suppression is the greedy rule: a box goes if a better one of its class that stays overlaps it by more than
    `nms_iou`. For all boxes at once, that rule has one solution, which it reaches when it is applied to a guess over
    and over. The steps are as many as the longest chain of boxes, each of which removes the next. So matrices take
    the place of a loop over boxes. The best 1,024 pairs of box and class take part, or twice
    `max_detections` if that is more.

    Args:
        grid: Fields of `Grid`.
        min_score: Lowest score of a detection.
        nms_iou: Highest overlap of two detections of one class.
        max_detections: Largest number of detections on an image.
    """

    def __init__(
        self, grid: dict[str, int], min_score: float, nms_iou: float, max_detections: int, **options: Any
    ) -> None:
        super().__init__(**options)
        self.grid = Grid(**grid)
        self.min_score, self.nms_iou, self.max_detections = min_score, nms_iou, max_detections

    def call(self, predictions: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the outputs named at the top of this module for predictions (N, R, S, K)."""
        grid = self.grid
        pairs = grid.rows * grid.cols * grid.boxes * grid.classes
        candidates = min(pairs, max(_MOST_CANDIDATES, 2 * self.max_detections))
        boxes, scores = decode_tensor(predictions, grid, tf)  # (N, A, 4), (N, A, C)
        boxes = tf.clip_by_value(boxes, 0.0, tf.constant(2 * [grid.width, grid.height], tf.float32))
        lengths = boxes[..., 2:] - boxes[..., :2]
        solid = tf.reduce_min(lengths, axis=-1) > 0.0  # (N, A); no NaN is
        wanted = (scores >= self.min_score) & (scores > 0.0) & (scores <= 3e38) & solid[..., None]
        flat = tf.reshape(tf.where(wanted, scores, -tf.ones_like(scores)), (-1, pairs))
        best, place = tf.math.top_k(flat, candidates)  # (N, P), equal scores: the earlier one first
        near = tf.gather(boxes, place // grid.classes, batch_dims=1)  # (N, P, 4)
        label = place % grid.classes  # (N, P)
        valid = tf.cast(best > 0.0, tf.float32)
        kept = self._suppress(near, label, valid)
        score, rank = tf.math.top_k(
            tf.where(kept > 0.0, best, -tf.ones_like(best)), min(candidates, self.max_detections)
        )  # (N, D)
        found = score > 0.0
        return {
            "boxes": tf.where(found[..., None], tf.gather(near, rank, batch_dims=1), 0.0),
            "scores": tf.where(found, score, 0.0),
            "labels": tf.where(found, tf.gather(label, rank, batch_dims=1), 0),
            "count": tf.reduce_sum(tf.cast(found, tf.int32), axis=-1),
            "grid": tf.identity(predictions),
        }

    def _suppress(self, boxes: tf.Tensor, labels: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
        """Return (N, P) 1 for the boxes that stay, of boxes (N, P, 4) with the best first, and 0 for the others."""
        order = tf.range(boxes.shape[1])
        earlier = order[:, None] < order[None, :]  # (P, P), the row is better than the column
        rivals = pairwise_iou(boxes, boxes, tf) > self.nms_iou  # (N, P, P)
        rivals &= (labels[:, :, None] == labels[:, None, :]) & earlier
        removes = tf.cast(rivals, tf.float32)

        def step(kept: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            removed = tf.reduce_max(removes * kept[:, :, None], axis=1)  # (N, P)
            now = valid * (1.0 - removed)
            return now, tf.reduce_max(tf.abs(now - kept))

        kept, _ = tf.while_loop(lambda _, changed: changed > 0.0, step, (valid, tf.constant(1.0)))
        return kept

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the layer again."""
        return {
            **super().get_config(),
            "grid": asdict(self.grid),
            "min_score": self.min_score,
            "nms_iou": self.nms_iou,
            "max_detections": self.max_detections,
        }


def detection_model(network: keras.Model, grid: Grid, selection: Selection) -> keras.Model:
    """Return a network with decoding and suppression inside: pixels -> the outputs at the top of this module."""
    pixels = keras.Input((grid.height, grid.width, 3), dtype="uint8", name="pixels")
    chosen = (selection.min_score, selection.nms_iou, selection.max_detections)
    select = SelectDetections(asdict(grid), *chosen, name="select")
    return keras.Model(pixels, select(network(pixels)), name="humbleyolo")
