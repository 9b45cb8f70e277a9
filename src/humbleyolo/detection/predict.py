"""A detector run over many pictures, some of which may be broken."""

import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from humbleyolo.detection.backend import BATCH
from humbleyolo.detection.detector import Detector, Prepared
from humbleyolo.detection.image_input import decode_image
from humbleyolo.detection.image_paths import NamedImage, NamedImages
from humbleyolo.detection.result import Result
from humbleyolo.detection.writers import Writer
from humbleyolo.drawing.boxes_on_image import draw_boxes, save_png, shrink
from humbleyolo.errors import UserError
from humbleyolo.storage.atomic import make_folder

_READERS = 2  # threads that read and decode, while the network computes
_AHEAD = 2 * BATCH  # pictures that they may be ahead; held as the network sees them, whatever their size
_LONGEST_PX = 1600  # side of a drawing
_SMALL_PX = 240  # pictures are enlarged to about that


@dataclass
class Done:
    """What was done.

    Attributes:
        images: NamedImages that were looked at.
        detections: Found on them.
        failed: NamedImages that were not, because they could not be read or their results not be written.
    """

    images: int = 0
    detections: int = 0
    failed: int = 0


def predict(
    detector: Detector, pictures: NamedImages, writer: Writer, drawings: Path | None, max_pixels: int
) -> Done:
    """Look at every picture, in order, and write what is found. A bar is shown on a terminal.

    What is wrong with one picture is told on standard error; the others are done.

    Args:
        detector: What looks.
        pictures: At what.
        writer: Takes the results.
        drawings: An existing folder for the pictures with their boxes; None: not drawn.
        max_pixels: Larger pictures are refused.
    """
    done = Done()
    names = _drawing_names(pictures.items)
    with tqdm(total=len(pictures.items), unit=" images", disable=None, leave=False) as bar:
        for item, outcome in _results(detector, pictures.items, max_pixels):
            try:
                if isinstance(outcome, UserError):
                    raise outcome
                writer.add(item, outcome)
            except UserError as error:
                bar.write(f"error: {error}", file=sys.stderr)
                writer.fail(item, str(error))
                done.failed += 1
            else:
                done.images += 1
                done.detections += len(outcome)
                if drawings is not None:
                    _draw(item, outcome, drawings / names[item.shown], max_pixels)
            bar.update()
    return done


def _results(
    detector: Detector, items: list[NamedImage], max_pixels: int
) -> Iterator[tuple[NamedImage, Result | UserError]]:
    """Yield each item with its result or what is wrong with it, in order."""
    batch: list[tuple[NamedImage, Prepared | UserError]] = []
    for pair in _prepared(detector, items, max_pixels):
        batch.append(pair)
        if len(batch) == BATCH:
            yield from _detected(detector, batch)
            batch = []
    yield from _detected(detector, batch)


def _detected(
    detector: Detector, batch: list[tuple[NamedImage, Prepared | UserError]]
) -> Iterator[tuple[NamedImage, Result | UserError]]:
    results = iter(detector.detect([one for _, one in batch if isinstance(one, Prepared)]))
    for item, one in batch:
        yield item, next(results) if isinstance(one, Prepared) else one


def _prepared(
    detector: Detector, items: list[NamedImage], max_pixels: int
) -> Iterator[tuple[NamedImage, Prepared | UserError]]:
    """Yield each item as the network sees it, or what is wrong with it, in order; some are read ahead."""

    def prepare(item: NamedImage) -> Prepared | UserError:
        try:
            return detector.prepare(decode_image(item.read(), item.shown, max_pixels), item.shown)
        except UserError as error:
            return error

    waiting: deque[tuple[NamedImage, Future[Prepared | UserError]]] = deque()
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
        finally:  # the reader stopped early: Ctrl-C, or the results cannot be written
            pool.shutdown(wait=True, cancel_futures=True)


def _draw(item: NamedImage, result: Result, path: Path, max_pixels: int) -> None:
    pixels, boxes = shrink(decode_image(item.read(), item.shown, max_pixels), result.boxes, _LONGEST_PX)
    scale = max(1, round(_SMALL_PX / max(pixels.shape[:2])))
    make_folder(path.parent)
    save_png(draw_boxes(pixels, boxes, result.labels, result.names, scale=scale, scores=result.scores), path)


def _drawing_names(items: list[NamedImage]) -> dict[str, str]:
    """Return the PNG's name for each item: its own, with its old extension in it where two would be alike."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for item in items:
        name = str(PurePosixPath(item.name).with_suffix(".png"))
        number = 1
        while name.casefold() in taken:
            name = f"{item.name}.png" if number == 1 else f"{item.name}.{number}.png"
            number += 1
        taken.add(name.casefold())
        names[item.shown] = name
    return names
