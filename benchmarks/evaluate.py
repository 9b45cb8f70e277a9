"""Measure the seconds of scoring, beside pycocotools, on one large case; each in a process of its own.

python -m benchmarks.evaluate [--images 5000] [--truths 36000] [--detections 250000] [--classes 80] [--intervals]
"""

import argparse
import contextlib
import io
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from humbleyolo.evaluation.assessment import assess
from humbleyolo.evaluation.precision_recall import precision_recall
from humbleyolo.evaluation.thresholds import find_thresholds
from humbleyolo.metrics.coco_metrics import average_precision, score
from humbleyolo.metrics.matching import match, mean_iou
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.sections import Evaluate

Case = tuple[TruthTable, DetectionTable, list[str]]


def make_case(images: int, truths: int, detections: int, classes: int, seed: int = 0) -> Case:
    """Return boxes of 6 to 300 pixels; half of the detections lie near a truth, four in five have its class."""
    rng = np.random.default_rng(seed)
    known = TruthTable(
        images,
        rng.integers(0, images, truths),
        np.column_stack([rng.uniform(0, 640, (truths, 2)), np.exp(rng.uniform(1.8, 5.7, (truths, 2)))]),
        rng.integers(0, classes, truths),
        rng.random(truths) < 0.01,
    )
    source = rng.integers(0, truths, detections)
    boxes = known.boxes_ltwh[source]
    near = boxes + rng.normal(0, 0.12, (detections, 4)) * np.tile(boxes[:, 2:], 2)
    far = np.column_stack([rng.uniform(0, 640, (detections, 2)), rng.uniform(6, 300, (detections, 2))])
    boxes = np.where(rng.random((detections, 1)) < 0.5, near, far)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 1)
    right = rng.random(detections) < 0.8
    return (
        known,
        DetectionTable(
            images,
            known.images[source],
            boxes,
            np.where(right, known.labels[source], rng.integers(0, classes, detections)),
            rng.random(detections).round(4),
        ),
        [f"class {label}" for label in range(classes)],
    )


def by_pycocotools(case: Case) -> float:
    """Return AP as pycocotools computes it."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, detections, names = case
    images = [{"id": image + 1} for image in range(truths.image_count)]
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(names)]
    known, found = COCO(), COCO()
    known.dataset = {
        "images": images, "categories": categories,
        "annotations": [
            {"id": number, "image_id": image + 1, "category_id": label + 1, "bbox": box, "area": box[2] * box[3],
             "iscrowd": int(crowd)}
            for number, (image, label, box, crowd) in enumerate(
                zip(truths.images.tolist(), truths.labels.tolist(), truths.boxes_ltwh.tolist(),
                    truths.crowd.tolist(), strict=True), start=1)
        ],
    }  # fmt: skip
    rows = detections.order()
    found.dataset = {
        "images": images, "categories": categories,
        "annotations": [
            {"id": number, "image_id": image + 1, "category_id": label + 1, "bbox": box, "area": box[2] * box[3],
             "iscrowd": 0, "score": score}
            for number, (image, label, box, score) in enumerate(
                zip(detections.images[rows].tolist(), detections.labels[rows].tolist(),
                    detections.boxes_ltwh[rows].tolist(), detections.scores[rows].tolist(), strict=True), start=1)
        ],
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        found.createIndex()
        evaluation = COCOeval(known, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def by_score(case: Case) -> float | None:
    """Return AP after all of COCO's metrics, whole and by class, as pycocotools computes them."""
    return score(*case)["ap"]


def by_average_precision(case: Case) -> float | None:
    """Return AP after AP and AP50, the metrics of every epoch of training."""
    return average_precision(case[0], case[1], len(case[2]))[0]


def by_mean_iou(case: Case) -> float | None:
    """Return the mean IoU of detections and their ground truth."""
    return mean_iou(match(case[0], case[1], len(case[2])))


def by_curves(case: Case) -> float:
    """Return the mean precision after the precision-recall tables."""
    return float(precision_recall(*case)[0]["precision"].mean())


def by_everything(case: Case) -> float | None:
    """Return AP after all metrics of the stage `evaluate` but the intervals, and its search for thresholds."""
    return _assess(case, resamples=0)


def by_everything_and_intervals(case: Case) -> float | None:
    """Return the same after 1,000 resamples more."""
    return _assess(case, resamples=1000)


def _assess(case: Case, resamples: int) -> float | None:
    truths, detections, names = case
    settings = Evaluate(
        min_score=0.0, nms_iou=0.5, vote_iou=1.0, max_detections=100, mirrored="none", whole_pixels=False,
        match_iou=0.5, background_iou=0.1, voc_iou=0.5, bins=20, resamples=resamples, bootstrap_seed=1,
    )  # fmt: skip
    thresholds = find_thresholds(truths, detections, len(names), settings.match_iou)
    result: float | None = assess(truths, detections, names, thresholds, settings).metrics["ap"]
    return result


def timed(run: Callable[[Case], float | None], sizes: tuple[int, int, int, int]) -> tuple[float | None, float, float]:
    """Return the result, the seconds, and the process's peak of memory in MiB."""
    case = make_case(*sizes)
    started = time.perf_counter()
    result = run(case)
    seconds = time.perf_counter() - started
    return result, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run each in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 5000), ("truths", 36_000), ("detections", 250_000), ("classes", 80)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--intervals", action="store_true", help="measure the bootstrap too")
    given = parser.parse_args()
    sizes = (given.images, given.truths, given.detections, given.classes)
    print(f"{sizes[0]:,} images, {sizes[1]:,} truths, {sizes[2]:,} detections, {sizes[3]} classes")
    spawn = multiprocessing.get_context("spawn")
    runs = [by_pycocotools, by_score, by_average_precision, by_mean_iou, by_curves, by_everything]
    if given.intervals:
        runs.append(by_everything_and_intervals)
    for run in runs:
        with ProcessPoolExecutor(1, spawn) as pool:
            result, seconds, memory = pool.submit(timed, run, sizes).result()
        shown = "undefined" if result is None else f"{result:.12f}"
        print(f"{run.__name__:28}{shown:>16}{seconds:9.3f} s{memory:8.0f} MiB")


if __name__ == "__main__":
    main()
