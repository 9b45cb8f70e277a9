"""The folder that `train` wrote, run by TensorFlow."""

from dataclasses import asdict, replace
from pathlib import Path

from humbleyolo.models.tensorflow_setup import claim_process, set_threads  # before all else that imports TensorFlow
from humbleyolo.storage.array_types import Floats32, Uint8s

# isort: split

from humbleyolo.detection.backend import ModelFacts, highest_confidence
from humbleyolo.geometry.detections import Detections
from humbleyolo.models.artifact import ModelInfo
from humbleyolo.models.selection import Selection, selection_of
from humbleyolo.models.trained_network import Network


class TrainedModel:
    """A model's folder, read.

    Args:
        folder: Folder with `weights.npz` and `model.json`.
        nms_iou: Highest overlap of two detections of one class; None: as evaluated.
        threads: Threads of TensorFlow, in the whole process; None: its own choice.
        max_detections: Largest number of detections on an image; None: as evaluated.

    Raises:
        UserError: If the folder holds no whole model, or TensorFlow computes already with other threads or in another
            process.
    """

    def __init__(
        self,
        folder: Path,
        nms_iou: float | None = None,
        threads: int | None = None,
        max_detections: int | None = None,
    ) -> None:
        claim_process()
        if threads is not None:
            set_threads(threads)
        selection = selection_of(folder).override(nms_iou=nms_iou, max_detections=max_detections)
        self._network = Network.load(folder, selection.mirrored)
        self.facts = facts_of(self._network.info, selection)

    def detect(self, images: Uint8s, min_score: float) -> list[Detections]:
        """Return N detections on letterboxed images (N, H, W, 3)."""
        claim_process()
        return self._network.detect_batch(images, replace(self.facts, min_score=min_score))

    def confidence(self, images: Uint8s) -> Floats32:
        """Return the highest confidence of each cell's boxes, (N, R, S)."""
        claim_process()
        return highest_confidence(self._network.predict(images), len(self.facts.names))


def facts_of(info: ModelInfo, selection: Selection) -> ModelFacts:
    """Return the facts of a trained model whose boxes are selected so."""
    grid = info.grid
    return ModelFacts(
        **asdict(selection),
        names=info.categories,
        height=grid.height,
        width=grid.width,
        rows=grid.rows,
        cols=grid.cols,
        fill=info.fill,
    )
