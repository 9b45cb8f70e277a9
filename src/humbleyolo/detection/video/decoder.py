"""FFmpeg through OpenCV, the extra `video`: one container at a time, and nothing that it may open by itself."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from humbleyolo.detection.result import VideoFrame
from humbleyolo.detection.video.byte_stream import ByteStream
from humbleyolo.detection.video.lost_frames import LostFrames
from humbleyolo.errors import UserError
from humbleyolo.process.extras import how_to_install

_OLDEST = (4, 12)  # 4.11 reads a stream of bytes too, but keeps FFmpeg's options from it: a playlist opens files
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_QUIET = "OPENCV_FFMPEG_LOGLEVEL", "-8"  # errors are told in this package's words
_RATES = (1.0, 240.0)  # frames per second that a clip may tell
_ANY_RATE = 25.0
_MOST_LOST = 1000  # frames in a row: OpenCV does not tell one that cannot be decoded from the end
_environment = threading.Lock()  # it belongs to the process, not to a thread


def import_opencv(name: str) -> ModuleType:
    """Return the module `cv2`; `name` is the clip in errors.

    Raises:
        UserError: If it is not installed, or too old.
    """
    os.environ.setdefault(*_QUIET)
    try:
        import cv2
    except ImportError:
        raise UserError(
            f"{name}: needs the package opencv-python-headless; install it with {how_to_install('video')}"
        ) from None
    if tuple(map(int, cv2.__version__.split(".")[:2])) < _OLDEST or not hasattr(cv2, "CAP_FFMPEG"):
        raise UserError(
            f"{name}: needs OpenCV {'.'.join(map(str, _OLDEST))} or newer, with FFmpeg; this is {cv2.__version__}"
        )
    if "OPENCV_LOG_LEVEL" not in os.environ:  # read at the import, which TensorFlow does too
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


@contextmanager
def _ffmpeg_options(**options: str) -> Iterator[None]:
    """Set what OpenCV passes to FFmpeg's demuxer; OpenCV reads it from the environment alone."""
    with _environment:
        before = os.environ.get(_OPTIONS)
        os.environ[_OPTIONS] = "|".join(f"{key};{value}" for key, value in options.items())
        try:
            yield
        finally:
            del os.environ[_OPTIONS]
            if before is not None:
                os.environ[_OPTIONS] = before


