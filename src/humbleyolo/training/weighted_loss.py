"""The loss that `params.yaml` names, with its weights and the targets that it learns from."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from humbleyolo.dataset.encoded_split import EncodedSplit, rows_of_images
from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid, encode_boxes
from humbleyolo.models.layers import DetectionHead
from humbleyolo.params.sections import Loss
from humbleyolo.storage.array_types import AnyInts, Floats, Floats32, Ints
from humbleyolo.training.aligned_loss import ROW, aligned, pad_objects
from humbleyolo.training.distribution_loss import Choices
from humbleyolo.training.losses import Terms, article, iou_loss, yolov1

LOSSES: dict[str, Callable[..., Terms]] = {"article": article, "yolov1": yolov1, "iou": iou_loss, "aligned": aligned}


class WeightedLoss:
    """A loss, ready to be called; its targets are grid tensors (N, R, S, K), or objects (N, M, 6) for `aligned`.

    With the `head` of the network it teaches the head's choices too, which must lie behind the predictions.

    Raises:
        UserError: A weight is given to a class that does not exist.
    """

    def __init__(self, loss: Loss, categories: Sequence[str], grid: Grid, head: DetectionHead | None = None) -> None:
        unknown = sorted(set(loss.class_weights) - set(categories))
        if unknown:
            raise UserError(
                f"params.yaml: loss.class_weights: {', '.join(map(repr, unknown))} is no class of the data; "
                f"allowed: {', '.join(map(repr, categories))}"
            )
        self._grid = grid
        self._class_weights = tuple(float(loss.class_weights.get(name, 1.0)) for name in categories)
        self._terms = LOSSES[loss.name]
        self._by_object = loss.name == "aligned"
        options: dict[str, dict[str, Any]] = {
            "article": {"mistakes": frozenset(loss.mistakes)},
            "aligned": {"rule": loss.aligned},
        }
        self._options = options.get(loss.name, {})
        self._numbers = grid.shape[-1]
        if head:
            choices = Choices(head, grid)
            self._options["choices"] = choices
            self._numbers += choices.numbers
        self._weights = dict.fromkeys(("xy", "wh", "box"), loss.lambda_coord) | {
            "obj": loss.lambda_obj, "noobj": loss.lambda_noobj, "class": loss.lambda_class,
            "distribution": loss.lambda_distribution,
        }  # fmt: skip

    @property
    def target_shape(self) -> tuple[int | None, ...]:
        """Shape of an image's targets."""
        return (None, ROW) if self._by_object else self._grid.shape

    def term_names(self) -> list[str]:
        """Return the names of the terms, in their order."""
        shape = [1 if length is None else length for length in self.target_shape]
        outputs = tf.zeros((1, self._grid.rows, self._grid.cols, self._numbers))
        return list(self(tf.zeros((1, *shape)), outputs))

    def targets(self, boxes: Floats, labels: AnyInts, image_index: Ints, images: int) -> Floats32:
        """Return the targets of a batch's objects: (M', 4) xyxy pixels, (M',) classes, (M',) rising image indices."""
        if self._by_object:
            return pad_objects(boxes, labels, image_index, images)
        return encode_boxes(boxes, labels, image_index, images, self._grid).targets

    def targets_of(self, split: EncodedSplit, chosen: Ints) -> Floats32:
        """Return the targets of some of a split's images, (N,) indices."""
        if not self._by_object:
            return np.asarray(split.targets[chosen])
        row, image_index = rows_of_images(split.offsets, chosen)
        return pad_objects(split.boxes[row], split.labels[row], image_index, len(chosen))

    def __call__(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> Terms:
        """Return each term (N,) times its weight, of targets and outputs (N, R, S, K), or more with choices."""
        terms = self._terms(y_true, y_pred, self._grid, self._class_weights, **self._options)
        return {name: self._weights[name] * term for name, term in terms.items()}
