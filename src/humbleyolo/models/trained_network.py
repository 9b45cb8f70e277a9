"""A trained network, and the detections in its output."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from humbleyolo.errors import UserError
from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.grid import Grid, decode_grid
from humbleyolo.geometry.suppression import nms, vote
from humbleyolo.models.artifact import ModelInfo, read_info, read_weights
from humbleyolo.models.build import build_model
from humbleyolo.models.mirrored import with_mirrored
from humbleyolo.models.selection import Selection
from humbleyolo.params.value_types import Mirrored
from humbleyolo.storage.array_types import Floats32, Uint8s

_MOST_IMAGES = 128
_MOST_PIXELS = 2**21  # with 20 images of 320 x 320 `lite` needs about 1.2 GiB


def images_at_a_time(grid: Grid) -> int:
    """Return the images that a network sees at a time, so that memory follows neither their number nor their size."""
    return max(1, min(_MOST_IMAGES, _MOST_PIXELS // (grid.height * grid.width)))


def select_detections(predictions: Floats32, grid: Grid, selection: Selection) -> list[Detections]:
    """Turn a network's output into detections on letterboxed images.

    Returns:
        N detections, of predictions (N, R, S, K). Boxes are clipped to the image; boxes without area are dropped. A
        box can be kept for several classes.
    """
    decoded = decode_grid(predictions, grid)
    boxes = np.clip(decoded.boxes, 0, np.array(2 * [grid.width, grid.height], np.float64))
    lengths = boxes[..., 2:] - boxes[..., :2]
    solid = (lengths[..., 0] > 0) & (lengths[..., 1] > 0)  # (N, A)
    wanted = (decoded.scores >= selection.min_score) & (decoded.scores > 0) & np.isfinite(decoded.scores)
    wanted &= solid[..., None]  # (N, A, C)
    detections = []
    for image in range(len(predictions)):
        box, label = np.nonzero(wanted[image])
        every = Detections(boxes[image, box], decoded.scores[image, box, label], label)
        kept = nms(every.boxes, every.scores, label, selection.nms_iou)[: selection.max_detections]
        voted = vote(every.boxes, every.scores, label, kept, selection.vote_iou)
        detections.append(replace(every.take(kept), boxes=voted))
    return detections


class Network:
    """A trained network, ready for use; its `model` is (N, H, W, 3) -> (N, R, S, K)."""

    def __init__(self, info: ModelInfo, model: keras.Model, mirrored: Mirrored = "none") -> None:
        self.info, self.model, self.mirrored = info, model, mirrored
        grid = info.grid
        self._predict = tf.function(  # compiled once, however many images come at a time
            lambda images: model(images, training=False),
            input_signature=[tf.TensorSpec((None, grid.height, grid.width, 3), tf.uint8)],
        )

    @classmethod
    def load(cls, folder: Path, mirrored: Mirrored = "none") -> "Network":
        """Read a folder that `train` wrote; the network sees `mirrored` images besides an image, for the mean of all.

        Raises:
            UserError: If the folder holds no whole model, or one that cannot see mirror images.
        """
        info = read_info(folder)
        try:
            model = build_model(info.model, info.grid, seed=0)
        except ValueError as error:
            raise UserError(f"{folder / 'model.json'}: model {info.model.name} cannot be built: {error}") from None
        shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
        weights = read_weights(folder, shapes)
        for variable in model.weights:
            variable.assign(weights[variable.path])
        try:
            return cls(info, with_mirrored(model, info.grid, mirrored), mirrored)
        except ValueError as error:
            raise UserError(f"evaluate.mirrored is {mirrored}: {error}; set it to none") from None

    def predict(self, images: Uint8s) -> Floats32:
        """Return the network's output (N, R, S, K) for letterboxed images (N, H, W, 3)."""
        return np.asarray(self._predict(tf.constant(images)))

    def detect_batch(self, images: Uint8s, selection: Selection) -> list[Detections]:
        """Return N detections on letterboxed images (N, H, W, 3)."""
        return select_detections(self.predict(images), self.info.grid, selection)
