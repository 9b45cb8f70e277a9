"""The interface of every backend: a model with its decoding and suppression, in some runtime."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.grid import split_parts
from humbleyolo.models.selection import Selection
from humbleyolo.storage.array_types import Floats32, Uint8s

BATCH = 32  # images that a network sees at a time


@dataclass(frozen=True, kw_only=True)
class ModelFacts(Selection):
    """Facts of a model, and the selection of its boxes if nobody asks for another.

    Attributes:
        names: The C class names.
        height: Height of the network's input, pixels.
        width: Width of the network's input, pixels.
        rows: Rows of its grid.
        cols: Columns of its grid.
        fill: Grey value of the letterbox padding, 0 to 255.
    """

    names: tuple[str, ...]
    height: int
    width: int
    rows: int
    cols: int
    fill: int


class Backend(Protocol):
    """A model in some runtime. Any number of threads may call it."""

    @property
    def facts(self) -> ModelFacts:
        """Facts of the model."""

    def detect(self, images: Uint8s, min_score: float) -> list[Detections]:
        """Return N detections on letterboxed images (N, H, W, 3), with scores of `min_score` and more."""

    def confidence(self, images: Uint8s) -> Floats32:
        """Return the highest confidence of each cell's boxes, (N, R, S), for letterboxed images (N, H, W, 3)."""


def highest_confidence(predictions: Floats32, classes: int) -> Floats32:
    """Return the highest confidence of each cell's boxes (N, R, S), 0 to 1, in a network's output (N, R, S, K)."""
    highest = np.clip(np.nan_to_num(split_parts(predictions, classes).confidence.max(axis=-1)), 0, 1)
    return np.asarray(highest, np.float32)
