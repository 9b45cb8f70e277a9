"""`humbleyolo score FOLDER DETECTIONS`: measure a model, or anybody's detections, on labelled images.

Examples:
  humbleyolo score new-photos data/model --output scored
  humbleyolo score instances_val.json predictions.json
  humbleyolo score bccd runs/detect/predict/labels --split test
"""

import argparse
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from humbleyolo.commands.label_options import add_reading_arguments, add_treatment_argument, read_options
from humbleyolo.commands.number_options import check_options
from humbleyolo.process.terminal import first_few, tell

if TYPE_CHECKING:
    from humbleyolo.detection.detector import Detector
    from humbleyolo.detection.result import Result
    from humbleyolo.params.sections import Evaluate, Render
    from humbleyolo.scoring.detection_rows import DetectionFile
    from humbleyolo.scoring.scored_detections import Scored
    from humbleyolo.scoring.scored_labels import ScoredLabels

_FEW = 10  # class names in a message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Measures detections on labelled images: COCO's twelve numbers, VOC AP, 95 % intervals, mistakes, classes. "
        "Detections are COCO results (JSON), YOLO text with scores (a folder), CSV, or those of a model. Exit code: "
        "0; 2 if nothing can be measured."
    )
    add = parser.add_argument
    add_reading_arguments(parser)
    add("detections", metavar="DETECTIONS", help="a file or folder of detections; or a model, as `predict` takes")
    add("--split", choices=["train", "val", "test"], help="images of this list of the folder; default: all")
    add("--threshold", type=float, metavar="T", help="lowest score that counts; default: the model's, else best F1")
    add("--categories", metavar="C", help="read class numbers as: ids, 0, 1, coco91, names, a list A,B, a COCO file")
    add("--image-ids", choices=["file", "name"], help="read image_id as the COCO file's id, or as the file's name")
    add_treatment_argument(parser)
    add("--output", type=Path, metavar="DIR", help="a new folder for metrics.json, tables and report.html")
    add(
        "--threads", type=int, default=2, metavar="N", help="threads that a model computes with; default: %(default)s"
    )


def run(parsed: argparse.Namespace) -> int:
    """Score, print, write, and return the exit code 0.

    Raises:
        UserError: If labels or detections cannot be read or joined, or the output not written.
    """
    from humbleyolo.detection.backends.open_model import is_model
    from humbleyolo.errors import UserError
    from humbleyolo.scoring.detection_files import read_detection_file
    from humbleyolo.scoring.labels_alone import open_labels
    from humbleyolo.scoring.score_folder import write_result
    from humbleyolo.scoring.score_text import report_lines
    from humbleyolo.scoring.scored_detections import settings_here
    from humbleyolo.scoring.scored_labels import read_labels
    from humbleyolo.storage.new_folder import new_folder

    check_options(parsed)
    settings, page, notes = settings_here(Path("params.yaml"))
    output = new_folder(parsed.output) if parsed.output else nullcontext(None)
    with output as folder, open_labels(parsed.source) as source:  # what cannot be written is told before the work
        found = None if is_model(parsed.detections) else read_detection_file(Path(parsed.detections))
        for option, chosen in (("--categories", parsed.categories), ("--image-ids", parsed.image_ids)):
            if chosen is not None and found is None:
                why = f"is for a file of detections, and {parsed.detections} is a model; leave the option out"
                raise UserError(f"{option} {chosen}: {why}")
        labels = read_labels(source, replace(read_options(parsed), on_problem=parsed.on_problem), parsed.split)
        scored = _score_file(parsed, labels, settings, found) if found else _score_model(parsed, labels, settings)
        scored = replace(scored, told=(*notes, *scored.told))
        if folder:
            write_result(folder, scored)
            (folder / "report.html").write_bytes(_page(folder, scored, parsed.detections, settings, page))
    tell(*report_lines(scored))
    if parsed.output:
        tell("", f"{parsed.output}: metrics.json, tables, labels.json, detections.json, report.html")
    return 0


