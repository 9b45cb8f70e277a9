"""Counts and sizes of a labelled dataset, class by class."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.labels.labelled_image import LabelledSet
from humbleyolo.storage.array_types import Floats

_SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Counts and sizes of one class.

    Attributes:
        name: Name of the class.
        boxes: Number of boxes.
        images: Number of images that hold them.
        width: Least, 5 %, median, 95 % and most, pixels.
        height: Likewise.
        aspect: Likewise, width / height.
    """

    name: str
    boxes: int
    images: int
    width: tuple[float, ...]
    height: tuple[float, ...]
    aspect: tuple[float, ...]


@dataclass(slots=True)
class Overview:
    """Counts and sizes of a whole dataset.

    Attributes:
        images: Number of usable images.
        background: Number of images without a box.
        tables: One per class, in the order of the classes.
        most_objects: Number of boxes of the image that has most.
        sizes: ((height, width), number of images of that size), most frequent first.
        splits: Number of images per split, if the labels name splits.
    """

    images: int
    background: int
    tables: list[ClassTable]
    most_objects: int
    sizes: list[tuple[tuple[int, int], int]]
    splits: dict[str, int] = field(default_factory=dict)

    @property
    def objects(self) -> int:
        """Number of boxes."""
        return sum(table.boxes for table in self.tables)


def overview(labelled: LabelledSet) -> Overview:
    """Count and measure the boxes and images of a dataset."""
    records = labelled.images
    boxes: dict[str, list[Floats]] = defaultdict(list)
    images: Counter[str] = Counter()
    for record in records:
        images.update(set(record.labels))
        for label, box in zip(record.labels, record.boxes, strict=True):
            boxes[label].append(box)
    lists = Counter(split for record in records for split in record.splits)
    return Overview(
        images=len(records),
        background=sum(not record.labels for record in records),
        tables=[_table(name, boxes[name], images[name]) for name in labelled.classes],
        most_objects=max((len(record.labels) for record in records), default=0),
        sizes=Counter((record.height, record.width) for record in records).most_common(),
        splits={name: lists[name] for name in SPLITS if lists[name]},
    )


def _table(name: str, boxes: Sequence[Floats], images: int) -> ClassTable:
    if not boxes:
        return ClassTable(name, 0, 0, (), (), ())
    lengths = np.array([box[2:] - box[:2] for box in boxes])  # (M, 2) width, height
    columns = lengths[:, 0], lengths[:, 1], lengths[:, 0] / lengths[:, 1]
    width, height, aspect = (tuple(np.quantile(column, _SHARES).tolist()) for column in columns)
    return ClassTable(name, len(boxes), images, width, height, aspect)
