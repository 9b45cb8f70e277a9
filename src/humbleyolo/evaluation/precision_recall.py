"""Tables of precision against recall, for CSV files and plots."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from humbleyolo.metrics.matching import accumulated, evaluator
from humbleyolo.metrics.tables import DetectionTable, TruthTable


def precision_recall(
    truths: TruthTable, detections: DetectionTable, categories: Sequence[str], iou: float = 0.5
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return COCO's precision at its 101 recalls, so that the mean of the column is the AP at this IoU.

    Precision is the highest that is reached at this recall or a higher one, and 0 if none is.

    Returns:
        The mean over the classes that have ground truths, with the columns recall and precision. Then every such
        class by itself, with class, recall, precision and confidence. That is the lowest score of the detections that
        it takes to reach this recall, NaN if it is not reached. Both are empty if no class has ground truths.

    Raises:
        ValueError: If the tables are of different images, or a label is no class.
    """
    arrays = accumulated(evaluator(truths, detections, len(categories), iou_thresholds=[iou]))
    precision = arrays["precision"][0, :, :, 0, 0].round(12)  # (R, C)
    scores = arrays["scores"][0, :, :, 0, 0]  # (R, C)
    highest = arrays["recall"][0, :, 0, 0]  # (C,)
    recalls = np.linspace(0, 1, len(precision)).round(2)  # (R,)
    defined = np.flatnonzero(highest > -1)
    by_class = pd.DataFrame(
        {
            "class": [categories[label] for label in defined.tolist() for _ in recalls],
            "recall": np.tile(recalls, len(defined)),
            "precision": precision[:, defined].T.ravel(),
            "confidence": np.where(recalls[:, None] <= highest, scores, np.nan)[:, defined].T.ravel(),
        }
    )
    overall = pd.DataFrame(
        {"recall": recalls, "precision": precision[:, defined].mean(axis=1) if len(defined) else np.nan}
    )
    return overall.iloc[: len(recalls) if len(defined) else 0], by_class
