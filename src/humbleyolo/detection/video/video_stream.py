"""Results for the frames of a clip, a camera or a stream, one by one, in memory that does not grow."""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from humbleyolo.detection.backend import BATCH
from humbleyolo.detection.image_input import ReadImage
from humbleyolo.detection.result import Result, VideoFrame
from humbleyolo.detection.video.open_video import Video, VideoName, shown_name
from humbleyolo.errors import UserError
from humbleyolo.storage.array_types import Rgb

_BATCH_BYTES = 64 * 2**20  # of frames that the network sees at a time
_TICK = 0.1  # seconds after which the reader notices that nobody waits for it
_LONGEST_END = 2.0  # seconds that the reader may take to end; a camera may be deaf while it is opened

_Batch = list[tuple[VideoFrame | None, Any]]


class FrameDetector(Protocol):
    """A `Detector`, as far as it is needed here."""

    def prepare(self, image: Rgb | ReadImage, file: str | None = None) -> Any:
        """Fit a frame, or the picture of an address, to the network."""

    def detect(self, images: Sequence[Any], *, threshold: float | None = None) -> list[Result]:
        """Return the results for prepared frames."""


@dataclass(frozen=True)
class VideoOptions:
    """Choice of frames, and limits.

    Attributes:
        every: Number of frames, of which the first is looked at.
        max_seconds: Seconds after which to end: of time stamps, and of the clock for all but files; None: no end.
        timeout: Seconds in which a frame must have come.

    Raises:
        UserError: If a number is out of range.
    """

    every: int = 1
    max_seconds: float | None = None
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UserError(f"every is {self.every}; it must be 1 or more")
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise UserError(f"max_seconds is {self.max_seconds:g}; it must be more than 0")
        if not 0 < self.timeout <= 3600:
            raise UserError(f"timeout is {self.timeout:g}; it must be more than 0, and 3600 seconds or less")


class VideoStream:
    """A video whose frames are read in a thread of its own, while the network computes.

    Of a camera or a live stream the newest frame is taken, and those that nobody had time for are skipped. A file is
    read as fast as the network takes it.

    Args:
        detector: The detector.
        name: A path, the index of a camera, or an address.
        options: Choice of frames, and limits.
        max_pixels: Largest number of pixels of a frame.

    Attributes:
        shown: Name for people and results.
        video: The video, open once the first result is there.
        skipped: Number of frames that were skipped because newer ones had come.
    """

    def __init__(self, detector: FrameDetector, name: VideoName, options: VideoOptions, max_pixels: int) -> None:
        self.shown = shown_name(name)
        self.video = Video(name, max_pixels, options.timeout)
        self.skipped = 0
        self._detector, self._options = detector, options
        self._ready: queue.Queue[_Batch | BaseException | None] = queue.Queue(1)
        self._stopped = threading.Event()

    @property
    def fps(self) -> float:
        """Frames per second of those that are looked at, by the clip's own word; a guess before the first."""
        return self.video.fps / self._options.every

    @property
    def remarks(self) -> list[str]:
        """Return what a person should know of its frames: some cannot be decoded."""
        return [f"{self.shown}: {one}" for one in self.video.remarks]

    def results(self, threshold: float | None) -> Iterator[Result]:
        """Yield the results; `threshold` stands for the detector's own.

        Raises:
            UserError: If it cannot be opened or read to its end; after the results before.
        """
        reader = threading.Thread(target=self._read, name="video", daemon=True)
        reader.start()
        try:
            while (batch := self._ready.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                results = self._detector.detect([prepared for _, prepared in batch], threshold=threshold)
                for (frame, _), result in zip(batch, results, strict=True):
                    yield replace(result, video_frame=frame)
        finally:
            self._stopped.set()
            self.video.stop()
            reader.join(_LONGEST_END)

    def _read(self) -> None:
        end = None
        try:
            with self.video as video:
                for batch in self._batches(video):
                    self._hand_over(batch, newest=video.live)
        except BaseException as error:  # noqa: BLE001 - raised where the results are waited for
            end = error
        self._hand_over(end)

    def _hand_over(self, batch: _Batch | BaseException | None, *, newest: bool = False) -> None:
        while not self._stopped.is_set():
            try:
                self._ready.put(batch, timeout=0 if newest else _TICK)
            except queue.Full:
                if newest:
                    self._skip()
            else:
                return

    def _skip(self) -> None:
        try:
            self._ready.get_nowait()
        except queue.Empty:
            return
        self.skipped += 1

    def _batches(self, video: Video) -> Iterator[_Batch]:
        """Yield frames as the network sees them, as many as it takes at a time; of a live stream one."""
        if video.picture is not None:
            yield [(None, self._detector.prepare(video.picture, self.shown))]
            return
        batch: _Batch = []
        try:
            for frame in self._frames(video):
                batch.append((frame, self._detector.prepare(frame.pixels, self.shown)))
                if video.live or len(batch) >= min(BATCH, _BATCH_BYTES / frame.pixels.nbytes):
                    yield batch
                    batch = []
        except UserError:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def _frames(self, video: Video) -> Iterator[VideoFrame]:
        most, start = self._options.max_seconds, time.monotonic()
        for frame in video.frames(self._options.every):
            seconds = frame.seconds if video.is_file else max(frame.seconds, time.monotonic() - start)
            if self._stopped.is_set() or (most is not None and seconds >= most):
                return
            yield frame
