"""Advice on the input size and the grid for labelled photographs: the cheapest that objects can be seen in.

Cells are 16 x 16 pixels. The recipe is chosen before, by `recipe_choice`; all else after, by `first_training`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.geometry.boxes import xyxy_to_cxcywh
from humbleyolo.geometry.grid import Grid
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.metrics.grid_ceiling import Ceiling, measure_ceiling
from humbleyolo.params.value_types import CellsAnObject
from humbleyolo.storage.array_types import Floats

SMALL_PX = 20.0
"""Side that nine objects in ten should have in the input: a cell and a little."""

_HARDLY_LEARNED_PX = 12.0  # of the median object: well under that
_LONG_SIDES = (64, 128, 192, 256, 320, 384, 448, 512, 576, 640)
_FIRST_SIDE = 192  # that is tried, if images are not smaller
_MOST_ENLARGED = 2.0  # times the images' own long side
_CELL = 16  # pixels of the input
_MULTIPLES: dict[CellsAnObject, int] = {"one": 16, "several": 32}  # pixels: what each recipe was measured with
_ENOUGH_SIDE = 320  # photographs were measured at it; boxes by themselves do not tell (docs/photographs.md)
_LOST = 0.01  # of the objects that a grid may lose
_MOST_IMAGES = 1500


@dataclass(frozen=True, slots=True)
class Choice:
    """An input size and a grid.

    Attributes:
        height: Height of the input, pixels.
        width: Likewise.
        smallest: Shorter side that nine boxes in ten exceed in the input, pixels.
        median: Shorter side that half of the boxes exceed there, pixels.
        part: Long side of parts of the images in which it would be large, in their own pixels.
        ceiling: Best score that a detector can reach on the grid.
        longest: Long side of the largest image, in its own pixels.
    """

    height: int
    width: int
    smallest: float
    median: float
    part: float
    ceiling: Ceiling
    longest: float

    @property
    def large(self) -> bool:
        """True if its objects can be seen."""
        return self.smallest >= SMALL_PX

    @property
    def good(self) -> bool:
        """True if its objects can be seen, and found on its grid."""
        return self.large and self.ceiling.lost <= _LOST * self.ceiling.objects

    @property
    def sizes(self) -> str:
        """The size of its small objects, or that of most if these are small."""
        if self.median < SMALL_PX:
            return f"the median object is {self.median:.0f} px"
        return f"1 object in 10 is under {self.smallest:.0f} px"

    @property
    def warnings(self) -> list[str]:
        """A warning if most objects are too small to be learned, with the ways out; else none."""
        if self.median >= _HARDLY_LEARNED_PX:
            return []
        px = f"{self.part:.0f}"
        cut = f"cut images into parts of {px} px (then `predict --tile {px}`)"
        useful = max(self.height, self.width) / _MOST_ENLARGED <= self.part < self.longest
        larger = "set a larger encode.height and width"
        ways = [*([cut] if useful else []), larger]
        return [
            f"warning: {self.sizes} wide or high in the advised input, too small to be learned; {', or '.join(ways)}"
        ]

    @property
    def reason(self) -> str:
        """The reason to choose it, or what it lacks."""
        seen = f"{self.sizes} wide or high here"
        held = f"the grid loses {self.ceiling.lost:,} of {self.ceiling.objects:,}"
        if self.good:
            return f"{seen}, and {held}"
        return f"{seen} ({SMALL_PX:g} would be good), and {held}; no larger input was tried"


def advise(
    records: Sequence[LabelledImage], classes: Sequence[str], cells: CellsAnObject
) -> tuple[list[Choice], Choice | None]:
    """Return the choices, and the cheapest that is good enough; None without boxes.

    A good one has a long side of 320 pixels at least, or that of the images if they are smaller. A square has as many
    pixels instead. Nine in ten of its objects have sides of 20 pixels, and its grid loses one in a hundred at most.
    If there is none, the largest is advised. Images are enlarged to twice their size at most. Up to 1,500 images,
    evenly spread, are measured.
    By the loss, one or several `cells` may answer for an object.
    """
    some = records[:: max(1, -(-len(records) // _MOST_IMAGES))]
    if not any(record.labels for record in some):
        return [], None
    heights, widths = (np.array([getattr(one, key) for one in some], float) for key in ("height", "width"))
    largest = float(np.maximum(heights, widths).max())
    own_sides = np.concatenate([(one.boxes[:, 2:] - one.boxes[:, :2]).min(axis=1) for one in some])
    choices: list[Choice] = []
    known = [side for side in _LONG_SIDES if min(_FIRST_SIDE, largest) <= side <= _MOST_ENLARGED * largest]
    long_sides = known or _LONG_SIDES[:1]
    for long_side in long_sides:
        height, width = _input_size(long_side, heights, widths, _MULTIPLES[cells])
        boxes, labels, image_index = _letterboxed(some, classes, height, width)
        smallest, median = np.quantile(xyxy_to_cxcywh(boxes)[:, 2:].min(axis=1), (0.1, 0.5)).tolist()
        grid = Grid(height, width, height // _CELL, width // _CELL, boxes=1, classes=len(classes))
        ceiling = measure_ceiling(boxes, labels, image_index, len(some), grid, cells)
        part = max(height, width) * float(np.quantile(own_sides, 0.1)) / SMALL_PX
        choices.append(Choice(height, width, smallest, median, part, ceiling, largest))
    enough = [one for side, one in zip(long_sides, choices, strict=True) if side >= min(_ENOUGH_SIDE, largest)]
    return choices, next((one for one in enough if one.good), enough[-1])


def _input_size(long_side: int, heights: Floats, widths: Floats, step: int) -> tuple[int, int]:
    """Return (height, width), multiples of a step, in which images of these sizes are largest.

    It has the shape of most images and this long side, or it is a square of about as many pixels. Largest is judged
    by the mean of the scale's logarithm, so that the images of one orientation are not lost for those of the other.
    """
    aspect = float(np.median(widths / heights))
    short = _multiple(long_side * min(aspect, 1 / aspect), step)
    usual = (short, long_side) if aspect >= 1 else (long_side, short)
    square = _multiple((short * long_side) ** 0.5, step)
    return max(usual, (square, square), key=lambda size: _mean_log_scale(size, heights, widths))


def _multiple(side: float, step: int) -> int:
    return max(step, round(side / step) * step)


def _mean_log_scale(size: tuple[int, int], heights: Floats, widths: Floats) -> float:
    return float(np.log(np.minimum(size[0] / heights, size[1] / widths)).mean())


def _letterboxed(
    records: Sequence[LabelledImage], classes: Sequence[str], height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes (M, 4) xyxy in the input's pixels, labels (M,) and image indices (M,)."""
    indices = {name: index for index, name in enumerate(classes)}
    boxes = [Letterbox(one.height, one.width, height, width).boxes_in(one.boxes) for one in records]
    labels = [indices[label] for one in records for label in one.labels]
    image_index = np.repeat(np.arange(len(records)), [len(one.labels) for one in records])
    return np.concatenate(boxes), np.array(labels, np.int64), image_index
