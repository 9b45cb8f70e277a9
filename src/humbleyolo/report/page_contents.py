"""The contents of the report from the files of the stages before: numbers and texts, no HTML."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.evaluation.confusion import confused_rows
from humbleyolo.evaluation.mistakes import costs_of_kinds
from humbleyolo.metrics.history import read_history
from humbleyolo.params.sections import Section
from humbleyolo.pipeline.remedies import make_again
from humbleyolo.report.evaluation_reader import Evaluation
from humbleyolo.storage.hashes import sha256_of
from humbleyolo.storage.table_reader import is_number_or_none, read_object

HEADLINES = {
    "ap": ("AP", "mean over IoU 0.50 to 0.95"),
    "ap50": ("AP50", "a box counts from IoU 0.50"),
    "ap75": ("AP75", "a box counts from IoU 0.75"),
    "ar100": ("AR100", "objects found with 100 boxes an image"),
    "mean_iou": ("mean IoU", "of detections with their ground truth"),
    "precision": ("precision", "detections that are right, at the threshold"),
    "recall": ("recall", "objects that are found, at the threshold"),
    "f1": ("F1", "precision and recall in one, at the threshold"),
}
EXPLAINED = {
    "missed": "an object that nothing found, not even badly or as another class",
    "background": "a detection where no object is",
    "classification": "a box in the right place, of the wrong class",
    "localisation": "the right class, but the box fits too badly",
    "both": "the wrong class, and a box that fits badly",
    "duplicate": "one more detection of an object that was found",
}
"""The kinds of mistakes, in the page's order, in words."""

_COLUMNS = {
    "objects": "objects", "detections": "detections", **{key: title for key, (title, _) in HEADLINES.items()},
    "best_f1": "best F1", "best_threshold": "at threshold", "voc_ap": "VOC AP",
}  # fmt: skip
_PROGRAMS = ("humbleyolo", "hotcoco", "jinja2", "keras", "numpy", "pandas", "pillow", "tensorflow")
_MOST_CONFUSED = 20  # classes of a matrix that can be read; of more, the largest confusions are listed
_MOST_PAIRS = 40
_CEILING = {"rows", "cols", "objects", "shared", "lost", "ap", "ap50"}
_GRID_FIX, _DATA_FIX, _MODEL_FIX = map(make_again, ("encode", "generate", "train"))


class Headline(NamedTuple):
    """A number at the top, with its 95 % interval if there is one."""

    key: str
    title: str
    meaning: str
    value: float | None
    low: float | None
    high: float | None


class MistakeKind(NamedTuple):
    """A kind of mistake: its count, and its cost.

    Attributes:
        kind: Its name.
        meaning: Its name in words.
        number: Its count at the threshold.
        ap_cost: Its cost in COCO's AP, which is a mean over IoU 0.50 to 0.95.
        ap_gain: The AP at the IoU of the match that its repair would win back.
    """

    kind: str
    meaning: str
    number: int
    ap_cost: float | None
    ap_gain: float | None


class Confusion(NamedTuple):
    """The confusion matrix at the threshold, with background.

    Attributes:
        columns: Predicted class indices; -1 for nothing.
        rows: (class index of the ground truth, counts by column); -1 is background. Empty for many classes.
        pairs: (ground truth, predicted, count) off the diagonal, the largest first.
        pairs_left_out: Number of smaller pairs.
        is_small: True if the matrix has few enough classes to be read.
    """

    columns: Sequence[int]
    rows: Sequence[tuple[int, Sequence[int]]]
    pairs: Sequence[tuple[int, int, int]]
    pairs_left_out: int
    is_small: bool


@dataclass(frozen=True)
class Report:
    """All that the page shows but the images.

    Attributes:
        names: C class names.
        images: Number of images of the test split.
        objects: Number of its objects, without crowds.
        threshold: Confidence at which mistakes are judged; None if none could be chosen.
        threshold_from: Its origin, in words.
        headlines: Numbers at the top of the page.
        metrics: Every number of `metrics.json` but those by class: name, value, low, high.
        class_columns: Key and title of the columns of the table of classes.
        classes: Class index and the values by key, in the order of the classes.
        mistakes: Kinds of mistakes, the most costly first.
        confusion: Confusion matrix at the threshold.
        evaluation: Tables for the charts, and the detections.
        history: Losses and metrics of the training, epoch by epoch.
        ceilings: Ceilings of the grid and of finer ones, on test.
        model: Names and values that describe the network.
        summary: Values by name, by split.
        params: Values by dotted key, by section.
        programs: Names and versions.
        hashes: Files and their SHA-256.
    """

    names: Sequence[str]
    images: int
    objects: int
    threshold: float | None
    threshold_from: str
    headlines: Sequence[Headline]
    metrics: Sequence[tuple[str, float | None, float | None, float | None]]
    class_columns: Sequence[tuple[str, str]]
    classes: Sequence[tuple[int, Mapping[str, Any]]]
    mistakes: Sequence[MistakeKind]
    confusion: Confusion
    evaluation: Evaluation
    history: Sequence[Mapping[str, Any]]
    ceilings: Sequence[Mapping[str, Any]]
    model: Sequence[tuple[str, Any]]
    summary: Mapping[str, Mapping[str, Any]]
    params: Mapping[str, Mapping[str, Any]]
    programs: Sequence[tuple[str, str]]
    hashes: Sequence[tuple[str, str]]


