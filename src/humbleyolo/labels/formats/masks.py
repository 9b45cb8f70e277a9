"""The boxes around COCO's polygons and run-length masks."""

import re
from typing import Any

import numpy as np
from hotcoco import mask

from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get
from humbleyolo.labels.labelled_image import Corners

_MOST_PIXELS = 10**9
_COMPRESSED = re.compile("(?:[P-o]{0,6}[0-O])*+")  # six bits a character; the last of a run is below P


def mask_corners(segmentation: Any, where: str) -> Corners:
    """Return the box around polygons `[[x, y, x, y, ...], ...]` or an RLE `{"size": [h, w], "counts": ...}`.

    Raises:
        BadInput: If it is neither, or empty.
    """
    if isinstance(segmentation, dict):
        return _rle_corners(segmentation, where)
    if not isinstance(segmentation, list) or not segmentation:
        raise BadInput("no-box", f"segmentation {shorten(segmentation)}", "needs a bbox, polygons or RLE", where)
    for polygon in segmentation:
        if not isinstance(polygon, list):
            raise BadInput("json", shorten(polygon), "a polygon is a list [x, y, x, y, ...]", where)
    return points_corners([value for polygon in segmentation for value in polygon], where)


def points_corners(values: list[Any], where: str) -> Corners:
    """Return the box around points `[x, y, x, y, ...]`.

    Raises:
        BadInput: If they are not pairs of numbers.
    """
    if len(values) < 4 or len(values) % 2:
        why = "a shape has x, y, x, y, ...: two points or more"
        raise BadInput("columns", f"{len(values)} coordinates", why, where)
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise BadInput("not-a-number", shorten(values), "coordinates must be numbers", where)
    points = np.array([float(value) for value in values]).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right, bottom


def _rle_corners(rle: dict[str, Any], where: str) -> Corners:
    """Return the box around a mask whose runs go down the columns, starting with zeros; nothing is unrolled."""
    size = get(rle, "size", list, where)
    if len(size) != 2 or not all(type(side) is int and 0 < side < _MOST_PIXELS for side in size):
        raise BadInput("json", f"size {shorten(size)}", "must be [height, width]", where)
    height, width = size
    counts = get(rle, "counts", (list, str), where)
    if isinstance(counts, str) and not _COMPRESSED.fullmatch(counts):
        raise BadInput("json", f"counts {shorten(counts)}", "is not COCO's compressed RLE", where)
    if isinstance(counts, list) and not all(type(run) is int and 0 <= run <= _MOST_PIXELS for run in counts):
        raise BadInput("json", f"counts {shorten(counts)}", "must be whole numbers from 0", where)
    if height * width > _MOST_PIXELS:
        raise BadInput("json", f"RLE of {height} x {width}", f"may have {_MOST_PIXELS:,} pixels at most", where)
    try:
        left, top, across, down = mask.to_bbox(rle).tolist()
    except ValueError:
        why = f"must be whole numbers from 0 that add up to at most {height} x {width}"
        raise BadInput("json", f"RLE counts {shorten(counts)}", why, where) from None
    if not across * down:
        raise BadInput("zero-area", "RLE without ones", "has no area; delete it", where)
    return left, top, left + across, top + down
