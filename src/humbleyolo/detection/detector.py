"""`Detector`: a trained model that takes images of any kind and shape, and gives boxes in their own pixels."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from PIL import Image

from humbleyolo.detection.backend import BATCH, Backend, ModelFacts
from humbleyolo.detection.backends.metadata import ExportedModel
from humbleyolo.detection.backends.open_model import open_model
from humbleyolo.detection.image_input import ImageLike, ReadImage, read_image, wrong_kind
from humbleyolo.detection.model_from_url import is_remote
from humbleyolo.detection.result import Result, UnreadImagesError
from humbleyolo.detection.tiles import join_tiles, tile_places
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import to_whole_pixels
from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.image_decoder import MAX_PIXELS
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.process.terminal import counted, printable
from humbleyolo.storage.array_types import Floats32, Ints, Rgb, Uint8s

if TYPE_CHECKING:
    from humbleyolo.detection.video.video_stream import VideoStream

_Outcome = TypeVar("_Outcome", Result, Result | UserError)


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """An image as the network sees it: T tiles, or one.

    Attributes:
        pixels: (T, H, W, 3) uint8, letterboxed.
        places: (T, 4) xyxy of the tiles, pixels of the upright image.
        height: Height of the upright image, pixels.
        width: Width of the upright image, pixels.
        file: Path of the image, where it was read from one.
        frames: Number of pages or frames in the file, of which this is the first.
    """

    pixels: Uint8s
    places: Ints
    height: int
    width: int
    file: str | None
    frames: int


class Detector:
    """A trained model, ready for use. Any number of threads may share one.

    One that was loaded can be pickled, and is loaded anew in the other process. TensorFlow does not work in processes
    that were forked after its use: a detector that runs in it is refused there.

    Make one with `Detector.load`, then call it with an image, or a list of them.

    Args:
        model: The model, in its runtime.
        threshold: Lowest score of a detection, 0 to 1; None: the model's own.
        whole_pixels: Rounding of edges to whole pixels; None: the model's own.
        tile: Side of square tiles, pixels, which overlap; small objects on larger images are found by them.
            None: every image is one tile.
        max_pixels: Largest number of pixels of an image.

    Raises:
        UserError: If a number is out of range.
    """

    def __init__(
        self,
        model: Backend,
        *,
        threshold: float | None = None,
        whole_pixels: bool | None = None,
        tile: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if tile is not None and tile < 16:
            raise UserError(f"tile is {tile}; it must be 16 pixels or more")
        if max_pixels < 1:
            raise UserError(f"max_pixels is {max_pixels}; it must be 1 or more")
        self._model, self._loading = model, dict[str, Any]()
        self._tile, self._max_pixels = tile, max_pixels
        self._selection = model.facts.override(threshold=threshold, whole_pixels=whole_pixels)
        self.threshold = float(self._selection.threshold)

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str],
        *,
        revision: str | None = None,
        threshold: float | None = None,
        nms_iou: float | None = None,
        whole_pixels: bool | None = None,
        max_detections: int | None = None,
        threads: int | None = None,
        tile: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> "Detector":
        """Read a model.

        Args:
            model: The folder that `train` wrote (`data/model`), or a file or folder that `humbleyolo export`
                wrote. Or the URL of a git repository of this kind, whose model is fetched through DVC.
            revision: Branch, tag or commit of the repository.
            threshold: Lowest score of a detection, 0 to 1. None: that of the evaluation, found on val,
                else 0.5; an export knows its own.
            nms_iou: Highest overlap of two detections of one class; of others the lower score is left out. None:
                as in its evaluation, else 0.5. An export has its own built in.
            whole_pixels: Rounding of edges to whole pixels of the image. None: as in the evaluation beside the
                model, else not; an export knows its own.
            max_detections: Largest number of detections on an image, or on each tile; the best stay. None: as in the
                evaluation beside the model, else 100. An export has its own built in.
            threads: Threads that compute; None: the runtime's choice. TensorFlow has one number for the process.
            tile: See `Detector`.
            max_pixels: See `Detector`.

        Raises:
            UserError: If there is no whole model, it is of a newer version, its runtime is not installed,
                or a number is out of range.
        """
        opened = open_model(model, revision, nms_iou, threads, max_detections)
        detector = cls(opened, threshold=threshold, whole_pixels=whole_pixels, tile=tile, max_pixels=max_pixels)
        local = revision is None and not is_remote(str(model))
        place = os.path.abspath(model) if local else model  # noqa: PTH100 - links stay as they are
        detector._loading = {
            "model": place, "revision": revision, "threshold": threshold, "nms_iou": nms_iou,
            "whole_pixels": whole_pixels, "max_detections": max_detections, "threads": threads, "tile": tile,
            "max_pixels": max_pixels,
        }  # fmt: skip
        return detector

    def __reduce__(self) -> Any:
        """Have a detector that was loaded pickled as its arguments."""
        return (_load_anew, (type(self), self._loading)) if self._loading else super().__reduce__()

    @property
    def facts(self) -> ModelFacts:
        """Facts of the model: class names, input size, grid, selection of boxes."""
        return self._model.facts

    @property
    def names(self) -> tuple[str, ...]:
        """The C class names."""
        return self._model.facts.names

    @property
    def exported_from(self) -> str | None:
        """SHA-256 of the `weights.npz` that an export was made from; None for any other model."""
        return self._model.metadata.weights_sha256 if isinstance(self._model, ExportedModel) else None

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a str is a sequence of str, but means a path
        self, images: ImageLike, *, threshold: float | None = None
    ) -> Result: ...

    @overload
    def __call__(self, images: Sequence[ImageLike], *, threshold: float | None = None) -> list[Result]: ...

    def __call__(
        self, images: ImageLike | Sequence[ImageLike], *, threshold: float | None = None
    ) -> Result | list[Result]:
        """Find objects.

        Args:
            images: A path; a Pillow image; an array of uint8, (H, W, 3) RGB, grey (H, W) or with alpha (H, W, 4).
                OpenCV's arrays are BGR: give `array[..., ::-1]`. Or a list of them, of any shapes. EXIF orientations
                are applied, once.
            threshold: Lowest score, in place of the detector's own.

        Returns:
            The result; a list of results for a list of images.

        Raises:
            UserError: If an image cannot be read, is too large or of a wrong type. Of a list it is an
                `UnreadImagesError`, raised after all were tried; its `results` are those of the others.
        """
        if isinstance(images, str | os.PathLike | Image.Image | np.ndarray):
            return next(self.stream([images], threshold=threshold))
        if isinstance(images, bytes) or not isinstance(images, Iterable):
            raise wrong_kind(images)
        outcomes = list(self.attempt(images, threshold=threshold))
        results = [one for one in outcomes if isinstance(one, Result)]
        if len(results) < len(outcomes):
            raise UnreadImagesError(outcomes)
        return results

    def attempt(self, images: Iterable[ImageLike], *, threshold: float | None = None) -> Iterator[Result | UserError]:
        """Return a generator as `stream` does, with the error of an image that cannot be read in its place."""
        return self._tell(self._outcomes(images, threshold))

    def stream(
        self,
        source: Iterable[ImageLike] | str | os.PathLike[str] | int,
        *,
        threshold: float | None = None,
        every: int = 1,
        max_seconds: float | None = None,
        timeout: float = 30.0,
    ) -> Iterator[Result]:
        """Return a generator of results, one by one, in memory that does not grow.

        A warning tells of images with further pages or frames, and with as many detections as there can be.

        Args:
            source: Images, of which at most 32 are held at a time. Or a video: the path of a clip, an address
                (http, https, rtsp, rtsps), or the index of a camera; `Result.video_frame` is its frame.
            threshold: Lowest score, in place of the detector's own.
            every: Number of frames of a video, of which the first is looked at.
            max_seconds: Seconds after which a video ends; None: its end, which a camera does not have.
            timeout: Seconds in which a video's next frame must have come.

        Raises:
            UserError: As from a call, after the results of the images before it. If a video cannot be read, after its
                results before. If an option is out of range.
        """
        from humbleyolo.detection.video.video_stream import VideoOptions, VideoStream

        options = VideoOptions(every, max_seconds, timeout)
        if isinstance(source, str | os.PathLike | int):
            video = VideoStream(self, source, options, self._max_pixels)
            return self._tell(video.results(threshold), video)
        if options != VideoOptions():
            raise UserError("every, max_seconds and timeout are of a video; these are images")
        return self._tell(self._results(source, threshold))

    def _results(self, images: Iterable[ImageLike], threshold: float | None) -> Iterator[Result]:
        for outcome in self._outcomes(images, threshold):
            if isinstance(outcome, UserError):
                raise outcome
            yield outcome

    def _outcomes(self, images: Iterable[ImageLike], threshold: float | None) -> Iterator[Result | UserError]:
        waiting = iter(images)
        while batch := [self._prepare_or_not(image) for image in islice(waiting, BATCH)]:
            yield from self.detect_prepared(batch, threshold=threshold)

    def _prepare_or_not(self, image: ImageLike) -> PreparedImage | UserError:
        try:
            return self.prepare(image)
        except UserError as error:
            return error

    def _tell(self, results: Iterator[_Outcome], video: "VideoStream | None" = None) -> Iterator[_Outcome]:
        """Yield the results, with a warning of what a person should know about an image or the video."""
        for result in results:
            if isinstance(result, Result) and result.video_frame is None:
                for told in remarks(result, self.facts.max_detections):
                    warnings.warn(told, stacklevel=2)
            yield result
        for told in video.remarks if video else ():
            warnings.warn(told, stacklevel=2)

    def prepare(self, image: ImageLike | ReadImage, file: str | None = None) -> PreparedImage:
        """Read an image and fit it to the network; `detect` does the rest.

        Args:
            image: One of the kinds that a call takes, or one that was read.
            file: `Result.file`; None: the path, where the image is one.

        Raises:
            UserError: If it cannot be read, is too large or of a wrong type.
        """
        pixels, frames = image if isinstance(image, ReadImage) else read_image(image, self._max_pixels)
        if file is None and isinstance(image, str | os.PathLike):
            file = str(Path(image))
        height, width = pixels.shape[:2]
        side = self._tile or max(height, width)
        places = tile_places(height, width, max(side, 1))
        facts = self._model.facts
        letterboxed = [_letterbox(place, facts).apply(_crop(pixels, place), facts.fill) for place in places]
        return PreparedImage(np.stack(letterboxed), places, height, width, file, frames)

    def detect(self, images: Sequence[PreparedImage], *, threshold: float | None = None) -> list[Result]:
        """Return the results for prepared images; their tiles are computed 32 at a time."""
        at_least = self._selection.override(threshold=threshold).threshold
        tiles = [pixels for image in images for pixels in image.pixels]
        batches = (np.stack(tiles[start : start + BATCH]) for start in range(0, len(tiles), BATCH))
        detections = chain.from_iterable(self._model.detect(batch, at_least) for batch in batches)
        return [self._result(image, list(islice(detections, len(image.pixels)))) for image in images]

    def detect_prepared(
        self, batch: Sequence[PreparedImage | UserError], *, threshold: float | None = None
    ) -> list[Result | UserError]:
        """Return the results of a batch as `detect` does, with each error in its place."""
        results = iter(self.detect([one for one in batch if isinstance(one, PreparedImage)], threshold=threshold))
        return [one if isinstance(one, UserError) else next(results) for one in batch]

    def confidence(self, image: PreparedImage) -> Floats32:
        """Return the highest confidence of each cell's boxes (R, S) on a prepared image of one tile."""
        (confidence,) = self._model.confidence(image.pixels[:1])
        return np.asarray(confidence)

    def _result(self, image: PreparedImage, tiles: list[Detections]) -> Result:
        facts, height, width = self._model.facts, image.height, image.width
        placed = [_to_image(one, place, facts) for one, place in zip(tiles, image.places, strict=True)]
        whole = placed[0]
        if len(placed) > 1:
            whole = join_tiles(placed, image.places, height, width, facts.nms_iou)
        boxes = to_whole_pixels(whole.boxes) if self._selection.whole_pixels else whole.boxes
        full = any(len(one) >= facts.max_detections for one in tiles)
        return Result(boxes, whole.scores, whole.labels, facts.names, height, width, image.file, full, image.frames)


def remarks(result: Result, max_detections: int) -> Iterator[str]:
    """Yield facts about a result that a person should know: a limit was reached, pages were left out."""
    name = result.file or "the image"
    if result.limit_reached:
        told = f"{counted(max_detections, 'box', 'boxes')} found on it, or on a tile of it, which is the most"
        yield printable(f"{name}: {told}; there may be more: raise max_detections")
    if result.frames > 1:
        yield printable(f"{name}: has {result.frames} pages or frames; only the first is looked at")


def _load_anew(kind: type[Detector], loading: dict[str, Any]) -> Detector:
    return kind.load(**loading)


def _crop(pixels: Rgb, place: Ints) -> Rgb:
    left, top, right, bottom = place.tolist()
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _letterbox(place: Ints, facts: ModelFacts) -> Letterbox:
    left, top, right, bottom = place.tolist()
    return Letterbox(bottom - top, right - left, facts.height, facts.width)


def _to_image(found: Detections, place: Ints, facts: ModelFacts) -> Detections:
    """Return a tile's detections in the image's pixels, without those on letterbox padding alone."""
    found = _letterbox(place, facts).undo(found)
    return Detections(found.boxes + np.tile(place[:2], 2), found.scores, found.labels)
