"""A small project as it is before `render`: data, grid, model and evaluation, made without training."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from humbleyolo.archive import Archive, ArchiveWriter
from humbleyolo.boxes import ltwh_to_xyxy, pairwise_iou
from humbleyolo.dataset import SplitCounts, write_summary
from humbleyolo.encoded import encode_archive
from humbleyolo.grid import Grid
from humbleyolo.params import Params, load_params
from humbleyolo.png import encode_png
from humbleyolo.report.evaluation_files import MISTAKES
from humbleyolo.scoring.results import write_detections, write_metrics
from humbleyolo.scoring.tables import DetectionTable, TruthTable
from humbleyolo.truths import read_truths
from stages.render import render

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["chat", "rat", "<script>alert(1)</script>"]
THRESHOLD = 0.4


def write_archive(
    path: Path, names: Sequence[str], images: int, height: int, width: int, seed: int = 0
) -> None:
    """Write images of soft noise with 0 to 3 bright objects each; those of the first class are the most."""
    rng = np.random.default_rng(seed)
    with ArchiveWriter(path, names) as archive:
        for number in range(images):
            image = np.repeat(rng.integers(0, 40, (height, width, 1)), 3, axis=2).astype(np.uint8)
            boxes, labels = [], []
            for _ in range(number % 4):
                wide, high = rng.integers(width // 6, width // 3), rng.integers(height // 6, height // 3)
                left, top = rng.integers(0, width - wide), rng.integers(0, height - high)
                label = int(min(rng.geometric(0.6) - 1, len(names) - 1))
                image[top : top + high, left : left + wide] = (230, 160 - 60 * (label % 3), 60 * (label % 4))
                boxes.append([float(left), float(top), float(wide), float(high)])
                labels.append(label)
            archive.add(f"{number:06}.png", encode_png(image), height, width, boxes, labels)


def some_detections(truths: TruthTable, classes: int, seed: int = 1) -> DetectionTable:
    """Return detections with every kind of mistake: most truths found, some twice, some badly, some not at all."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, list[float], int, float]] = []
    for image, box, label in zip(truths.images, truths.boxes_ltwh, truths.labels, strict=True):
        fate = rng.random()
        shift = rng.normal(0, 0.03 if fate < 0.8 else 0.25, 4) * box[[2, 3, 2, 3]]
        moved = box + shift
        moved[2:] = np.maximum(moved[2:], 1)
        if fate > 0.08:
            named = int(label) if rng.random() > 0.08 else int(rng.integers(classes))
            rows.append((int(image), moved.tolist(), named, float(rng.uniform(0.3, 1))))
        if fate > 0.92:
            rows.append((int(image), (moved + 0.5).tolist(), int(label), float(rng.uniform(0.3, 0.9))))
    rows += [
        (image, [1.0, 1.0, 5.0, 4.0], int(rng.integers(classes)), float(rng.uniform(0.02, 0.7)))
        for image in range(0, truths.image_count, 5)
    ]
    return DetectionTable(
        truths.image_count,
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.float64),
    )


