"""Advice on the input size and the grid: the cheapest that can hold a dataset's boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.geometry.boxes import xyxy_to_cxcywh
from humbleyolo.geometry.grid import Grid
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.metrics.grid_ceiling import Ceiling, measure_ceiling

_LONG_SIDES = (128, 192, 256, 320, 448, 640)
_CELLS = (8, 16, 32)  # pixels of the input
_MULTIPLE = 32
_SMALLEST_PX = 8.0  # the 5 % smallest boxes should have sides no shorter than this in the input
_GOOD = 0.99  # of AP50 that a grid should be able to reach
_MOST_IMAGES = 1500


@dataclass(frozen=True, slots=True)
class Choice:
    """An input size and a grid.

    Attributes:
        height: Height of the input, pixels.
        width: Likewise.
        smallest: Shorter side that 95 % of the boxes exceed in the input, pixels.
        ceiling: Best score that a detector can reach on the grid, with one box per cell.
    """

    height: int
    width: int
    smallest: float
    ceiling: Ceiling


def advise(records: Sequence[LabelledImage], classes: Sequence[str]) -> tuple[list[Choice], Choice | None]:
    """Return the choices, and the cheapest that is good enough; None without boxes.

    In a good one the smallest boxes keep 8 pixels, and the grid's ceiling on AP50 is 0.99. If there is none, the
    nearest is advised. Up to 1,500 images, evenly spread, are measured.
    """
    some = records[:: max(1, len(records) // _MOST_IMAGES)]
    if not any(record.labels for record in some):
        return [], None
    heights, widths = (np.array([getattr(one, key) for one in some], float) for key in ("height", "width"))
    aspect = float(np.median(widths / heights))
    largest = float(np.maximum(heights, widths).max())
    choices = []
    for long_side in _LONG_SIDES:
        if long_side > _LONG_SIDES[0] and long_side >= 2 * largest:
            break
        height, width = _input_size(long_side, aspect)
        boxes, labels, image_index = _letterboxed(some, classes, height, width)
        smallest = float(np.quantile(xyxy_to_cxcywh(boxes)[:, 2:].min(axis=1), 0.05))
        for cell in _CELLS:
            grid = Grid(height, width, height // cell, width // cell, boxes=1, classes=len(classes))
            ceiling = measure_ceiling(boxes, labels, image_index, len(some), grid)
            choices.append(Choice(height, width, smallest, ceiling))
    good = [one for one in choices if one.smallest >= _SMALLEST_PX and (one.ceiling.ap50 or 0) >= _GOOD]
    if good:
        return choices, min(good, key=lambda one: (one.height * one.width, one.ceiling.rows))
    return choices, max(choices, key=lambda one: (min(one.ceiling.ap50 or 0, _GOOD), min(one.smallest, _SMALLEST_PX)))


def _input_size(long_side: int, aspect: float) -> tuple[int, int]:
    """Return (height, width), multiples of 32, of about this shape (width / height)."""
    short = max(_MULTIPLE, round(long_side * min(aspect, 1 / aspect) / _MULTIPLE) * _MULTIPLE)
    return (short, long_side) if aspect >= 1 else (long_side, short)


def _letterboxed(
    records: Sequence[LabelledImage], classes: Sequence[str], height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes (M, 4) xyxy in the input's pixels, labels (M,) and image indices (M,)."""
    indices = {name: index for index, name in enumerate(classes)}
    boxes = [Letterbox(one.height, one.width, height, width).boxes_in(one.boxes) for one in records]
    labels = [indices[label] for one in records for label in one.labels]
    image_index = np.repeat(np.arange(len(records)), [len(one.labels) for one in records])
    return np.concatenate(boxes), np.array(labels, np.int64), image_index
