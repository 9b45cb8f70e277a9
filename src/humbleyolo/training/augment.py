"""Augmentation: images and their boxes changed together, differently in every epoch.

The changes of an image are a function of (seed, epoch, image) alone, not of its batch.
They are drawn once, as a `Plan`; the pixels follow it in TensorFlow, the boxes in NumPy.

Geometry is one scaling and one shift for each axis, x' = a x + b, which takes an upright box to an upright box,
exactly. A mosaic is four such layers, each seen in its own part of the new image. A cut-out hides a rectangle of the
outcome (DeVries & Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout").

    N images    L layers per image: 4 if mosaics are drawn, else 1    M boxes    H, W pixels
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from humbleyolo.dataset.encoded_split import rows_of_images
from humbleyolo.geometry.iou import area, edges_of
from humbleyolo.params.sections import Augment
from humbleyolo.storage.array_types import Floats, Floats32, Ints, Ints32

_DRAWS = 32  # numbers per image, always all, so that one strength does not change another's numbers
_STREAM = 1  # the second stream of (seed, epoch); the first orders the images


@dataclass(frozen=True, eq=False)
class Plan:
    """The changes of each image of a batch.

    Attributes:
        sources: (N, L) int64, the dataset's images that are seen.
        scale: (N, L, 2) float64, a of x and of y; negative if mirrored.
        shift: (N, L, 2) float64, b of x and of y, whole pixels.
        window: (N, L, 4) float64 xyxy, whole pixels, the part of the new image that shows the layer; without area
            for a layer that is not shown.
        colour: (N, 4) float32: brightness (added, a part of 255), contrast and saturation (factors), hue (turns).
        cut: (N, 4) float64 xyxy, whole pixels, the rectangle that is filled; without area if none is.
    """

    sources: Ints
    scale: Floats
    shift: Floats
    window: Floats
    colour: Floats32
    cut: Floats


class Moved(NamedTuple):
    """Boxes after augmentation."""

    boxes: Floats  # (M', 4) xyxy pixels, inside the image
    labels: Ints32  # (M',)
    image_index: Ints  # (M',) place in the batch


def changes_anything(augment: Augment) -> bool:
    """Return True if any strength is above 0."""
    return any(value for name, value in augment if name != "min_visible")


def draw_plan(seed: int, epoch: int, chosen: Ints, images: int, size: tuple[int, int], augment: Augment) -> Plan:
    """Draw the changes of each image.

    Args:
        seed: Seed of the run.
        epoch: Number of the epoch, counted from 0.
        chosen: (N,) the dataset's images in the batch.
        images: Number of images in the dataset; a mosaic's other three are drawn from all of them.
        size: (height, width), pixels.
        augment: The strength of each change.
    """
    draws = np.stack([_draws(seed, epoch, int(image)) for image in chosen])  # (N, 32), 0 to 1
    layers = 4 if augment.mosaic else 1
    length = np.array(size[::-1], np.float64)  # (W, H)
    scale, shift = _geometry(draws, length, augment)
    sources = np.repeat(chosen[:, None], layers, axis=1)
    scale = np.repeat(scale[:, None], layers, axis=1)
    shift = np.repeat(shift[:, None], layers, axis=1)
    window = np.zeros((len(chosen), layers, 4))
    window[:, 0, 2:] = length
    if augment.mosaic:
        mixed = draws[:, 12] < augment.mosaic
        centre = np.round((0.25 + 0.5 * draws[mixed, 13:15]) * length)  # (N', 2), away from the borders
        sources[mixed, 1:] = (draws[mixed, 15:18] * images).astype(np.int64)
        corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
        for layer, far in enumerate(corners):  # far: right of, below the centre
            window[mixed, layer, :2] = far * centre
            window[mixed, layer, 2:] = np.where(far, length, centre)
            factor = scale[mixed, layer] * (0.5 + 0.5 * draws[mixed, 18 + layer, None])
            low = np.minimum(factor, 0) * length  # (N', 2) where the scaled image begins before it is shifted
            begin = np.where(far, centre, centre - np.abs(factor) * length)  # its corner lies on the centre
            scale[mixed, layer], shift[mixed, layer] = factor, np.round(begin - low)
    return Plan(sources, scale, shift, window, _colour(draws, augment), _cut(draws, length, augment.cutout))


def _draws(seed: int, epoch: int, image: int) -> Floats:
    generator = np.random.Philox(key=[seed, epoch], counter=[0, 0, image, _STREAM])
    return np.random.Generator(generator).random(_DRAWS)


def _geometry(draws: Floats, length: Floats, augment: Augment) -> tuple[Floats, Floats]:
    """Return a and b of x and y, (N, 2) each: a crop is stretched, scaled about the middle, shifted, mirrored."""
    kept = 1 - augment.crop * draws[:, 0:2]
    begin = (1 - kept) * draws[:, 2:4] * length
    factor = 1 + augment.scale * (2 * draws[:, 4:5] - 1)
    scale = factor / kept
    shift = (1 - factor) * length / 2 - scale * begin + augment.translate * (2 * draws[:, 5:7] - 1) * length
    mirrored = draws[:, 7:9] < (augment.flip, augment.flip_vertical)
    signed, begins = np.where(mirrored, -scale, scale), np.where(mirrored, length - shift, shift)
    return signed, np.asarray(np.round(begins), np.float64)


def _colour(draws: Floats, augment: Augment) -> Floats32:
    strength = np.array([augment.brightness, augment.contrast, augment.saturation, augment.hue])
    return ((0, 1, 1, 0) + strength * (2 * draws[:, 24:28] - 1)).astype(np.float32)


def _cut(draws: Floats, length: Floats, part: float) -> Floats:
    """Return a rectangle per image, (N, 4): each side up to a part of the image's, anywhere inside."""
    sides = np.round(part * draws[:, 28:30] * length)
    begin = np.round(draws[:, 30:32] * (length - sides))
    return np.concatenate([begin, begin + sides], axis=1)


