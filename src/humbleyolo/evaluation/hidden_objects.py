"""Objects that suppression may have hidden: nothing matches them, and a neighbour of their class overlaps them."""

from dataclasses import dataclass

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.sections import Evaluate

_MANY = 4  # parts of the objects without a match, of which one is hidden
_FEW = 2  # hidden objects that may be chance


@dataclass(frozen=True, slots=True)
class Hidden:
    """Number of objects that suppression may have hidden.

    Attributes:
        count: Objects without a match at any confidence, whose IoU with one that has a match, of their class, is
            over `nms_iou`.
        unmatched: All objects without a match.
        nms_iou: Limit of suppression.
    """

    count: int
    unmatched: int
    nms_iou: float

    @property
    def is_common(self) -> bool:
        """True if suppression may account for a quarter of the objects without a match, or more, and for several."""
        return self.count >= _FEW and _MANY * self.count >= self.unmatched

    def __str__(self) -> str:
        """Return the evidence in words."""
        overlap = "overlaps one of its class" if self.count == 1 else "overlap one of their class"
        return f"{self.count:,} of {self.unmatched:,} {overlap} by more than evaluate.nms_iou {self.nms_iou:g}"


NONE_HIDDEN = Hidden(0, 0, 1.0)


def count_hidden(truths: TruthTable, detections: DetectionTable, class_count: int, settings: Evaluate) -> Hidden:
    """Count the objects without a match that overlap a found one of their class by more than suppression allows.

    Where neither of two such objects is found, suppression is not to blame. Crowds are left out.
    """
    matches = match(truths, detections, class_count, settings.match_iou)
    missed = ~truths.crowd
    missed[matches.truths[matches.truths >= 0]] = False
    corners, count = ltwh_to_xyxy(truths.boxes_ltwh), 0
    for rows in truths.rows_by_image():
        single = rows[~truths.crowd[rows]]
        lost, found = single[missed[single]], single[~missed[single]]
        if len(lost) and len(found):
            near = pairwise_iou(corners[lost], corners[found]) > settings.nms_iou
            near &= truths.labels[lost][:, None] == truths.labels[found]
            count += int(near.any(axis=1).sum())
    return Hidden(count, int(missed.sum()), settings.nms_iou)
