"""The model that `train` wrote, run by TensorFlow."""

from pathlib import Path

from humbleyolo.models.tensorflow_setup import set_threads  # before all else that imports TensorFlow
from humbleyolo.storage.array_types import Uint8s

# isort: split

from humbleyolo.detection.default_selection import selected
from humbleyolo.detection.model import Facts, Found
from humbleyolo.models.network import Network, Selection


class NativeModel:
    """A model's folder, read.

    Args:
        folder: With `weights.npz` and `model.json`.
        nms_iou: Of two boxes of one class that overlap more, the lower score is dropped; None: as evaluated.
        threads: Of TensorFlow, in the whole process; None: its own choice.

    Raises:
        UserError: Where the folder holds no whole model, or TensorFlow computes already with other threads.
    """

    def __init__(self, folder: Path, nms_iou: float | None = None, threads: int | None = None) -> None:
        if threads is not None:
            set_threads(threads)
        use = selected(folder)
        self.network = Network.load(folder, use.mirrored)
        info = self.network.info
        self.facts = Facts(
            names=info.categories,
            height=info.grid.height,
            width=info.grid.width,
            rows=info.grid.rows,
            cols=info.grid.cols,
            fill=info.fill,
            threshold=use.threshold,
            threshold_from=use.threshold_from,
            min_score=use.min_score,
            nms_iou=use.nms_iou if nms_iou is None else nms_iou,
            max_detections=use.max_detections,
            whole_pixels=use.whole_pixels,
        )

    def detect(self, images: Uint8s, min_score: float) -> list[Found]:
        """Return what is on letterboxed images (N, H, W, 3), one for each."""
        selection = Selection(min_score, self.facts.nms_iou, self.facts.max_detections)
        found = self.network.detect_batch(images, selection)
        return [Found(one.boxes, one.scores, one.labels) for one in found]
