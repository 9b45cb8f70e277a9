"""Run the detector over the test split, and measure how good it is. No other stage runs it there.

Reads the model, the encoded test split, the test archive (for the truth), and the sections `runtime` and
`evaluate` of params.yaml. Writes `detections.json`, `precision_recall.csv`, `precision_recall_by_class.csv` and
`metrics.json`.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from humbleyolo.runtime import start_runtime  # before all else that imports TensorFlow

# isort: split
from humbleyolo.archive import Archive
from humbleyolo.detector import Detector, Selection
from humbleyolo.encoded import open_encoded
from humbleyolo.errors import exit_with
from humbleyolo.evaluation import check_match, detect
from humbleyolo.files import make_folder
from humbleyolo.params import Evaluate, load_params
from humbleyolo.scoring.curves import precision_recall, write_table
from humbleyolo.scoring.metrics import measure
from humbleyolo.scoring.results import write_detections, write_metrics
from humbleyolo.scoring.tables import DetectionTable
from humbleyolo.truths import read_truths


def evaluate(settings: Evaluate, model: Path, grid: Path, test: Path, out: Path) -> dict[str, Any]:
    """Write the evaluation's files into `out`, and return the metrics."""
    detector, split = Detector.load(model), open_encoded(grid)
    with Archive(test) as archive:
        check_match(detector, split, archive)
        categories, truths = archive.categories, read_truths(archive)
    selection = Selection(settings.min_score, settings.nms_iou, settings.max_detections)
    found = tqdm(detect(detector, split, selection), "test", len(split), disable=None, leave=False)
    detections = DetectionTable.gather(found)
    metrics = measure(truths, detections, categories)
    overall, by_class = precision_recall(truths, detections, categories)
    make_folder(out)
    write_detections(out / "detections.json", detections)
    write_table(out / "precision_recall.csv", overall)
    write_table(out / "precision_recall_by_class.csv", by_class)
    write_metrics(out / "metrics.json", metrics)
    return metrics


def main() -> None:
    """Run the stage: `python -m stages.evaluate <model> <grid/test> <test.zip> <evaluation>`."""
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    for name in ("model", "grid", "test", "out"):
        parser.add_argument(name, type=Path)
    paths = parser.parse_args()
    runtime, settings = load_params(Path("params.yaml"), "runtime", "evaluate")
    start_runtime(runtime)
    started = time.monotonic()
    metrics = evaluate(settings, paths.model, paths.grid, paths.test, paths.out)
    print(
        f"{metrics['detections']} detections on {metrics['images']} images written into {paths.out} in "
        f"{time.monotonic() - started:.1f} s: AP {metrics['ap']}, AP50 {metrics['ap50']}"
    )


if __name__ == "__main__":
    exit_with(main)
