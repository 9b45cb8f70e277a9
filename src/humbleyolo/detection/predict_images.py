"""A detector run over many image files, some of which may be broken."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NoReturn

from PIL import Image
from tqdm import tqdm

from humbleyolo.detection.backend import BATCH
from humbleyolo.detection.detector import Detector, PreparedImage, remarks
from humbleyolo.detection.image_input import decode_image
from humbleyolo.detection.image_paths import NamedImage, NamedImages, replaced_by
from humbleyolo.detection.line_files import Detect, LineFiles, Outcomes
from humbleyolo.detection.result import Result
from humbleyolo.detection.writers import Writer
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import save_png, shrink
from humbleyolo.errors import UserError
from humbleyolo.process.terminal import coloured, first_few, shown
from humbleyolo.storage.atomic import make_folder

_READERS = 2  # threads that read and decode, while the network computes
_AHEAD = 2 * BATCH  # images that they may be ahead; held as the network sees them, whatever their size
_LONGEST_PX = 1600  # longer side of a drawing
_SMALL_PX = 240  # smaller images are enlarged to about that

TOLD = 20
"""Facts about single images that are told of a run, which may have a million."""


@dataclass
class Counts:
    """Counts of a run.

    Attributes:
        images: Images with a result.
        detections: Detections on them.
        failed: Images that could not be read, or whose result could not be written.
        remarks: The first `TOLD` facts about single images that a person should know.
        remarked: Number of all of them.
        empty: Names of the first `TOLD` images where nothing was found.
        without: Number of all of them.
    """

    images: int = 0
    detections: int = 0
    failed: int = 0
    remarks: list[str] = field(default_factory=list)
    remarked: int = 0
    empty: list[str] = field(default_factory=list)
    without: int = 0

    def add(self, item: NamedImage, result: Result, most: int) -> None:
        """Count an image with a result; `most` is the largest number of detections on one."""
        self.images += 1
        self.detections += len(result)
        found = list(remarks(result, most))
        self.remarks += found[: TOLD - len(self.remarks)]
        self.remarked += len(found)
        if not len(result):
            self.empty += [item.shown][: TOLD - len(self.empty)]
            self.without += 1

    def fail(self, error: UserError, bar: "tqdm[NoReturn]") -> None:
        """Count an image without one, and tell why above the bar."""
        bar.write(coloured(shown(f"error: {error}", sys.stderr), sys.stderr), file=sys.stderr)
        self.failed += 1


def predict(
    detect: Detect, images: NamedImages, writer: Writer, drawings: Mapping[str, Path], max_pixels: int, most: int
) -> Counts:
    """Detect objects on every image, in order, and write the results. A progress bar is shown on a terminal.

    An image that fails is told on standard error; the others are done. `detect` yields each image with its result or
    its error. `drawings` are the files of `image_places` for the images with their boxes; if empty, none is drawn.
    `max_pixels` is the largest number of pixels of an image that is drawn, `most` that of detections on one.
    """
    counts = Counts()
    with tqdm(total=len(images.items), unit=" images", disable=None, leave=False) as bar:
        for item, outcome in detect(images.items):
            try:
                if isinstance(outcome, UserError):
                    raise outcome
                drawing = _drawing(item, outcome, max_pixels) if drawings else None
                writer.add(item, outcome)
            except UserError as error:
                writer.fail(item, str(error))
                counts.fail(error, bar)
            else:
                counts.add(item, outcome, most)
                if drawing is not None:
                    save_png(drawing, drawings[item.shown])
            bar.update()
    return counts


def predict_lines(detect: Detect, lines: LineFiles, most: int) -> Counts:
    """Detect objects on every image without a result yet, and write them as JSON lines; else as `predict`."""
    counts = Counts()
    with tqdm(total=lines.total, initial=lines.done, unit=" images", disable=None, leave=False) as bar:
        for item, outcome in lines.write(detect):
            if isinstance(outcome, UserError):
                counts.fail(outcome, bar)
            else:
                counts.add(item, outcome, most)
            bar.update()
    return counts


def detect_all(
    detector: Detector, items: Iterable[NamedImage], max_pixels: int, threshold: float | None = None
) -> Outcomes:
    """Yield each image with its result or its error, in order; `threshold` stands for the detector's own."""
    prepared = _prepared(detector, items, max_pixels)
    while batch := list(islice(prepared, BATCH)):
        outcomes = detector.detect_prepared([one for _, one in batch], threshold=threshold)
        yield from zip([item for item, _ in batch], outcomes, strict=True)


def _prepared(
    detector: Detector, items: Iterable[NamedImage], max_pixels: int
) -> Iterator[tuple[NamedImage, PreparedImage | UserError]]:
    """Yield each image as the network sees it, or its error, in order; some are read ahead."""

    def prepare(item: NamedImage) -> PreparedImage | UserError:
        try:
            return detector.prepare(decode_image(item.read(), item.shown, max_pixels), item.shown)
        except UserError as error:
            return error

    waiting: deque[tuple[NamedImage, Future[PreparedImage | UserError]]] = deque()
    with ThreadPoolExecutor(_READERS) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(prepare, item)))
                if len(waiting) > _AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:  # also if the consumer stopped early: Ctrl-C, or the results cannot be written
            pool.shutdown(wait=True, cancel_futures=True)


def _drawing(item: NamedImage, result: Result, max_pixels: int) -> Image.Image:
    """Return a drawing of the boxes on the image, which is read once more."""
    image = decode_image(item.read(), item.shown, max_pixels).pixels
    pixels, boxes = shrink(image, result.boxes, _LONGEST_PX)
    scale = max(1, round(_SMALL_PX / max(pixels.shape[:2])))
    return draw_boxes(pixels, boxes, result.labels, result.names, scale=scale, scores=result.scores, margins=(0, 0))


def image_places(items: Iterable[NamedImage], folder: Path) -> dict[str, Path]:
    """Return the PNG for each image's drawing: its own name, with its old extension in it if two would be alike.

    Their folders are made.

    Raises:
        UserError: If a drawing would replace an image that is looked at, or a folder cannot be made.
    """
    places: dict[str, Path] = {}
    taken: set[str] = set()
    for item in items:
        name = str(PurePosixPath(item.name).with_suffix(".png"))
        number = 1
        while name.casefold() in taken:
            name = f"{item.name}.png" if number == 1 else f"{item.name}.{number}.png"
            number += 1
        taken.add(name.casefold())
        places[item.shown] = folder / name
    if replaced := replaced_by(places.values(), places):
        raise UserError(f"--save-images {folder}: would replace {first_few(replaced, 1)}; name another folder")
    for parent in sorted({place.parent for place in places.values()}):
        make_folder(parent)
    return places