def _score_file(
    parsed: argparse.Namespace, labels: "ScoredLabels", settings: "Evaluate", found: "DetectionFile"
) -> "Scored":
    """Score detections that somebody wrote."""
    from humbleyolo.scoring.detection_matching import join
    from humbleyolo.scoring.scored_detections import score

    joined = join(found, labels, parsed.image_ids, parsed.categories)
    told = [
        f"labels: {labels.told[0]}", *labels.told[1:],
        f"detections: {len(joined.detections):,} of {len(found):,} in {parsed.detections} ({found.kind})",
        *joined.told,
    ]  # fmt: skip
    return score(labels, joined.detections, settings, _told_threshold(parsed), told)


def _score_model(parsed: argparse.Namespace, labels: "ScoredLabels", settings: "Evaluate") -> "Scored":
    """Score a model on the classes that it shares with the labels."""
    from humbleyolo.detection.detector import Detector
    from humbleyolo.errors import UserError
    from humbleyolo.scoring.labels_alone import LabelsAlone
    from humbleyolo.scoring.scored_detections import join_model, score
    from humbleyolo.scoring.trained_images import read_trained_images

    if isinstance(labels.source, LabelsAlone):
        raise UserError(f"{parsed.source}: holds labels alone, and a model needs the images; give a folder with both")
    detector = Detector.load(parsed.detections, threads=parsed.threads)
    facts = detector.facts
    if not set(detector.names) & set(labels.classes):
        raise UserError(
            f"{parsed.detections}: knows {first_few(detector.names, _FEW)}; none is a class of the labels, which "
            f"have {first_few(labels.classes, _FEW)}"
        )
    trained = read_trained_images(Path(parsed.detections), detector.exported_from)
    shared, detections, notes = join_model(labels, detector.names, _detected(labels, detector))
    told = [
        *(trained.warn(parsed.detections, [image.info.sha256 for image in labels.items]) if trained else ()),
        f"labels: {labels.told[0]}", *labels.told[1:],
        f"detections: {len(detections):,} by {parsed.detections}, scores from {facts.min_score:g} on", *notes,
    ]  # fmt: skip
    threshold = _told_threshold(parsed) or (detector.threshold, f"the model's: {facts.threshold_from}")
    return score(shared, detections, settings, threshold, told)


def _detected(labels: "ScoredLabels", detector: "Detector") -> "Iterator[Result]":
    """Yield a model's detections on each image, of all scores that it has, with a progress bar."""
    from tqdm import tqdm

    from humbleyolo.detection.image_paths import NamedImage
    from humbleyolo.detection.predict_images import detect_all
    from humbleyolo.errors import UserError
    from humbleyolo.geometry.image_decoder import MAX_PIXELS

    items = [NamedImage(name, name, partial(labels.read, number)) for number, name in enumerate(labels.names)]
    results = detect_all(detector, items, MAX_PIXELS, detector.facts.min_score)
    for _, outcome in tqdm(results, total=len(items), unit=" images", disable=None, leave=False):
        if isinstance(outcome, UserError):
            raise outcome
        yield outcome


def _told_threshold(parsed: argparse.Namespace) -> tuple[float, str] | None:
    return None if parsed.threshold is None else (parsed.threshold, "as told")


def _page(folder: Path, scored: "Scored", detections: str, settings: "Evaluate", page: "Render") -> bytes:
    """Return the report's page of a result folder."""
    from humbleyolo.report.evaluation_reader import read_evaluation
    from humbleyolo.report.page import build_page
    from humbleyolo.report.page_contents import collect

    labels = scored.labels
    names = tuple(labels.classes)
    report = collect(
        read_evaluation(folder, labels.truths, len(names), None),
        names,
        hashed={path: "was it removed?"} if (path := Path(detections)).is_file() else {},
        params={"evaluate": settings},
        measured=[("labels", labels.source.name), ("detections", detections)]
        + [(f"line {number}", line) for number, line in enumerate(scored.told, 1)],
        threshold_from=scored.threshold_from,
    )
    return build_page(report, labels, labels.truths, None, page)
