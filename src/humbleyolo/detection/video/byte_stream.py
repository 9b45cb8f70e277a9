"""The bytes of a clip as FFmpeg asks for them: of one file or one answer from the web, and of nothing else."""

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from humbleyolo.detection.video.web_address import Answer
from humbleyolo.errors import UserError

HEAD_BYTES = 4096  # by which containers are known
MOST_BYTES = 4 * 2**30  # of a clip from the web, kept on disk while it is read
_WINDOW_BYTES = 16 * 2**20  # of a stream without an end, kept on disk; FFmpeg goes back no further than 5 MB

_MOV = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
_PICTURES = (b"avif", b"avis", b"mif1", b"msf1", b"hei", b"hev")  # brands of pictures in the box of MOV
_PACKETS = ((0, 188), (4, 192))  # of MPEG-TS and of M2TS: place of the first mark, and length
_KNOWN = "MP4, MOV, MKV, WebM, AVI and MPEG-TS"


def container_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the container that a file begins as, whatever its name; None for any other."""
    if head[4:8] == b"ftyp" and head[8:12].startswith(_PICTURES):
        return None
    if head[4:8] in _MOV:
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    if any(head[at : at + 3 * step : step] == b"GGG" for at, step in _PACKETS):
        return "mpegts"
    return None


def is_playlist(head: bytes) -> bool:
    """Tell a list of other files and addresses by how it begins."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"#extm3u", b"ffconcat", b"[playlist]", b"[reference]", b"<?xml", b"<mpd", b"v=0"))


def not_a_clip(head: bytes, name: str) -> UserError:
    """Return the error about a file of no known container."""
    if not head:
        return UserError(f"{name}: is empty")
    playlist = (
        "is a playlist; what it names is not opened" if is_playlist(head) else "is no clip, or damaged at its start"
    )
    return UserError(f"{name}: {playlist}; containers that are read are {_KNOWN}")


class ByteStream(io.BufferedIOBase):
    """A clip's bytes for OpenCV. It raises nothing, since an exception would end the process there: see `error`.

    Args:
        source: The bytes, which can be sought in.

    Attributes:
        error: The first exception of reading.
        deadline: Value of `time.monotonic` from which on the clip ends.
        whole: False once bytes were asked for beyond its end.
    """

    def __init__(self, source: "BinaryIO | Download") -> None:
        self._source = source
        if isinstance(source, Download):
            source.is_late = lambda: self.late
        self.error: Exception | None = None
        self.deadline, self.whole = float("inf"), True

    @property
    def late(self) -> bool:
        """Return whether the deadline has passed."""
        return time.monotonic() > self.deadline

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; none at the end, after an error and when it is late."""
        if self.error is not None or self.late:
            return b""
        try:
            data = self._source.read(-1 if size is None else size)
        except Exception as error:  # noqa: BLE001 - it is shown later
            self.error = error
            return b""
        self.whole &= bool(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place and return it; -1 if that is not possible."""
        try:
            return self._source.seek(offset, whence)
        except Exception:  # noqa: BLE001 - FFmpeg asks for places that there are not
            return -1

    def close(self) -> None:
        """Close the source."""
        self._source.close()
        super().close()


def open_clip(path: Path) -> BinaryIO:
    """Open a clip's file.

    Raises:
        UserError: If it is no file, or cannot be read.
    """
    try:
        if not path.is_file():  # a pipe or a device would never end
            raise UserError(f"{path}: {'is no file' if path.exists() else 'no such file'}")
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


class Download:
    """An answer from the web that can be read again, as far as it was read: it is kept in a temporary file.

    Args:
        answer: The answer, of which `head` was read.
        head: Its first bytes.
        name: Its address in errors.
        size: Number of its bytes; None: it is read forwards, and of its past a part is kept.
        most: Largest number of bytes.

    Attributes:
        is_late: Function that tells when to wait no longer.
    """

    def __init__(self, answer: Answer, head: bytes, name: str, size: int | None, most: int = MOST_BYTES) -> None:
        self._answer, self._name, self._size, self._most = answer, name, size, most
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this
        self._file.write(head)
        self._from, self._end, self._at = 0, len(head), 0  # places in the answer: kept from, read to, next
        self._forgets = size is None
        self.is_late: Callable[[], bool] = lambda: False

    def read(self, size: int) -> bytes:
        """Return the next bytes that there are, waiting for some; none at the end, and when it is late.

        Raises:
            UserError: If more than `most` would be kept.
        """
        while self._end <= self._at:
            piece = self._answer.read1()
            if not piece or self.is_late():
                return b""
            self._keep(piece)
        self._file.seek(self._at - self._from)
        data = self._file.read(size)
        self._at += len(data)
        return data

    def _keep(self, piece: bytes) -> None:
        if self._forgets and self._end - self._from > _WINDOW_BYTES:
            self._file.truncate(0)
            self._from = self._end
        elif not self._forgets and self._end + len(piece) > self._most:
            raise UserError(f"{self._name}: sends more than {self._most:,} bytes; download it, and name the file")
        self._file.seek(self._end - self._from)
        self._file.write(piece)
        self._end += len(piece)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place and return it.

        Raises:
            ValueError: If it cannot be gone to.
        """
        if whence == io.SEEK_END and self._size is None:
            raise ValueError("it has no known end")
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size or 0}[whence]
        if place < self._from or (self._forgets and place > self._end):
            raise ValueError("it is read forwards")
        self._at = place
        return place

    def close(self) -> None:
        """Close the connection, and remove the file."""
        with closing(self._file):
            self._answer.close()
