"""Contact sheets of boxes: those of each class side by side, and those that a person should look at."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, ImageDraw

from humbleyolo.drawing.contact_sheet import contact_sheet
from humbleyolo.drawing.palette import DOUBTED, OUTSIDE, WHITE
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.inputs.folder import IMAGE_BYTES, Source
from humbleyolo.inputs.ledger import Finding
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.storage.array_types import Floats, Rgb

MOST_CLASSES = 100  # whose sheets a page can hold
_COLUMNS, _MOST = 12, 96
_SIDE = 72  # pixels of a crop's longer side, at most
_MARGIN = 0.15  # of the box, shown around it
_DOUBTS = {
    "class-swapped": "Looks like another class",
    "box-shifted": "Looks as if beside the object",
    "nearly-twice": "Nearly the same box as another",
}
_DOUBTED_COLUMNS, _MOST_DOUBTED = 7, 42
_DOUBTED_SIDE = 168  # pixels


def class_sheets(
    records: Sequence[LabelledImage], classes: Sequence[str], source: Source, most: int = MOST_CLASSES
) -> dict[str, Image.Image]:
    """Return one sheet per class that has boxes, of up to 96 of them, picked by a hash.

    Those of the classes with most boxes are made, `most` of them. Each image is read once, however many of its boxes
    are shown.
    """
    counts = Counter(label for record in records for label in record.labels)
    shown = {name for name, _ in counts.most_common(most)}
    hashed: dict[str, list[tuple[str, int, int]]] = {
        name: [] for name in classes if name in shown
    }  # hash, image, box
    for place, record in enumerate(records):
        for index, label in enumerate(record.labels):
            if label in shown:
                key = hashlib.sha256(f"{record.info.sha256}:{index}".encode()).hexdigest()
                hashed[label].append((key, place, index))  # hash, image, box
    picked = {name: sorted(own)[:_MOST] for name, own in hashed.items()}
    wanted: dict[int, list[int]] = {}
    for _, place, index in sorted(one for own in picked.values() for one in own):
        wanted.setdefault(place, []).append(index)
    crops: dict[tuple[int, int], Image.Image] = {}
    for place, indices in sorted(wanted.items()):
        record = records[place]
        image = decode_rgb(source.read(record.path, IMAGE_BYTES), record.path)
        crops |= {(place, index): _crop(image, record.boxes[index]) for index in indices}
    return {
        name: contact_sheet(
            [crops[place, index] for _, place, index in own],
            columns=_COLUMNS,
            title=f"{name}: {len(own)} of {len(hashed[name])} boxes",
        )
        for name, own in picked.items()
    }


def doubted_sheets(
    rows: Sequence[Finding], records: Sequence[LabelledImage], source: Source
) -> dict[str, Image.Image]:
    """Return one sheet per kind of doubt about boxes: the first 42 of that kind, each with its surroundings.

    Findings (`rows`) come strongest first; those of other kinds are passed over.
    """
    places = {
        (record.label_file, where): (record, index) for record in records for index, where in enumerate(record.where)
    }

    @lru_cache(maxsize=1)
    def decoded(path: str) -> Rgb:
        return decode_rgb(source.read(path, IMAGE_BYTES), path)

    sheets = {}
    for kind, title in _DOUBTS.items():
        own = [row for row in rows if row.kind == kind and (row.file, row.where) in places]
        if not own:
            continue
        pictures, captions = [], []
        for row in own[:_MOST_DOUBTED]:
            record, index = places[row.file, row.where]
            pictures.append(_outlined(decoded(record.path), record.boxes[index]))
            captions.append(f"{record.labels[index]}, {PurePosixPath(record.path).stem}")
        heading = f"{title}: {len(pictures)} of {len(own)}"
        sheets[kind] = contact_sheet(pictures, columns=_DOUBTED_COLUMNS, captions=captions, title=heading)
    return sheets


def _outlined(image: Rgb, box: Floats) -> Image.Image:
    """Return a square around a box, twice as long, the box outlined; grey beyond the image."""
    side = 2 * float((box[2:] - box[:2]).max()) + 8
    left, top = ((box[:2] + box[2:]) / 2 - side / 2).tolist()
    window = (round(left), round(top), round(left + side), round(top + side))
    scale = _DOUBTED_SIDE / (window[2] - window[0])
    around = Image.new("RGB", (window[2] - window[0], window[3] - window[1]), OUTSIDE)
    around.paste(Image.fromarray(image), (-window[0], -window[1]))
    picture = around.resize((_DOUBTED_SIDE, _DOUBTED_SIDE), Image.Resampling.BILINEAR)
    corners = ((box - np.tile(window[:2], 2)) * scale).round().astype(int).tolist()
    brush = ImageDraw.Draw(picture)
    brush.rectangle(corners, outline=WHITE, width=4)
    brush.rectangle(corners, outline=DOUBTED, width=2)
    return picture


def _crop(image: Rgb, box: Floats) -> Image.Image:
    """Return a box with a margin, at most 72 pixels long and at least as large as it is in the image."""
    height, width = image.shape[:2]
    margin = np.maximum((box[2:] - box[:2]) * _MARGIN, 1)
    left, top = np.floor(np.maximum(box[:2] - margin, 0)).astype(int).tolist()
    right, bottom = np.ceil(np.minimum(box[2:] + margin, [width, height])).astype(int).tolist()
    crop = Image.fromarray(image[top:bottom, left:right])
    scale = _SIDE / max(crop.size)
    size = max(1, round(crop.width * scale)), max(1, round(crop.height * scale))
    return crop.resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST)
