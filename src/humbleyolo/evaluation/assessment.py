"""Everything that is measured of a run: the metrics, and a table for each question."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from humbleyolo.evaluation.bootstrap import MEASURED, Weighable, interval, resample
from humbleyolo.evaluation.calibration import calibrate, iou_histogram
from humbleyolo.evaluation.confusion import confusion_table
from humbleyolo.evaluation.curves import precision_recall
from humbleyolo.evaluation.files import FORMAT
from humbleyolo.evaluation.headline import measure
from humbleyolo.evaluation.mistakes import judge, judged_table, mistakes_table
from humbleyolo.evaluation.thresholds import best_threshold, rates_at, taken_at, threshold_table
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.nearest_truths import nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.metrics.voc import voc_average_precision
from humbleyolo.params.sections import Evaluate
from humbleyolo.storage.array_types import Floats

# What `dvc metrics show` and `dvc metrics diff` tell: as many as stand beside the file's path in 80 columns, with so
# many decimals. DVC itself shortens neither.
HEADLINE = ("ap", "ap50", "ap75", "ar100", "f1", "mean_iou")
_HEADLINE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on detections are taken, found on val; None where no score is any good.

    Attributes:
        overall: One for all classes.
        per_class: The best for each of C classes by itself.
    """

    overall: float | None
    per_class: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is measured of a split.

    Attributes:
        metrics: Numbers by name, and by class under `per_class`; None where one does not exist.
        tables: By the name of the file that each becomes.
    """

    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    @property
    def headline(self) -> dict[str, Any]:
        """The few metrics that say most, by name, rounded to be read."""
        found = {name: self.metrics[name] for name in HEADLINE}
        return {
            name: None if value is None else round(value, _HEADLINE_DECIMALS) for name, value in found.items()
        }


def find_thresholds(
    truths: TruthTable, detections: DetectionTable, class_count: int, match_iou: float
) -> Thresholds:
    """Find the thresholds with the best F1; on val, since test is for measuring them.

    Args:
        truths: M rows.
        detections: D rows, of the same images.
        class_count: C.
        match_iou: The least IoU of a match.
    """
    matches = match(truths, detections, class_count, match_iou)
    return Thresholds(
        best_threshold(truths, detections, matches),
        tuple(best_threshold(truths, detections, matches, label) for label in range(class_count)),
    )


def assess(
    truths: TruthTable,
    detections: DetectionTable,
    categories: Sequence[str],
    thresholds: Thresholds,
    settings: Evaluate,
    ceiling_ap: float | None = None,
) -> Assessment:
    """Measure all that is told of the test split.

    Args:
        truths: M rows.
        detections: D rows, of the same images.
        categories: C names, in the order of the labels.
        thresholds: Found on val.
        settings: How to measure.
        ceiling_ap: The AP that the grid itself sets as a limit.

    Raises:
        ValueError: Where the tables are of different images, or a label is no class.
    """
    classes = len(categories)
    matches = match(truths, detections, classes, settings.match_iou)
    metrics = measure(truths, detections, categories, matches)
    per_class = metrics.pop("per_class")
    nearest = nearest_truths(truths, detections)
    taken = taken_at(detections, matches, thresholds.overall)
    judgement = judge(detections, matches, nearest, settings.match_iou, settings.background_iou)
    calibration = calibrate(detections, matches, nearest, settings.bins)
    voc, voc11 = voc_average_precision(truths, detections, classes, settings.voc_iou)
    overall = rates_at(truths, detections, matches, thresholds.overall)
    metrics |= {
        "voc_ap": _mean(voc),
        "voc_ap11": _mean(voc11),
        "threshold": thresholds.overall,
        "precision": overall.precision,
        "recall": overall.recall,
        "f1": overall.f1,
        "calibration_error_iou": calibration.iou_error,
        "calibration_error_right": calibration.right_error,
        "ceiling_ap": ceiling_ap,
        "ap_of_ceiling": round(metrics["ap"] / ceiling_ap, 12)
        if metrics["ap"] is not None and ceiling_ap
        else None,
    }
    for label, one in enumerate(per_class.values()):
        own = rates_at(truths, detections, matches, thresholds.overall, label)
        best = thresholds.per_class[label]
        one |= {
            "voc_ap": voc[label],
            "precision": own.precision,
            "recall": own.recall,
            "f1": own.f1,
            "best_threshold": best,
            "best_f1": rates_at(truths, detections, matches, best, label).f1,
        }
    curve, curves = precision_recall(truths, detections, categories, settings.match_iou)
    draws: dict[str, Floats] = {}
    if settings.resamples:
        run = Weighable(
            truths, detections, classes,
            matches=matches, nearest=nearest, taken=taken, voc_iou=settings.voc_iou, bins=settings.bins,
        )  # fmt: skip
        (draws,) = resample([run], settings.resamples, settings.bootstrap_seed)
        if ceiling_ap:
            draws["ap_of_ceiling"] = draws["ap"] / ceiling_ap
    tables = {
        "precision_recall": curve,
        "precision_recall_by_class": curves,
        "thresholds": threshold_table(truths, detections, matches, categories),
        "confusion": confusion_table(truths, detections, matches, taken, categories, settings.match_iou),
        "reliability": calibration.table,
        "iou_histogram": iou_histogram(matches.iou[taken & (matches.truths >= 0)], settings.bins),
        "mistakes": mistakes_table(truths, detections, judgement, taken, classes),
        "judged": judged_table(truths, detections, judgement, taken, tuple(categories)),
        "intervals": _intervals(metrics, draws, truths.image_count),
    }
    return Assessment({**metrics, "format": FORMAT, "per_class": per_class}, tables)


def _intervals(metrics: dict[str, Any], draws: dict[str, Floats], image_count: int) -> pd.DataFrame:
    """Return each number that is resampled, with its interval; that of the ceiling itself is left out of it."""
    rows = []
    for name in (*MEASURED, "ap_of_ceiling"):
        found = interval(draws.get(name, np.zeros(0)), image_count)
        rows.append((name, metrics[name], found.low, found.high))
    table = pd.DataFrame(rows, columns=["metric", "value", "low", "high"])
    return table.astype({"value": np.float64, "low": np.float64, "high": np.float64})


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return round(float(np.mean(defined)), 12) if defined else None
