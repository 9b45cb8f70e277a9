"""Which boxes of a model are shown where nobody says: those that its evaluation took."""

from dataclasses import dataclass
from pathlib import Path

from humbleyolo.detection.model import MAX_DETECTIONS, MIN_SCORE, NMS_IOU, THRESHOLD
from humbleyolo.errors import UserError
from humbleyolo.models.selection import NAME, read_selection
from humbleyolo.params.value_types import Mirrored


@dataclass(frozen=True)
class Selected:
    """See `Facts`, which has the same, and `evaluate` in params.yaml."""

    threshold: float
    threshold_from: str
    min_score: float
    nms_iou: float
    max_detections: int
    mirrored: Mirrored
    whole_pixels: bool


def selected(model: Path) -> Selected:
    """Return which boxes are shown, for the model in a folder.

    They are those of `evaluation/selection.json` beside the model's folder. Where there is none for these very
    weights, they are the defaults, and `threshold_from` says why: threshold 0.5, suppression over an IoU of 0.5,
    100 detections, no mirror images, edges as the network has them.
    """
    try:
        found = read_selection(model.parent / "evaluation" / NAME, model / "weights.npz")
    except UserError as error:
        source = f"the default, since {error}"
        return Selected(
            THRESHOLD, source, MIN_SCORE, NMS_IOU, MAX_DETECTIONS, mirrored="none", whole_pixels=False
        )
    threshold, source = found.threshold, "the best on val"
    if threshold is None:
        threshold, source = THRESHOLD, "the default, since none was any good on val"
    return Selected(
        threshold,
        source,
        found.min_score,
        found.nms_iou,
        found.max_detections,
        found.mirrored,
        found.whole_pixels,
    )
