"""Corners that stand where a format has a box's width and height. Some would lie inside the image all the same."""

import numpy as np

from humbleyolo.labels.labelled_image import UncheckedSet
from humbleyolo.labels.ledger import BadInput
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.storage.array_types import Floats

_FIELDS = {"coco": "left, top, width, height", "yolo": "centre x, centre y, width, height"}
_LEAVE = 0.1  # of the boxes, that leave their image by far as they are read
_FEWEST = 3  # boxes, likewise
_FAR = 0.05  # of the image's side: a hand that draws over the border stays below
_FARTHEST = 0.1  # likewise, of one box at least
_FIT = 0.99  # of the boxes, that lie inside their image if they are read as corners
_BEYOND = 0.02  # of the image's side, that a hand may draw over the border


def drop_corners(reader: SourceReader, format_: str, content: UncheckedSet) -> UncheckedSet:
    """Return the content of a format's labels, its boxes lost if they are corners: a mistake in the ledger.

    Under a format given by name this is a warning, and the boxes stay.
    """
    corners = find_corners(format_, content)
    if corners and reader.options.format != "auto":
        reader.ledger.warn(".", corners, "read as they are")
    elif corners:
        reader.ledger.problem(".", corners, "all boxes dropped")
        for image in content.images:
            image.lost += len(image.boxes)
            image.boxes = []
    return content


def find_corners(format_: str, content: UncheckedSet) -> BadInput | None:
    """Return the mistake that boxes of a format with lengths are corners; None if nothing says so.

    Many leave their image by far as they are read, and nearly all lie inside it, the right way round, if read as
    corners. The second alone tells nothing: right boxes of objects that fill the picture may be read both ways. But
    right boxes cross the border by little, if at all.
    """
    if format_ not in _FIELDS:
        return None
    rows = [
        (box.corners, (1, 1) if image.relative else (image.width, image.height))
        for image in content.images
        if image.relative or (image.width and image.height)
        for box in image.boxes
    ]
    if not rows:
        return None
    boxes = np.array([corners for corners, _ in rows], np.float64)  # (M, 4) xyxy, as read
    limits = np.array([size + size for _, size in rows], np.float64)  # (M, 4)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = boxes[:, 2:] - boxes[:, :2]
        first = boxes[:, :2] if format_ == "coco" else (boxes[:, :2] + boxes[:, 2:]) / 2
        corners = np.concatenate([first, lengths], axis=1)  # (M, 4): the numbers as they are written
        beyond = _beyond(boxes, limits)
        leave = int((beyond > _FAR).sum()) if beyond.max() > _FARTHEST else 0
        fit = (_beyond(corners, limits) <= _BEYOND) & (corners[:, 2:] > corners[:, :2]).all(axis=1)
    if leave < max(_FEWEST, _LEAVE * len(boxes)) or fit.mean() < _FIT:
        return None
    found = f"{leave:,} of {len(boxes):,} boxes leave their image by far"
    why = f"read as left, top, right, bottom they lie inside; write {_FIELDS[format_]}"
    return BadInput("corners-not-lengths", found, f"{why}, or name the format, {format_}, if they are right")


def _beyond(boxes: Floats, limits: Floats) -> Floats:
    """Return how far boxes, (M, 4) xyxy, reach over the border: (M,) shares of a side, at most 0 inside."""
    beyond: Floats = (np.maximum(-boxes, boxes - limits) / limits).max(axis=1)
    return beyond
