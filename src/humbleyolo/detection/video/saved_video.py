"""A clip of the frames with their boxes, which appears whole or not at all."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from humbleyolo.detection.result import Result
from humbleyolo.detection.video.decoder import import_opencv
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.errors import UserError
from humbleyolo.storage.array_types import Rgb
from humbleyolo.storage.atomic import cannot_write, partial_folder

CODECS = {".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v", ".mp4": "mp4v", ".webm": "VP80"}
_LONGEST_GAP = 10.0  # seconds between frames; a longer one is left out


class SavedVideo:
    """A clip that is written frame by frame. A context manager: the clip takes its name at the end.

    A clip that broke off, or was stopped by Ctrl-C, is kept as far as it came.

    Its frames per second are constant. A frame is repeated or left out, so that the clip lasts as long as the time
    stamps say.

    Args:
        path: Place of the clip; its ending names the container.

    Raises:
        UserError: If the ending is of no container that is written, or OpenCV is not installed.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in CODECS:
            raise UserError(
                f"{path}: a clip cannot be written as {path.suffix or 'this'}; known are {', '.join(CODECS)}"
            )
        self._cv2: Any = import_opencv(str(path))
        self._path = path.resolve()  # links stay; and FFmpeg takes a name with a colon for an address
        if self._path.exists() and not self._path.is_file():
            raise UserError(f"{path}: cannot be written: a clip needs a file, which can be gone back in")
        self._stack = ExitStack()
        self._partial = self._path
        self._writer: Any = None
        self._size = (0, 0)
        self._fps, self._written, self._start = 0.0, 0, 0.0
        self._last: Rgb | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._writer is not None:
                self._writer.release()
            if self._written and (kind is None or issubclass(kind, UserError | KeyboardInterrupt)):
                self._keep()

    def add(self, result: Result, fps: float) -> None:
        """Write a frame with its boxes; `fps` of the first one is that of the clip.

        Raises:
            UserError: If the clip cannot be written.
        """
        frame = result.video_frame
        if frame is None:
            return
        if self._writer is None:
            self._open(frame.pixels, fps)
            self._start = frame.seconds
        place = round((frame.seconds - self._start) * self._fps)
        if not 0 <= place - self._written <= _LONGEST_GAP * self._fps:
            if place < self._written:
                return  # faster than the clip
            self._start += (place - self._written) / self._fps
            place = self._written
        if self._last is not None:
            for _ in range(place - self._written):
                self._write(self._last)
        self._last = self._drawn(result, frame.pixels)
        self._write(self._last)

    def _open(self, pixels: Rgb, fps: float) -> None:
        height, width = pixels.shape[:2]
        self._size, self._fps = (width + width % 2, height + height % 2), max(fps, 0.1)
        code = self._cv2.VideoWriter_fourcc(*CODECS[self._path.suffix.lower()])
        folder = self._stack.enter_context(partial_folder(self._path))
        self._partial = folder / f"clip{self._path.suffix}"  # OpenCV goes by the ending
        try:
            self._partial.touch()  # OpenCV would not say why not
        except OSError as error:
            raise cannot_write(self._path, error) from None
        self._writer = self._cv2.VideoWriter(str(self._partial), self._cv2.CAP_FFMPEG, code, self._fps, self._size)
        if not self._writer.isOpened():
            raise UserError(
                f"{self._path}: cannot be written: frames of {width} x {height} at {self._fps:g} a second"
            )

    def _drawn(self, result: Result, pixels: Rgb) -> Rgb:
        """Return the frame with its boxes, in the clip's size, BGR."""
        boxes, labels, names, scores = result.boxes, result.labels, result.names, result.scores
        picture = draw_boxes(pixels, boxes, labels, names, scale=1, scores=scores, margins=(0, 0))
        odd = (0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)
        drawn = np.pad(np.asarray(picture), odd, mode="edge")  # codecs take even sizes
        if drawn.shape[1::-1] != self._size:
            drawn = np.asarray(Image.fromarray(drawn).resize(self._size))
        return np.ascontiguousarray(drawn[..., ::-1])

    def _write(self, pixels: Rgb) -> None:
        self._writer.write(pixels)
        self._written += 1

    def _keep(self) -> None:
        """Give the clip its name, once it is seen to be whole: OpenCV does not tell of a full disk."""
        capture = self._cv2.VideoCapture(str(self._partial), self._cv2.CAP_FFMPEG)
        held = capture.get(self._cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
        capture.release()
        if held < self._written - 1:
            held_of = f"it holds {held:.0f} of {self._written} frames"
            raise UserError(f"{self._path}: cannot be written: {held_of}; is the disk full?")
        try:
            self._partial.replace(self._path)
        except OSError as error:
            raise cannot_write(self._path, error) from None
