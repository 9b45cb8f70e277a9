"""Images with doubted labels, and their labels as the networks would have them, for a labelling tool."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from humbleyolo.check.audited_dataset import AuditedDataset
from humbleyolo.check.label_doubts import Doubt
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.labels.formats.coco import read_flags
from humbleyolo.labels.formats.registry import WRITABLE
from humbleyolo.labels.image_info import inspect_image
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.ledger import Ledger
from humbleyolo.labels.writing import WrittenSet, name_images, new_folder
from humbleyolo.metrics.tables import DetectionTable


def write_corrections(
    folder: Path, to: str, data: AuditedDataset, doubts: Sequence[Doubt], detections: DetectionTable
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
    ledger, chosen = Ledger("error"), WRITABLE[to]
    corrected = {image: _corrected(image, data, by_image[image], detections) for image in sorted(by_image)}
    numbers = {id(labelled): image for image, labelled in corrected.items()}
    items = name_images(list(corrected.values()), ledger)
    with new_folder(folder) as partial:
        (partial / chosen.IMAGES).mkdir(parents=True, exist_ok=True)
        for item in items:
            _, record = data.read(numbers[id(item.image)])
            (partial / chosen.IMAGES / item.name).write_bytes(record.image_bytes)
        chosen.write(WrittenSet(items, data.categories, partial))
    return len(items), [f"{row} ({row.done})" for row in ledger.rows]


def _corrected(
    image: int, data: AuditedDataset, doubts: Sequence[Doubt], detections: DetectionTable
) -> LabelledImage:
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
