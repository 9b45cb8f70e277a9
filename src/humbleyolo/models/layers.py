"""Parts of the networks beyond Keras' own."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from humbleyolo.geometry.grid import BOX_NUMBERS, Grid
from humbleyolo.storage.array_types import Floats32

_RARE = -4.0  # logit of an untrained confidence: few cells answer for an object (Lin et al. 2017, section 4.1)


class Seeds:
    """A seed for each layer, drawn from the run's seed (0 or more) and the count of layers so far."""

    def __init__(self, seed: int) -> None:
        self._seed, self._drawn = seed, 0

    def he_normal(self) -> keras.initializers.Initializer:
        """Return the initial weights of He et al. 2015, for layers in front of a ReLU."""
        return keras.initializers.HeNormal(seed=self.draw())

    def glorot_uniform(self) -> keras.initializers.Initializer:
        """Return the initial weights of Glorot & Bengio 2010, Keras' default."""
        return keras.initializers.GlorotUniform(seed=self.draw())

    def draw(self) -> int:
        """Return the next seed."""
        self._drawn += 1
        return int(np.random.SeedSequence(self._seed, spawn_key=(self._drawn,)).generate_state(1)[0])


def cell_features(grid: Grid, stride: int) -> tuple[int, int]:
    """Return rows and columns of the features of one cell; a feature is of `stride` x `stride` pixels.

    Raises:
        ValueError: The grid does not divide the image into such cells.
    """
    if grid.height % (grid.rows * stride) or grid.width % (grid.cols * stride):
        raise ValueError(
            f"{grid.rows} x {grid.cols} cells do not divide {grid.height} x {grid.width} pixels into cells of a "
            f"multiple of {stride} pixels"
        )
    return grid.height // grid.rows // stride, grid.width // grid.cols // stride


@keras.saving.register_keras_serializable("humbleyolo")
class SpaceToDepth(keras.layers.Layer):  # type: ignore[misc]
    """Lay each block of pixels into the channels of one: (N, h, w, c) -> (N, h/b, w/a, a b c).

    Nothing is averaged away, so an object's place stays exact while the picture gets smaller.

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
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "block": self.block}


@keras.saving.register_keras_serializable("humbleyolo")
class DilatedConv(keras.layers.Conv2D):  # type: ignore[misc]
    """Convolve cells that lie some apart, without a bias.

    On a processor TensorFlow has no gradient of that, so that Keras rearranges the cells, convolves them, and puts
    them back. Prediction and exports need no gradient: they convolve in one operation, which is quicker.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return (N, h, w, filters) of inputs (N, h, w, c)."""
        if training:
            return super().call(inputs)
        return tf.nn.conv2d(inputs, tf.convert_to_tensor(self.kernel), 1, "SAME", dilations=self.dilation_rate)


@keras.saving.register_keras_serializable("humbleyolo")
class DepthwiseConv(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """Convolve each channel by itself, with `same` padding and equal strides.

    TensorFlow has no deterministic gradient of the kernel on a GPU, and refuses to train there. So it is computed
    for each place in the kernel: a product of the gradient with the shifted input, summed over images and pixels.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return (N, h/s, w/s, c) of inputs (N, h, w, c)."""
        if not (training and _has_gpu()):
            return super().call(inputs)
        strides = (1, *self.strides, 1)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
            def gradients(of_output: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                of_x = tf.nn.depthwise_conv2d_backprop_input(tf.shape(x), kernel, of_output, strides, "SAME")
                return of_x, _kernel_gradient(x, of_output, kernel.shape, self.strides)

            return tf.nn.depthwise_conv2d(x, kernel, strides, "SAME"), gradients

        return tf.nn.bias_add(convolve(inputs, tf.convert_to_tensor(self.kernel)), self.bias)


def _kernel_gradient(
    x: tf.Tensor, of_output: tf.Tensor, shape: tuple[int, ...], strides: tuple[int, int]
) -> tf.Tensor:
    """Return the gradient (h, w, c, 1) of a depthwise kernel of this shape."""
    reach = [(out - 1) * stride + 1 for out, stride in zip(of_output.shape[1:3], strides, strict=True)]
    short = [max(0, far + size - 1 - side) for far, size, side in zip(reach, shape, x.shape[1:3], strict=False)]
    padded = tf.pad(x, [(0, 0), *((some // 2, some - some // 2) for some in short), (0, 0)])
    shifted = (
        padded[:, row : row + reach[0] : strides[0], col : col + reach[1] : strides[1]]
        for row in range(shape[0])
        for col in range(shape[1])
    )
    return tf.reshape(tf.stack([tf.reduce_sum(one * of_output, axis=(0, 1, 2)) for one in shifted]), shape)


def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


@keras.saving.register_keras_serializable("humbleyolo")
class DetectionHead(keras.layers.Layer):  # type: ignore[misc]
    """Turn a network's raw numbers into probabilities and boxes of the grid's layout.

    Class probabilities come from a softmax, the confidence from the logistic function. Each of x, y, w and h is the
    mean of a distribution over values from 0 to 1, by softmax: Li et al. 2020, "Generalized Focal Loss", equation 5.
    The values are evenly spaced for x and y. For w and h their roots are, so that small boxes have more to choose
    from, as in the loss of Redmon et al. 2016. A choice among values is learned faster, and more exactly, than a
    number.

    Args:
        classes: C.
        boxes: B.
        bins: Number of values to choose among.
    """

    def __init__(self, classes: int, boxes: int, bins: int, **options: Any) -> None:
        super().__init__(**options)
        self.classes, self.boxes, self.bins = classes, boxes, bins

    @property
    def raw_numbers(self) -> int:
        """Channels of the input: C + B (4 bins + 1)."""
        return self.classes + self.boxes * (4 * self.bins + 1)

    def call(self, raw: tf.Tensor) -> tf.Tensor:
        """Return predictions (N, R, S, C + 5 B) of raw numbers (N, R, S, C + B (4 bins + 1))."""
        raw = tf.cast(raw, tf.float32)
        rows, cols = raw.shape[1:3]
        class_probs, confidence, choices = tf.split(
            raw, [self.classes, self.boxes, self.boxes * 4 * self.bins], axis=-1
        )
        choices = tf.nn.softmax(tf.reshape(choices, (-1, rows, cols, self.boxes * 4, self.bins)))
        values = np.tile(self.values(), (self.boxes, 1))  # (4 B, bins)
        means = tf.reduce_sum(choices * tf.constant(values), axis=-1)  # (N, R, S, 4 B)
        means = self._boxes_of(tf.reshape(means, (-1, rows, cols, self.boxes, 4)))
        box = tf.concat([means, tf.sigmoid(self._logits_of(confidence))[..., None]], axis=-1)  # (N, R, S, B, 5)
        box = tf.reshape(box, (-1, rows, cols, self.boxes * BOX_NUMBERS))
        return tf.concat([tf.nn.softmax(class_probs), box], axis=-1)

    def values(self) -> list[Floats32]:
        """Return the values (4, bins) to choose among, rising."""
        even = np.linspace(0, 1, self.bins, dtype=np.float32)
        return [even, even, even**2, even**2]

    def means_of(self, boxes: tf.Tensor) -> tf.Tensor:
        """Return the four means that give boxes x, y, w, h (N, R, S, B, 4): the inverse of what the head computes."""
        return boxes

    def _boxes_of(self, means: tf.Tensor) -> tf.Tensor:
        """Return x, y, w, h (N, R, S, B, 4) of the four means."""
        return means

    def _logits_of(self, confidence: tf.Tensor) -> tf.Tensor:
        """Return the confidence's logits (N, R, S, B) of its raw numbers."""
        return confidence

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "classes": self.classes, "boxes": self.boxes, "bins": self.bins}