def make_project(
    path: Path,
    *,
    names: Sequence[str] = NAMES,
    images: int = 12,
    height: int = 40,
    width: int = 64,
    grid: tuple[int, int, int] = (2, 4, 2),
    detections: DetectionTable | None = None,
) -> Path:
    """Write every file that `render` reads below `path`, and return `path`.

    Args:
        path: An existing folder.
        names: Of the classes.
        images: Of the test split.
        height: Of an image, pixels.
        width: Likewise.
        grid: Rows, columns, boxes a cell.
        detections: None: those of `some_detections`.
    """
    for name in ("dataset", "grid", "model", "evaluation"):
        (path / name).mkdir(parents=True, exist_ok=True)
    if not (path / "dataset/test.zip").exists():
        write_archive(path / "dataset/test.zip", names, images, height, width)
    with Archive(path / "dataset/test.zip") as archive:
        truths = read_truths(archive)
        counts = SplitCounts(names)
        for truth in archive.truths():
            counts.add(truth.boxes_ltwh.tolist(), truth.labels.tolist())
    write_summary(path / "dataset/summary.json", {"train": counts, "test": counts})
    rows, cols, boxes = grid
    list(
        encode_archive(
            path / "dataset/test.zip", Grid(64, 64, rows, cols, boxes, len(names)), 0, path / "grid/test"
        )
    )
    ceiling = {"objects": len(truths), "shared": 1, "lost": 1, "ap": 0.97, "ap50": 0.98, "recall": 0.99}
    ceilings = [
        {"rows": rows, "cols": cols, **ceiling},
        {"rows": 2 * rows, "cols": 2 * cols, **ceiling, "ap": 1.0},
    ]
    (path / "grid/report.json").write_text(json.dumps({"test": ceilings}))
    (path / "model/model.json").write_text(
        json.dumps({"format": 1, "model": {"name": "compact", "width": 1.0}})
    )
    (path / "model/weights.npz").write_bytes(b"weights")
    history = [[epoch, 3 / epoch, 3.2 / epoch, 1 - 1 / epoch, 1 - 0.5 / epoch] for epoch in range(1, 9)]
    write_csv(
        path / "model/history.csv", ["epoch", "train_total", "val_total", "val_ap", "val_ap50"], history
    )
    found = some_detections(truths, len(names)) if detections is None else detections
    write_evaluation(path / "evaluation", truths, found, names, (images, *grid))
    return path


def write_evaluation(
    folder: Path,
    truths: TruthTable,
    found: DetectionTable,
    names: Sequence[str],
    shape: tuple[int, int, int, int],
) -> None:
    """Write the files of an evaluation; the judgements are of a plain greedy matching, other numbers are made up."""
    order = np.lexsort((-found.scores, found.images))
    found = found.take(order)
    write_detections(folder / "detections.json", found)
    rng = np.random.default_rng(2)
    np.save(folder / "confidence.npy", rng.random(shape, np.float32))
    judged = judge(truths, found)
    labels = {-1: ""} | dict(enumerate(names))
    write_csv(
        folder / "judged.csv",
        ["image_id", "detection", "truth", "kind", "predicted", "truth_class", "score", "iou"],
        [
            [
                image + 1,
                "" if detection < 0 else detection,
                "" if truth < 0 else truth + 1,
                kind,
                "" if detection < 0 else labels[int(found.labels[detection])],
                "" if truth < 0 else labels[int(truths.labels[truth])],
                "" if detection < 0 else found.scores[detection],
                iou,
            ]
            for image, detection, truth, kind, iou in judged
        ],
    )
    kinds = [kind for *_, kind, _ in judged]
    write_csv(
        folder / "mistakes.csv",
        ["kind", "count", "ap_gain"],
        [[kind, kinds.count(kind), kinds.count(kind) / (10 * len(kinds) + 1)] for kind in MISTAKES],
    )
    confusion: dict[tuple[int, int], int] = {}
    for _, detection, truth, kind, _ in judged:
        if kind in ("correct", "classification", "missed", "background"):
            at = (
                int(truths.labels[truth]) if kind != "background" else -1,
                int(found.labels[detection]) if detection >= 0 else -1,
            )
            confusion[at] = confusion.get(at, 0) + 1
    every = [(t, p) for t in (*range(len(names)), -1) for p in (*range(len(names)), -1) if (t, p) != (-1, -1)]
    write_csv(
        folder / "confusion.csv",
        ["truth", "predicted", "count", "truth_index", "predicted_index"],
        [
            [labels[t] or "background", labels[p] or "background", confusion.get((t, p), 0), t, p]
            for t, p in every
        ],
    )
    steps = np.linspace(0, 1, 101).round(2).tolist()
    write_csv(
        folder / "precision_recall.csv",
        ["recall", "precision"],
        [[x, max(0, 1 - x**6)] for x in steps if found],
    )
    write_csv(
        folder / "precision_recall_by_class.csv",
        ["class", "recall", "precision", "confidence"],
        [[name, x, max(0, 1 - x ** (3 + label)), 1 - x] for label, name in enumerate(names) for x in steps],
    )
    write_csv(
        folder / "thresholds.csv",
        ["class", "threshold", "precision", "recall", "f1"],
        [
            [name, x, "" if x == 1 else 0.6 + 0.4 * x, 1 - x**3, (1 - x**4) * 0.9]
            for name in ["", *names]
            for x in steps
        ],
    )
    bins = [(low / 10, low / 10 + 0.1) for low in range(10)]
    write_csv(
        folder / "reliability.csv",
        ["low", "high", "count", "confidence", "iou", "right"],
        [
            [low, high, 5, low + 0.05, low, low**2] if low > 0.2 else [low, high, 0, "", "", ""]
            for low, high in bins
        ],
    )
    write_csv(
        folder / "iou_histogram.csv",
        ["low", "high", "count"],
        [[*edges, int(90 * edges[0])] for edges in bins],
    )
    numbers: dict[str, Any] = {
        "ap": 0.84,
        "ap50": 0.93,
        "ap75": 0.9,
        "ap_small": None,
        "ar100": 0.91,
        "mean_iou": 0.88,
        "precision": 0.9,
        "recall": 0.87,
        "f1": 0.885,
        "threshold": THRESHOLD,
        "images": truths.image_count,
        "objects": len(truths),
        "detections": len(found),
    }
    defined = {name: value for name, value in numbers.items() if type(value) is float and name != "threshold"}
    write_csv(
        folder / "intervals.csv",
        ["metric", "value", "low", "high"],
        [[name, value, value - 0.03, min(value + 0.02, 1)] for name, value in defined.items()],
    )
    per_class = {
        name: {
            "ap": 0.9 - 0.1 * label if (truths.labels == label).any() else None,
            "ap50": 0.95,
            "objects": int((truths.labels == label).sum()),
            "detections": int((found.labels == label).sum()),
        }
        for label, name in enumerate(names)
    }
    write_metrics(folder / "metrics.json", {"format": 1, **numbers, "per_class": per_class})


