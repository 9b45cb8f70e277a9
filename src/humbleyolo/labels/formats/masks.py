"""The boxes around COCO's polygons and run-length masks."""

from typing import Any

import numpy as np

from humbleyolo.labels.labelled_image import Corners
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.json import get
from humbleyolo.storage.array_types import Ints

_MOST_PIXELS = 10**9


def mask_corners(segmentation: Any, where: str) -> Corners:
    """Return the box around polygons `[[x, y, x, y, ...], ...]` or an RLE `{"size": [h, w], "counts": ...}`.

    Raises:
        BadInput: Where it is neither, or empty.
    """
    if isinstance(segmentation, dict):
        return _rle_corners(segmentation, where)
    if not isinstance(segmentation, list) or not segmentation:
        raise BadInput(
            "no-box", f"segmentation {shorten(segmentation)}", "needs a bbox, polygons or RLE", where
        )
    return points_corners([value for polygon in segmentation for value in _as_list(polygon, where)], where)


def points_corners(values: list[Any], where: str) -> Corners:
    """Return the box around points `[x, y, x, y, ...]`.

    Raises:
        BadInput: Where they are not pairs of numbers.
    """
    if len(values) < 4 or len(values) % 2:
        raise BadInput(
            "columns", f"{len(values)} coordinates", "a shape has x, y, x, y, ...: two points or more", where
        )
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise BadInput("not-a-number", shorten(values), "coordinates must be numbers", where)
    points = np.array([float(value) for value in values]).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right, bottom


def _as_list(polygon: Any, where: str) -> list[Any]:
    if not isinstance(polygon, list):
        raise BadInput("json", shorten(polygon), "a polygon is a list [x, y, x, y, ...]", where)
    return polygon


def _rle_corners(rle: dict[str, Any], where: str) -> Corners:
    """Runs go down the columns, starting with zeros; the box is found without unrolling them."""
    size = get(rle, "size", list, where)
    if len(size) != 2 or not all(type(side) is int and 0 < side < _MOST_PIXELS for side in size):
        raise BadInput("json", f"size {shorten(size)}", "must be [height, width]", where)
    height, width = size
    counts = get(rle, "counts", (list, str), where)
    runs = _uncompress(counts, where) if isinstance(counts, str) else _runs(counts, where)
    ends = np.cumsum(runs)  # (number of runs,)
    if height * width > _MOST_PIXELS or (len(ends) and int(ends[-1]) > height * width):
        raise BadInput("json", "RLE counts", f"must add up to at most {height} x {width}", where)
    starts, stops = (ends - runs)[1::2], ends[1::2]  # of ones
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not len(starts):
        raise BadInput("zero-area", "RLE without ones", "has no area; delete it", where)
    wraps = starts // height != (stops - 1) // height
    top = 0 if wraps.any() else int((starts % height).min())
    bottom = height if wraps.any() else int(((stops - 1) % height).max()) + 1
    return float(starts.min() // height), float(top), float((stops.max() - 1) // height + 1), float(bottom)


def _runs(counts: list[Any], where: str) -> Ints:
    if not all(type(run) is int and 0 <= run <= _MOST_PIXELS for run in counts):
        raise BadInput("json", f"counts {shorten(counts)}", "must be whole numbers from 0", where)
    return np.array(counts, np.int64)


def _uncompress(text: str, where: str) -> Ints:
    """Return the runs of COCO's compressed counts: six bits a character, each less the run before last."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            raise BadInput("json", f"counts {shorten(text)}", "is not COCO's compressed RLE", where)
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return _runs(runs, where)
