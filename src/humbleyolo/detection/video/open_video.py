"""A clip, a camera or a stream, by the name that a person gives it."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from humbleyolo.detection.image_input import ReadImage, decode_image
from humbleyolo.detection.result import VideoFrame
from humbleyolo.detection.video.byte_stream import (
    HEAD_BYTES,
    ByteStream,
    Download,
    container_of,
    is_playlist,
    not_a_clip,
    open_clip,
)
from humbleyolo.detection.video.decoder import Decoder
from humbleyolo.detection.video.motion_jpeg import split_pictures
from humbleyolo.detection.video.rtsp_relay import RtspRelay
from humbleyolo.detection.video.web_address import Connections, is_address, open_address, parse_address
from humbleyolo.errors import UserError
from humbleyolo.inputs.folder import IMAGE_BYTES
from humbleyolo.process.terminal import hide_password

VideoName = str | os.PathLike[str] | int


class Video:
    """A clip, camera or stream. A context manager, open inside; use it in any thread but the main one.

    Args:
        name: A path, the index of a camera, or an address (http, https, rtsp, rtsps).
        max_pixels: Largest number of pixels of a frame.
        timeout: Seconds in which a frame must have come.

    Attributes:
        shown: Its name for people and results, without a password.
        live: True for a camera, RTSP and Motion JPEG, whose frames are of now.
        is_file: True for a file, which ends.
        fps: Frames per second that it tells, or a guess.
        picture: The picture, if the address is that of one; then there are no frames.
    """

    def __init__(self, name: VideoName, max_pixels: int, timeout: float) -> None:
        self.shown = shown_name(name)
        self.live, self.is_file, self.fps = True, False, 25.0
        self.picture: ReadImage | None = None
        self._name, self._max_pixels, self._timeout = name, max_pixels, timeout
        self._connections = Connections()
        self._relay: RtspRelay | None = None
        self._decoder: Decoder | None = None

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            UserError: If it cannot be opened, or is of a kind that is not read.
        """
        name = self._name
        with ExitStack() as self._stack:
            if isinstance(name, int):
                self._new_decoder().open_camera(name)
            elif not is_address(os.fspath(name)):
                self._open_file(Path(name))
            elif parse_address(os.fspath(name)).scheme.lower() in ("rtsp", "rtsps"):
                self._open_rtsp(os.fspath(name))
            else:
                self._open_web(os.fspath(name))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def remarks(self) -> list[str]:
        """Return what a person should know of the frames so far, or of all."""
        return [] if self._decoder is None else self._decoder.lost.remarks

    def stop(self) -> None:
        """End soon what another thread opens or reads here."""
        self._connections.end()
        if self._decoder is not None:
            self._decoder.stop()
        if self._relay is not None:
            self._relay.close()

    def frames(self, every: int) -> Iterator[VideoFrame]:
        """Yield frames 0, `every`, 2 `every` and so on.

        Raises:
            UserError: If a frame is too large or does not come in time, or the clip is damaged or cut short.
        """
        try:
            yield from self._frames(every)
        except UserError:
            self._raise_relay_error()
            raise
        self._raise_relay_error()

    def _raise_relay_error(self) -> None:
        if self._relay is not None and self._relay.error is not None:
            raise self._relay.error from None

    def _new_decoder(self) -> Decoder:
        self._decoder = decoder = Decoder(self.shown, self._max_pixels, self._timeout)
        self._stack.callback(decoder.close)
        self._frames = decoder.frames
        return decoder

    def _open_file(self, path: Path) -> None:
        file = self._stack.enter_context(open_clip(path))
        head = file.read(HEAD_BYTES)
        file.seek(0)
        self.is_file = True
        container = container_of(head)
        if container is None:
            raise not_a_clip(head, self.shown)
        self._decode(ByteStream(file), container)

    def _decode(self, stream: ByteStream, container: str) -> None:
        self.live = False
        decoder = self._new_decoder()
        decoder.open_bytes(stream, container)
        self.fps = decoder.fps

    def _open_rtsp(self, name: str) -> None:
        decoder = self._new_decoder()
        self._relay = RtspRelay(parse_address(name), self.shown, self._timeout)
        self._stack.callback(self._relay.close)
        try:
            decoder.open_rtsp(self._relay.address)
        except UserError as error:
            self._relay.close()
            raise self._relay.error or self._relay.refusal or error from None
        self.fps = decoder.fps

    def _open_web(self, name: str) -> None:
        answer = open_address(name, self._timeout, self._connections)
        self._stack.callback(answer.close)
        if answer.is_row_of_pictures:
            self._frames = partial(self._decode_pictures, split_pictures(answer, self.shown, IMAGE_BYTES))
            return
        head = answer.read(HEAD_BYTES)
        container = container_of(head)
        if container is None and is_playlist(head):
            raise not_a_clip(head, self.shown)
        if container is None:
            data = answer.read_picture(head, IMAGE_BYTES)
            self.picture = decode_image(data, self.shown, self._max_pixels)
            return
        size = answer.size if container == "mov" else None  # its index can be at its end; others are read forwards
        self._decode(ByteStream(Download(answer, head, self.shown, size)), container)

    def _decode_pictures(self, pictures: Iterator[bytes], every: int) -> Iterator[VideoFrame]:
        start = time.monotonic()
        for number, data in enumerate(pictures):
            if number % every == 0:
                pixels = decode_image(data, f"{self.shown}: picture {number}", self._max_pixels, ("JPEG",)).pixels
                yield VideoFrame(number, round(time.monotonic() - start, 6), pixels)


def shown_name(name: VideoName) -> str:
    """Return the name of a video for people, without a password."""
    if isinstance(name, int):
        return f"camera {name}"
    return hide_password(os.fspath(name)) if is_address(os.fspath(name)) else str(Path(name))
