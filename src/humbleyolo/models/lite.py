"""`lite`: the first blocks of EfficientNet-Lite0, pretrained on demand, under this project's head.

    pixels      (N, H, W, 3)
    backbone    a 3 x 3 convolution and 11 inverted bottlenecks                stride 16
    places      features of stride 8 laid into the channels beside those of stride 16
    cells       each cell's block of features into channels, one 1 x 1 convolution
    mixing      residual blocks: a 3 x 3 convolution, then one over neighbours beside one over cells 2 or 4 apart
    head        one 1 x 1 convolution, then distributions over the distances to a box's edges

The backbone is that of Tan & Le 2019, "EfficientNet", in the form without squeeze and excitation and with ReLU6
("EfficientNet-Lite"). Batch normalization is folded into its convolutions. The last five blocks and the classifier
are left out: they hold six sevenths of the numbers.

A cell answers for an object whose edges may lie far from it, or near. So half of the channels come from a dilated
convolution (Yu & Koltun 2016, "Multi-Scale Context Aggregation by Dilated Convolutions"), half from a plain one.
Together they cost what one convolution does.
"""

import keras
from keras import layers

from humbleyolo.geometry.grid import Grid
from humbleyolo.models.layers import (
    DepthwiseConv,
    DilatedConv,
    EdgesHead,
    Seeds,
    SpaceToDepth,
    cell_features,
    predictions,
)
from humbleyolo.params.rules import LITE_STRIDE

BACKBONE = "backbone_"
"""Beginning of the names of the backbone's layers."""

_BLOCKS = (  # of each stage: number of blocks, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
)  # fmt: skip
_BLOCK_8 = 4  # the last block with features of stride 8
_STEM = 32  # channels
_CELL_CHANNELS = 96
_MIXING_BLOCKS = 2
_APART = (2, 4)  # cells from one to the next that the far convolution of a block takes, block after block
_BINS = 17


def lite(grid: Grid, width: float, depth: float, seed: int) -> keras.Model:
    """Build the network.

    Args:
        grid: Shapes of input and output. A cell's sides are multiples of 16 pixels.
        width: Factor on the channels behind the backbone, which are rounded to multiples of 8.
        depth: Factor on the number of residual blocks, rounded, 1 or more.
        seed: Seed of the initial weights.

    Returns:
        (N, H, W, 3) pixels 0 to 255 -> (N, R, S, K) predictions.

    Raises:
        ValueError: The grid does not divide the image into such cells.
    """
    cell = cell_features(grid, LITE_STRIDE)
    seeds = Seeds(seed)
    pixels = keras.Input((grid.height, grid.width, 3), name="pixels")
    places, x = _backbone(pixels, seeds)
    x = layers.Concatenate(name="places_add")([SpaceToDepth((2, 2), name="places")(places), x])
    x = SpaceToDepth(cell, name="cells")(x)
    filters = max(8, 8 * round(_CELL_CHANNELS * width / 8))
    x = _conv(x, "cell", filters, 1, seeds)
    for number in range(1, 1 + max(1, round(depth * _MIXING_BLOCKS))):
        mixed = _conv(x, f"mix{number}", filters, 3, seeds)
        near = _conv(mixed, f"near{number}", filters // 2, 3, seeds)
        far = _conv(mixed, f"far{number}", filters // 2, 3, seeds, _APART[(number - 1) % len(_APART)])
        mixed = layers.Concatenate(name=f"near_far{number}")([near, far])
        x = layers.Add(name=f"mix{number}_add")([x, mixed])
    head = EdgesHead(grid.classes, grid.boxes, _BINS, name="head")
    return keras.Model(pixels, predictions(x, head, seeds), name="lite")


def _backbone(pixels: keras.KerasTensor, seeds: Seeds) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the features of stride 8 and of stride 16."""
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(pixels)
    x = layers.Conv2D(_STEM, 3, 2, "same", kernel_initializer=seeds.he_normal(), name=f"{BACKBONE}stem")(x)
    x = layers.ReLU(6.0, name=f"{BACKBONE}stem_relu6")(x)
    places, channels, block = x, _STEM, 0
    for repeats, kernel, stride, expansion, out in _BLOCKS:
        for repeat in range(repeats):
            x = _bottleneck(
                x, f"{BACKBONE}{block}", kernel, 1 if repeat else stride, expansion * channels, out, seeds
            )
            places = x if block == _BLOCK_8 else places
            channels, block = out, block + 1
    return places, x


def _bottleneck(
    x: keras.KerasTensor, name: str, kernel: int, stride: int, inner: int, out: int, seeds: Seeds
) -> keras.KerasTensor:
    """Widen to `inner` channels, convolve each by itself, narrow to `out`; add the input if the shapes are equal."""
    first = x
    if inner != x.shape[-1]:
        x = layers.Conv2D(inner, 1, kernel_initializer=seeds.he_normal(), name=f"{name}_expand")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu6")(x)
    start = seeds.he_normal()
    x = DepthwiseConv(kernel, stride, "same", depthwise_initializer=start, name=f"{name}_depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu6")(x)
    x = layers.Conv2D(out, 1, kernel_initializer=seeds.he_normal(), name=f"{name}_project")(x)
    return layers.Add(name=f"{name}_add")([first, x]) if stride == 1 and first.shape[-1] == out else x


def _conv(
    x: keras.KerasTensor, name: str, filters: int, kernel: int, seeds: Seeds, apart: int = 1
) -> keras.KerasTensor:
    """Convolve cells that lie so many apart, normalize, and cut to 0 to 6."""
    convolution = layers.Conv2D if apart == 1 else DilatedConv
    options = {"use_bias": False, "kernel_initializer": seeds.he_normal(), "name": f"{name}_conv"}
    x = convolution(filters, kernel, padding="same", dilation_rate=apart, **options)(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x)


def backbone_block(layer: str) -> int | None:
    """Return the block of a layer of this name: 0 for the stem, 1 to 11 for the bottlenecks; None behind them."""
    if not layer.startswith(BACKBONE):
        return None
    block = layer.removeprefix(BACKBONE).partition("_")[0]
    return 0 if block == "stem" else int(block) + 1
