"""Truths and detections of many images as columns: one row a box, checked once, on the way in.

    M truths, D detections, N images, C classes

Images and classes are indices from 0. Boxes are `ltwh`: left, top, width, height, in pixels of the original
image.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from humbleyolo.storage.array_types import Array, Bools, Floats, Ints

LONGEST_PX = 1e9  # of a coordinate; areas of larger boxes would lose their last digits


@dataclass(frozen=True, slots=True, eq=False)
class TruthTable:
    """What is really there.

    Attributes:
        image_count: N, images without a truth included.
        images: (M,) int64, 0 to N - 1, in any order.
        boxes_ltwh: (M, 4) float64 pixels, width and height more than 0.
        labels: (M,) int64 class indices.
        crowd: (M,) bool; a crowd region is not to be found, and what is found in it is not counted.

    Raises:
        ValueError: On another shape, an unknown image, or a box that is not finite or has no area; the text
            names the row.
    """

    image_count: int
    images: Ints
    boxes_ltwh: Floats
    labels: Ints
    crowd: Bools

    def __post_init__(self) -> None:
        _check("truth", self.images, self.boxes_ltwh, self.labels, self.image_count)
        if self.crowd.shape != self.images.shape or self.crowd.dtype != np.bool_:
            raise ValueError(
                f"crowd is {self.crowd.dtype} {self.crowd.shape}; expected bool {self.images.shape}"
            )
        _refuse("truth", (self.boxes_ltwh[:, 2:] <= 0).any(axis=1), self.boxes_ltwh, "a box without area")

    @classmethod
    def gather(cls, images: Iterable[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike | None]]) -> Self:
        """Join the truths of images, taken in order.

        Args:
            images: For each (boxes_ltwh (M, 4), labels (M,), crowd (M,) or None).
        """
        rows = [
            (
                _columns(boxes, 4),
                _labels(labels),
                np.zeros(np.size(labels), np.bool_) if crowd is None else crowd,
            )
            for boxes, labels, crowd in images
        ]
        return cls(
            len(rows),
            np.repeat(np.arange(len(rows), dtype=np.int64), [len(row[1]) for row in rows]),
            _join([row[0] for row in rows], (0, 4), np.float64),
            _join([row[1] for row in rows], (0,), np.int64),
            _join([np.asarray(row[2], np.bool_).reshape(-1) for row in rows], (0,), np.bool_),
        )

    def __len__(self) -> int:
        """Return M."""
        return len(self.images)

    def order(self) -> Ints:
        """Return the (M,) rows sorted by image, class and box, so that their order elsewhere is no matter."""
        return np.lexsort((*self.boxes_ltwh.T[::-1], self.crowd, self.labels, self.images)).astype(np.int64)

    def take(self, rows: Array) -> "TruthTable":
        """Return a table of these rows (indices or a mask), in this order."""
        return TruthTable(
            self.image_count, self.images[rows], self.boxes_ltwh[rows], self.labels[rows], self.crowd[rows]
        )

    def of_images(self, start: int, stop: int) -> "TruthTable":
        """Return the same rows as a table of the images `start` to `stop`, which they must be of."""
        return replace(self, image_count=stop - start, images=self.images - start)


@dataclass(frozen=True, eq=False)
class DetectionTable:
    """What was found.

    Attributes:
        image_count: N, as in the truths.
        images: (D,) int64, 0 to N - 1, in any order.
        boxes_ltwh: (D, 4) float64 pixels, width and height 0 or more.
        labels: (D,) int64 class indices.
        scores: (D,) float64 confidences.

    Raises:
        ValueError: On another shape, an unknown image, or a number that is not finite; the text names the
            row.
    """

    image_count: int
    images: Ints
    boxes_ltwh: Floats
    labels: Ints
    scores: Floats

    def __post_init__(self) -> None:
        _check("detection", self.images, self.boxes_ltwh, self.labels, self.image_count)
        if self.scores.shape != self.images.shape or self.scores.dtype != np.float64:
            raise ValueError(
                f"scores are {self.scores.dtype} {self.scores.shape}; expected float64 {self.images.shape}"
            )
        _refuse("detection", ~np.isfinite(self.scores), self.scores, "a score that is not a finite number")
        _refuse("detection", (self.boxes_ltwh[:, 2:] < 0).any(axis=1), self.boxes_ltwh, "a negative length")

    @classmethod
    def gather(cls, images: Iterable[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]]) -> Self:
        """Join the detections of images, taken in order.

        Args:
            images: For each (boxes_ltwh (D, 4), labels (D,), scores (D,)).
        """
        rows = [
            (_columns(boxes, 4), _labels(labels), np.asarray(scores, np.float64).reshape(-1))
            for boxes, labels, scores in images
        ]
        return cls(
            len(rows),
            np.repeat(np.arange(len(rows), dtype=np.int64), [len(row[1]) for row in rows]),
            _join([row[0] for row in rows], (0, 4), np.float64),
            _join([row[1] for row in rows], (0,), np.int64),
            _join([row[2] for row in rows], (0,), np.float64),
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return one table of the images of several, one after the other."""
        *before, total = accumulate((part.image_count for part in parts), initial=0)
        return cls(
            total,
            _join([part.images + first for part, first in zip(parts, before, strict=True)], (0,), np.int64),
            _join([part.boxes_ltwh for part in parts], (0, 4), np.float64),
            _join([part.labels for part in parts], (0,), np.int64),
            _join([part.scores for part in parts], (0,), np.float64),
        )

    def __len__(self) -> int:
        """Return D."""
        return len(self.images)

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

    def take(self, rows: Array) -> "DetectionTable":
        """Return a table of these rows (indices or a mask), in this order."""
        return DetectionTable(
            self.image_count, self.images[rows], self.boxes_ltwh[rows], self.labels[rows], self.scores[rows]
        )

    def of_images(self, start: int, stop: int) -> "DetectionTable":
        """Return the same rows as a table of the images `start` to `stop`, which they must be of."""
        return replace(self, image_count=stop - start, images=self.images - start)


