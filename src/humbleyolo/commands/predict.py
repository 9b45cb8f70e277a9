"""`humbleyolo predict PATHS...`: find objects in images and videos; write JSON, CSV, COCO, or labels to correct.

Examples:
  humbleyolo predict photo.jpg
  humbleyolo predict photos --format csv --output boxes.csv --save-images drawn
  humbleyolo predict photos --format voc --output labels --copy-images

  humbleyolo predict clip.mp4 --every 5 --save-video drawn.mp4
  humbleyolo predict rtsp://camera/1
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from humbleyolo.commands.number_options import check_options
from humbleyolo.detection.output_formats import FORMATS, FRAME_FORMATS, LABELS, PARTS
from humbleyolo.pipeline.project_folders import MODEL
from humbleyolo.process.terminal import counted, first_few, hide_password, tell

if TYPE_CHECKING:
    from humbleyolo.detection.image_paths import NamedImages
    from humbleyolo.detection.predict_images import Counts
    from humbleyolo.detection.video.clip_paths import ChosenClips, NamedClip
    from humbleyolo.detection.video.predict_clips import ClipCounts
    from humbleyolo.detection.video.video_stream import VideoOptions

_SHOWN = 20  # notes, and files of a note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    paths = "images, clips, folders, zip archives, or patterns like 'a/**/*.jpg'; an address; a camera's number"
    add("paths", nargs="*", metavar="PATH", help=paths)
    add("--list", type=Path, metavar="FILE", help="a file with the path of an image per line")
    add(
        "--model",
        default=MODEL,
        metavar="M",
        help="a model's folder, what `export` wrote, or a git URL; default: %(default)s",
    )
    add("--revision", metavar="R", help="branch, tag or commit of the git URL, fetched through DVC")
    add(
        "--threshold",
        type=float,
        metavar="T",
        help="lowest score, 0 to 1; default: that of the evaluation, found on val, else 0.5",
    )
    default = "default: json; jsonl, a line per frame, if videos or addresses are named"
    add("--format", choices=FORMATS, metavar="F", help=f"{', '.join(FORMATS)}; {default}")
    output = "a file (yolo, voc, cvat: a new folder; jsonl-parts: a folder that a run goes on with)"
    add("--output", type=Path, metavar="O", help=f"{output}; default: standard output")
    add("--copy-images", action="store_true", help="yolo, voc, cvat: put the images beside their labels")
    add("--save-images", type=Path, metavar="FOLDER", help="draw the boxes, a PNG per image")
    add("--save-video", type=Path, metavar="V", help="draw the boxes: a clip like out.mp4; of several, a folder")
    add("--every", type=int, default=1, metavar="N", help="of a video, look at every Nth frame alone")
    add("--max-seconds", type=float, metavar="S", help="end a video after S seconds; default: at its end, or Ctrl-C")
    add("--timeout", type=float, default=30.0, metavar="S", help="most seconds between frames; default: %(default)g")
    add("--tile", type=int, metavar="PX", help="cut larger images into overlapping tiles with this side")
    add("--max-detections", type=int, metavar="N", help="most boxes on an image, or a tile; default: as evaluated")
    add("--max-pixels", type=int, metavar="N", help="refuse larger images; default: 89 million")
    add("--threads", type=int, default=2, metavar="N", help="threads that compute; default: %(default)s")


def run(parsed: argparse.Namespace) -> int:
    """Detect in every image and frame, and return the exit code.

    It is 1 if some could not be read, 130 if Ctrl-C ended a video, else 0.

    Raises:
        UserError: If there is no model or no image, or the output cannot be written.
    """
    from humbleyolo.detection.cluster_detection import DetectorOptions, open_detector
    from humbleyolo.detection.image_paths import NamedImages
    from humbleyolo.detection.line_files import LineFiles
    from humbleyolo.detection.predict_images import image_places, predict, predict_lines
    from humbleyolo.detection.video.clip_paths import choose_clips, is_clip, split_paths
    from humbleyolo.detection.video.predict_clips import ClipCounts, drawing_places, predict_clips
    from humbleyolo.detection.writers import make_writer
    from humbleyolo.geometry.image_decoder import MAX_PIXELS

    check_options(parsed)
    named, paths = split_paths(parsed.paths)
    max_pixels = MAX_PIXELS if parsed.max_pixels is None else parsed.max_pixels
    loaded = DetectorOptions(parsed.threshold, parsed.max_detections, parsed.threads, parsed.tile, max_pixels)
    with ExitStack() as stack:
        pictures = stack.enter_context(NamedImages(paths, parsed.list, is_clip))
        chosen = choose_clips(named, pictures.clips, parsed.format)
        clips, to = chosen.clips, chosen.to
        options = _video_options(parsed, chosen)
        _check_outputs(parsed, to, videos=bool(clips), pictures=pictures)
        found = stack.enter_context(open_detector(parsed.model, parsed.revision, loaded))
        detector, most = found.detector, found.detector.facts.max_detections
        left_out = pictures.left_out + chosen.left_out
        head = {"model": hide_password(parsed.model), "threshold": detector.threshold, "classes": detector.names}
        seen, there = ClipCounts(), 0
        if to == PARTS:
            facts = {**head, "classes": list(detector.names), "model_sha256": found.model_hash()}
            facts |= {"tile": parsed.tile, "max_detections": most, "max_pixels": max_pixels}
            files = LineFiles(parsed.output, pictures.items, facts)
            done, there = predict_lines(found.detect, files, most), files.done
        else:
            head |= {"left_out": [{"file": path, "reason": reason} for path, reason in left_out]}
            out, copy = sys.stdout.buffer, parsed.copy_images
            writer = make_writer(to, parsed.output, out, head, copy_images=copy, videos=bool(clips))
            drawn = {} if parsed.save_images is None else image_places(pictures.items, parsed.save_images)
            drawings = {} if parsed.save_video is None else drawing_places(clips, parsed.save_video)
            with writer:
                done = predict(found.detect, pictures, writer, drawn, max_pixels, most)
                if clips:
                    seen = predict_clips(detector, clips, writer, options, max_pixels, drawings)
    why = "as told" if parsed.threshold is not None else detector.facts.threshold_from
    told = [f"{_counts(pictures, clips, done, seen)} from {detector.threshold:g} on ({why})"]
    told += [f"note: {counted(there, 'image')} had results of an earlier run in {parsed.output}"] * bool(there)
    told += (
        _notes(done.remarks + seen.notes, done.remarked + len(seen.notes))
        + _left_out(left_out)
        + _nothing_found(parsed, to, done)
    )
    of = (done.failed, counted(len(pictures.items), "picture")), (seen.failed, _counted_clips(clips))
    told += [f"{failed} of {all_of_them} failed; see above" for failed, all_of_them in of if failed]
    told += ["stopped; what was found until then is kept"] * seen.stopped
    tell(*told, to=sys.stderr)
    return 130 if seen.stopped else int(done.failed + seen.failed > 0)


def _counts(pictures: "NamedImages", clips: "Sequence[NamedClip]", done: "Counts", seen: "ClipCounts") -> str:
    """Return the numbers of images, frames and detections, of those kinds that were asked for."""
    what = [counted(done.images, "image")] if pictures.items or not clips else []
    what += [counted(seen.frames, "frame")] if clips else []
    return ", ".join([*what, counted(done.detections + seen.detections, "detection")])


def _counted_clips(clips: "Sequence[NamedClip]") -> str:
    """Return the number of videos and addresses; an address may be of a picture."""
    from humbleyolo.detection.video.web_address import is_address

    addresses = sum(is_address(clip.shown) for clip in clips)
    videos = len(clips) - addresses
    named = [counted(videos, "video")] * (videos > 0) + [counted(addresses, "address", "addresses")] * (addresses > 0)
    return " and ".join(named)


def _check_outputs(parsed: argparse.Namespace, to: str, *, videos: bool, pictures: "NamedImages") -> None:
    """Check that there are pictures, that the options of the output go together, and that it replaces no picture.

    Raises:
        UserError: If not.
    """
    from humbleyolo.detection.image_paths import replaced_by
    from humbleyolo.errors import UserError

    sources = chain((one.shown for one in pictures.items), map(str, [parsed.list] if parsed.list else []))
    if parsed.output is not None and replaced_by([parsed.output], sources):
        raise UserError(f"--output {parsed.output}: would replace what is looked at; name another file")
    if not parsed.paths and not parsed.list:
        raise UserError("no pictures to look at: give paths, or a --list FILE of them")
    if parsed.save_images and not pictures.items:
        raise UserError("--save-images draws pictures, and there are none; frames are drawn by --save-video")
    if to == PARTS and videos:
        raise UserError(f"--format {PARTS} is of pictures; of videos and addresses it is {', '.join(FRAME_FORMATS)}")
    if to == PARTS and (parsed.output is None or parsed.save_images or parsed.copy_images):
        raise UserError(f"--format {PARTS} writes files into a folder, and no pictures: give --output FOLDER alone")


def _nothing_found(parsed: argparse.Namespace, to: str, done: "Counts") -> list[str]:
    """Return a note on the images whose labels say that nothing is there."""
    from humbleyolo.detection.writers import NOTHING_FOUND

    if to not in LABELS or not done.empty:
        return []
    where = parsed.output / NOTHING_FOUND if to != "coco" else first_few(done.empty, _SHOWN, count=done.without)
    background = "labels without a box call them background; look at them before you train"
    return [f"note: nothing was found on {done.without:,} of {counted(done.images, 'image')}; {background}: {where}"]


def _notes(lines: Sequence[str], count: int) -> list[str]:
    """Return the first of `count` notes, and how many more there are."""
    more = [f"note: and {counted(count - _SHOWN, 'more such note')}"] if count > _SHOWN else []
    return [f"note: {line}" for line in lines[:_SHOWN]] + more


def _left_out(files: Sequence[tuple[str, str]]) -> list[str]:
    """Return a note for each reason, with the files."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in files:
        by_reason.setdefault(reason, []).append(path)
    notes = []
    for reason, paths in by_reason.items():
        notes.append(f"note: {len(paths):,} left out: {reason}: {first_few(paths, _SHOWN)}")
    return notes


def _video_options(parsed: argparse.Namespace, chosen: "ChosenClips") -> "VideoOptions":
    """Return the options of videos.

    Raises:
        UserError: If one is out of range, or there is no video for it.
    """
    from humbleyolo.detection.video.video_stream import VideoOptions
    from humbleyolo.errors import UserError

    options = VideoOptions(parsed.every, parsed.max_seconds, parsed.timeout)
    if not chosen.clips and (options != VideoOptions() or parsed.save_video is not None):
        why = f"left out: {': '.join(chosen.left_out[0])}" if chosen.left_out else "no path is one"
        raise UserError(f"--save-video, --every, --max-seconds and --timeout are of videos; {why}")
    return options
