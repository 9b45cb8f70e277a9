"""What `metrics.json` holds: the headline numbers, then those of each class."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from humbleyolo.metrics.coco import score
from humbleyolo.metrics.matching import Matches, match, mean_iou
from humbleyolo.metrics.tables import DetectionTable, TruthTable


def measure(
    truths: TruthTable, detections: DetectionTable, categories: Sequence[str], matches: Matches | None = None
) -> dict[str, Any]:
    """Return every metric by name; None where it does not exist.

    Args:
        truths: M rows.
        detections: D rows, of the same images.
        categories: C names, in the order of the labels.
        matches: What became of the detections, for `mean_iou`; None: what does at IoU 0.5.

    Returns:
        COCO's twelve, `mean_iou`, and the counts `images`, `objects` (without crowds) and `detections`; then
        `per_class`, a mapping from name to ap, ap50, ap75, ar100, mean_iou, objects and detections.

    Raises:
        ValueError: Where the tables are of different images, or a label is no class.
    """
    result = score(truths, detections, categories)
    if matches is None:
        matches = match(truths, detections, len(categories))
    headline = asdict(result)
    del headline["per_class"]
    return {
        **headline,
        "mean_iou": mean_iou(matches),
        "images": truths.image_count,
        "objects": int(np.count_nonzero(~truths.crowd)),
        "detections": len(detections),
        "per_class": {
            name: {
                "ap": one.ap,
                "ap50": one.ap50,
                "ap75": one.ap75,
                "ar100": one.ar100,
                "mean_iou": mean_iou(matches.take(detections.labels == label)),
                "objects": one.objects,
                "detections": int(np.count_nonzero(detections.labels == label)),
            }
            for label, (name, one) in enumerate(result.per_class.items())
        },
    }
