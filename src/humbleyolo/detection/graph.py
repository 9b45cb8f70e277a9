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
from humbleyolo.geometry.iou import edges_of, iou
from humbleyolo.models.selection import Selection


@keras.saving.register_keras_serializable("humbleyolo")
class SelectDetections(keras.layers.Layer):  # type: ignore[misc]
    """Selection of detections by tensor operations, equal to `models.trained_network.select_detections` in NumPy.

    Suppression is the greedy rule, as a loop over detections: the best pair of box and class that is left becomes
    one. Pairs of its class whose boxes overlap it by more than `nms_iou` are no longer left. A batch takes as many
    turns as the image with most detections has.

    Args:
        grid: Fields of `Grid`.
        min_score: Lowest score of a detection.
        nms_iou: Highest overlap of two detections of one class.
        vote_iou: Least overlap with a detection that gives a box of its class a vote on where it lies; 1: none has.
        max_detections: Largest number of detections on an image.
    """

    def __init__(
        self,
        grid: dict[str, int],
        min_score: float,
        nms_iou: float,
        max_detections: int,
        vote_iou: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.grid = Grid(**grid)
        self.min_score, self.nms_iou, self.max_detections = min_score, nms_iou, max_detections
        self.vote_iou = vote_iou

    def call(self, predictions: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the outputs named at the top of this module for predictions (N, R, S, K)."""
        grid = self.grid
        boxes, scores = decode_tensor(predictions, grid, tf)  # (N, A, 4), (N, A, C)
        boxes = tf.clip_by_value(boxes, 0.0, tf.constant(2 * [grid.width, grid.height], tf.float32))
        lengths = boxes[..., 2:] - boxes[..., :2]
        solid = tf.reduce_min(lengths, axis=-1) > 0.0  # (N, A); no NaN is
        boxes = tf.where(solid[..., None], boxes, 0.0)  # a NaN would take part in every mean, even with a weight of 0
        wanted = (scores >= self.min_score) & (scores > 0.0) & (scores <= 3e38) & solid[..., None]
        scores = tf.where(wanted, scores, -1.0)
        score, place = self._select(boxes, scores)  # each (N, D)
        found = score > 0.0
        return {
            "boxes": tf.where(found[..., None], self._vote(boxes, scores, place), 0.0),
            "scores": tf.where(found, score, 0.0),
            "labels": tf.where(found, place % grid.classes, 0),
            "count": tf.reduce_sum(tf.cast(found, tf.int32), axis=-1),
            "grid": tf.identity(predictions),
        }

    def _select(self, boxes: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return score and place (N, D) of each detection, the best first.

        Where there is none they are -1 and 0. A place is the index of a pair among all A x C, of boxes (N, A, 4)
        and scores (N, A, C). What has a negative score takes no part.
        """
        classes, count = self.grid.classes, boxes.shape[1]
        pairs = count * classes
        rank = tf.range(min(pairs, self.max_detections))
        none = tf.zeros_like(scores[:, :1, 0]) * tf.ones(rank.shape)  # (N, D)
        edges = edges_of(boxes)  # each (N, A)

        def step(turn: tf.Tensor, left: tf.Tensor, score: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, ...]:
            flat = tf.reshape(left, (-1, pairs))
            best = tf.argmax(flat, axis=1, output_type=tf.int32)[:, None]  # (N, 1), of equal scores the earlier one
            box, label = best // classes, best % classes
            overlap = iou(edges_of(tf.gather(boxes, box, batch_dims=1)), edges, tf)  # (N, A)
            rivals = (overlap > self.nms_iou) | (tf.range(count) == box)
            taken = tf.cast(rivals, tf.float32)[:, :, None] * tf.cast(tf.range(classes) == label, tf.float32)[:, None]
            left -= 2.0 * taken  # scores are 1 at most; a product is quicker than a choice, in LiteRT by half
            now = rank == turn
            score = tf.where(now, tf.gather(flat, best, batch_dims=1), score)
            return turn + 1, left, score, tf.where(now, best, place)

        def go_on(turn: tf.Tensor, left: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
            return (turn < rank.shape[0]) & (tf.reduce_max(left) > 0.0)

        start = (tf.constant(0), scores, none - 1.0, tf.cast(none, tf.int32))
        _, _, score, place = tf.while_loop(go_on, step, start)
        return score, place

    def _vote(self, boxes: tf.Tensor, scores: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        """Return the boxes (N, D, 4) at places (N, D), averaged with those that vote for them, weighed by score."""
        box, label = place // self.grid.classes, place % self.grid.classes
        own = tf.gather(boxes, box, batch_dims=1)  # (N, D, 4)
        if self.vote_iou >= 1:
            return own
        overlap = iou(edges_of(own[:, :, None]), edges_of(boxes[:, None]), tf)  # (N, D, A)
        voters = (overlap >= self.vote_iou) | (tf.range(boxes.shape[1]) == box[..., None])
        of_class = tf.gather(tf.transpose(scores, (0, 2, 1)), label, batch_dims=1)  # (N, D, A)
        weight = tf.where(voters, tf.maximum(of_class, 0.0), 0.0)
        total = tf.maximum(tf.reduce_sum(weight, axis=-1, keepdims=True), 1e-30)  # 0 where there is no detection
        return weight @ boxes / total

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the layer again."""
        return {
            **super().get_config(),
            "grid": asdict(self.grid),
            "min_score": self.min_score,
            "nms_iou": self.nms_iou,
            "max_detections": self.max_detections,
            "vote_iou": self.vote_iou,
        }


def detection_model(network: keras.Model, grid: Grid, selection: Selection) -> keras.Model:
    """Return a network with decoding and suppression inside: pixels -> the outputs at the top of this module."""
    pixels = keras.Input((grid.height, grid.width, 3), dtype="uint8", name="pixels")
    chosen = (selection.min_score, selection.nms_iou, selection.max_detections, selection.vote_iou)
    select = SelectDetections(asdict(grid), *chosen, name="select")
    return keras.Model(pixels, select(network(pixels)), name="humbleyolo")
