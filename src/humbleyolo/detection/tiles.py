"""A large image as tiles that overlap, and the detections on tiles as those of the image."""

import math

import numpy as np

from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.iou import pairwise_share
from humbleyolo.geometry.suppression import suppress
from humbleyolo.storage.array_types import Bools, Floats, Ints

_OVERLAP = 0.25  # of a tile's side: what is smaller than that is whole on one tile at least
_TOUCHES = 0.02  # of a tile's side: a box that near to an inner edge is cut there


def tile_places(height: int, width: int, side: int) -> Ints:
    """Return the tiles of an image: (T, 4) xyxy whole pixels, row by row.

    Every pixel is on a tile. Tiles are `side` pixels high and wide, or as the image where that is less; they
    overlap by a quarter or more.
    """
    lefts, tops = _starts(width, side), _starts(height, side)
    return np.array(
        [(x, y, min(x + side, width), min(y + side, height)) for y in tops for x in lefts], np.int64
    ).reshape(-1, 4)


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    step = max(1, math.floor(side * (1 - _OVERLAP)))
    count = math.ceil((length - side) / step) + 1
    return [round(number * (length - side) / (count - 1)) for number in range(count)]


def join_tiles(
    found: list[Detections], places: Ints, height: int, width: int, iou: float, most: int
) -> Detections:
    """Return the detections on the tiles of an image as those of the image.

    Of two boxes of one class that share more than `iou` of the smaller one, one is kept: rather the one that
    no inner edge of a tile cuts, then the one of the higher score.

    Args:
        found: On each tile, boxes in the image's pixels.
        places: (T, 4) the tiles, xyxy pixels.
        height: Of the image, pixels.
        width: Of the image, pixels.
        iou: See above.
        most: The best so many are kept.
    """
    boxes = np.concatenate([one.boxes for one in found])  # (D, 4)
    scores = np.concatenate([one.scores for one in found])
    labels = np.concatenate([one.labels for one in found])
    tiles = np.repeat(places, [len(one.scores) for one in found], axis=0)  # (D, 4)
    cut = _is_cut(boxes, tiles, height, width)
    order = np.lexsort((-scores, cut))
    kept = suppress(boxes, labels, order, iou, pairwise_share)
    kept = kept[np.argsort(-scores[kept], kind="stable")][:most]
    return Detections(boxes[kept], scores[kept], labels[kept])


def _is_cut(boxes: Floats, tiles: Ints, height: int, width: int) -> Bools:
    """Return (D,) whether a box ends at an edge of its tile that is none of the image's."""
    near = _TOUCHES * (tiles[:, 2:] - tiles[:, :2])  # (D, 2)
    low = (boxes[:, :2] <= tiles[:, :2] + near) & (tiles[:, :2] > 0)
    high = (boxes[:, 2:] >= tiles[:, 2:] - near) & (tiles[:, 2:] < (width, height))
    return np.asarray((low | high).any(axis=1))
