"""The files of data/evaluation, read back and checked: tables by name, and each mistake with its boxes."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.evaluation.mistakes import CORRECT, MISTAKES
from humbleyolo.evaluation.next_steps import NAME, Advice
from humbleyolo.evaluation.result_files import FORMAT, read_detections
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.pipeline.remedies import make_again
from humbleyolo.storage.array_types import Bools, Floats, Floats32, Ints
from humbleyolo.storage.npy import open_array
from humbleyolo.storage.table_reader import (
    Reader,
    index,
    is_number_or_none,
    number,
    number_or_none,
    read_object,
    read_table,
    text,
    whole,
    whole_or_none,
)

_FIX = make_again("evaluate")

Table = list[dict[str, Any]]
_JUDGED = {
    "image_id": whole, "detection": whole_or_none, "truth": whole_or_none, "kind": text, "iou": number_or_none,
}  # fmt: skip
_BIN: dict[str, Reader] = {"low": number, "high": number, "count": whole}
_RATES: dict[str, Reader] = dict.fromkeys(("precision", "recall", "f1"), number_or_none)
_TABLES: dict[str, dict[str, Reader]] = {
    "intervals": {"metric": text, "value": number_or_none, "low": number_or_none, "high": number_or_none},
    "precision_recall": {"recall": number, "precision": number},
    "precision_recall_by_class": {"class": text, "recall": number, "precision": number},
    "thresholds": {"class": text, "threshold": number, **_RATES},
    "confusion": {"truth_index": index, "predicted_index": index, "count": whole},
    "reliability": {**_BIN, "confidence": number_or_none, "iou": number_or_none, "right": number_or_none},
    "iou_histogram": _BIN,
    "mistakes": {"kind": text, "count": whole, "ap_gain": number_or_none},
}


@dataclass(frozen=True, eq=False)
class Judgements:
    """Detections at or above the threshold, each judged, and missed ground truth: J rows.

    Attributes:
        images: (J,) int64, 0 to N - 1.
        detections: (J,) int64 rows of the detections; -1 for missed ground truth.
        truths: (J,) int64 rows of the ground truth: the box that was matched, or that overlaps most; -1 for none.
        kinds: (J,) `CORRECT` or one of `MISTAKES`.
        ious: (J,) float64 IoU of detection and ground truth; 0 for none.
    """

    images: Ints
    detections: Ints
    truths: Ints
    kinds: npt.NDArray[np.str_]
    ious: Floats

    def wrong(self) -> Bools:
        """Return the (J,) rows that are mistakes."""
        return np.asarray(self.kinds != CORRECT)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The files of `data/evaluation`.

    Attributes:
        metrics: Contents of `metrics.json`, by name.
        advice: Sentences of `next_steps.json`: warnings, and next steps.
        detections: D rows, in the order of the file.
        judgements: Mistakes at `metrics["threshold"]`.
        confidence: (N, R, S, B) float32, the network's confidence in each box of each cell; a memory map. None
            without a network.
        intervals: metric, value, low, high.
        precision_recall: recall, precision.
        precision_recall_by_class: class, recall, precision.
        thresholds: class (empty: all together), threshold, precision, recall, f1.
        confusion: truth_index, predicted_index, count; an index of -1 is background.
        reliability: Bins of confidence: low, high, count, and the means confidence, iou, right.
        iou_histogram: Bins of IoU: low, high, count.
        mistakes: kind, count, ap_gain.
    """

    metrics: dict[str, Any]
    advice: Advice
    detections: DetectionTable
    judgements: Judgements
    confidence: Floats32 | None
    intervals: Table
    precision_recall: Table
    precision_recall_by_class: Table
    thresholds: Table
    confusion: Table
    reliability: Table
    iou_histogram: Table
    mistakes: Table


def read_evaluation(folder: Path, truths: TruthTable, class_count: int, grid: Grid | None) -> Evaluation:
    """Read the files of an evaluation.

    `folder` is data/evaluation. `truths` are in the order of the archive: annotation k is row k - 1. Without a grid
    there is no confidence in its cells.

    Raises:
        UserError: If a file is missing, damaged, or written by another version; the text says what to run.
    """
    detections = read_detections(folder / "detections.json", truths.image_count, class_count)
    return Evaluation(
        metrics=read_metrics_file(folder / "metrics.json"),
        advice=read_advice(folder / NAME),
        detections=detections,
        judgements=_read_judgements(folder / "judged.csv", detections, truths),
        confidence=_read_confidence(folder / "confidence.npy", truths.image_count, grid) if grid else None,
        **{name: read_table(folder / f"{name}.csv", columns, _FIX) for name, columns in _TABLES.items()},
    )


