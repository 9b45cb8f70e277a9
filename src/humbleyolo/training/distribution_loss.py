"""Distribution focal loss: which values a head should choose for a box's numbers.

Li et al. 2020, "Generalized Focal Loss", section 3.2. `DetectionHead` gives each number of a box as the mean of a
distribution over values. A loss of the mean alone says nothing about the choice that it came from. This one asks for
the two values next to the truth, and so teaches faster where a box lies.
"""

import numpy as np
import tensorflow as tf

from humbleyolo.geometry.grid import Grid
from humbleyolo.models.layers import DetectionHead


class Choices:
    """The choices of a network's head, which lie behind its predictions.

    Args:
        head: The network's last layer.
        grid: The grid.
    """

    def __init__(self, head: DetectionHead, grid: Grid) -> None:
        self._head, self._grid = head, grid

    @property
    def numbers(self) -> int:
        """Numbers of a cell behind its predictions: 4 B bins."""
        return 4 * self._grid.boxes * self._head.bins

    def loss(self, outputs: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        r"""Return the mean over a box's four numbers y of - sum over bins of q log softmax(choice).

        q is (v - y) / (v - u) at the value u next to y from below, (y - u) / (v - u) at v next above, else 0. This is
        equation 6 of the paper, for values of any spacing. A y beyond the values counts as the last of them.

        Args:
            outputs: (N, R, S, K + 4 B bins), see `with_choices`.
            boxes: (N, R, S, B, 4) x, y, w, h of the objects that the boxes learn.

        Returns:
            (N, R, S, B), of boxes without an object too.
        """
        rows, cols, numbers = self._grid.shape
        boxes_a_cell, bins = self._grid.boxes, self._head.bins
        logs = tf.nn.log_softmax(tf.reshape(outputs[..., numbers:], (-1, rows, cols, boxes_a_cell * 4, bins)))
        logs = tf.reshape(logs, (-1, rows, cols, boxes_a_cell, 4, bins))
        values = np.stack(self._head.values())  # (4, bins)
        sought = tf.clip_by_value(self._head.means_of(boxes), values[:, 0], values[:, -1])[..., None]
        below = np.concatenate([values[:, :1] - 1, values[:, :-1]], axis=1)
        above = np.concatenate([values[:, 1:], values[:, -1:] + 1], axis=1)
        rising, falling = (sought - below) / (values - below), (above - sought) / (above - values)
        wanted = tf.maximum(tf.minimum(rising, falling), 0.0)
        return tf.reduce_mean(-tf.reduce_sum(wanted * logs, axis=-1), axis=-1)
