"""Box formats, in NumPy.

    xyxy      left, top, right, bottom      in memory
    ltwh      left, top, width, height      in COCO files
    cxcywh    centre x, centre y, width, height      in the grid

A box on an image::

      (left, top) +---------+        x grows to the right, y down. Edges lie between pixels: the box around
                  |    +    |        the one pixel at the image's upper left corner is (0, 0, 1, 1).
                  +---------+ (right, bottom)

Units are the caller's: pixels, or fractions of the image if a name ends in `_rel`.
"""

import numpy as np

from humbleyolo.storage.array_types import Floats

SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's sizes of objects, as least and largest area in square pixels; both ends belong to each."""


def xyxy_to_ltwh(boxes: Floats) -> Floats:
    """Return (..., 4) corners as left, top, width, height."""
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def ltwh_to_xyxy(boxes: Floats) -> Floats:
    """Return (..., 4) left, top, width, height as corners."""
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xyxy_to_cxcywh(boxes: Floats) -> Floats:
    """Return (..., 4) corners as centre and lengths."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def cxcywh_to_xyxy(boxes: Floats) -> Floats:
    """Return (..., 4) centre and lengths as corners."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def to_whole_pixels(boxes: Floats) -> Floats:
    """Round the edges of boxes (..., 4) xyxy to whole pixels, but for boxes that would lose all area."""
    rounded = np.round(boxes)
    solid = np.all(rounded[..., 2:] > rounded[..., :2], axis=-1, keepdims=True)
    return np.where(solid, rounded, boxes)