@keras.saving.register_keras_serializable("humbleyolo")
class EdgesHead(DetectionHead):
    """Turn raw numbers into predictions as `DetectionHead` does, but for boxes whose centres may lie in other cells.

    A cell gives the distances from its own centre to a box's left, top, right and lower edge, as parts of the image.
    So cells beside the one that holds an object's centre can answer for it, and x, y may leave 0 to 1. The distances
    reach from half a cell, to the inside, to the whole image. Their roots are evenly spaced.
    """

    def values(self) -> list[Floats32]:
        """Return the values (4, bins) of the distances, rising."""
        return 4 * [np.linspace(0, 1, self.bins, dtype=np.float32) ** 2]

    def means_of(self, boxes: tf.Tensor) -> tf.Tensor:
        """Return the distances that give boxes x, y, w, h (N, R, S, B, 4)."""
        _, rows, cols, _, _ = boxes.shape
        x, y, w, h = tf.unstack(boxes, axis=-1)
        across, down = (x - 0.5) * (2 / cols), (y - 0.5) * (2 / rows)  # right - left, bottom - top
        w, h = w + 1 / cols, h + 1 / rows  # left + right, top + bottom
        return tf.stack([w - across, h - down, w + across, h + down], axis=-1) / 2

    def _boxes_of(self, means: tf.Tensor) -> tf.Tensor:
        _, rows, cols, _, _ = means.shape
        left, top, right, bottom = tf.unstack(means, axis=-1)
        x, y = 0.5 + (right - left) * (cols / 2), 0.5 + (bottom - top) * (rows / 2)
        w, h = (tf.maximum(sides - 1 / cells, 0.0) for sides, cells in ((left + right, cols), (top + bottom, rows)))
        return tf.stack([x, y, w, h], axis=-1)

    def _logits_of(self, confidence: tf.Tensor) -> tf.Tensor:
        return confidence + _RARE


def predictions(x: keras.KerasTensor, head: DetectionHead, seeds: Seeds) -> keras.KerasTensor:
    """Return the predictions (N, R, S, K) of features (N, R, S, c): one 1 x 1 convolution, then the head.

    Its initial weights are small, so that every distribution starts nearly even. With usual ones AP after 6 epochs of
    the default data varied from 0.82 to 0.88 with the seed.
    """
    start = keras.initializers.RandomNormal(stddev=0.01, seed=seeds.draw())
    return head(keras.layers.Conv2D(head.raw_numbers, 1, kernel_initializer=start, name="head_conv")(x))
