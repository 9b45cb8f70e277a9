"""Fractions of the image, or percent, that stand where a format has pixels, as in Azure's COCO files."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from humbleyolo.inputs.ledger import BadInput
from humbleyolo.labels.corners_as_lengths import by_place, size_in
from humbleyolo.labels.labelled_image import UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Bools, Floats

_PIXELS = 2.0  # no object ends before: a fraction ends at 1, and two corners read as lengths end at 2
_SMALL = 16  # pixels: in an image with a shorter side an object may
_MISFITS = 0.05  # of the boxes, that may end behind
_FEWEST = 3  # boxes that do not
_FEWEST_PERCENT, _SPREAD = 20, 12.0  # boxes, and the standard deviation of their centres, in percent
_ROUNDED = 0.01  # percent, that a sum of rounded numbers may lie beyond the border
_REACH = (2.0, 10.0)  # percent, at least and at most, that boxes may leave free at each border


def read_as_fractions(reader: SourceReader, content: UncheckedSet) -> UncheckedSet:
    """Return the content of labels in pixels. Its boxes are fractions, with a note, where they are no pixels.

    Nearly all end in the first two pixels of their images then, and not at whole ones. This is asked of all boxes,
    else of those of a label file or a folder. Several such boxes among others are a mistake.
    """
    images = [image for image in content.images if image.boxes and not image.relative]
    whole = _are_fractions_of(reader, images)
    for place, some in {".": images}.items() if whole else by_place(images).items():
        if whole or _are_fractions_of(reader, some):
            found = counted(sum(len(image.boxes) for image in some), "box", "boxes")
            why = f"they end in the first {_PIXELS:g} pixels, so that they are fractions of the image"
            reader.ledger.note(place, BadInput("fractions-not-pixels", found, why), "read so")
            _turn(some)
        else:
            _drop_fractions(reader, place, some)
            _warn_of_percent(reader, place, some)
    return content


def _are_fractions_of(reader: SourceReader, images: Sequence[UncheckedImage]) -> bool:
    """Tell if the boxes of images are fractions. The images are opened only if these look so."""
    if not are_fractions(_numbers(images), _FEWEST):
        return False
    large = [one for one in images if _is_large(reader, one)]
    return are_fractions(_numbers(large), _FEWEST)


def _is_large(reader: SourceReader, image: UncheckedImage, side: int = _SMALL) -> bool:
    """Tell if an image has room for an object behind its first pixels: no side is shorter than so many."""
    size = (image.height, image.width) if image.height and image.width else size_in(reader, image.path)
    return bool(size) and min(size or (0,)) >= side


def _drop_fractions(reader: SourceReader, place: str, images: Sequence[UncheckedImage]) -> None:
    """Drop the boxes that are fractions among others in pixels: a mistake, if they are several."""
    numbers = _numbers(images)
    mask: Bools = np.all(np.abs(numbers) <= _PIXELS, axis=1)
    mask[mask] = np.any(numbers[mask] % 1 != 0, axis=1)
    if mask.sum() < _FEWEST:
        return
    doubtful = iter(mask.tolist())
    parted = [(image, [box for box in image.boxes if next(doubtful)]) for image in images]
    parted = [(image, some) for image, some in parted if some]
    if not all(_is_large(reader, image) for image, _ in parted):
        return
    found = f"{int(mask.sum()):,} of {len(numbers):,} boxes end in the first {_PIXELS:g} pixels"
    image, [box, *_] = parted[0]
    why = f"they look like fractions of the image, the others like pixels: write pixels; the first is {box.where}"
    error = BadInput("fractions-not-pixels", found, f"{why} of {image.path}")
    reader.ledger.problem(place, error, "these boxes dropped")
    for image, some in parted:
        image.lost += len(some)
        image.boxes = [box for box in image.boxes if box not in some]


def _warn_of_percent(reader: SourceReader, place: str, images: Sequence[UncheckedImage]) -> None:
    """Warn of boxes that may be percent of the image: they fill its first 100 pixels, up to just these."""
    if _may_be_percent(_numbers(images)) and all(_is_large(reader, image, 2 * 100) for image in images):
        why = "they may be percent of the image: write pixels then; the sheets of `check --html` show where they lie"
        reader.ledger.warn(place, BadInput("percent-not-pixels", "all boxes end in the first 100 pixels", why))


def _may_be_percent(boxes: Floats) -> bool:
    """Tell if boxes, (M, 4), have the marks of percent, which pixels of the upper left have by chance alone.

    Percent ends at 100, where objects are cut by the border, and pixels of a part end where the part does. So the
    boxes must come near 100 on both axes and near 0 on one, since objects may all stand below a horizon. None may
    pass. Of M objects anywhere in an image, in 19 of 20 cases one comes as near as 300 / M percent. The more boxes
    there are, the less chance ends a part just there. Percent of whole pixels is rarely whole. And the centres must
    be spread, as those of a badge are not.
    """
    if len(boxes) < _FEWEST_PERCENT or boxes.min() < -_ROUNDED or boxes.max() > 100 + _ROUNDED:
        return False
    least, most = _REACH
    free = min(max(least, 300 / len(boxes)), most)
    if boxes[:, :2].min() > free or boxes[:, 2:].max(axis=0).min() < 100 - free:
        return False
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return bool((boxes % 1 != 0).any(axis=1).mean() >= 0.5 and centres.std(axis=0).min() >= _SPREAD)


def are_fractions(boxes: Floats, fewest: int = 1) -> bool:
    """Tell if nearly all boxes, four numbers each, (M, 4), are fractions of their images and no pixels."""
    fits = (np.abs(boxes) <= _PIXELS).all(axis=1)
    few = max(_MISFITS * len(boxes), float(fits.sum() >= _FEWEST))
    return bool(fits.sum() >= fewest and (~fits).sum() <= few and (boxes[fits] % 1 != 0).any())


def _numbers(images: Sequence[UncheckedImage]) -> Floats:
    return np.array([box.corners for image in images for box in image.boxes], np.float64).reshape(-1, 4)


def _turn(images: Sequence[UncheckedImage]) -> None:
    """Make boxes of images fractions. An area that the labels say is none of the image's pixels."""
    for image in images:
        image.relative, image.slack = True, 1e-6
        image.boxes = [replace(box, area=math.nan) for box in image.boxes]
