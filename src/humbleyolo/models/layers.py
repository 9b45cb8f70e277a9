"""What the networks are built of, beyond Keras' own layers."""

from typing import Any

import keras
import tensorflow as tf

from humbleyolo.grid import split_parts


class Seeds:
    """A different, fixed seed for each layer's weights: the count of layers so far, from the run's seed on."""

    def __init__(self, seed: int) -> None:
        self._next = seed % 2**31

    def he_normal(self) -> keras.initializers.Initializer:
        """Return the start of He et al. 2015, for layers in front of a ReLU."""
        return keras.initializers.HeNormal(seed=self._draw())

    def glorot_uniform(self) -> keras.initializers.Initializer:
        """Return the start of Glorot & Bengio 2010, Keras' default."""
        return keras.initializers.GlorotUniform(seed=self._draw())

    def _draw(self) -> int:
        self._next += 1
        return self._next


@keras.saving.register_keras_serializable("humbleyolo")
class SpaceToDepth(keras.layers.Layer):  # type: ignore[misc]
    """Lay each block of pixels into the channels of one: (N, h, w, c) -> (N, h/b, w/a, a b c).

    Nothing is averaged away, so where an object is stays exact while the picture gets smaller.

    Args:
        block: (b, a), rows and columns of a block.
    """

    def __init__(self, block: tuple[int, int], **options: Any) -> None:
        super().__init__(**options)
        self.block = tuple(block)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the rearranged (N, h/b, w/a, a b c)."""
        down, across = self.block
        if down == across:
            return tf.nn.space_to_depth(x, down) if down > 1 else x
        _, height, width, channels = x.shape
        x = tf.reshape(x, (-1, height // down, down, width // across, across, channels))
        x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (-1, height // down, width // across, down * across * channels))

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "block": self.block}


@keras.saving.register_keras_serializable("humbleyolo")
class DetectionHead(keras.layers.Layer):  # type: ignore[misc]
    """Turn raw numbers into probabilities and boxes of the grid's layout: (N, R, S, K) -> (N, R, S, K).

    Class probabilities by softmax; x, y and confidence by the logistic function; w and h by softplus, which can
    reach any length, small or large, and has a gradient everywhere.

    Args:
        classes: C.
    """

    def __init__(self, classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.classes = classes

    def call(self, raw: tf.Tensor) -> tf.Tensor:
        """Return the predictions."""
        parts = split_parts(tf.cast(raw, tf.float32), self.classes)
        boxes = tf.stack(
            [
                tf.sigmoid(parts.x_cell),
                tf.sigmoid(parts.y_cell),
                tf.nn.softplus(parts.w_rel),
                tf.nn.softplus(parts.h_rel),
                tf.sigmoid(parts.confidence),
            ],
            axis=-1,
        )  # (N, R, S, B, 5)
        boxes = tf.reshape(boxes, (-1, *raw.shape[1:3], raw.shape[3] - self.classes))
        return tf.concat([tf.nn.softmax(parts.class_probs), boxes], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "classes": self.classes}
