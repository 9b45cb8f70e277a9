"""A detector run over clips, cameras and streams, some of which may be broken."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from humbleyolo.detection.detector import Detector, remarks
from humbleyolo.detection.image_paths import NamedImage, replaced_by
from humbleyolo.detection.video.clip_paths import NamedClip
from humbleyolo.detection.video.saved_video import CODECS, SavedVideo
from humbleyolo.detection.video.video_stream import VideoOptions, VideoStream
from humbleyolo.detection.writers import Writer
from humbleyolo.errors import UserError
from humbleyolo.process.terminal import coloured, counted, shown
from humbleyolo.storage.atomic import make_folder


@dataclass
class ClipCounts:
    """Counts of a run.

    Attributes:
        clips: Clips that were read to their end.
        frames: Frames with a result.
        detections: Detections on them.
        failed: Clips that could not be opened or read to their end.
        notes: Remarks for a person.
        stopped: True if Ctrl-C ended it; what was found before is kept.
    """

    clips: int = 0
    frames: int = 0
    detections: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)
    stopped: bool = False


def predict_clips(
    detector: Detector,
    clips: Sequence[NamedClip],
    writer: Writer,
    options: VideoOptions,
    max_pixels: int,
    drawings: dict[str, Path],
) -> ClipCounts:
    """Detect objects on the frames of every clip, in order, and write the results as they come.

    A clip that fails is told on standard error, after what was found before; the others are done. `drawings` has the
    place of each clip that is saved with its boxes, by `NamedClip.shown`; see `drawing_places`.
    """
    counts = ClipCounts()
    bar: tqdm[Any]
    with tqdm(unit=" frames", disable=None, leave=False) as bar:
        for clip in clips:
            item = NamedImage(clip.shown, clip.name, bytes)
            stream = VideoStream(detector, clip.opened, options, max_pixels)
            try:
                _predict_clip(detector, stream, item, writer, drawings.get(clip.shown), counts, bar)
            except UserError as error:
                bar.write(coloured(shown(f"error: {error}", sys.stderr), sys.stderr), file=sys.stderr)
                writer.fail(item, str(error))
                counts.failed += 1
            except KeyboardInterrupt:
                counts.stopped = True
                return counts
            else:
                counts.clips += 1
            finally:
                counts.notes += stream.remarks
                if stream.skipped:
                    counts.notes.append(f"{clip.shown}: {counted(stream.skipped, 'frame')} skipped for newer ones")
    return counts


def _predict_clip(
    detector: Detector,
    stream: VideoStream,
    item: NamedImage,
    writer: Writer,
    drawing: Path | None,
    counts: ClipCounts,
    bar: "tqdm[Any]",
) -> None:
    limited = 0
    try:
        with ExitStack() as stack:
            saved = None if drawing is None else stack.enter_context(SavedVideo(drawing))
            for result in stream.results(None):
                writer.add(item, result)
                counts.frames += 1
                counts.detections += len(result)
                if result.video_frame is None:  # the picture of an address
                    counts.notes += remarks(result, detector.facts.max_detections)
                else:
                    limited += result.limit_reached
                if saved is not None:
                    saved.add(result, stream.fps)
                bar.update()
    finally:
        if limited:
            told = f"on {counted(limited, 'frame')} the limit of detections was reached; there may be more"
            counts.notes.append(f"{item.shown}: {told}")


def drawing_places(clips: Sequence[NamedClip], target: Path) -> dict[str, Path]:
    """Return the place of each clip's drawing: `target`, or for more than one, a file in that folder.

    Raises:
        UserError: If a drawing would replace a clip that is looked at, the ending is of no clip, or the folder cannot
            be made.
    """
    if len(clips) == 1 and target.suffix.lower() in CODECS:
        places = {clips[0].shown: target}
    elif target.suffix and not target.is_dir():
        why = f"there are {len(clips)} clips" if len(clips) > 1 else f"known endings are {', '.join(CODECS)}"
        raise UserError(f"--save-video {target}: {why}; name a folder, or one clip and its drawing")
    else:
        places = {}
        for number, clip in enumerate(clips):
            name = str(PurePosixPath(clip.name).with_suffix(".mp4"))
            if name.casefold() in {str(one.relative_to(target)).casefold() for one in places.values()}:
                name = f"{clip.name}.{number}.mp4"
            places[clip.shown] = target / name
    if replaced := replaced_by(places.values(), (clip.shown for clip in clips)):
        raise UserError(f"--save-video {target}: would replace {', '.join(replaced)}; name another file or folder")
    if target not in places.values():
        for place in places.values():
            make_folder(place.parent)
    return places
