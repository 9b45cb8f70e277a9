"""`humbleyolo predict PATHS...`: find objects in images; write JSON, CSV, COCO, or labels to correct.

Examples:
  humbleyolo predict photo.jpg
  humbleyolo predict photos --format csv --output boxes.csv --save-images drawn
  humbleyolo predict photos --format voc --output labels --copy-images
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

_FORMATS = ("json", "jsonl", "csv", "coco", "yolo", "voc", "cvat")
_SHOWN = 20  # notes, and files of a note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="images, folders, zip archives, or patterns like 'a/**/*.jpg'")
    add("--list", type=Path, metavar="FILE", help="a file with the path of an image per line")
    add(
        "--model",
        default="data/model",
        metavar="M",
        help="a model's folder, what `export` wrote, or a git URL; default: %(default)s",
    )
    add("--revision", metavar="R", help="branch, tag or commit of the git URL, fetched through DVC")
    add(
        "--threshold",
        type=float,
        metavar="T",
        help="lowest score, 0 to 1; default: the best on val if it was evaluated, else 0.5",
    )
    add("--format", default="json", choices=_FORMATS, help="default: %(default)s")
    add(
        "--output",
        type=Path,
        metavar="O",
        help="a file (yolo, voc, cvat: a new folder; jsonl: a folder, whose run goes on); default: standard output",
    )
    add("--copy-images", action="store_true", help="yolo, voc, cvat: put the images beside their labels")
    add("--save-images", type=Path, metavar="FOLDER", help="draw the boxes, a PNG per image")
    add("--tile", type=int, metavar="PX", help="cut larger images into overlapping tiles with this side")
    add("--max-detections", type=int, metavar="N", help="most boxes on an image, or a tile; default: as evaluated")
    add("--max-pixels", type=int, metavar="N", help="refuse larger images; default: 89 million")
    add("--threads", type=int, default=2, metavar="N", help="threads that compute; default: %(default)s")


def run(parsed: argparse.Namespace) -> int:
    """Detect in every image, and return the exit code: 1 if some could not be read, else 0.

    Raises:
        UserError: If there is no model or no image, or the output cannot be written.
    """
    from humbleyolo.detection.cluster_detection import DetectorOptions, open_detector
    from humbleyolo.detection.image_paths import NamedImages
    from humbleyolo.detection.line_files import LineFiles
    from humbleyolo.detection.predict import predict, predict_lines
    from humbleyolo.detection.writers import LABELS, NOTHING_FOUND, make_writer
    from humbleyolo.errors import UserError
    from humbleyolo.geometry.image_decoder import MAX_PIXELS
    from humbleyolo.process.exits import counted, printable
    from humbleyolo.storage.atomic import make_folder

    if not parsed.paths and not parsed.list:
        raise UserError("no pictures to look at: give paths, or a --list FILE of them")
    lines = parsed.format == "jsonl"
    if lines and (parsed.output is None or parsed.save_images or parsed.copy_images):
        raise UserError("--format jsonl writes files into a folder, and no pictures: give --output FOLDER alone")
    max_pixels = MAX_PIXELS if parsed.max_pixels is None else parsed.max_pixels
    options = DetectorOptions(parsed.threshold, parsed.max_detections, parsed.threads, parsed.tile, max_pixels)
    with (
        NamedImages(parsed.paths, parsed.list) as pictures,
        open_detector(parsed.model, parsed.revision, options) as found,
    ):
        detector, most = found.detector, found.detector.facts.max_detections
        head = {"model": parsed.model, "threshold": detector.threshold, "classes": detector.names}
        if lines:
            facts = {**head, "classes": list(detector.names), "model_sha256": found.model_hash()}
            facts |= {"tile": parsed.tile, "max_detections": most, "max_pixels": max_pixels}
            files = LineFiles(parsed.output, pictures.items, facts)
            done, there = predict_lines(found.detect, files, most), files.done
        else:
            head |= {"left_out": [{"file": path, "reason": reason} for path, reason in pictures.left_out]}
            writer = make_writer(
                parsed.format, parsed.output, sys.stdout.buffer, head, copy_images=parsed.copy_images
            )
            if parsed.save_images is not None:
                make_folder(parsed.save_images)
            with writer:
                done, there = predict(found.detect, pictures, writer, parsed.save_images, max_pixels, most), 0
    why = "as told" if parsed.threshold is not None else detector.facts.threshold_from
    what = f"{counted(done.images, 'image')}, {counted(done.detections, 'detection')}"
    told = [f"{what} from {detector.threshold:g} on ({why})"]
    told += [f"note: {there} images had results of an earlier run in {parsed.output}"] * bool(there)
    told += _notes(done.remarks) + _left_out(pictures.left_out)
    if parsed.format in LABELS and done.empty:
        where = parsed.output / NOTHING_FOUND if parsed.format != "coco" else ", ".join(_some(done.empty))
        background = "labels without a box call them background; look at them before you train"
        of = f"{len(done.empty)} of {counted(done.images, 'image')}"
        told.append(f"note: nothing was found on {of}; {background}: {where}")
    if done.failed:
        told.append(f"{done.failed} of {counted(len(pictures.items), 'picture')} failed; see above")
    print(*map(printable, told), sep="\n", file=sys.stderr)
    return 1 if done.failed else 0


def _notes(lines: Sequence[str]) -> list[str]:
    more = [f"note: and {len(lines) - _SHOWN} more such notes"] if len(lines) > _SHOWN else []
    return [f"note: {line}" for line in lines[:_SHOWN]] + more


def _left_out(files: Sequence[tuple[str, str]]) -> list[str]:
    """Return a note for each reason, with the files."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in files:
        by_reason.setdefault(reason, []).append(path)
    notes = []
    for reason, paths in by_reason.items():
        notes.append(f"note: {len(paths)} left out: {reason}: {', '.join(_some(paths))}")
    return notes


def _some(names: Sequence[str]) -> list[str]:
    return [*names[:_SHOWN], *([f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]
