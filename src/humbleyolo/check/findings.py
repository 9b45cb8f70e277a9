"""What is worth knowing about labels before training on them: findings, tables, and the grid that they ask for."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.labels.labelled_image import LabelledImage, LabelledSet
from humbleyolo.labels.ledger import BadInput, Ledger
from humbleyolo.labels.near_duplicates import find_near_duplicates
from humbleyolo.storage.array_types import Floats

ENOUGH = 500  # examples a class, the article's advice
TINY_PX = 4.0  # a box with a side shorter than this
NEARLY = 0.85  # IoU of two boxes that are probably one object
_ROWS = 256  # boxes of one image compared with all others at a time, so that memory does not grow with their square
_SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Counts and sizes of one class.

    Attributes:
        name: Of the class.
        boxes: How many; `images`: in how many.
        width: Least, 5 %, median, 95 %, most, in pixels; likewise `height`, and `aspect` (width / height).
    """

    name: str
    boxes: int
    images: int
    width: tuple[float, ...]
    height: tuple[float, ...]
    aspect: tuple[float, ...]


@dataclass(slots=True)
class Overview:
    """What a dataset holds.

    Attributes:
        images: Usable; `background` of them without a box.
        tables: One a class, in the order of the classes.
        sizes: (height, width) of images and how many have it, most frequent first.
        boxes_an_image: Boxes and how many images have that many.
        splits: Images in each list, where there are lists.
    """

    images: int
    background: int
    tables: list[ClassTable]
    sizes: list[tuple[tuple[int, int], int]]
    boxes_an_image: list[tuple[int, int]]
    splits: dict[str, int] = field(default_factory=dict)


def overview(labelled: LabelledSet) -> Overview:
    """Count and measure."""
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
        sizes=Counter((record.height, record.width) for record in records).most_common(),
        boxes_an_image=sorted(Counter(len(record.labels) for record in records).items()),
        splits={name: lists[name] for name in SPLITS if lists[name]},
    )


def _table(name: str, boxes: Sequence[Floats], images: int) -> ClassTable:
    if not boxes:
        return ClassTable(name, 0, 0, (), (), ())
    lengths = np.array([box[2:] - box[:2] for box in boxes])  # (M, 2) width, height
    columns = lengths[:, 0], lengths[:, 1], lengths[:, 0] / lengths[:, 1]
    width, height, aspect = (tuple(np.quantile(column, _SHARES).tolist()) for column in columns)
    return ClassTable(name, len(boxes), images, width, height, aspect)


def add_findings(labelled: LabelledSet, ledger: Ledger) -> None:
    """Add what labels show by themselves: boxes that are tiny or nearly twice there, rare classes, twins, leaks."""
    for record in labelled.images:
        _tiny(record, ledger)
        _nearly_twice(record, ledger)
    counts = Counter(label for record in labelled.images for label in record.labels)
    for name in labelled.classes:
        if counts[name] < ENOUGH:
            why = f"under {ENOUGH} examples a class a detector seldom learns it well; label more"
            ledger.warn(".", BadInput("few-examples", f"class {name}: {counts[name]} boxes", why))
    _names_alike(labelled.classes, ledger)
    _twins(labelled.images, ledger)


def _tiny(record: LabelledImage, ledger: Ledger) -> None:
    lengths = record.boxes[:, 2:] - record.boxes[:, :2]  # (M, 2)
    for index in np.flatnonzero((lengths < TINY_PX).any(axis=1)).tolist():
        width, height = lengths[index].tolist()
        why = f"a side under {TINY_PX:g} pixels: a slip of the mouse, or too small to be learned"
        found = f"{record.labels[index]} of {width:g} x {height:g} pixels"
        ledger.warn(record.label_file, BadInput("tiny-box", found, why, record.where[index]))


def _nearly_twice(record: LabelledImage, ledger: Ledger) -> None:
    boxes = record.boxes
    for start in range(0, len(boxes), _ROWS):
        # A box is compared with those after it alone: (rows, columns), both from `start` on.
        overlaps = np.triu(pairwise_iou(boxes[start : start + _ROWS], boxes[start:]), 1)
        for row, column in np.argwhere(overlaps > NEARLY).tolist():
            first, second = start + row, start + column
            found = f"{record.labels[first]} and {record.labels[second]}, IoU {overlaps[row, column]:.2f}"
            why = f"nearly the same box as {record.where[first]}; one object has one box"
            ledger.warn(record.label_file, BadInput("nearly-twice", found, why, record.where[second]))


def _names_alike(classes: Sequence[str], ledger: Ledger) -> None:
    seen: dict[str, str] = {}
    for name in classes:
        plain = "".join(character for character in name.casefold() if character.isalnum())
        other = seen.setdefault(plain, name)
        if plain and other != name:
            why = f"is spelled nearly like {other}; if they are one class, rename one"
            ledger.warn(".", BadInput("class-names-alike", f"class {name}", why))


def _twins(records: Sequence[LabelledImage], ledger: Ledger) -> None:
    """Twins in two lists are leaks, which training refuses; twins elsewhere are worth a look."""
    for pair in find_near_duplicates([record.info for record in records]):
        first, second = records[pair.first], records[pair.second]
        how = "is the same file as" if pair.same else "looks like"
        if first.splits and second.splits and set(first.splits) != set(second.splits):
            found = f"in {' and '.join(second.splits)}"
            why = f"{how} {first.path} in {' and '.join(first.splits)}; put both in one split"
            ledger.problem(second.path, BadInput("leak", found, why), "kept")
        else:
            ledger.warn(second.path, BadInput("twin", first.path, f"{how} it; it counts twice"))
