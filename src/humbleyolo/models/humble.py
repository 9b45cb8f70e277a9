"""`humble`: the network of the article "Humble YOLO implementation in Keras", to the layer."""

import keras
from keras import layers

from humbleyolo.grid import Grid
from humbleyolo.models.layers import Seeds


def humble(grid: Grid, seed: int) -> keras.Model:
    """Build the article's network.

    Two blocks of two convolutions and a pooling, without padding and, as there, with an activation behind the
    second convolution only; then two dense layers with logistic outputs. 1,406,896 parameters at 64 x 64 pixels,
    2 x 2 cells, 3 classes and one box a cell. The article feeds it 0 to 255; here pixels are scaled to 0 to 1.

    Args:
        grid: Shapes of input and output.
        seed: Of the weights' start.

    Returns:
        (N, H, W, 3) pixels 0 to 255 -> (N, R, S, K) predictions, all between 0 and 1.
    """
    seeds = Seeds(seed)

    def conv(filters: int, kernel: int, name: str) -> layers.Conv2D:
        return layers.Conv2D(filters, kernel, kernel_initializer=seeds.glorot_uniform(), name=name)

    def dense(units: int, name: str) -> layers.Dense:
        return layers.Dense(units, activation="sigmoid", kernel_initializer=seeds.glorot_uniform(), name=name)

    rows, cols, numbers = grid.shape
    pixels = keras.Input((grid.height, grid.width, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="scale")(pixels)
    x = conv(16, 1, "conv1")(x)
    x = conv(32, 3, "conv2")(x)
    x = layers.LeakyReLU(0.3, name="relu1")(x)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = conv(16, 3, "conv3")(x)
    x = conv(32, 3, "conv4")(x)
    x = layers.LeakyReLU(0.3, name="relu2")(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = dense(256, "dense1")(x)
    x = dense(rows * cols * numbers, "dense2")(x)
    return keras.Model(pixels, layers.Reshape(grid.shape, name="grid")(x), name="humble")
