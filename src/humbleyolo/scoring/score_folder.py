"""The folder that `humbleyolo score --output` writes, and that `compare` reads."""

from pathlib import Path

import numpy as np

from humbleyolo.dataset.coco_json import is_difficult
from humbleyolo.errors import UserError
from humbleyolo.evaluation.next_steps import Advice
from humbleyolo.evaluation.result_files import read_detections, read_metrics, wrong_numbers
from humbleyolo.experiments.comparison import Run
from humbleyolo.inputs.folder import LABEL_BYTES
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.scoring.detections_in_file_order import FileDetections
from humbleyolo.scoring.scored_detections import Scored
from humbleyolo.storage.json import read_json

LABELS = "labels.json"


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
