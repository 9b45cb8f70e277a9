"""Box formats, areas, overlaps and non-maximum suppression, in NumPy.

    xyxy      left, top, right, bottom      in memory
    ltwh      left, top, width, height      in COCO files
    cxcywh    centre x, centre y, width, height      in the grid

      (left, top) +---------+        x grows to the right, y down. Edges lie between pixels: the box around
                  |    +    |        the one pixel at the image's upper left corner is (0, 0, 1, 1).
                  +---------+ (right, bottom)

Units are the caller's: pixels, or fractions of the image where a name ends in `_rel`. `M` boxes in the one
set and `D` in the other.
"""

import numpy as np
from numpy.typing import NDArray

from humbleyolo.storage.array_types import Floats, Ints


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


def area(boxes: Floats) -> Floats:
    """Return the areas (...) of xyxy boxes (..., 4); 0 where a corner is on the wrong side."""
    lengths = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(lengths[..., 0] * lengths[..., 1])


def pairwise_iou(a: Floats, b: Floats) -> Floats:
    """Return the intersection over union of every box of one set with every box of the other.

    Args:
        a: (M, 4) xyxy.
        b: (D, 4) xyxy, in the same unit.

    Returns:
        (M, D), 0 where both boxes are without area.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])  # (M, D, 2)
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    lengths = np.maximum(high - low, 0)
    both = lengths[..., 0] * lengths[..., 1]  # (M, D)
    union = area(a)[:, None] + area(b)[None, :] - both
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=union > 0))


def paired_iou(a: Floats, b: Floats) -> Floats:
    """Return the (M,) intersection over union of each of M boxes (M, 4) xyxy with the one of the same row.

    It is 0 where both are without area.
    """
    both = area(np.concatenate([np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])], axis=1))
    union = area(a) + area(b) - both
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=union > 0))


def to_whole_pixels(boxes: Floats) -> Floats:
    """Return boxes (..., 4) xyxy with their edges on whole pixels, but for those that would be left without area."""
    rounded = np.round(boxes)
    solid = np.all(rounded[..., 2:] > rounded[..., :2], axis=-1, keepdims=True)
    return np.where(solid, rounded, boxes)


def nms(boxes: Floats, scores: Floats, labels: Ints, iou: float) -> NDArray[np.intp]:
    """Keep, of boxes of one class that overlap by more than `iou`, the one with the highest score.

    The greedy rule of Felzenszwalb et al. 2010, class by class. Equal scores: the earlier index wins.

    Args:
        boxes: (D, 4) xyxy.
        scores: (D,).
        labels: (D,) class indices.
        iou: Highest overlap that two kept boxes of one class may have, 0 to 1.

    Returns:
        Indices of the boxes kept, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, labels = boxes[order], labels[order]
    alive = np.ones(len(order), bool)
    for position in range(len(order)):  # each decision depends on those before it
        if alive[position]:
            rivals = alive & (labels == labels[position])
            rivals[: position + 1] = False
            if rivals.any():
                alive[rivals] = pairwise_iou(boxes[position : position + 1], boxes[rivals])[0] <= iou
    return order[alive]
