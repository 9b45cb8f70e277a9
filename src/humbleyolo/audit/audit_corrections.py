"""Images with doubted labels, and their labels as the networks would have them, for a labelling tool."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from humbleyolo.audit.joined_splits import JoinedSplits
from humbleyolo.audit.label_doubts import Doubt
from humbleyolo.audit.pre_label_format import PreLabelFormat
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.inputs.image_info import inspect_image
from humbleyolo.labels.formats.coco import read_flags
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.pre_labels import write_pre_labels
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.new_folder import new_folder


def write_corrections(
    folder: Path, form: PreLabelFormat, data: JoinedSplits, doubts: Sequence[Doubt], detections: DetectionTable
) -> tuple[int, list[str]]:
    """Write the images with doubts, byte for byte, and their corrected labels as the labelled folder is read.

    Missing boxes are added, shifted ones moved, swapped ones renamed, doubled ones left out; a box without an object
    stays. Boxes that nobody doubts, and their flags, stay as they are. The labels name no split: images keep theirs.

    Returns:
        The number of images, and notes: on the numbers of classes, and on each image that had to be renamed.

    Raises:
        UserError: If something is in the folder already, or it cannot be written.
    """
    by_image: dict[int, list[Doubt]] = {}
    for doubt in doubts:
        by_image.setdefault(doubt.image, []).append(doubt)
    proposals = [
        (form.as_read(_corrected(image, data, by_image[image], detections)), partial(_read, data, image))
        for image in sorted(by_image)
    ]
    classes, notes = form.numbered(data.categories, {name for image, _ in proposals for name in image.labels})
    with new_folder(folder) as unfinished:
        items, renamed = write_pre_labels(unfinished, form.name, proposals, classes)
        form.write_class_list(unfinished, classes)
    return len(items), notes + renamed


def _read(data: JoinedSplits, image: int) -> bytes:
    return data.read(image)[1].image_bytes


def _corrected(image: int, data: JoinedSplits, doubts: Sequence[Doubt], detections: DetectionTable) -> LabelledImage:
    _, record = data.read(image)
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
        where=("",) * len(kept), splits=(), group=None, info=inspect_image(record.image_bytes),
    )  # fmt: skip
