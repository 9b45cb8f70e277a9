"""`humble`: the network of the article "Humble YOLO implementation in Keras", and its options."""

import keras
from keras import layers

from humbleyolo.geometry.grid import Grid
from humbleyolo.models.layers import Seeds
from humbleyolo.params.sections import Humble

_HEAD_FILTERS = 64  # of the convolutional head


def humble(grid: Grid, options: Humble, seed: int) -> keras.Model:
    """Build the article's network.

    Two blocks of two convolutions and a pooling, without padding and, as there, with an activation behind the
    second convolution only. Then two dense layers with logistic outputs. 1,406,896 parameters at 64 x 64 pixels,
    2 x 2 cells, 3 classes and one box per cell.

    The article feeds it 0 to 255 (`scale_pixels` makes that 0 to 1). `batch_norm` normalises behind every convolution
    (Ioffe & Szegedy 2015). The `convolutional` head has strided 3 x 3 convolutions until a feature is a cell, then a
    1 x 1 convolution with logistic outputs; the blocks are padded then.

    Returns:
        (N, H, W, 3) pixels 0 to 255 -> (N, R, S, K) predictions, all between 0 and 1.

    Raises:
        ValueError: Halving does not lead from the image to the grid, with the convolutional head.
    """
    seeds = Seeds(seed)
    pixels = keras.Input((grid.height, grid.width, 3), name="pixels")
    x = layers.Rescaling(1 / 255 if options.scale_pixels else 1.0, name="scale")(pixels)
    for block, first_kernel in ((1, 1), (2, 3)):
        x = _conv(x, 16, first_kernel, f"conv{2 * block - 1}", options, seeds)
        x = _conv(x, 32, 3, f"conv{2 * block}", options, seeds)
        x = layers.LeakyReLU(0.3, name=f"relu{block}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    if options.head == "convolutional":
        return keras.Model(pixels, _convolutional_head(x, grid, options, seeds), name="humble")
    rows, cols, numbers = grid.shape
    x = layers.Flatten(name="flatten")(x)
    for name, units in (("dense1", 256), ("dense2", rows * cols * numbers)):
        x = layers.Dense(units, activation="sigmoid", kernel_initializer=seeds.glorot_uniform(), name=name)(x)
    return keras.Model(pixels, layers.Reshape(grid.shape, name="grid")(x), name="humble")


def _conv(
    x: keras.KerasTensor, filters: int, kernel: int, name: str, options: Humble, seeds: Seeds, stride: int = 1
) -> keras.KerasTensor:
    padding = "same" if options.head == "convolutional" else "valid"
    start, use_bias = seeds.glorot_uniform(), not options.batch_norm
    x = layers.Conv2D(filters, kernel, stride, padding, use_bias=use_bias, kernel_initializer=start, name=name)(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x) if options.batch_norm else x


def _convolutional_head(x: keras.KerasTensor, grid: Grid, options: Humble, seeds: Seeds) -> keras.KerasTensor:
    rows, cols, numbers = grid.shape
    layer = 4
    while x.shape[1] > rows and x.shape[2] > cols:
        layer += 1
        x = _conv(x, _HEAD_FILTERS, 3, f"conv{layer}", options, seeds, stride=2)
        x = layers.LeakyReLU(0.3, name=f"relu{layer}")(x)
    if tuple(x.shape[1:3]) != (rows, cols):
        raise ValueError(
            f"halving {grid.height} x {grid.width} pixels, rounded up from the third time on, does not lead to "
            f"{rows} x {cols} cells, which the convolutional head needs"
        )
    start = seeds.glorot_uniform()
    return layers.Conv2D(numbers, 1, activation="sigmoid", kernel_initializer=start, name="grid")(x)
