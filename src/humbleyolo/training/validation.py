"""The score of a network on val after an epoch, which decides the epoch that is kept."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.dataset.jpeg_images import Images
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.geometry.detections import Detections
from humbleyolo.metrics.coco_metrics import average_precision
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import images_at_a_time, select_detections
from humbleyolo.params.sections import Validation
from humbleyolo.storage.array_types import Floats32
from humbleyolo.training.weighted_loss import WeightedLoss


@dataclass(frozen=True)
class Measured:
    """The figures of a network on a split.

    Attributes:
        ap: AP at IoU 0.50 to 0.95; None if the split has no objects.
        ap50: AP at IoU 0.5, likewise.
        terms: Mean over the images of each weighted loss term, by name.
    """

    ap: float | None
    ap50: float | None
    terms: dict[str, float]


class ValidationScore:
    """The score of a network on a split.

    Args:
        split: Images and ground truth.
        validation: The boxes that count; `evaluate` has thresholds of its own, which do not touch the model.
    """

    def __init__(self, split: EncodedSplit, validation: Validation) -> None:
        self._split, self._selection = split, Selection.from_section(validation)
        boxes, labels = xyxy_to_ltwh(np.asarray(split.boxes)), split.labels.astype(np.int64)
        self._truths = TruthTable(len(split), split.image_index, boxes, labels, np.zeros(len(labels), bool))

    def measure(self, outputs_of: Callable[[Images], Floats32], loss: WeightedLoss) -> Measured:
        """Score a network, batch by batch, so that its outputs are never held for all images at once.

        Args:
            outputs_of: Returns the outputs of (n, H, W, 3) images, as the loss takes them: (n, R, S, K), or more
                numbers with choices.
            loss: The loss that is trained.
        """
        grid, sums = self._split.grid, dict[str, float]()
        found: list[Detections] = []
        most = images_at_a_time(grid)
        for start in range(0, len(self._split), most):
            part = np.arange(start, min(start + most, len(self._split)))
            outputs = outputs_of(self._split.images[part])
            found += select_detections(outputs[..., : grid.shape[-1]], grid, self._selection)
            terms = loss(tf.constant(loss.targets_of(self._split, part)), tf.constant(outputs))
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + float(np.asarray(term, np.float64).sum())
        ap, ap50 = average_precision(self._truths, DetectionTable.from_detections(found), grid.classes)
        return Measured(ap, ap50, {name: total / len(self._split) for name, total in sums.items()})
