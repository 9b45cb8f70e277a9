"""Precision against recall, as rows for CSV files and plots."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from humbleyolo.metrics.matching import MOST_DETECTIONS, WHOLE_RANGE, evaluator
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.atomic import atomic_write


def precision_recall(
    truths: TruthTable, detections: DetectionTable, categories: Sequence[str], iou: float = 0.5
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return COCO's precision at its 101 recalls, so that the mean of the column is the AP at this IoU.

    Precision is the highest that is reached at this recall or a higher one, and 0 where none is.

    Args:
        truths: M rows.
        detections: D rows, of the same images.
        categories: C names, in the order of the labels.
        iou: The least IoU of a match.

    Returns:
        The mean over the classes that have truths, with the columns recall and precision; and every such
        class by itself, with class, recall, precision and confidence: the score down to which detections are
        taken to reach this recall, NaN where it is not reached. Both are empty where no class has truths.

    Raises:
        ValueError: Where the tables are of different images, or a label is no class.
    """
    result = evaluator(
        truths,
        detections,
        len(categories),
        iou_thresholds=[iou],
        area_ranges={"all": WHOLE_RANGE},
        max_detections=[MOST_DETECTIONS],
    )
    result.accumulate()
    assert result.eval is not None  # noqa: S101 - it was just accumulated
    precision = np.asarray(result.eval["precision"])[0, :, :, 0, 0].round(12)  # (R, C)
    scores = np.asarray(result.eval["scores"])[0, :, :, 0, 0]  # (R, C)
    highest = np.asarray(result.eval["recall"])[0, :, 0, 0]  # (C,)
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


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, the same bytes on every system; what does not exist is empty."""
    with atomic_write(path) as file:
        file.write(table.to_csv(index=False, lineterminator="\n").encode("utf-8", "surrogatepass"))