class Decoder:
    """Decoded frames of a clip or a stream.

    Call it from any thread but the main one: a signal there would raise in the middle of OpenCV.

    Args:
        name: The clip in errors.
        max_pixels: Largest number of pixels of a frame.
        timeout: Seconds in which a frame must have come.

    Attributes:
        fps: Frames per second that the clip tells, or a guess.
        lost: Frames that cannot be decoded, as far as it was read.
    """

    def __init__(self, name: str, max_pixels: int, timeout: float) -> None:
        self._cv2: Any = import_opencv(name)
        self._name, self._max_pixels, self._timeout = name, max_pixels, timeout
        self._capture: Any = None
        self._bytes: ByteStream | None = None
        self._by_clock, self._stopped, self._deadline = False, False, 0.0
        self._container, self.fps, self.lost = "", _ANY_RATE, LostFrames()

    def open_bytes(self, stream: ByteStream, container: str) -> None:
        """Open a clip whose bytes are given; FFmpeg opens nothing."""
        self._bytes, self._container = stream, container
        with _ffmpeg_options(input_format=container, format_whitelist=container, protocol_whitelist="none"):
            self._open("it is damaged, or coded in a way that FFmpeg does not know", stream, self._cv2.CAP_FFMPEG, [])
        stream.whole = True

    def open_rtsp(self, address: str) -> None:
        """Open an RTSP stream by the address of its relay; its pictures come through that one connection."""
        limit = round(1000 * self._timeout)
        limits = [self._cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, self._cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit]
        only = {"input_format": "rtsp", "format_whitelist": "rtsp", "protocol_whitelist": "tcp"}
        with _ffmpeg_options(**only, rtsp_transport="tcp"):
            self._open("its pictures are coded in a way that is not known", address, self._cv2.CAP_FFMPEG, limits)

    def open_camera(self, index: int) -> None:
        """Open a camera of this machine."""
        self._by_clock = True  # a camera's own time stamps are of no fixed meaning
        self._open("no such camera, or another program has it", index, self._cv2.CAP_ANY)

    def _open(self, why_not: str, *target: Any) -> None:
        self._expect()
        try:
            self._capture = self._cv2.VideoCapture(*target)
        except self._cv2.error as error:
            raise UserError(f"{self._name}: cannot be opened: {str(error).strip().splitlines()[0]}") from None
        if not self._capture.isOpened() or self._late():
            self._raise_reason()
            raise UserError(f"{self._name}: cannot be opened: {why_not}")
        self._check(self._get("FRAME_HEIGHT"), self._get("FRAME_WIDTH"))
        if _RATES[0] <= self._get("FPS") <= _RATES[1]:
            self.fps = self._get("FPS")

    def frames(self, every: int) -> Iterator[VideoFrame]:
        """Yield frames 0, `every`, 2 `every` and so on.

        Those that cannot be decoded are counted, and left out.

        Raises:
            UserError: If a frame is too large or does not come in time, or the clip is damaged or cut short.
        """
        number, seconds, start = 0, 0.0, time.monotonic()
        while (lost := self._grab()) is not None:
            self.lost.add(lost, seconds)
            number += lost
            seconds = time.monotonic() - start if self._by_clock else max(0.0, self._get("POS_MSEC") / 1000)
            if number % every == 0:
                got, pixels = self._capture.retrieve()
                if not got:
                    break
                self._check(*pixels.shape[:2])
                yield VideoFrame(number, round(seconds, 6), self._cv2.cvtColor(pixels, self._cv2.COLOR_BGR2RGB))
            number += 1
        self._raise_reason()
        if number == 0:
            raise UserError(f"{self._name}: holds no frame that can be decoded")
        if self._bytes is not None:
            fps = self._get("FPS")
            told = self._get("FRAME_COUNT") if fps == self.fps else 0.0  # a false rate makes a false number of frames
            whole, container = self._bytes.whole, self._container
            self.lost.compare(self._name, number, seconds, told, self.fps, container, whole=whole)

    def stop(self) -> None:
        """End soon what another thread reads here."""
        self._stopped = True
        if self._bytes is not None:
            self._bytes.deadline = 0.0

    def _grab(self) -> int | None:
        """Go to the next frame that can be decoded; return how many before it cannot, or None at the end.

        Of cameras and live streams whatever goes wrong is the end.
        """
        self._expect()
        for lost in range(_MOST_LOST if self._bytes is not None else 1):
            if self._stopped:
                return None
            if self._capture.grab():
                return None if self._late() else lost
            if self._late() or (self._bytes is not None and self._bytes.error is not None):
                return None
        return None

    def _late(self) -> bool:
        """Return whether bytes did not come in time; FFmpeg takes those before for the whole clip."""
        return self._bytes is not None and self._bytes.late

    def _expect(self) -> None:
        self._deadline = time.monotonic() + self._timeout
        if self._bytes is not None:
            self._bytes.deadline = 0.0 if self._stopped else self._deadline

    def _get(self, name: str) -> float:
        return float(self._capture.get(getattr(self._cv2, f"CAP_PROP_{name}")))

    def _check(self, height: float, width: float) -> None:
        if height * width > self._max_pixels:
            raise UserError(
                f"{self._name}: frames of {width:.0f} x {height:.0f} pixels, more than the {self._max_pixels:,} "
                "allowed; shrink it, or allow more (max_pixels, --max-pixels)"
            )

    def _raise_reason(self) -> None:
        """Raise what ended the bytes, if it was not their end."""
        error = self._bytes.error if self._bytes is not None else None
        if isinstance(error, UserError):
            raise error
        if error is not None:
            raise UserError(f"{self._name}: breaks off: {error or type(error).__name__}")
        if time.monotonic() > self._deadline:
            raise UserError(
                f"{self._name}: gave no frame within {self._timeout:g} s; allow more (timeout, --timeout)"
            )

    def close(self) -> None:
        """Let go of the clip."""
        if self._capture is not None:
            self._capture.release()
        if self._bytes is not None:
            self._bytes.close()