def check_labels(what: str, labels: Ints, class_count: int) -> None:
    """Raise a `ValueError` that names the first row whose class does not exist."""
    _refuse(what, (labels < 0) | (labels >= class_count), labels, f"a class that is not one of {class_count}")


def ratio(part: Array, whole: Array) -> Floats:
    """Return part / whole, element by element; NaN where whole is 0, which is how tables say "undefined"."""
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))


def _check(what: str, images: Ints, boxes_ltwh: Floats, labels: Ints, image_count: int) -> None:
    rows = (len(images),)
    for name, column, shape, kind in (
        ("images", images, rows, np.int64),
        ("boxes_ltwh", boxes_ltwh, (*rows, 4), np.float64),
        ("labels", labels, rows, np.int64),
    ):
        if column.shape != shape or column.dtype != kind:
            raise ValueError(f"{name} is {column.dtype} {column.shape}; expected {np.dtype(kind)} {shape}")
    _refuse(
        what, (images < 0) | (images >= image_count), images, f"an image that is not one of {image_count}"
    )
    _refuse(
        what,
        ~(np.abs(boxes_ltwh) <= LONGEST_PX).all(axis=1),  # true for NaN too
        boxes_ltwh,
        f"a number that is not finite or beyond {LONGEST_PX:g} pixels",
    )


def _refuse(what: str, wrong: Any, column: Array, reason: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"{what} {row} has {reason}: {column[row].tolist()}")


def _columns(boxes: npt.ArrayLike, width: int) -> Floats:
    return np.asarray(boxes, np.float64).reshape(-1, width)


def _labels(labels: npt.ArrayLike) -> Ints:
    return np.asarray(labels).astype(np.int64).reshape(-1)


def _join(parts: list[Array], empty: tuple[int, ...], kind: type[Any]) -> Array:
    return np.concatenate(parts) if parts else np.zeros(empty, kind)
