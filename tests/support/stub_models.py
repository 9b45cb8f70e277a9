"""Models for tests: one that finds what it is told to, and a small trained-looking folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sections import model_section

from humbleyolo.detection.backend import ModelFacts
from humbleyolo.geometry.detections import Detections

NAMES = ("chat", "rat")


def facts(height: int = 32, width: int = 64, threshold: float = 0.5) -> ModelFacts:
    """Return what a model of a 3 x 5 grid would say of itself."""
    return ModelFacts(
        0.01, 0.5, 100, threshold=threshold, threshold_from="a test",
        names=NAMES, height=height, width=width, rows=3, cols=5, fill=114,
    )  # fmt: skip


class RedFinder:
    """Finds the smallest box around strongly red pixels, with the score of their brightness."""

    def __init__(self, height: int = 32, width: int = 64, threshold: float = 0.5) -> None:
        self.facts = facts(height, width, threshold)
        self.batches: list[int] = []

    def detect(self, images: np.ndarray, min_score: float) -> list[Detections]:
        """Return one box an image, or none."""
        assert images.dtype == np.uint8
        assert images.shape[1:] == (self.facts.height, self.facts.width, 3)
        self.batches.append(len(images))
        return [self._look(image.astype(int), min_score) for image in images]

    def confidence(self, images: np.ndarray) -> np.ndarray:
        """Return 0.75 in the first cell, and 0 in the others."""
        cells = np.zeros((len(images), self.facts.rows, self.facts.cols), np.float32)
        cells[:, 0, 0] = 0.75
        return cells

    def _look(self, image: np.ndarray, min_score: float) -> Detections:
        red = image[..., 0] - image[..., 1:].max(axis=-1)
        rows, cols = np.nonzero(red > 100)
        score = float(red.max()) / 255
        if not len(rows) or score < min_score:
            return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
        box = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        return Detections(np.array([box], float), np.array([score]), np.array([1]))


def save_network(
    folder: Path,
    change: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    boxes: int = 2,
    name: str = "compact",
) -> Path:
    """Write a small network of random weights as `train` writes a model, and return its folder.

    `lite` has the weights of its pretrained backbone.
    """
    from humbleyolo.geometry.grid import Grid
    from humbleyolo.models.artifact import ModelInfo, save_model
    from humbleyolo.models.build import build_model
    from humbleyolo.training.pretrained import STARTS, load_pretrained

    info = ModelInfo(
        model_section(name, width=0.25, depth=1.0, stride=4, squeeze_excitation=True),
        Grid(48, 80, 3, 5, boxes, 2),
        NAMES,
        114,
        STARTS["pretrained" if name == "lite" else "scratch"],
    )
    network = build_model(info.model, info.grid, seed=3)
    if name == "lite":
        load_pretrained(network)
    rng = np.random.default_rng(0)
    weights = {}
    for weight in network.weights:
        spread = 0.0 if weight.path.startswith("backbone") else 0.1
        values = np.asarray(weight) + rng.normal(0, spread, weight.shape).astype(np.float32)
        if name == "lite" and weight.path == "head_conv/bias":
            values[2 : 2 + boxes] += 4  # so that some objects are found
        weights[weight.path] = change(np.abs(values) if "variance" in weight.path else values)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(folder, info, weights)
    return folder
