"""Ground truths and detections of many images as columns: one row a box, checked when a table is made.

    M ground truths, D detections, N images, C classes

Images and classes are indices from 0. Boxes are `ltwh`: left, top, width, height, in pixels of the original image.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.coco_json import is_difficult
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.grid import Grid
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.storage.array_types import Array, Bools, Floats, Ints, Ints32

LONGEST_PX = 1e9  # of a coordinate; areas of larger boxes would lose their last digits
_KINDS: dict[str, tuple[type[Any], tuple[int, ...]]] = {  # of each column: type, and shape of a row
    "images": (np.int64, ()),
    "boxes_ltwh": (np.float64, (4,)),
    "labels": (np.int64, ()),
    "crowd": (np.bool_, ()),
    "difficult": (np.bool_, ()),
    "areas": (np.float64, ()),
    "scores": (np.float64, ()),
}


@dataclass(frozen=True, eq=False)
class BoxTable:
    """Columns that ground truths and detections share, M rows.

    Attributes:
        image_count: N, images without a box included.
        images: (M,) int64, 0 to N - 1, in any order.
        boxes_ltwh: (M, 4) float64 pixels.
        labels: (M,) int64 class indices.

    Raises:
        ValueError: If a column has another shape or type, an image is unknown, or a number is not finite. The text
            names the row.
    """

    image_count: int
    images: Ints
    boxes_ltwh: Floats
    labels: Ints
    _row: ClassVar[str]  # name of a row in errors

    def __post_init__(self) -> None:
        for name in self._columns():
            column, (kind, shape) = getattr(self, name), _KINDS[name]
            expected = (len(self.images), *shape)
            if column.shape != expected or column.dtype != kind:
                raise ValueError(f"{name} is {column.dtype} {column.shape}; expected {np.dtype(kind)} {expected}")
        unknown = (self.images < 0) | (self.images >= self.image_count)
        self._refuse(unknown, "images", f"an image that is not one of {self.image_count}")
        finite = (np.abs(self.boxes_ltwh) <= LONGEST_PX).all(axis=1)  # false for NaN too
        self._refuse(~finite, "boxes_ltwh", f"a number that is not finite or beyond {LONGEST_PX:g} pixels")

    @classmethod
    def _columns(cls) -> list[str]:
        return [one.name for one in fields(cls) if one.name != "image_count"]

    def _refuse(self, wrong: Any, column: str, reason: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"{self._row} {row} has {reason}: {getattr(self, column)[row].tolist()}")

    @classmethod
    def gather(cls, images: Iterable[Sequence[npt.ArrayLike]]) -> Self:
        """Join the rows of images, taken in order.

        Args:
            images: Columns of each image: boxes_ltwh (M, 4), labels (M,), then crowd or scores (M,), and any others.
        """
        names = cls._columns()[1:]
        rows = [
            [
                np.asarray(column, _KINDS[name][0]).reshape(-1, *_KINDS[name][1])
                for name, column in zip(names, image, strict=False)
            ]
            for image in images
        ]
        numbers = np.repeat(np.arange(len(rows), dtype=np.int64), [len(row[1]) for row in rows])
        given = names[: len(rows[0])] if rows else names[:3]
        return cls(len(rows), numbers, *(_join(name, [row[at] for row in rows]) for at, name in enumerate(given)))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return one table of the images of several, one after the other."""
        *before, total = accumulate((part.image_count for part in parts), initial=0)
        moved = [
            replace(part, image_count=total, images=part.images + first)
            for part, first in zip(parts, before, strict=True)
        ]
        return cls(total, *(_join(name, [getattr(part, name) for part in moved]) for name in cls._columns()))

    def __len__(self) -> int:
        """Return M."""
        return len(self.images)

    def take(self, rows: Array) -> Self:
        """Return a table of these rows (indices or a mask), in this order."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self._columns()})

    def rows_by_image(self) -> list[Ints]:
        """Return the rows of each image, N arrays, in their order."""
        ends = np.cumsum(np.bincount(self.images, minlength=self.image_count))
        return np.split(np.argsort(self.images, kind="stable"), ends)[:-1]

    def of_images(self, start: int, stop: int) -> Self:
        """Return the same rows as a table of the images `start` to `stop`, which they must be of."""
        return replace(self, image_count=stop - start, images=self.images - start)

    def as_one_class(self) -> Self:
        """Return the same rows, all of class 0."""
        return replace(self, labels=np.zeros(len(self), np.int64))

    def check_labels(self, class_count: int) -> None:
        """Raise a `ValueError` that names the first row whose class does not exist."""
        unknown = (self.labels < 0) | (self.labels >= class_count)
        self._refuse(unknown, "labels", f"a class that is not one of {class_count}")


@dataclass(frozen=True, eq=False)
class TruthTable(BoxTable):
    """Ground truths.

    Attributes:
        crowd: (M,) bool. A crowd region need not be found, and detections in it are not counted.
        difficult: (M,) bool. Pascal VOC's AP leaves such objects out; none if they are not given.
        areas: (M,) float64 square pixels, by which COCO tells small from large: the labels' own; the box's where it
            is NaN or not given.

    Raises:
        ValueError: Also if a box has no area.
    """

    crowd: Bools
    difficult: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    areas: Floats = field(default_factory=lambda: np.zeros(0))
    _row = "ground truth"

    def __post_init__(self) -> None:
        for name, absent in (("difficult", False), ("areas", np.nan)):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(len(self.images), absent))
        super().__post_init__()
        own = np.where(np.isnan(self.areas), self.boxes_ltwh[:, 2] * self.boxes_ltwh[:, 3], self.areas)
        object.__setattr__(self, "areas", own)
        self._refuse((self.boxes_ltwh[:, 2:] <= 0).any(axis=1), "boxes_ltwh", "a box without area")

    @classmethod
    def from_archive(cls, archive: ArchivedSplit) -> Self:
        """Read the ground truths of a split's archives, in their order.

        Raises:
            UserError: If an archive is damaged.
        """
        return cls.gather(
            (
                image.boxes_ltwh,
                image.labels,
                [annotation.get("iscrowd", 0) for annotation in image.annotations],
                [*map(is_difficult, image.annotations)],
            )
            for image in archive.truths()
        )

    def order(self) -> Ints:
        """Return the (M,) rows sorted by image, class and box, so that their order elsewhere is no matter."""
        return np.lexsort(
            (self.areas, self.difficult, *self.boxes_ltwh.T[::-1], self.crowd, self.labels, self.images)
        ).astype(np.int64)


@dataclass(frozen=True, eq=False)
class DetectionTable(BoxTable):
    """Detections.

    Attributes:
        scores: (M,) float64 confidences.

    Raises:
        ValueError: Also if a length is negative, or a score is not finite.
    """

    scores: Floats
    _row = "detection"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse(~np.isfinite(self.scores), "scores", "a score that is not a finite number")
        self._refuse((self.boxes_ltwh[:, 2:] < 0).any(axis=1), "boxes_ltwh", "a negative length")

    @classmethod
    def from_detections(cls, images: Iterable[Detections]) -> Self:
        """Join the detections of images, taken in order."""
        return cls.gather((xyxy_to_ltwh(image.boxes), image.labels, image.scores) for image in images)

    @classmethod
    def before_letterbox(
        cls, images: Iterable[Detections], sizes: Ints32, grid: Grid, *, whole_pixels: bool = False
    ) -> Self:
        """Join the detections of letterboxed images, taken in order, in pixels of the images as they were before.

        Boxes are clipped to the image; one that lies in the letterbox padding alone is dropped.

        Args:
            images: Detections on each of n images, in pixels of the network's input.
            sizes: (n, 2) height and width of each image before the letterbox.
            grid: The network's, with the size of its input.
            whole_pixels: Rounding of edges to whole pixels of the image.
        """
        letterboxes = (Letterbox(height, width, grid.height, grid.width) for height, width in sizes.tolist())
        pairs = zip(letterboxes, images, strict=True)
        return cls.from_detections(letterbox.undo(one, whole_pixels) for letterbox, one in pairs)

    def order(self) -> Ints:
        """Return the (D,) rows in a total order: best score first, then by image, class and box.

        Equal scores are common (a saturated sigmoid), and evaluators take them in the order of the file.
        """
        return self._order

    @cached_property
    def _order(self) -> Ints:
        rows = np.lexsort((*self.boxes_ltwh.T[::-1], self.labels, self.images, -self.scores)).astype(np.int64)
        rows.flags.writeable = False  # many share it
        return rows

    def file_order(self) -> Ints:
        """Return the (D,) rows in the order of `detections.json`: by image, then as `order` has them."""
        best_first = self.order()
        return best_first[np.argsort(self.images[best_first], kind="stable")]


def ratio(part: Array, whole: Array) -> Floats:
    """Return part / whole, element by element; NaN (undefined) if whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))


def _join(name: str, parts: Sequence[Array]) -> Array:
    kind, shape = _KINDS[name]
    return np.concatenate([np.zeros((0, *shape), kind), *parts])
