"""Confusion of classes, with the background as a row and a column."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from humbleyolo.evaluation.thresholds import Rates
from humbleyolo.metrics.matching import Matches, match
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Bools, Ints

BACKGROUND = -1  # as an index; a class may have that name
_NAME = "background"


def confusion_table(
    truths: TruthTable,
    detections: DetectionTable,
    matches: Matches,
    taken: Bools,
    categories: Sequence[str],
    iou: float,
) -> pd.DataFrame:
    """Count pairs of a ground truth's class and the class that it was taken for.

    Detections that match a ground truth of their class come first, so that the diagonal holds those that are right in
    precision and recall. The rest is matched with the ground truths that are left, whatever the class, by the same
    rule. What is left then is background: a detection of nothing, or a ground truth that is missed.

    `taken` are the detections to count, (D,) bool, and `iou` is the least IoU of a match.

    Returns:
        Every pair but background with background, with the columns truth, predicted, count, truth_index and
        predicted_index; the index is that of the class, -1 for background.
    """
    classes = len(categories)
    truth_class = np.full(len(detections), classes)  # C stands for the background
    right = taken & (matches.truths >= 0)
    truth_class[right] = truths.labels[matches.truths[right]]
    left = np.flatnonzero(taken & ~right)
    found = np.zeros(len(truths), np.bool_)
    found[matches.truths[right]] = True
    open_truths = np.flatnonzero(~found)
    crossed = match(
        truths.take(open_truths).as_one_class(), detections.take(left).as_one_class(), 1, iou,
        limit=max(len(left), 1),
    )  # fmt: skip
    hit = crossed.truths >= 0
    crossed_truths = open_truths[crossed.truths[hit]]
    truth_class[left[hit]] = truths.labels[crossed_truths]
    found[crossed_truths] = True
    missed = truths.labels[~found & ~truths.crowd]
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    np.add.at(counts, (truth_class[taken], detections.labels[taken]), 1)
    counts[:classes, classes] = np.bincount(missed, minlength=classes)
    index = np.append(np.arange(classes), BACKGROUND)
    names = [*categories, _NAME]
    row, column = (axis.ravel()[:-1] for axis in np.indices(counts.shape))
    return pd.DataFrame(
        {
            "truth": [names[label] for label in row],
            "predicted": [names[label] for label in column],
            "count": counts.ravel()[:-1],
            "truth_index": index[row],
            "predicted_index": index[column],
        }
    )


def confused_rows(truths: Ints, predicted: Ints, counts: Ints) -> Ints:
    """Return the rows of a confusion table that are confusions, most often first, equals in the table's order.

    The columns are (P,) indices of the ground truth's class and of the predicted one, -1 for background, and the
    count. A confusion is a pair that differs and occurs.
    """
    rows = np.flatnonzero((truths != predicted) & (counts > 0))
    return rows[np.argsort(-counts[rows], kind="stable")]


def confused_classes(confusion: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Return the confusions of two classes of a table, most often first: true name, predicted name and count."""
    known = confusion[(confusion["truth_index"] != BACKGROUND) & (confusion["predicted_index"] != BACKGROUND)]
    rows = confused_rows(*(known[name].to_numpy(np.int64) for name in ("truth_index", "predicted_index", "count")))
    return list(known.iloc[rows][["truth", "predicted", "count"]].itertuples(index=False, name=None))


def any_class_rates(confusion: pd.DataFrame) -> Rates:
    """Return the rates of a confusion table if classes are ignored: right is all that lies on an object."""
    truth, predicted = confusion["truth_index"] != BACKGROUND, confusion["predicted_index"] != BACKGROUND
    counts = (int(confusion.loc[rows, "count"].sum()) for rows in (truth & predicted, predicted, truth))
    return Rates.of(*counts)
