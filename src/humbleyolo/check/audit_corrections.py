"""Images with doubted labels, and their labels as the networks would have them, for a labelling tool."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from humbleyolo.check.joined_splits import JoinedSplits
from humbleyolo.check.label_doubts import Doubt
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.labels.formats.coco import read_flags
from humbleyolo.labels.image_info import inspect_image
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.pre_labels import write_pre_labels
from humbleyolo.labels.writing import new_folder
from humbleyolo.metrics.tables import DetectionTable


def write_corrections(
    folder: Path, to: str, data: JoinedSplits, doubts: Sequence[Doubt], detections: DetectionTable
) -> tuple[int, list[str]]:
    """Write the images with doubts, byte by byte, and their corrected labels in a format of `registry.WRITABLE`.

    Missing boxes are added, shifted ones moved, swapped ones renamed, doubled ones left out; a box without an object
    stays. Boxes that nobody doubts, and their flags, stay as they are.

    Returns:
        The number of images, and a line for each one that had to be renamed.

    Raises:
        UserError: If something is in the folder already, or it cannot be written.
    """
    by_image: dict[int, list[Doubt]] = {}
    for doubt in doubts:
        by_image.setdefault(doubt.image, []).append(doubt)
    proposals = [
        (_corrected(image, data, by_image[image], detections), partial(_read, data, image))
        for image in sorted(by_image)
    ]
    with new_folder(folder) as unfinished:
        items, notes = write_pre_labels(unfinished, to, proposals, data.categories)
    return len(items), notes


def _read(data: JoinedSplits, image: int) -> bytes:
    return data.read(image)[1].image_bytes


def _corrected(image: int, data: JoinedSplits, doubts: Sequence[Doubt], detections: DetectionTable) -> LabelledImage:
    split, record = data.read(image)
    first = int(np.searchsorted(data.truths.images, image))  # row of the image's first label
    boxes = list(ltwh_to_xyxy(record.boxes_ltwh))
    labels = [data.categories[label] for label in record.labels]
    flags = [read_flags(entry, "") for entry in record.annotations]
    doubled = set()
    for doubt in doubts:
        place = doubt.label - first
        if doubt.kind == "doubled":
            doubled.add(place)
        elif doubt.found >= 0:
            box = ltwh_to_xyxy(detections.boxes_ltwh[doubt.found][None])[0]
            name = data.categories[detections.labels[doubt.found]]
            if doubt.kind == "missing":
                boxes, labels, flags = [*boxes, box], [*labels, name], [*flags, frozenset()]
            elif doubt.kind == "shifted":
                boxes[place] = box
            else:
                labels[place] = name
    kept = [place for place in range(len(labels)) if place not in doubled]
    return LabelledImage(
        label_file="", path=record.file_name, height=record.height, width=record.width,
        boxes=np.array([boxes[place] for place in kept], np.float64).reshape(-1, 4),
        labels=tuple(labels[place] for place in kept), flags=tuple(flags[place] for place in kept),
        where=("",) * len(kept), splits=(split,), group=None, info=inspect_image(record.image_bytes),
    )  # fmt: skip
