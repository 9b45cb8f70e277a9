"""A small project as it is before `render`: data, grid, model and evaluation, made without training."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from repository import ROOT
from split_writer import write_split

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.dataset.summary import SplitCounts, write_summary
from humbleyolo.evaluation.assessment import assess
from humbleyolo.evaluation.next_steps import Training, advise
from humbleyolo.evaluation.thresholds import Thresholds
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.grid_report import GridReport
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params
from humbleyolo.storage.npy import write_array
from humbleyolo.storage.png import encode_png
from stages.render import render

NAMES = ["chat", "rat", "<script>alert(1)</script>"]
THRESHOLD = 0.4


def write_archive(path: Path, names: Sequence[str], images: int, height: int, width: int, seed: int = 0) -> None:
    """Write images of soft noise with 0 to 3 bright objects each; those of the first class are the most."""
    rng = np.random.default_rng(seed)
    with write_split(path, names) as archive:
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
    if not (path / "dataset/test").exists():
        write_archive(path / "dataset/test", names, images, height, width)
    with ArchivedSplit(path / "dataset/test") as archive:
        truths = TruthTable.from_archive(archive)
        counts = SplitCounts(names)
        for truth in archive.truths():
            counts.add(truth.boxes_ltwh.tolist(), truth.labels.tolist())
    write_summary(path / "dataset/summary.json", {"train": counts, "test": counts})
    rows, cols, boxes = grid
    list(encode_split(path / "dataset/test", Grid(64, 64, rows, cols, boxes, len(names)), 0, path / "grid/test", 0))
    ceiling = {"objects": len(truths), "shared": 1, "lost": 1, "ap": 0.97, "ap50": 0.98, "recall": 0.99}
    ceilings = [{"rows": rows, "cols": cols, **ceiling}, {"rows": 2 * rows, "cols": 2 * cols, **ceiling, "ap": 1.0}]
    (path / "grid/report.json").write_text(json.dumps({"test": ceilings, "train_objects": dict.fromkeys(names, 9)}))
    (path / "model/model.json").write_text(json.dumps({"format": 1, "model": {"name": "compact", "width": 1.0}}))
    (path / "model/weights.npz").write_bytes(b"weights")
    history = [[epoch, 3 / epoch, 3.2 / epoch, 1 - 1 / epoch, 1 - 0.5 / epoch] for epoch in range(1, 9)]
    write_csv(path / "model/history.csv", ["epoch", "train_total", "val_total", "val_ap", "val_ap50"], history)
    found = some_detections(truths, len(names)) if detections is None else detections
    write_evaluation(path / "evaluation", truths, found, names, (images, *grid))
    return path


def write_evaluation(
    folder: Path, truths: TruthTable, found: DetectionTable, names: Sequence[str], shape: tuple[int, int, int, int]
) -> None:
    """Write the files of an evaluation: measured as `evaluate` does, but for the confidence of the cells."""
    thresholds = Thresholds(THRESHOLD if len(found) else None, (None,) * len(names))
    measuring = settings()["evaluate"].model_copy(update={"resamples": 10})
    done = assess(truths, found, names, thresholds, measuring, GridReport(0.97, ()))
    done.write(folder, found)
    advise(done.metrics, done.tables, Training()).write(folder)
    write_array(folder / "confidence.npy", np.random.default_rng(2).random(shape, np.float32))


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([columns, *rows])


def settings(**changes: Any) -> dict[str, Any]:
    """Return every section of params.yaml, with changes to `render`."""
    sections = dict(zip(Params.model_fields, load_params(ROOT / "params.yaml", *Params.model_fields), strict=True))
    return sections | {"render": sections["render"].model_copy(update=changes)}


def run(project: Path, out: str = "render", **changes: Any) -> Path:
    """Run the stage in a project of `make_project`, and return its output folder."""
    folders = [project / name for name in ("dataset", "grid", "model", "evaluation", out)]
    render(settings(**changes), *folders)
    return project / out