def move_boxes(plan: Plan, boxes: Floats, labels: Ints32, offsets: Ints, min_visible: float) -> Moved:
    """Move the boxes of a batch's sources to their places in the new images.

    Args:
        plan: The changes.
        boxes: (M, 4) xyxy pixels, of the whole dataset.
        labels: (M,) class indices.
        offsets: (images + 1,) row of each image's first box, as in `EncodedSplit`.
        min_visible: Least part of a box's area inside its window and not under the cut; boxes with less are dropped.
            So are those that shrink, with the part out of sight, to a side under a pixel: nobody can see their
            content. Boxes that are kept reach under the cut.
    """
    layers = plan.sources.shape[1]
    row, slot = rows_of_images(offsets, plan.sources.ravel())  # (M'',); slot: layer of which image each box is in
    scale = np.tile(plan.scale.reshape(-1, 2)[slot], 2)  # (M'', 4)
    moved = np.asarray(boxes[row], np.float64) * scale + np.tile(plan.shift.reshape(-1, 2)[slot], 2)
    one, other = moved[:, :2], moved[:, 2:]
    moved = np.concatenate([np.minimum(one, other), np.maximum(one, other)], axis=1)
    window = plan.window.reshape(-1, 4)[slot]
    seen = np.clip(moved, np.tile(window[:, :2], 2), np.tile(window[:, 2:], 2))
    cut = plan.cut[slot // layers]
    covered = np.clip(seen, np.tile(cut[:, :2], 2), np.tile(cut[:, 2:], 2))
    left = area(edges_of(seen)) - area(edges_of(covered))
    side, before = moved[:, 2:] - moved[:, :2], boxes[row, 2:] - boxes[row, :2]
    kept = (left > 0) & (left >= min_visible * area(edges_of(moved)))
    kept &= (side >= np.minimum(before, 1) - 1e-6).all(axis=1)
    return Moved(seen[kept], labels[row[kept]], slot[kept] // layers)


def change_images(
    images: tf.Tensor, fill: float, scale: tf.Tensor, shift: tf.Tensor, window: tf.Tensor, colour: tf.Tensor,
    cut: tf.Tensor | None = None,
) -> tf.Tensor:  # fmt: skip
    """Change the pixels of a batch.

    Args:
        images: (N, L, H, W, 3) uint8, the pixels of `plan.sources`.
        fill: Grey value beside the images, and of the cut, 0 to 255.
        scale: (N, L, 2) float32, as in the plan, like the next four.
        shift: (N, L, 2) float32.
        window: (N, L, 4) float32.
        colour: (N, 4) float32.
        cut: (N, 4) float32, or None if nothing is cut out.

    Returns:
        (N, H, W, 3) float32, 0 to 255.
    """
    _, layers, height, width, _ = images.shape
    flat = tf.reshape(tf.cast(images, tf.float32) - fill, (-1, height, width * 3))
    axes = [tf.reshape(value, (-1, value.shape[-1])) for value in (scale, shift, window)]
    columns = _resampling(width, axes[0][:, 0], axes[1][:, 0], axes[2][:, 0], axes[2][:, 2])  # (NL, W', W)
    rows = _resampling(height, axes[0][:, 1], axes[1][:, 1], axes[2][:, 1], axes[2][:, 3])  # (NL, H', H)
    tall = tf.reshape(tf.matmul(rows, flat), (-1, height, width, 3))
    turned = tf.reshape(tf.transpose(tall, (0, 2, 1, 3)), (-1, width, height * 3))  # one wide product, not H' narrow
    wide = tf.reshape(tf.matmul(columns, turned), (-1, layers, width, height, 3))
    placed = tf.transpose(tf.reduce_sum(wide, axis=1), (0, 2, 1, 3)) + fill  # (N, H', W', 3)
    changed = tf.clip_by_value(_recolour(placed, colour), 0.0, 255.0)
    return changed if cut is None else tf.where(_inside(height, width, cut), tf.cast(fill, tf.float32), changed)


def _inside(height: int, width: int, cut: tf.Tensor) -> tf.Tensor:
    """Return (N, H, W, 1) True for pixels inside rectangles (N, 4)."""
    left, top, right, bottom = (cut[:, edge, None, None, None] for edge in range(4))
    x, y = (tf.range(length, dtype=tf.float32) + 0.5 for length in (width, height))
    across, down = x[:, None], y[:, None, None]
    return (across > left) & (across < right) & (down > top) & (down < bottom)


def _resampling(length: int, scale: tf.Tensor, shift: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """Return (N, new, old) weights that draw each new pixel of a line from the old ones.

    The weights are a triangle around the old place of a new pixel's centre. It is as wide as one old pixel, or as one
    new pixel if the line shrinks, so that nothing is skipped. A shift by whole pixels copies.
    """
    centres = tf.range(length, dtype=tf.float32) + 0.5
    place = (centres - shift[:, None]) / scale[:, None]  # (N, new)
    reach = tf.maximum(1.0, 1 / tf.abs(scale))[:, None, None]
    weights = tf.maximum(0.0, 1 - tf.abs(place[:, :, None] - centres) / reach) / reach
    seen = (centres > begin[:, None]) & (centres < end[:, None]) & (place > 0) & (place < length)
    total = tf.reduce_sum(weights, axis=2, keepdims=True)
    return tf.where(seen[:, :, None], weights / tf.maximum(total, 1e-6), 0.0)


# Luma and two colour differences, and back: the YIQ of NTSC, in which hue is an angle and saturation a length.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_TO_RGB = np.linalg.inv(_TO_YIQ)


def _recolour(images: tf.Tensor, colour: tf.Tensor) -> tf.Tensor:
    """Give each of (N, H, W, 3) images its own brightness, contrast, saturation and hue."""
    brightness, contrast, saturation, hue = (colour[:, part] for part in range(4))
    turn = hue * (2 * np.pi)
    none, one = tf.zeros_like(hue), tf.ones_like(hue)
    cos, sin = saturation * tf.cos(turn), saturation * tf.sin(turn)
    middle = tf.reshape(tf.stack([one, none, none, none, cos, -sin, none, sin, cos], axis=1), (-1, 3, 3))
    to_yiq, to_rgb = tf.constant(_TO_YIQ, tf.float32), tf.constant(_TO_RGB, tf.float32)
    matrix = contrast[:, None, None] * (to_rgb @ middle @ to_yiq)  # (N, 3, 3), acts on a column (r, g, b)
    offset = 127.5 * (1 - contrast) + 255 * brightness
    changed = tf.einsum("nhwc,ndc->nhwd", images, matrix) + offset[:, None, None, None]
    untouched = (brightness == 0) & (contrast == 1) & (saturation == 1) & (hue == 0)
    return tf.where(untouched[:, None, None, None], images, changed)
