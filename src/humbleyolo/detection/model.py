"""What a model is to those who use it, whatever file it comes from."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from humbleyolo.storage.array_types import Floats, Ints, Uint8s

NMS_IOU = 0.5  # of two boxes of one class that overlap more, the lower score is dropped
MAX_DETECTIONS = 100  # on one image, as COCO counts them
THRESHOLD = 0.5  # where nobody has looked for a better one on val
MIN_SCORE = 0.01  # where no evaluation says; an export holds no detections of lower scores
BATCH = 32  # images that a network sees at a time


class Found(NamedTuple):
    """What a network found on one letterboxed image, best score first."""

    boxes: Floats  # (D, 4) xyxy pixels of the letterboxed image, inside it
    scores: Floats  # (D,)
    labels: Ints  # (D,) class indices


@dataclass(frozen=True)
class Facts:
    """What is known of a model.

    Attributes:
        names: The C class names.
        height: Pixels that the network sees; likewise `width`.
        rows: Of its grid; likewise `cols`.
        fill: Grey value of the letterbox's bars.
        threshold: The score from which on a detection is shown where nobody says otherwise.
        threshold_from: Where that comes from, for people.
        min_score: The lowest that the evaluation took for AP; an export holds no detections of lower scores.
        nms_iou: Of two boxes of one class that overlap more, the lower score is dropped.
        max_detections: On one image.
        whole_pixels: Whether edges are rounded to whole pixels of the picture, as the evaluation did.
    """

    names: tuple[str, ...]
    height: int
    width: int
    rows: int
    cols: int
    fill: int
    threshold: float
    threshold_from: str
    min_score: float
    nms_iou: float
    max_detections: int
    whole_pixels: bool


class Model(Protocol):
    """A network with its decoding and suppression, in some runtime. Any number of threads may call it."""

    @property
    def facts(self) -> Facts:
        """What is known of it."""

    def detect(self, images: Uint8s, min_score: float) -> list[Found]:
        """Return what is on letterboxed images (N, H, W, 3), one for each; scores of `min_score` and more."""
