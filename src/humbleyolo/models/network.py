"""An image in, boxes out: what evaluation and every use of a model share."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import nms
from humbleyolo.geometry.grid import Grid, decode_grid
from humbleyolo.models.artifact import ModelInfo, read_info, read_weights
from humbleyolo.models.build import build_model
from humbleyolo.models.mirrored import with_mirrored
from humbleyolo.params.value_types import Mirrored
from humbleyolo.storage.array_types import Floats, Floats32, Ints, Uint8s


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found on one image, best score first.

    Attributes:
        boxes: (D, 4) float64 xyxy, pixels of the letterboxed image, inside it.
        scores: (D,) float64, class probability x confidence.
        labels: (D,) int64 class indices.
    """

    boxes: Floats
    scores: Floats
    labels: Ints


@dataclass(frozen=True)
class Selection:
    """Which of a network's boxes are detections.

    Attributes:
        min_score: Boxes under it are dropped.
        nms_iou: Of two boxes of one class that overlap more, the lower score is dropped.
        max_detections: The best so many of an image are kept.
        whole_pixels: Edges are rounded to whole pixels of the image as it was before the letterbox, as those of
            labels are. Whoever takes boxes back through the letterbox does it.
    """

    min_score: float
    nms_iou: float
    max_detections: int
    whole_pixels: bool = False


def select_detections(predictions: Floats32, grid: Grid, selection: Selection) -> list[Detections]:
    """Turn a network's output into detections, image by image.

    Args:
        predictions: (N, R, S, K).
        grid: Their grid.
        selection: Which boxes are kept. A box can be kept for several classes.

    Returns:
        N detections. Boxes are clipped to the image; what has no area left is dropped.
    """
    decoded = decode_grid(predictions, grid)
    edges = np.array([grid.width, grid.height, grid.width, grid.height], np.float64)
    boxes = np.clip(decoded.boxes, 0, edges)
    lengths = boxes[..., 2:] - boxes[..., :2]
    solid = (lengths[..., 0] > 0) & (lengths[..., 1] > 0)  # (N, A)
    wanted = (decoded.scores >= selection.min_score) & (decoded.scores > 0) & np.isfinite(decoded.scores)
    wanted &= solid[..., None]  # (N, A, C)
    found = []
    for image in range(len(predictions)):
        box, label = np.nonzero(wanted[image])
        found.append(_suppress(boxes[image, box], decoded.scores[image, box, label], label, selection))
    return found


def _suppress(boxes: Floats, scores: Floats, labels: Ints, selection: Selection) -> Detections:
    kept = nms(boxes, scores, labels, selection.nms_iou)[: selection.max_detections]
    return Detections(np.asarray(boxes[kept]), np.asarray(scores[kept]), labels[kept])


class Network:
    """A trained network and what it takes to use it: letterboxed images in, its boxes out.

    Args:
        info: Of the model.
        model: (N, H, W, 3) -> (N, R, S, K).
    """

    def __init__(self, info: ModelInfo, model: keras.Model) -> None:
        self.info, self.model = info, model
        grid = info.grid
        self._predict = tf.function(  # compiled once, however many images come at a time
            lambda images: model(images, training=False),
            input_signature=[tf.TensorSpec((None, grid.height, grid.width, 3), tf.uint8)],
        )

    @classmethod
    def load(cls, folder: Path, mirrored: Mirrored = "none") -> "Network":
        """Read a model's folder.

        Args:
            folder: As `train` wrote it.
            mirrored: Which mirror images of an image it sees besides, to answer with the mean.

        Raises:
            UserError: Where the folder holds no whole model, or one that cannot see mirror images.
        """
        info = read_info(folder)
        try:
            model = build_model(info.model, info.grid, seed=0)
        except ValueError as error:
            raise UserError(
                f"{folder / 'model.json'}: model {info.model.name} cannot be built: {error}"
            ) from None
        shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
        weights = read_weights(folder, shapes)
        for variable in model.weights:
            variable.assign(weights[variable.path])
        try:
            return cls(info, with_mirrored(model, info.grid, mirrored))
        except ValueError as error:
            raise UserError(f"evaluate.mirrored is {mirrored}: {error}; set it to none") from None

    def predict(self, images: Uint8s) -> Floats32:
        """Return the network's output (N, R, S, K) for letterboxed images (N, H, W, 3)."""
        return np.asarray(self._predict(tf.constant(images)))

    def detect_batch(self, images: Uint8s, selection: Selection) -> list[Detections]:
        """Return the detections on letterboxed images (N, H, W, 3), one for each."""
        return select_detections(self.predict(images), self.info.grid, selection)
