"""The score of a network on val after an epoch, which decides the epoch that is kept."""

import numpy as np
import tensorflow as tf

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.metrics.coco import average_precision
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import images_at_a_time, select_detections
from humbleyolo.params.sections import Validation
from humbleyolo.storage.array_types import Floats32
from humbleyolo.training.weighted_loss import WeightedLoss


class ValidationScore:
    """The score of predictions on a split.

    Args:
        split: Images and ground truth.
        validation: The boxes that count; `evaluate` has thresholds of its own, which do not touch the model.
    """

    def __init__(self, split: EncodedSplit, validation: Validation) -> None:
        self._split, self._selection = split, Selection.from_section(validation)
        boxes, labels = xyxy_to_ltwh(np.asarray(split.boxes)), split.labels.astype(np.int64)
        self._truths = TruthTable(len(split), split.image_index, boxes, labels, np.zeros(len(labels), bool))

    def score(self, predictions: Floats32) -> tuple[float | None, float | None]:
        """Return AP and AP50 of (N, R, S, K) predictions; None if the split has no objects."""
        found = select_detections(predictions, self._split.grid, self._selection)
        detections = DetectionTable.from_detections(found)
        return average_precision(self._truths, detections, self._split.grid.classes)

    def terms(self, outputs: Floats32, loss: WeightedLoss) -> dict[str, float]:
        """Return the weighted mean of each loss term, batch by batch; `outputs` are as the loss takes them."""
        sums: dict[str, float] = {}
        most = images_at_a_time(self._split.grid)
        for start in range(0, len(outputs), most):
            part = np.arange(start, min(start + most, len(outputs)))
            terms = loss(tf.constant(loss.targets_of(self._split, part)), tf.constant(outputs[part]))
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + float(np.asarray(term, np.float64).sum())
        return {name: total / len(outputs) for name, total in sums.items()}
