"""The choice between the recipes for labelled photographs, by a rule on their boxes.

`lite` with pretrained weights is for few pictures, or objects that are near and far. Many boxes of nearly one size,
as under a microscope or a fixed camera, are learned better by `compact` from random weights. Many is 2,000. Those of
a class are of one size if 18 in 20 lie within a factor of 2; half of all must be of such classes.
"""

from typing import NamedTuple

from humbleyolo.check.overview import Overview
from humbleyolo.metrics.grid_ceiling import CellsAnObject
from humbleyolo.process.terminal import counted

_MANY_BOXES = 2000
_ONE_SIZE = 2.0  # the 95 % quantile of a class's sides by the 5 % one, at most


class Recipe(NamedTuple):
    """A file of `examples`, without its ending; its loss, with the number of cells that may answer; the reason."""

    name: str
    loss: str
    cells: CellsAnObject
    reason: str


def choose_recipe(view: Overview) -> Recipe:
    """Return the recipe for a folder with such boxes."""
    boxes = sum(one.boxes for one in view.tables)
    alike, spread = _of_one_size(view)
    if boxes >= _MANY_BOXES and 2 * alike >= boxes:
        return Recipe("bccd", "iou", "one", f"{alike:,} of {boxes:,} boxes are of nearly one size")
    varied = f"vary by a factor of {spread:.1f}"
    sizes = f"{counted(boxes, 'box', 'boxes')} {varied if boxes >= _MANY_BOXES else 'are few'}"
    return Recipe("photographs", "aligned", "several", sizes)


def _of_one_size(view: Overview) -> tuple[int, float]:
    """Return the number of boxes of classes of nearly one size, and the largest class's spread."""
    known = [one for one in view.tables if one.boxes]
    spreads = [(one.boxes, max(one.width[3] / one.width[1], one.height[3] / one.height[1])) for one in known]
    return sum(boxes for boxes, spread in spreads if spread <= _ONE_SIZE), max(spreads, default=(0, 0.0))[1]
