"""Corners that stand where a format has a box's width and height, and the other way round.

Some would lie inside the image all the same, in another place.
"""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import numpy as np

from humbleyolo.inputs.folder import IMAGE_BYTES
from humbleyolo.inputs.image_info import upright_size
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.labels.labelled_image import UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.storage.array_types import Bools, Floats

_FIELDS = {
    "coco": "left, top, width, height",
    "imagefolder": "left, top, width, height",
    "yolo": "centre x, centre y, width, height",
}
_CORNERED = ("bbox_label_tool", "csv", "kitti", "oidv4", "voc")  # formats of left, top, right, bottom
_LEAVE = 0.1  # of the boxes, that leave their image by far as they are read
_FEWEST = 3  # boxes, likewise
_FAR = 0.05  # of the image's side: a hand that draws over the border stays below
_FARTHEST = 0.1  # likewise, of one box at least
_MISFITS = 0.05  # of the boxes, or one, that do not lie inside their image if they are read as corners
_BEYOND = 0.02  # of the image's side, that a hand may draw over the border


def drop_corners(reader: SourceReader, format_: str, content: UncheckedSet) -> UncheckedSet:
    """Return the content of a format's labels, its boxes lost if they are corners: a mistake in the ledger.

    If not all are, those of one label file may be, or of one folder. Under a format given by name this is a warning,
    and the boxes stay. In formats of corners it is so of lengths.
    """
    if format_ not in (*_FIELDS, *_CORNERED):
        return content
    size_of = partial(size_in, reader)

    def find(images: Sequence[UncheckedImage]) -> BadInput | None:
        return (find_corners if format_ in _FIELDS else find_lengths)(format_, images, size_of)

    whole = find(content.images)
    for place, images in {".": content.images}.items() if whole else by_place(content.images).items():
        corners = whole or find(images)
        if corners and reader.options.format != "auto":
            reader.ledger.warn(place, corners, "read as they are")
        elif corners:
            reader.ledger.problem(place, corners, "all boxes dropped")
            for image in images:
                image.lost += len(image.boxes)
                image.boxes = []
    return content


def by_place(images: Sequence[UncheckedImage]) -> dict[str, list[UncheckedImage]]:
    """Return images by their label file, if it speaks of several, else by its folder."""
    of_file = Counter(image.label_file for image in images)
    places: dict[str, list[UncheckedImage]] = defaultdict(list)
    for image in images:
        file = image.label_file
        places[file if of_file[file] > 1 else posixpath.dirname(file) or "."].append(image)
    return places


def size_in(reader: SourceReader, path: str) -> tuple[int, int] | None:
    """Return the (height, width) of an image file; None if it cannot be opened."""
    with suppress(BadInput):
        return upright_size(reader.source.read(path, IMAGE_BYTES), reader.options.exif)
    return None


def find_corners(
    format_: str, labelled: Sequence[UncheckedImage], size_of: Callable[[str], tuple[int, int] | None]
) -> BadInput | None:
    """Return the mistake that boxes of a format with lengths are corners; None if nothing says so.

    Many leave their image by far as they are read, and nearly all lie inside it, the right way round, if read as
    corners. The second alone tells nothing: right boxes of objects that fill the picture may be read both ways. But
    right boxes cross the border by little, if at all. `size_of` an image is asked where the labels do not say it.
    """
    images = [image for image in labelled if image.boxes]
    boxes = np.array([box.corners for image in images for box in image.boxes], np.float64).reshape(-1, 4)  # as read
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = boxes[:, 2:] - boxes[:, :2]
        first = (boxes[:, :2] + boxes[:, 2:]) / 2 if format_ == "yolo" else boxes[:, :2]
        corners = np.concatenate([first, lengths], axis=1)  # (M, 4): the numbers as they are written
        ordered: Bools = np.all(corners[:, 2:] > corners[:, :2], axis=1)
        if len(boxes) < _FEWEST or _misfits(ordered):
            return None  # before any image is opened
        limits = _limits(images, size_of)
        known = np.isfinite(limits).all(axis=1)
        if known.sum() < _FEWEST:
            return None
        beyond = _beyond(boxes[known], limits[known])
        fit = (_beyond(corners[known], limits[known]) <= _BEYOND) & ordered[known]
    leave = int((beyond > _FAR).sum()) if beyond.max() > _FARTHEST else 0
    if leave < max(_FEWEST, _LEAVE * len(beyond)) or _misfits(fit):
        return None
    found = f"{leave:,} of {len(beyond):,} boxes leave their image by far"
    why = f"as left, top, right, bottom they lie inside; write {_FIELDS[format_]}"
    return BadInput("corners-not-lengths", found, f"{why}; if they are right, name the format, {format_}")


def find_lengths(
    format_: str, labelled: Sequence[UncheckedImage], size_of: Callable[[str], tuple[int, int] | None]
) -> BadInput | None:
    """Return the mistake that boxes of a format with corners are lengths; None if nothing says so.

    Many end before they begin as they are read, as right corners never do. Lengths do wherever a box begins in the
    right or lower half. Nearly all lie inside their image if read as left, top, width, height. `size_of` is as of
    `find_corners`.
    """
    images = [image for image in labelled if image.boxes]
    boxes = np.array([box.corners for image in images for box in image.boxes], np.float64).reshape(-1, 4)
    ends_first: Bools = np.any(boxes[:, 2:] < boxes[:, :2], axis=1)
    inverted = int(ends_first.sum())
    positive: Bools = np.all(boxes[:, 2:] > 0, axis=1)
    if inverted < max(_FEWEST, _LEAVE * len(boxes)) or _misfits(positive):
        return None  # before any image is opened
    limits = _limits(images, size_of)
    known = np.isfinite(limits).all(axis=1)
    ends = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)[known]
    if known.sum() < _FEWEST or _misfits((_beyond(ends, limits[known]) <= _BEYOND) & positive[known]):
        return None
    far: Bools = np.any(boxes[known, :2] > limits[known, :2] / 2, axis=1)
    if far.sum() < _FEWEST or _misfits(ends_first[known][far]):
        return None
    found = f"{inverted:,} of {len(boxes):,} boxes end before they begin"
    named = ", or name the columns so" if format_ == "csv" else ""
    why = f"as left, top, width, height they lie inside; write left, top, right, bottom{named}"
    return BadInput("lengths-not-corners", found, f"{why}; if they are right, name the format, {format_}")


def _misfits(fit: Bools) -> bool:
    """Tell if too many boxes, (M,), do not fit."""
    return bool((~fit).sum() > max(1, _MISFITS * len(fit)))


def _limits(images: Sequence[UncheckedImage], size_of: Callable[[str], tuple[int, int] | None]) -> Floats:
    """Return the width, height, width, height of each box's image, (M, 4); NaN where they are not known."""
    rows: list[tuple[float, float]] = []
    for image in images:
        size: tuple[float, float] | None = (1, 1)
        if not image.relative:
            size = (image.height, image.width) if image.height and image.width else size_of(image.path)
        rows += [size or (np.nan, np.nan)] * len(image.boxes)
    return np.tile(np.array(rows, np.float64)[:, ::-1], 2)


def _beyond(boxes: Floats, limits: Floats) -> Floats:
    """Return how far boxes, (M, 4) xyxy, reach over the border: (M,) shares of a side, at most 0 inside."""
    beyond: Floats = (np.maximum(-boxes, boxes - limits) / limits).max(axis=1)
    return beyond
