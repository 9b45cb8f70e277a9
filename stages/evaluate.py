"""Run the detector over the test split, and measure its quality. No other stage runs it there.

Reads the model with its history, the encoded splits val and test with their report, and both archives for the ground
truth. Of params.yaml: sections `runtime` and `evaluate`, and `train.include_val`. The threshold and the floor are of
val, and applied to test. Writes `metrics.json`, `headline.json`, `next_steps.json`, `detections.json`,
`confidence.npy` and a CSV file for each table; and `selection.json` into the model's folder, for those who use it.
"""

import sys
from dataclasses import replace
from pathlib import Path

from humbleyolo.models.tensorflow_setup import start_runtime  # before all else that imports TensorFlow

# isort: split
import numpy as np

from humbleyolo.evaluation.assessment import assess
from humbleyolo.evaluation.hidden_objects import count_hidden
from humbleyolo.evaluation.inference import run_network
from humbleyolo.evaluation.next_steps import Training, advise, median_side
from humbleyolo.evaluation.thresholds import find_careful_thresholds, find_thresholds
from humbleyolo.metrics.detection_limits import EVALUATION_LIMIT, limit_warnings
from humbleyolo.metrics.floor import measure_floor
from humbleyolo.metrics.grid_report import read_report
from humbleyolo.metrics.history import read_history
from humbleyolo.models.selection import BEST, CAREFUL, NAME, Selection, write_selection
from humbleyolo.models.trained_network import Network
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Evaluate
from humbleyolo.pipeline.experiment_values import experiment_notes
from humbleyolo.pipeline.stage import Made, read_paths, run_stage
from humbleyolo.process.terminal import counted, tell
from humbleyolo.storage.atomic import make_folder
from humbleyolo.storage.npy import write_array


def evaluate(settings: Evaluate, include_val: bool, model: Path, grid: Path, dataset: Path, out: Path) -> Made:
    """Write the evaluation's files into `out`, and the selection of boxes into the model's folder."""
    network, selection = Network.load(model, settings.mirrored), Selection.from_section(settings)
    categories = network.info.categories
    report = read_report(grid, categories)
    val, test = run_network(network, selection, grid, dataset, ("val", "test"), model)
    find, origin = (find_careful_thresholds, CAREFUL) if include_val else (find_thresholds, BEST)
    thresholds = find(val.truths, val.detections, len(categories), settings.match_iou)
    floor = measure_floor(val.truths, val.sizes, test.truths, test.sizes, len(categories), settings.match_iou)
    found = assess(test.truths, test.detections, categories, thresholds, settings, report, floor)
    most = int(np.bincount(test.truths.images).max(initial=0))
    crowded = limit_warnings("test", most, {EVALUATION_LIMIT: settings.max_detections})
    side = median_side(test.truths, test.sizes, network.info.grid.height, network.info.grid.width)
    hidden = count_hidden(test.truths, test.detections, len(categories), settings)
    training = Training(read_history(model / "history.csv"), include_val, side, hidden)
    advice = advise(found.metrics, found.tables, training, crowded)
    make_folder(out)
    write_array(out / "confidence.npy", test.confidence)
    measured = replace(selection, threshold_from=origin)
    write_selection(model / NAME, measured, model / "weights.npz", thresholds.overall)
    found.write(out, test.detections)
    advice.write(out)
    numbers = found.metrics
    what = f"{counted(numbers['detections'], 'detection')} on {counted(numbers['images'], 'image')} written"
    ap, ap50 = ("undefined" if (value := numbers[name]) is None else f"{value:.3f}" for name in ("ap", "ap50"))
    return Made(what, out, f"AP {ap}, AP50 {ap50}", advice.warnings, advice.next_steps, (model / NAME,))


def main() -> Made:
    """Run `python -m stages.evaluate <model> <grid> <dataset> <evaluation>`."""
    paths = read_paths("evaluate", __doc__, "model", "grid", "dataset", "out")
    runtime, settings, train = load_params(Path("params.yaml"), "runtime", "evaluate", "train")
    start_runtime(runtime)
    tell(*experiment_notes(Path("params.yaml")), to=sys.stderr)
    return evaluate(settings, train.include_val, paths.model, paths.grid, paths.dataset, paths.out)


if __name__ == "__main__":
    run_stage("evaluate", main, "lower model.width, or encode.height and encode.width")
