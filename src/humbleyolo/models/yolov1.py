"""`yolov1`: the network of Redmon et al. 2016, "You Only Look Once", figure 3."""

import keras
from keras import layers

from humbleyolo.geometry.grid import Grid
from humbleyolo.models.layers import Seeds
from humbleyolo.params.rules import YOLOV1_STRIDE

POOL = "pool"

# (filters, kernel, stride) of each convolution, or a 2 x 2 pooling. Padding keeps the size; a stride halves it.
CONVOLUTIONS: tuple[tuple[int, int, int] | str, ...] = (
    (64, 7, 2), POOL,
    (192, 3, 1), POOL,
    (128, 1, 1), (256, 3, 1), (256, 1, 1), (512, 3, 1), POOL,
    *(4 * ((256, 1, 1), (512, 3, 1))), (512, 1, 1), (1024, 3, 1), POOL,
    *(2 * ((512, 1, 1), (1024, 3, 1))), (1024, 3, 1), (1024, 3, 2),
    (1024, 3, 1), (1024, 3, 1),
)  # fmt: skip
_DENSE = 4096


def yolov1(grid: Grid, width: float, seed: int) -> keras.Model:
    """Build the paper's network: 24 convolutions, two dense layers, a linear output.

    The paper's own is for 448 x 448 pixels, 7 x 7 cells, two boxes per cell and 20 classes. As there, every layer
    but the last has a leaky ReLU of slope 0.1, and half of the first dense layer is dropped out in training.

    Args:
        grid: Shapes of input and output. The image's sides are multiples of 64 pixels.
        width: Factor on filters and dense units; 1 is the paper's.
        seed: Seed of the initial weights and the dropout.

    Returns:
        (N, H, W, 3) pixels 0 to 255 -> (N, R, S, K) predictions, not bounded.

    Raises:
        ValueError: The image is not a multiple of 64 pixels.
    """
    if grid.height % YOLOV1_STRIDE or grid.width % YOLOV1_STRIDE:
        raise ValueError(f"{grid.height} x {grid.width} pixels are not multiples of {YOLOV1_STRIDE}")
    seeds = Seeds(seed)
    pixels = keras.Input((grid.height, grid.width, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="scale")(pixels)
    convolutions = pools = 0
    for layer in CONVOLUTIONS:
        if isinstance(layer, str):
            pools += 1
            x = layers.MaxPooling2D(2, name=f"pool{pools}")(x)
            continue
        filters, kernel, stride = layer
        convolutions += 1
        filters, start = max(1, round(filters * width)), seeds.he_normal()
        x = layers.Conv2D(filters, kernel, stride, "same", kernel_initializer=start, name=f"conv{convolutions}")(x)
        x = layers.LeakyReLU(0.1, name=f"relu{convolutions}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(max(1, round(_DENSE * width)), kernel_initializer=seeds.he_normal(), name="dense1")(x)
    x = layers.LeakyReLU(0.1, name="relu_dense1")(x)
    x = layers.Dropout(0.5, seed=seeds.draw(), name="dropout")(x)
    rows, cols, numbers = grid.shape
    x = layers.Dense(rows * cols * numbers, kernel_initializer=seeds.glorot_uniform(), name="dense2")(x)
    return keras.Model(pixels, layers.Reshape(grid.shape, name="grid")(x), name="yolov1")