def collect(
    evaluation: Evaluation,
    names: Sequence[str],
    *,
    hashed: Mapping[Path, str],
    params: Mapping[str, Any],
    dataset: Path | None = None,
    grid: Path | None = None,
    model: Path | None = None,
    measured: Sequence[tuple[str, Any]] = (),
    threshold_from: str | None = None,
) -> Report:
    """Read the other files that the report shows, and put its contents together.

    Folders: `dataset` with `summary.json`, `grid` with `report.json`, `model` with `model.json` and `history.csv`.
    Of one that is not given nothing is shown; `measured` says then what was measured. `hashed` are files whose
    SHA-256 is shown, each with the advice if it cannot be read, `params` sections by name. They say the origin of the
    threshold where `threshold_from` does not.

    Raises:
        UserError: If a file is missing, damaged or of another version.
    """
    metrics = evaluation.metrics
    network = _flat(read_object(model / "model.json", _MODEL_FIX)) if model else dict(measured)
    intervals = {row["metric"]: (row["low"], row["high"]) for row in evaluation.intervals}
    numbers = {name: value for name, value in metrics.items() if name not in ("per_class", "format")}
    per_class: Mapping[str, Mapping[str, Any]] = metrics["per_class"]
    known = {key for row in per_class.values() for key in row}
    return Report(
        names=names,
        images=evaluation.detections.image_count,
        objects=int(metrics.get("objects") or 0),
        threshold=metrics.get("threshold"),
        threshold_from=threshold_from or _origin_of_threshold(params),
        headlines=[
            Headline(key, title, meaning, numbers[key], *intervals.get(key, (None, None)))
            for key, (title, meaning) in HEADLINES.items()
            if key in numbers
        ],
        metrics=[(name, value, *intervals.get(name, (None, None))) for name, value in numbers.items()],
        class_columns=[
            *((key, title) for key, title in _COLUMNS.items() if key in known),
            *((key, key) for key in sorted(known - set(_COLUMNS))),
        ],
        classes=[(label, per_class.get(name, {})) for label, name in enumerate(names)],
        mistakes=_mistakes(evaluation),
        confusion=_confusion(evaluation, names),
        evaluation=evaluation,
        history=read_history(model / "history.csv") if model else [],
        ceilings=_ceilings(grid / "report.json") if grid else [],
        model=[(key, value) for key, value in network.items() if key != "categories"],
        summary=_summary(dataset / "summary.json") if dataset else {},
        params={name: _flat(section) for name, section in params.items()},
        programs=[(name, version) for name in _PROGRAMS if (version := _version(name))],
        hashes=[(f"{path.parent.name}/{path.name}", _sha256(path, fix)) for path, fix in hashed.items()],
    )


def _origin_of_threshold(params: Mapping[str, Any]) -> str:
    """Return the origin of the threshold that `evaluate` takes, as it tells it at a terminal."""
    return "a careful one, since val was learned too" if params["train"].include_val else "the best on val"


def _mistakes(evaluation: Evaluation) -> list[MistakeKind]:
    rows = {row["kind"]: row for row in evaluation.mistakes}
    curve = [row["precision"] for row in evaluation.precision_recall]
    costs = costs_of_kinds(evaluation.metrics.get("ap"), curve, {kind: row["ap_gain"] for kind, row in rows.items()})
    kinds = [
        MistakeKind(kind, text, rows[kind]["count"], costs.get(kind), rows[kind]["ap_gain"])
        for kind, text in EXPLAINED.items()
        if kind in rows
    ]
    return sorted(kinds, key=lambda kind: -(kind.ap_cost or 0.0))


def _confusion(evaluation: Evaluation, names: Sequence[str]) -> Confusion:
    pairs = [(row["truth_index"], row["predicted_index"], row["count"]) for row in evaluation.confusion]
    counts = Counter({(truth, predicted): count for truth, predicted, count in pairs})
    labels = [*range(len(names)), -1]
    wrong = [pairs[row] for row in confused_rows(*np.array(pairs, np.int64).reshape(-1, 3).T)]
    is_small = len(names) <= _MOST_CONFUSED
    rows = [(truth, [counts[truth, predicted] for predicted in labels]) for truth in labels if is_small]
    return Confusion(labels, rows, wrong[:_MOST_PAIRS], max(len(wrong) - _MOST_PAIRS, 0), is_small)


def _ceilings(path: Path) -> list[Mapping[str, Any]]:
    rows = read_object(path, _GRID_FIX).get("test")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and row.keys() >= _CEILING and all(map(is_number_or_none, row.values())) for row in rows
    ):
        raise UserError(f"{path}: holds no ceilings of the test split; {_GRID_FIX}")
    return rows


def _summary(path: Path) -> dict[str, dict[str, Any]]:
    summary = read_object(path, _DATA_FIX)
    if not all(isinstance(split, dict) for split in summary.values()):
        raise UserError(f"{path}: holds no counts by split; {_DATA_FIX}")
    return {split: _flat(counts) for split, counts in summary.items()}


def _flat(values: Any, key: str = "") -> dict[str, Any]:
    """Return nested mappings as one, from dotted keys to values; what is no mapping has the key itself."""
    if isinstance(values, Section):
        values = values.model_dump()
    if not isinstance(values, Mapping):
        return {key: values}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{key}.{name}" if key else str(name))
    return flat


def _version(program: str) -> str | None:
    try:
        return metadata.version(program)
    except metadata.PackageNotFoundError:
        return None


def _sha256(path: Path, fix: str) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}; {fix}") from None
