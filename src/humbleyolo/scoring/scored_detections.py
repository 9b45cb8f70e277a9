"""Detections of a file, or of a model, measured against labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from humbleyolo.evaluation.assessment import Assessment, assess
from humbleyolo.evaluation.thresholds import Thresholds, find_thresholds
from humbleyolo.geometry.detections import Detections
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.params.loader import is_of_another_tool, load_params
from humbleyolo.params.sections import Evaluate, Render
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.scoring.scored_labels import ScoredLabels
from humbleyolo.storage.array_types import Floats

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
_FEW = 5
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


def settings_here(params: Path) -> tuple[Evaluate, Render, list[str]]:
    """Return the sections `evaluate` and `render` of a project, or their common values where there is none.

    The list has a note if params.yaml is there, but is another program's.

    Raises:
        UserError: If params.yaml is a project's and has mistakes, or cannot be read.
    """
    if not params.is_file():
        return SETTINGS, PAGE, []
    if is_of_another_tool(params, "evaluate", "render"):
        note = f"note: {params} is another program's; bins, resamples and the IoU of a match are the usual ones"
        return SETTINGS, PAGE, [note]
    evaluate, render = load_params(params, "evaluate", "render")
    return evaluate, render, []


def score(
    labels: ScoredLabels,
    detections: DetectionTable,
    settings: Evaluate,
    threshold: tuple[float, str] | None,
    told: Sequence[str] = (),
) -> Scored:
    """Measure detections at a threshold, which comes with its origin; None: that of the best F1 on these labels."""
    best = _at_scores(find_thresholds(labels.truths, detections, len(labels.classes), settings.match_iou), detections)
    why = f"the best F1 on {_HERE}" if best.overall is not None else "since no detection is right"
    if best.overall is not None and best.overall <= detections.scores.min():
        why += "; it takes all detections"
    thresholds = best
    if threshold is not None:
        thresholds, why = replace(best, overall=threshold[0]), threshold[1]
    found = assess(labels.truths, detections, labels.classes, thresholds, settings)
    return Scored(labels, detections, found, why, tuple(told))


def _at_scores(best: Thresholds, detections: DetectionTable) -> Thresholds:
    """Return thresholds that are no lower than any score: a file may end far above 0, where its tool cut it off."""

    def at_score(threshold: float | None, scores: Floats) -> float | None:
        return None if threshold is None else max(threshold, float(scores.min()))

    by_class = [detections.scores[detections.labels == label] for label in range(len(best.per_class))]
    return Thresholds(at_score(best.overall, detections.scores), tuple(map(at_score, best.per_class, by_class)))


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
