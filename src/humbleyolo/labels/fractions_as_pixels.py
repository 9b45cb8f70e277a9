"""Fractions of the image that stand where a format has pixels, as in Azure's COCO files."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from humbleyolo.labels.corners_as_lengths import by_place, size_in
from humbleyolo.labels.labelled_image import UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Floats

_PIXELS = 2.0  # no object ends before: a fraction ends at 1, and two corners read as lengths end at 2
_SMALL = 16  # pixels: in an image with a shorter side an object may
_MISFITS = 0.05  # of the boxes, that may end behind
_FEWEST = 3  # boxes that do not


def read_as_fractions(reader: SourceReader, content: UncheckedSet) -> UncheckedSet:
    """Return the content of labels in pixels. Its boxes are fractions, with a note, where they are no pixels.

    Nearly all end in the first two pixels of their images then, and not at whole ones. This is asked of all boxes,
    else of those of a label file or a folder.
    """
    images = [image for image in content.images if image.boxes and not image.relative]
    whole = _are_fractions_of(reader, images)
    for place, some in {".": images}.items() if whole else by_place(images).items():
        if whole or _are_fractions_of(reader, some):
            found = counted(sum(len(image.boxes) for image in some), "box", "boxes")
            why = f"they end in the first {_PIXELS:g} pixels, so that they are fractions of the image"
            reader.ledger.note(place, BadInput("fractions-not-pixels", found, why), "read so")
            _turn(some)
    return content


def _are_fractions_of(reader: SourceReader, images: Sequence[UncheckedImage]) -> bool:
    """Tell if the boxes of images are fractions. The images are opened only if these look so."""
    if not are_fractions(_numbers(images), _FEWEST):
        return False
    sizes = [(one.height, one.width) if one.height and one.width else size_in(reader, one.path) for one in images]
    large = [one for one, size in zip(images, sizes, strict=True) if size and min(size) >= _SMALL]
    return are_fractions(_numbers(large), _FEWEST)


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
