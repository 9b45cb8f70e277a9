"""Detections on one image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.storage.array_types import Array, Floats, Ints


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections on one image, best score first.

    Attributes:
        boxes: (D, 4) float64 xyxy, pixels of the image, inside it.
        scores: (D,) float64, class probability x confidence, 0 to 1.
        labels: (D,) int64 class indices.
    """

    boxes: Floats
    scores: Floats
    labels: Ints

    def __len__(self) -> int:
        """Return D, the number of detections."""
        return len(self.scores)

    def take(self, rows: Array) -> "Detections":
        """Return these rows (indices or a mask), in this order."""
        return Detections(self.boxes[rows], self.scores[rows], self.labels[rows])

    @classmethod
    def join(cls, parts: "Sequence[Detections]") -> "Detections":
        """Return the detections of one or more parts, one after the other."""
        columns = zip(*((part.boxes, part.scores, part.labels) for part in parts), strict=True)
        return Detections(*(np.concatenate(column) for column in columns))
