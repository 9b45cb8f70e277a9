"""Detections measured against labels, and the result as a folder and as text: `humbleyolo score`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from humbleyolo.dataset.coco import is_difficult
from humbleyolo.errors import UserError
from humbleyolo.evaluation.assessment import Assessment, assess
from humbleyolo.evaluation.mistakes import costs_in_ap
from humbleyolo.evaluation.next_steps import Advice
from humbleyolo.evaluation.result_files import read_detections, read_metrics, wrong_numbers
from humbleyolo.evaluation.thresholds import find_thresholds
from humbleyolo.experiments.comparison import Run
from humbleyolo.experiments.file_detections import FileDetections
from humbleyolo.experiments.scored_labels import ScoredLabels
from humbleyolo.geometry.detections import Detections
from humbleyolo.labels.folder import LABEL_BYTES
from humbleyolo.labels.ledger import short_name
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Evaluate, Render
from humbleyolo.process.display_width import cut, padded
from humbleyolo.process.terminal import counted, first_few, wrapped_lines
from humbleyolo.storage.json import read_json

LABELS = "labels.json"
SETTINGS = Evaluate(  # where there is no params.yaml; the values of the project's own
    min_score=0.01, nms_iou=0.5, vote_iou=1.0, max_detections=100, mirrored="none", whole_pixels=True,
    match_iou=0.5, background_iou=0.1, voc_iou=0.5, bins=20, resamples=1000, bootstrap_seed=1,
)  # fmt: skip
PAGE = Render(
    images=12,
    columns=3,
    scale=3,
    min_score="threshold",
    cells=6,
    mistakes=6,
    report_images=1000,
    report_px=640,
    report_mb=16.0,
)
COCO = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium",
    "ar_large",
)  # fmt: skip
_OTHERS = ("voc_ap", "mean_iou", "precision", "recall", "f1")
_CLASS_COLUMNS = ("objects", "detections", "ap", "ap50", "ap75", "precision", "recall", "f1")
_MOST_CLASSES, _MOST_CONFUSIONS, _FEW, _NAME = 12, 4, 5, 16
_HERE = "these very labels: somewhat too good"


@dataclass(frozen=True, eq=False)
class Scored:
    """Detections and their measurements.

    Attributes:
        labels: Labels they were measured against.
        detections: D rows.
        found: The measurements.
        threshold_from: Origin of the threshold, in words.
        told: Lines about what was read and joined.
    """

    labels: ScoredLabels
    detections: DetectionTable
    found: Assessment
    threshold_from: str
    told: tuple[str, ...]


def settings_here(params: Path) -> tuple[Evaluate, Render]:
    """Return the sections `evaluate` and `render` of a project, or their common values where there is none.

    Raises:
        UserError: If params.yaml is there and has mistakes.
    """
    if not params.is_file():
        return SETTINGS, PAGE
    evaluate, render = load_params(params, "evaluate", "render")
    return evaluate, render


def score(
    labels: ScoredLabels,
    detections: DetectionTable,
    settings: Evaluate,
    threshold: tuple[float, str] | None,
    told: Sequence[str] = (),
) -> Scored:
    """Measure detections at a threshold, which comes with its origin; None: that of the best F1 on these labels."""
    best = find_thresholds(labels.truths, detections, len(labels.classes), settings.match_iou)
    why = f"the best F1 on {_HERE}" if best.overall is not None else "since no detection is right"
    thresholds = best
    if threshold is not None:
        thresholds, why = replace(best, overall=threshold[0]), threshold[1]
    found = assess(labels.truths, detections, labels.classes, thresholds, settings)
    return Scored(labels, detections, found, why, tuple(told))


def join_model(
    labels: ScoredLabels, names: Sequence[str], results: Iterable[Detections]
) -> tuple[ScoredLabels, DetectionTable, list[str]]:
    """Return the labels and a model's detections in the classes that both know, and notes about the others.

    `results` are the detections on each image, in order, with labels that count in `names`.
    """
    shared = labels.only(names)
    found = DetectionTable.from_detections(results)
    label_of = np.array([shared.classes.index(name) if name in shared.classes else -1 for name in names], np.int64)
    known = replace(found, labels=label_of[found.labels])
    known = known.take(known.labels >= 0)
    notes = []
    if theirs := [name for name in names if name not in labels.classes]:
        lost, few = len(found) - len(known), first_few(theirs, _FEW)
        notes.append(f"note: left out: {counted(lost, 'detection')} of classes that the labels lack: {few}")
    if ours := [name for name in labels.classes if name not in names]:
        lost, few = len(labels.truths) - len(shared.truths), first_few(ours, _FEW)
        notes.append(f"note: left out: {counted(lost, 'object')} of classes that the model lacks: {few}")
    return shared, known, notes


def write_result(folder: Path, scored: Scored) -> None:
    """Write the measurements, the detections, and the labels without their images into a folder that exists.

    Raises:
        UserError: If a file cannot be written.
    """
    scored.found.write(folder, scored.detections)
    Advice([], []).write(folder)  # which goes with a training
    scored.labels.write(folder / LABELS)


def is_result(path: Path) -> bool:
    """Tell if a folder is one that `score` wrote."""
    return (path / LABELS).is_file()


def no_result(path: Path) -> UserError:
    """Return the error to show for a folder or a file in place of one that `score` wrote."""
    missing = [name for name in ("metrics.json", LABELS) if not (path / name).is_file()]
    fault = f"holds no {missing[0]}" if path.is_dir() else "is no folder"
    return UserError(f"{path}: {fault}; give a folder that `humbleyolo score --output` wrote")


def read_result(folder: Path) -> Run:
    """Read what `score` wrote, as a run that can be compared.

    Raises:
        UserError: If a file is missing or damaged.
    """
    path, remedy = folder / LABELS, "write it again with `humbleyolo score --output`"
    try:
        content = read_json(path, LABEL_BYTES)
        names = tuple(str(one["file_name"]) for one in content["images"])
        classes = tuple(str(one["name"]) for one in content["categories"])
        objects = content["annotations"]
        if wrong := [text for one in objects for text in wrong_numbers(one["bbox"], 1)]:
            raise ValueError(wrong[0])
        truths = TruthTable(
            len(names),
            np.array([one["image_id"] - 1 for one in objects], np.int64),
            np.array([one["bbox"] for one in objects], np.float64).reshape(-1, 4),
            np.array([one["category_id"] - 1 for one in objects], np.int64),
            np.array([one["iscrowd"] for one in objects], np.bool_),
            np.array([*map(is_difficult, objects)], np.bool_),
            np.array([one["area"] for one in objects], np.float64),
        )
        truths.check_labels(len(classes))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is damaged ({error}); {remedy}") from None
    rows = read_detections(folder / "detections.json", len(names), len(classes), remedy)
    detections = FileDetections(rows.image_count, rows.images, rows.boxes_ltwh, rows.labels, rows.scores)
    (threshold,) = read_metrics(folder / "metrics.json", "threshold", remedy=remedy)
    return Run(str(folder), classes, truths, detections, threshold, names)


def report_lines(scored: Scored) -> Iterator[str]:
    """Yield the result as text of 80 columns."""
    metrics, tables = scored.found.metrics, scored.found.tables
    for line in scored.told:
        yield from wrapped_lines(line)
    least = "none" if metrics["threshold"] is None else f"{metrics['threshold']:.3f}"
    yield from wrapped_lines(f"threshold: {least}, {scored.threshold_from}")
    yield ""
    ends = {row["metric"]: (row["low"], row["high"]) for row in tables["intervals"].to_dict("records")}
    yield f"{'':<12}{'value':>8}  95 % interval"
    for name in (*COCO, *_OTHERS):
        low, high = ends.get(name, (np.nan, np.nan))
        interval = f"{low:.4f} to {high:.4f}" if np.isfinite([low, high]).all() else ""
        yield f"{name:<12}{_shown(metrics[name]):>8}  {interval}".rstrip()
    yield ""
    yield f"{'mistakes':<18}{'count':>7}{'cost in AP':>12}  in AP at the IoU of a match"
    for kind, count, cost, gain in _mistakes(metrics["ap"], tables):
        yield f"{kind:<18}{count:>7,}{_shown(cost):>12}  {_shown(gain)}"
    yield ""
    yield from _class_lines(metrics["per_class"])
    yield from _confusions(scored)


def _mistakes(ap: float | None, tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, int, float | None, float]]:
    """Return kind, count and both costs of the mistakes, those that cost most first."""
    rows = tables["mistakes"][["kind", "count", "ap_gain"]].itertuples(index=False, name=None)
    found = {kind: (count, gain) for kind, count, gain in rows}
    costs: Mapping[str, float | None] = dict.fromkeys(found)
    if ap is not None:
        at_match = float(tables["precision_recall"]["precision"].mean())
        costs = costs_in_ap(ap, at_match, {kind: gain for kind, (_, gain) in found.items()})
    rows_of = [(kind, count, costs[kind], gain) for kind, (count, gain) in found.items()]
    return sorted(rows_of, key=lambda row: -(row[2] or 0.0))


def _class_lines(per_class: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield f"{'class':<{_NAME}}" + "".join(f"{name:>{_column(name)}}" for name in _CLASS_COLUMNS)
    most = sorted(per_class, key=lambda name: -per_class[name]["objects"])[:_MOST_CLASSES]
    for name in per_class:
        if name in most:
            values = "".join(f"{_shown(per_class[name][key], 3):>{_column(key)}}" for key in _CLASS_COLUMNS)
            yield f"{padded(cut(name, _NAME - 1), _NAME)}{values}"
    if len(per_class) > len(most):
        yield f"... and {counted(len(per_class) - len(most), 'class', 'classes')} of fewer objects"


def _confusions(scored: Scored) -> Iterator[str]:
    """Yield a line with the largest confusions of two classes at the threshold."""
    table = scored.found.tables["confusion"]
    wrong = table[(table["truth_index"] != table["predicted_index"]) & (table["count"] > 0)]
    wrong = wrong[(wrong["truth_index"] >= 0) & (wrong["predicted_index"] >= 0)]
    most = wrong.sort_values("count", ascending=False, kind="stable").head(_MOST_CONFUSIONS)
    pairs = [
        f"{short_name(row['truth'])} as {short_name(row['predicted'])} {row['count']:,}"
        for row in most.to_dict("records")
    ]
    if pairs:
        yield from wrapped_lines(f"confused: {'; '.join(pairs)}")


def _column(name: str) -> int:
    return max(len(name) + 1, 7)


def _shown(value: float | None, digits: int = 4) -> str:
    if value is None or not np.isfinite(value):
        return "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"
