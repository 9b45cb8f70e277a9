"""`compact`: this project's fully convolutional network, made for CPUs.

    pixels      (N, H, W, 3)
    patches     4 x 4 pixels into channels, two 3 x 3 convolutions             stride 4
    trunk       a strided and a plain convolution, down to the stride asked for
    cells       each cell's block of features into channels, one 3 x 3 convolution over cells
    mixing      residual blocks of 3 x 3 convolutions over cells, their channels weighed by the whole image on demand
    head        one 1 x 1 convolution, then distributions over x, y, w and h

On a CPU a network costs what it computes, and the first layers of a usual one compute most: they see all pixels.
Here they see a sixteenth, with sixteen times the channels. Pooling would lose places. Laid into the channels, a
cell's features keep them, so that a coarse grid gives a box's edges to a fraction of a pixel.
"""

import math

import keras
from keras import layers

from humbleyolo.geometry.grid import Grid
from humbleyolo.models.layers import DetectionHead, EdgesHead, Seeds, SpaceToDepth, cell_features, predictions
from humbleyolo.params.rules import PATCH
from humbleyolo.params.sections import Model

_TRUNK_CHANNELS = (32, 64)  # at least, and at most behind the first stride
_CELL_NUMBERS = 512  # of the trunk in one cell: coarse cells hold many features of few channels
_CELL_CHANNELS = 128
_BINS = 17
_SQUEEZE = 4  # a block's channels for each one that the image is squeezed into


def compact(grid: Grid, options: Model, seed: int) -> keras.Model:
    """Build the network.

    A cell's sides are multiples of `stride`, the pixels from feature to feature at the trunk's end. `width` is a
    factor on the channels of every layer, which are rounded to multiples of 8. `depth` is one on the plain
    convolutions of the trunk and the residual blocks, rounded, 1 or more.

    `squeeze_excitation` weighs the channels of residual blocks by the whole image (Hu et al. 2018,
    "Squeeze-and-Excitation Networks", equations 2 to 4), so that every cell knows the kind of image. `edges` predicts
    distances to a box's edges in place of its centre and size, so that x, y may leave the cell.

    Returns:
        (N, H, W, 3) pixels 0 to 255 -> (N, R, S, K) predictions.

    Raises:
        ValueError: The grid does not divide the image into such cells.
    """
    cell = cell_features(grid, options.stride)
    blocks = _Blocks(options.width, Seeds(seed))
    pixels = keras.Input((grid.height, grid.width, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="scale")(pixels)
    x = SpaceToDepth((PATCH, PATCH), name="patches")(x)
    least, most = _TRUNK_CHANNELS
    repeats = max(1, round(options.depth))
    x = blocks.trunk(x, "trunk4", blocks.channels(least), repeats)
    filters = blocks.channels(min(max(_CELL_NUMBERS // math.prod(cell), least), most))
    reached = PATCH
    while reached < options.stride:
        reached *= 2
        x = blocks.trunk(x, f"trunk{reached}", filters, repeats, stride=2)
    x = SpaceToDepth(cell, name="cells")(x)
    filters = blocks.channels(_CELL_CHANNELS)
    x = blocks.conv(x, "cell", filters)
    for number in range(1, 1 + max(1, round(options.depth * _mixing_blocks(grid)))):
        x = blocks.mix(x, f"mix{number}", filters, options.squeeze_excitation)
    head = (EdgesHead if options.edges else DetectionHead)(grid.classes, grid.boxes, _BINS, name="head")
    return keras.Model(pixels, predictions(x, head, blocks.seeds), name="compact")


class _Blocks:
    """The parts of the network, each layer with the next seed."""

    def __init__(self, width: float, seeds: Seeds) -> None:
        self._width, self.seeds = width, seeds

    def channels(self, count: int) -> int:
        return max(8, 8 * round(count * self._width / 8))

    def conv(self, x: keras.KerasTensor, name: str, filters: int, stride: int = 1) -> keras.KerasTensor:
        options = {"use_bias": False, "kernel_initializer": self.seeds.he_normal(), "name": f"{name}_conv"}
        x = layers.Conv2D(filters, 3, stride, "same", **options)(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.Activation("silu", name=f"{name}_silu")(x)

    def trunk(
        self, x: keras.KerasTensor, name: str, filters: int, repeats: int, stride: int = 1
    ) -> keras.KerasTensor:
        x = self.conv(x, name, filters, stride)
        for repeat in range(repeats):
            x = self.conv(x, f"{name}_{repeat + 1}", filters)
        return x

    def mix(self, x: keras.KerasTensor, name: str, filters: int, weigh: bool) -> keras.KerasTensor:
        mixed = self.conv(self.conv(x, f"{name}a", filters), f"{name}b", filters)
        return layers.Add(name=f"{name}_add")([x, self._weigh(mixed, name) if weigh else mixed])

    def _weigh(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        filters = x.shape[-1]
        factors = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)  # (N, 1, 1, filters)
        for part, units, activation in (("a", max(8, filters // _SQUEEZE), "silu"), ("b", filters, "sigmoid")):
            start = self.seeds.he_normal()
            factors = layers.Conv2D(
                units, 1, activation=activation, kernel_initializer=start, name=f"{name}_excite_{part}"
            )(factors)
        return layers.Multiply(name=f"{name}_weighed")([x, factors])


def _mixing_blocks(grid: Grid) -> int:
    """Return the number of residual blocks that show every cell a good part of the image: each reaches 2 cells."""
    return max(1, math.ceil(math.log2(max(grid.rows, grid.cols))))
