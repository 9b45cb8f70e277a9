"""All that is measured of a run: the metrics, and a table for each question."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from humbleyolo.evaluation.bootstrap import MEASURED, Weighable, interval, resample
from humbleyolo.evaluation.calibration import calibrate, iou_histogram
from humbleyolo.evaluation.confusion import any_class_rates, confusion_table
from humbleyolo.evaluation.mistakes import judge, judged_table, mistakes_table
from humbleyolo.evaluation.precision_recall import precision_recall
from humbleyolo.evaluation.result_files import FORMAT, write_detections
from humbleyolo.evaluation.thresholds import Rates, Thresholds, rates_at, taken_at, threshold_table
from humbleyolo.metrics.coco_metrics import score
from humbleyolo.metrics.floor import NO_FLOOR, Floor
from humbleyolo.metrics.grid_report import NO_REPORT, GridReport
from humbleyolo.metrics.matching import Matches, match, mean_iou
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.metrics.voc_metrics import voc_average_precision
from humbleyolo.params.sections import Evaluate
from humbleyolo.storage.array_types import Floats
from humbleyolo.storage.json import write_json
from humbleyolo.storage.table_writer import write_table

# Shown by `dvc metrics show` and `dvc metrics diff`: as many as stand beside the file's path in 80 columns, with so
# many decimals. DVC itself shortens neither.
HEADLINE = ("ap", "ap50", "ap75", "ar100", "f1", "floor_ap")
_HEADLINE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Assessment:
    """Measurements of a split.

    Attributes:
        metrics: Numbers by name, and by class under `per_class`; None if one does not exist.
        tables: Tables by the name of the file that each becomes.
    """

    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    @property
    def headline(self) -> dict[str, Any]:
        """The few metrics that say most, by name, rounded to be read."""
        found = {name: self.metrics[name] for name in HEADLINE}
        return {name: None if value is None else round(value, _HEADLINE_DECIMALS) for name, value in found.items()}

    def write(self, folder: Path, detections: DetectionTable) -> None:
        """Write the measurements, and the detections that were measured, into a folder that exists.

        Raises:
            UserError: If a file cannot be written.
        """
        write_detections(folder / "detections.json", detections)
        for name, table in self.tables.items():
            write_table(folder / f"{name}.csv", table)
        write_json(folder / "headline.json", self.headline)
        write_json(folder / "metrics.json", self.metrics)


def measure(
    truths: TruthTable, detections: DetectionTable, categories: Sequence[str], matches: Matches
) -> dict[str, Any]:
    """Return the metrics that need no threshold by name; None if one does not exist.

    Returns:
        COCO's twelve, `mean_iou`, and the counts `images`, `objects` (without crowds) and `detections`; then
        `per_class`, a mapping from name to ap, ap50, ap75, ar100, mean_iou, objects and detections.

    Raises:
        ValueError: If the tables are of different images, or a label is no class.
    """
    metrics = score(truths, detections, categories)
    per_class = metrics.pop("per_class")
    for label, one in enumerate(per_class.values()):
        own = detections.labels == label
        one["mean_iou"] = mean_iou(matches.take(own))
        one["objects"] = int(np.count_nonzero(~truths.crowd & (truths.labels == label)))
        one["detections"] = int(np.count_nonzero(own))
    return {
        **metrics,
        "mean_iou": mean_iou(matches),
        "images": truths.image_count,
        "objects": int(np.count_nonzero(~truths.crowd)),
        "detections": len(detections),
        "per_class": per_class,
    }


def assess(
    truths: TruthTable,
    detections: DetectionTable,
    categories: Sequence[str],
    thresholds: Thresholds,
    settings: Evaluate,
    report: GridReport = NO_REPORT,
    floor: Floor = NO_FLOOR,
) -> Assessment:
    """Measure the test split, at the thresholds found on val.

    `report` has the AP that the grid itself sets as a limit, and what train has of each class; `floor` has the scores
    of boxes drawn blindly.

    Raises:
        ValueError: If the tables are of different images, or a label is no class.
    """
    classes = len(categories)
    matches = match(truths, detections, classes, settings.match_iou)
    rates = partial(rates_at, truths, detections, matches)
    nearest = nearest_truths(truths, detections)
    taken = taken_at(detections, matches, thresholds.overall)
    judgement = judge(matches, nearest, settings.match_iou, settings.background_iou)
    calibration = calibrate(detections, matches, nearest, settings.bins)
    voc, voc11 = voc_average_precision(truths, detections, classes, settings.voc_iou)
    confusion = confusion_table(truths, detections, matches, taken, categories, settings.match_iou)
    metrics = measure(truths, detections, categories, matches)
    per_class = metrics.pop("per_class")
    metrics |= {
        "voc_ap": _mean(voc),
        "voc_ap11": _mean(voc11),
        "threshold": thresholds.overall,
        **asdict(rates(thresholds.overall)),
        "calibration_error_iou": calibration.iou_error,
        "calibration_error_right": calibration.right_error,
        "ceiling_ap": report.ceiling_ap,
        "ap_of_ceiling": _part_of(metrics["ap"], report.ceiling_ap),
        **_named("floor", floor),
        **_named("any_class", any_class_rates(confusion)),
    }
    for label, (one, best) in enumerate(zip(per_class.values(), thresholds.per_class, strict=True)):
        one |= {"voc_ap": voc[label], **asdict(rates(thresholds.overall, label))}
        one |= {"best_threshold": best, "best_f1": rates(best, label).f1}
        one["train_objects"] = report.learned[label] if report.learned else None
    draws: dict[str, Floats] = {}
    if settings.resamples:
        run = Weighable(
            truths, detections, classes,
            matches=matches, nearest=nearest, taken=taken, voc_iou=settings.voc_iou, bins=settings.bins,
        )  # fmt: skip
        (draws,) = resample([run], settings.resamples, settings.bootstrap_seed)
    curve, curves = precision_recall(truths, detections, categories, settings.match_iou)
    tables = {
        "precision_recall": curve,
        "precision_recall_by_class": curves,
        "thresholds": threshold_table(truths, detections, matches, categories),
        "confusion": confusion,
        "reliability": calibration.table,
        "iou_histogram": iou_histogram(matches.iou[taken & (matches.truths >= 0)], settings.bins),
        "mistakes": mistakes_table(truths, detections, judgement, taken, classes),
        "judged": judged_table(truths, detections, judgement, taken, tuple(categories)),
        "intervals": _intervals(metrics, draws, truths.image_count),
    }
    return Assessment({**metrics, "format": FORMAT, "per_class": per_class}, tables)


def _named(prefix: str, values: Floor | Rates) -> dict[str, float | None]:
    return {f"{prefix}_{name}": value for name, value in asdict(values).items()}


def _part_of(ap: float | None, ceiling_ap: float | None) -> float | None:
    return round(ap / ceiling_ap, 12) if ap is not None and ceiling_ap else None


def _intervals(metrics: dict[str, Any], draws: dict[str, Floats], image_count: int) -> pd.DataFrame:
    """Return each number that is resampled, with its interval; that of the ceiling itself is left out of it."""
    if draws and metrics["ceiling_ap"]:
        draws = {**draws, "ap_of_ceiling": draws["ap"] / metrics["ceiling_ap"]}
    rows = []
    for name in (*MEASURED, "ap_of_ceiling"):
        found = interval(draws.get(name, np.zeros(0)), image_count)
        rows.append((name, metrics[name], found.low, found.high))
    table = pd.DataFrame(rows, columns=["metric", "value", "low", "high"])
    return table.astype({"value": np.float64, "low": np.float64, "high": np.float64})


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return round(float(np.mean(defined)), 12) if defined else None