def read_metrics_file(path: Path) -> dict[str, Any]:
    """Read `metrics.json` whole.

    Raises:
        UserError: If it is missing, damaged, or written by another version.
    """
    metrics = read_object(path, _FIX)
    if metrics.get("format") != FORMAT:
        found = f"format {metrics['format']!r}" if "format" in metrics else "a version without a format"
        raise UserError(f"{path}: is of {found}; expected format {FORMAT}: written by another version? {_FIX}")
    problems = [
        f"{name} is {value!r}; allowed: a finite number or null"
        for name, value in metrics.items()
        if name != "per_class" and not is_number_or_none(value)
    ]
    per_class = metrics.get("per_class")
    if not isinstance(per_class, dict) or not all(isinstance(row, dict) for row in per_class.values()):
        problems.append("per_class is missing, or no numbers by class")
    else:
        problems += [
            f"per_class: {name[:80]}: {key} is {value!r}; allowed: a finite number or null"
            for name, row in per_class.items()
            for key, value in row.items()
            if not is_number_or_none(value)
        ]
    if problems:
        raise ProblemsError(str(path), problems, fix=_FIX)
    return metrics


def read_advice(path: Path) -> Advice:
    """Read `next_steps.json`.

    Raises:
        UserError: If it is missing, damaged, or holds something else.
    """
    found, names = read_object(path, _FIX), [field.name for field in fields(Advice)]
    lists = [found.get(name) for name in names]
    if not all(isinstance(texts, list) and all(isinstance(one, str) for one in texts) for texts in lists):
        raise UserError(f"{path}: holds no lists of texts by the names {', '.join(names)}; {_FIX}")
    return Advice(*(found[name] for name in names))


def _read_judgements(path: Path, detections: DetectionTable, truths: TruthTable) -> Judgements:
    table = read_table(path, _JUDGED, _FIX)
    problems = []
    limits = {"image_id": (1, truths.image_count), "detection": (0, len(detections) - 1), "truth": (1, len(truths))}
    for line, row in enumerate(table, 2):
        problems += [
            f"line {line}: {name} {row[name]} is unknown; allowed: {low} to {high}"
            for name, (low, high) in limits.items()
            if row[name] is not None and not low <= row[name] <= high
        ]
        if row["kind"] not in (CORRECT, *MISTAKES):
            problems.append(f"line {line}: kind {row['kind']!r}; allowed: {', '.join((CORRECT, *MISTAKES))}")
        elif row["kind"] == "missed" and row["truth"] is None:
            problems.append(f"line {line}: kind 'missed' without a truth")
        elif row["kind"] != "missed" and row["detection"] is None:
            problems.append(f"line {line}: kind {row['kind']!r} without a detection")
    if problems:
        raise ProblemsError(str(path), problems, fix=_FIX)
    return Judgements(
        np.array([row["image_id"] - 1 for row in table], np.int64),
        np.array([-1 if row["detection"] is None else row["detection"] for row in table], np.int64),
        np.array([-1 if row["truth"] is None else row["truth"] - 1 for row in table], np.int64),
        np.array([row["kind"] for row in table], np.str_),
        np.array([row["iou"] or 0.0 for row in table], np.float64),
    )


def _read_confidence(path: Path, image_count: int, grid: Grid) -> Floats32:
    try:
        confidence = open_array(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {_FIX}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as an array ({error}); {_FIX}") from None
    expected = (image_count, grid.rows, grid.cols, grid.boxes)
    if confidence.shape != expected or confidence.dtype != np.float32:
        raise UserError(f"{path}: holds {confidence.dtype} {confidence.shape}, expected float32 {expected}; {_FIX}")
    if not np.isfinite(confidence).all():
        raise UserError(f"{path}: holds values that are not finite; {_FIX}")
    return confidence