def judge(truths: TruthTable, found: DetectionTable) -> list[tuple[int, int, int, str, float]]:
    """Return (image, detection, truth, kind, IoU) of what is at or above the threshold, and of missed truths."""
    rows: list[tuple[int, int, int, str, float]] = []
    taken: set[int] = set()
    for detection in range(len(found)):
        if found.scores[detection] < THRESHOLD:
            continue
        own = np.flatnonzero(truths.images == found.images[detection])
        overlaps = pairwise_iou(
            ltwh_to_xyxy(found.boxes_ltwh[[detection]]), ltwh_to_xyxy(truths.boxes_ltwh[own])
        ).reshape(-1)
        truth, iou = (int(own[overlaps.argmax()]), float(overlaps.max())) if len(own) else (-1, 0.0)
        same = truth >= 0 and truths.labels[truth] == found.labels[detection]
        if iou < 0.1:
            kind, truth, iou = "background", -1, 0.0
        elif same and iou >= 0.5:
            kind = "duplicate" if truth in taken else "correct"
            taken.add(truth)
        elif same:
            kind = "localisation"
        else:
            kind = "classification" if iou >= 0.5 else "both"
        rows.append((int(found.images[detection]), detection, truth, kind, iou))
    rows += [
        (int(truths.images[truth]), -1, truth, "missed", 0.0)
        for truth in range(len(truths))
        if truth not in taken
    ]
    return sorted(rows, key=lambda row: row[0])


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([columns, *rows])


def settings(**changes: Any) -> dict[str, Any]:
    """Return every section of params.yaml, with changes to `render`."""
    sections = dict(
        zip(Params.model_fields, load_params(ROOT / "params.yaml", *Params.model_fields), strict=True)
    )
    return sections | {"render": sections["render"].model_copy(update=changes)}


def run(project: Path, out: str = "render", **changes: Any) -> Path:
    """Run the stage in a project of `make_project`, and return its output folder."""
    folders = [project / name for name in ("dataset", "grid", "model", "evaluation", out)]
    render(settings(**changes), *folders)
    return project / out
