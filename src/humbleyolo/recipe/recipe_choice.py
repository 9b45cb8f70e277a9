"""The choice between the recipes for labelled photographs, by a rule on their boxes.

`lite` with pretrained weights is for most pictures. `compact` from random weights learns better what is seen under a
microscope: many boxes, many an image, of nearly one size, that are easily told apart. A box's size is its share of
the image. Where the rule errs towards `lite`, little is lost; the other way, much (docs/photographs.md).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.params.value_types import CellsAnObject
from humbleyolo.process.terminal import counted

_MANY_BOXES = 2000
_MANY_AN_IMAGE = 10
_ONE_SIZE = 2.0  # the 95 % quantile of a class's sides by the 5 % one, at most; half of all boxes are of such classes
_TOLD_APART = 0.95  # of the boxes of a class, mean of the classes


class Recipe(NamedTuple):
    """A file of `examples`, without its ending; its loss, with the number of cells that may answer; the reason."""

    name: str
    loss: str
    cells: CellsAnObject
    reason: str


def choose_recipe(records: Sequence[LabelledImage], told_apart: float | None) -> Recipe:
    """Return the recipe for such images; `told_apart` is that of `Judged`."""
    boxes = sum(len(one.labels) for one in records)
    labelled = sum(bool(one.labels) for one in records)
    if boxes < _MANY_BOXES:
        return _usual(f"{counted(boxes, 'box', 'boxes')} are few")
    if boxes < _MANY_AN_IMAGE * labelled:
        return _usual(f"with {boxes / labelled:.1f} an image, boxes are few")
    alike, spread = _of_one_size(records)
    if 2 * alike < boxes:
        return _usual(f"{counted(boxes, 'box', 'boxes')} vary by a factor of {spread:.1f}")
    if told_apart is None:
        return _usual("there were no classes to compare")
    if told_apart < _TOLD_APART:
        return _usual(f"its classes are told apart in {told_apart:.0%} of cases")
    return Recipe("bccd", "iou", "one", f"{alike:,} of {boxes:,} boxes are of nearly one size")


def _usual(reason: str) -> Recipe:
    return Recipe("photographs", "aligned", "several", reason)


def _of_one_size(records: Sequence[LabelledImage]) -> tuple[int, float]:
    """Return the number of boxes of classes of nearly one size, and the largest class's spread."""
    sides = np.concatenate([(one.boxes[:, 2:] - one.boxes[:, :2]) / max(one.height, one.width) for one in records])
    labels = np.array([label for one in records for label in one.labels])
    alike, largest = 0, 0.0
    for label in np.unique(labels):
        own = sides[labels == label]
        low, high = np.quantile(own, (0.05, 0.95), axis=0)
        spread = float((high / low).max())
        alike, largest = alike + len(own) * (spread <= _ONE_SIZE), max(largest, spread)
    return alike, largest
