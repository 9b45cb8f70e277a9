"""The parity gate: model and export run on the test split, each in its own runtime, and are compared."""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.detection.backend import BATCH
from humbleyolo.detection.backends.metadata import ExportedModel, detections_in
from humbleyolo.evaluation.inference import check_match
from humbleyolo.geometry.detections import Detections
from humbleyolo.metrics.coco_metrics import average_precision
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.models.trained_network import Network, select_detections
from humbleyolo.process.terminal import counted

TOLERANCE = 1e-4  # float32: of every number of the grid (all are fractions or probabilities), and of AP
ROUNDED_AP = 0.005  # float16 and int8, whose weights are rounded on purpose: largest loss of AP


@dataclass(frozen=True)
class Parity:
    """Difference between an export and the model.

    Attributes:
        images: Number of images that both were run on.
        difference: Largest difference of a number of the grid.
        ap: AP of the model; None if the split has no objects.
        export_ap: AP of the export.
        precision: float32, float16 or int8.
    """

    images: int
    difference: float
    ap: float | None
    export_ap: float | None
    precision: str

    @property
    def problem(self) -> str:
        """The difference that is over tolerance; empty if there is none."""
        lost = 0.0 if self.ap is None or self.export_ap is None else self.ap - self.export_ap
        if self.precision != "float32":
            if not lost <= ROUNDED_AP:
                return f"AP falls by {lost:.4f}, more than {ROUNDED_AP}"
            return "" if np.isfinite(self.difference) else "it gives numbers that are not finite"
        if not self.difference <= TOLERANCE:  # NaN too
            return f"the largest difference is {self.difference:.2g}, more than {TOLERANCE}"
        if not abs(lost) <= TOLERANCE:
            return f"AP differs by {abs(lost):.2g}, more than {TOLERANCE}"
        return ""

    def __str__(self) -> str:
        aps = "no objects, so no AP"
        if self.ap is not None and self.export_ap is not None:
            aps = f"AP {self.export_ap:.6f}, the model's {self.ap:.6f}, edges as they leave the network"
        return f"{counted(self.images, 'test image')}: largest difference {self.difference:.2g}; {aps}"


def compare(network: Network, exported: ExportedModel, split: EncodedSplit, archive: ArchivedSplit) -> Parity:
    """Run both on a split.

    Edges are not rounded to whole pixels, even if the selection asks for it. That would make a pixel, and so a
    step of AP, out of a difference in the sixth digit.

    Raises:
        UserError: If model and split do not belong together.
    """
    check_match(network, split, archive)
    selection = exported.facts
    largest = 0.0
    own: list[Detections] = []
    theirs: list[Detections] = []
    for start in tqdm(range(0, len(split), BATCH), "comparing", unit=" batches", disable=None, leave=False):
        images = np.asarray(split.images[start : start + BATCH])
        predictions, outputs = network.predict(images), exported.run(images)
        difference = np.abs(predictions - outputs["grid"])
        largest = max(largest, float(difference.max(initial=0))) if np.isfinite(difference).all() else np.inf
        own += select_detections(predictions, split.grid, selection)
        theirs += detections_in(outputs, selection.min_score)
    truths = TruthTable.from_archive(archive)
    ap, export_ap = (
        average_precision(
            truths, DetectionTable.before_letterbox(found, split.sizes, split.grid), len(split.categories)
        )[0]
        for found in (own, theirs)
    )
    return Parity(len(split), largest, ap, export_ap, exported.metadata.precision)
