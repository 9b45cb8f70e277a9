"""A large image as tiles that overlap, and the detections on tiles as those of the image."""

import math
from collections.abc import Sequence

import numpy as np

from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.iou import pairwise_share
from humbleyolo.geometry.suppression import suppress
from humbleyolo.storage.array_types import Bools, Floats, Ints

_OVERLAP = 0.25  # fraction of a tile's side; smaller objects are whole on one tile at least
_TOUCHES = 0.02  # fraction of a tile's side; a box that near to an inner edge is cut there


def tile_places(height: int, width: int, side: int) -> Ints:
    """Return the tiles of an image: (T, 4) xyxy whole pixels, row by row.

    Every pixel is on a tile. Tiles are `side` pixels high and wide, or as the image if that is less; they
    overlap by a quarter or more.
    """
    lefts, tops = _starts(width, side), _starts(height, side)
    places = [(x, y, min(x + side, width), min(y + side, height)) for y in tops for x in lefts]
    return np.array(places, np.int64).reshape(-1, 4)


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    step = max(1, math.floor(side * (1 - _OVERLAP)))
    count = math.ceil((length - side) / step) + 1
    return [round(number * (length - side) / (count - 1)) for number in range(count)]


def join_tiles(tiles: Sequence[Detections], places: Ints, height: int, width: int, iou: float) -> Detections:
    """Return the detections on the tiles of an image as those of the image.

    Of two boxes of one class on different tiles that share more than `iou` of the smaller one, one is kept. A box
    that no inner edge of a tile cuts goes first, then the higher score. Those of one tile were told apart there.

    Boxes, height and width are in pixels of the image, and so are `places`, (T, 4) xyxy of the T tiles. `iou` is 0 to
    1.
    """
    every = Detections.join(tiles)
    tile = np.repeat(np.arange(len(tiles)), [len(one) for one in tiles])  # (D,)
    cut = _is_cut(every.boxes, places[tile], height, width)
    order = np.lexsort((-every.scores, cut))
    kept = suppress(every.boxes, every.labels, order, iou, pairwise_share, sources=tile)
    return every.take(kept[np.argsort(-every.scores[kept], kind="stable")])


def _is_cut(boxes: Floats, tiles: Ints, height: int, width: int) -> Bools:
    """Return (D,) true for boxes that end at an edge of their tile that is none of the image's."""
    near = _TOUCHES * (tiles[:, 2:] - tiles[:, :2])  # (D, 2)
    low = (boxes[:, :2] <= tiles[:, :2] + near) & (tiles[:, :2] > 0)
    high = (boxes[:, 2:] >= tiles[:, 2:] - near) & (tiles[:, 2:] < (width, height))
    return np.asarray((low | high).any(axis=1))
