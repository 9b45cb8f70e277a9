"""A contact sheet for each class: what its boxes hold, side by side, so that a wrong one stands out."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humbleyolo.drawing import contact_sheet
from humbleyolo.images import Rgb, decode
from humbleyolo.labels.record import Record
from humbleyolo.labels.source import IMAGE_BYTES, Source

_COLUMNS, _MOST = 12, 96
_SIDE = 72  # pixels of a crop's longer side, at most
_MARGIN = 0.15  # of the box, shown around it


def class_sheets(records: Sequence[Record], classes: Sequence[str], source: Source) -> dict[str, Image.Image]:
    """Return one sheet a class that has boxes, of up to 96 of them, picked evenly by a hash.

    Each image is read once, however many of its boxes are shown.
    """
    picked: dict[str, list[tuple[str, int, int]]] = {name: [] for name in classes}
    for place, record in enumerate(records):
        for index, label in enumerate(record.labels):
            key = hashlib.sha256(f"{record.facts.sha256}:{index}".encode()).hexdigest()
            picked[label].append((key, place, index))
    wanted: dict[int, list[tuple[str, int, str]]] = {}
    for name, some in picked.items():
        for key, place, index in sorted(some)[:_MOST]:
            wanted.setdefault(place, []).append((key, index, name))
    crops: dict[str, list[tuple[str, Image.Image]]] = {name: [] for name in classes}
    for place, shown in sorted(wanted.items()):
        record = records[place]
        image = decode(source.read(record.image, IMAGE_BYTES), record.image)
        for key, index, name in shown:
            crops[name].append((key, _crop(image, record.boxes[index])))
    return {
        name: contact_sheet(
            [crop for _, crop in sorted(own, key=lambda one: one[0])],
            columns=_COLUMNS,
            title=f"{name}: {len(own)} of {len(picked[name])} boxes",
        )
        for name, own in crops.items()
        if own
    }


def _crop(image: Rgb, box: NDArray[np.float64]) -> Image.Image:
    """Return a box with a margin, at most 72 pixels long and at least as large as it is in the image."""
    height, width = image.shape[:2]
    margin = np.maximum((box[2:] - box[:2]) * _MARGIN, 1)
    left, top = np.floor(np.maximum(box[:2] - margin, 0)).astype(int).tolist()
    right, bottom = np.ceil(np.minimum(box[2:] + margin, [width, height])).astype(int).tolist()
    crop = Image.fromarray(image[top:bottom, left:right])
    scale = _SIDE / max(crop.size)
    size = max(1, round(crop.width * scale)), max(1, round(crop.height * scale))
    return crop.resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST)
