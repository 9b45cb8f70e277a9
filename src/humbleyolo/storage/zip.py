"""A zip file without compression, written and read as a stream: memory does not grow with its entries.

Python's `zipfile` holds an object for each entry, and takes half as long to store or find one as drawing a
small image does. Any zip tool opens what is written here, and nothing else is read.

Source: APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7,
4.3.12, 4.3.14 to 4.3.16, 4.5.3.
"""

import mmap
import struct
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from humbleyolo.storage.atomic import atomic_write

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_LENGTHS, _LENGTHS_AT = struct.Struct("<HHH"), 28  # of name, extra and comment, and where in _CENTRAL
_END = struct.Struct("<IHHHHIIH")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<IIQI")
_EXTRA64 = struct.Struct("<HHQ")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = 0x04034B50, 0x02014B50, 0x06054B50
_END64_MARK, _LOCATOR64_MARK = 0x06064B50, 0x07064B50
_DATE, _TIME = (1 << 5) | 1, 0  # 1980-01-01 00:00, the earliest that the format knows
_UTF8 = 1 << 11
_STORED = 0
_UNIX = 3 << 8  # the system that attributes are of, fixed so that bytes do not tell where they were made
_ATTRIBUTES = 0o100644 << 16  # a plain file
_VERSION, _VERSION64 = 20, 45
_BLOCK = 1 << 18  # bytes held at a time
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF  # from here on the 64-bit fields hold the value


class DamagedZipError(Exception):
    """A file that is damaged, or no zip file as `StoredZipWriter` writes them; the text says what is wrong."""


class Entry(NamedTuple):
    """A file in the zip, as the directory has it.

    Attributes:
        name: Path in the zip, UTF-8.
        offset: Start of its local header, bytes from the start of the zip.
        length: Length of its contents, bytes.
        crc: CRC-32 of its contents.
    """

    name: bytes
    offset: int
    length: int
    crc: int


class StoredZipWriter:
    """Writer of a zip file; nothing stands at `path` until the `with` block ends without an error.

    Args:
        path: The zip file, in a folder that exists.

    Raises:
        UserError: If the file cannot be written (full disk, read-only folder).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._count = 0
        self._offset = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._file = stack.enter_context(atomic_write(self._path))
            self._directory = stack.enter_context(self.scratch())
            self._first = b""  # the directory's entry of the file that is listed first
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def scratch(self) -> BinaryIO:
        """Return a temporary file without a name, on the disk where the zip is written."""
        return tempfile.TemporaryFile(dir=self._path.parent)

    def add(self, name: bytes, content: bytes) -> None:
        """Append a file.

        Raises:
            ValueError: If the name or the content is too long.
        """
        header, entry = self._headers(name, len(content), zlib.crc32(content))
        self._directory.write(entry)
        self._file.write(header)
        self._file.write(content)
        self._offset += len(header) + len(content)

    def add_first(self, name: bytes, pieces: Sequence[BinaryIO]) -> None:
        """Append a file made of pieces, and list it before all others. May be called once.

        Raises:
            ValueError: If it is too long.
        """
        content_start = self._offset + _LOCAL.size + len(name)
        self._file.seek(content_start)
        crc = 0
        for piece in pieces:
            crc = _append(self._file, piece, crc)
        end = self._file.tell()
        header, self._first = self._headers(name, end - content_start, crc)
        self._file.seek(self._offset)
        self._file.write(header)
        self._file.seek(end)
        self._offset = end

    def _headers(self, name: bytes, length: int, crc: int) -> tuple[bytes, bytes]:
        """Return the next file's local header, and its entry in the directory."""
        if len(name) > _MAX16 or length >= _MAX32:
            raise ValueError(f"{name[:60]!r} is too long for a zip file: {len(name)} and {length} bytes")
        flags = 0 if name.isascii() else _UTF8
        extra = b"" if self._offset < _MAX32 else _EXTRA64.pack(1, 8, self._offset)
        version = _VERSION64 if extra else _VERSION
        header = _LOCAL.pack(
            _LOCAL_MARK, version, flags, _STORED, _TIME, _DATE, crc, length, length, len(name), 0
        )  # fmt: skip
        entry = _CENTRAL.pack(
            _CENTRAL_MARK, _UNIX | version, version, flags, _STORED, _TIME, _DATE, crc, length, length,
            len(name), len(extra), 0, 0, 0, _ATTRIBUTES, min(self._offset, _MAX32),
        )  # fmt: skip
        self._count += 1
        return header + name, entry + name + extra

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the directory, and the records of its place."""
        if kind is not None:
            return
        start = self._offset
        self._file.write(self._first)
        _append(self._file, self._directory, 0)
        end = self._file.tell()
        count, length = self._count, end - start
        if count >= _MAX16 or start >= _MAX32 or length >= _MAX32:
            size = _END64.size - 12  # of the record, without its mark and this number
            made_by = _UNIX | _VERSION64
            self._file.write(_END64.pack(_END64_MARK, size, made_by, _VERSION64, 0, 0, count, count, length, start))
            self._file.write(_LOCATOR64.pack(_LOCATOR64_MARK, 0, end, 1))
        few = min(count, _MAX16)
        short_length, short_start = min(length, _MAX32), min(start, _MAX32)
        self._file.write(_END.pack(_END_MARK, 0, 0, few, few, short_length, short_start, 0))


class StoredZip:
    """Reader of a zip file, memory-mapped. Whatever its bytes are, no more memory is used than an entry has.

    Attributes:
        data: The whole file.

    Raises:
        DamagedZipError: If it is damaged or of another kind.
        OSError: If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:
                raise DamagedZipError("is empty") from None
        try:
            self._count, self._start, self._end = self._find_directory()
        except (struct.error, DamagedZipError):
            self.close()
            raise DamagedZipError("is cut short, or no zip archive of ours") from None

    def close(self) -> None:
        """Let go of the file."""
        self.data.close()

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._count

    def entries(self, start: int, stop: int) -> Iterator[Entry]:
        """Yield entries number `start` to `stop` (without it) in the directory's order.

        Raises:
            DamagedZipError: If the directory is damaged.
        """
        position = self._start
        try:
            for _ in range(start):  # entries that are passed over are checked by whoever reads them
                lengths = _LENGTHS.unpack_from(self.data, position + _LENGTHS_AT)
                position += _CENTRAL.size + sum(lengths)
        except struct.error:
            raise DamagedZipError("has a damaged directory") from None
        for _ in range(start, stop):
            try:
                position, entry = self._entry(position)
            except struct.error:
                raise DamagedZipError("has a damaged directory") from None
            yield entry

    def read(self, entry: Entry) -> bytes:
        """Return an entry's bytes.

        Raises:
            DamagedZipError: If they are not those that were written.
        """
        self.check(entry)
        start, end = self.span(entry)
        return self.data[start:end]

    def check(self, entry: Entry) -> None:
        """Compare the checksum of an entry, without holding it.

        Raises:
            DamagedZipError: If its bytes are not those that were written.
        """
        start, end = self.span(entry)
        crc = 0
        for block in range(start, end, _BLOCK):
            crc = zlib.crc32(self.data[block : min(block + _BLOCK, end)], crc)
        if crc != entry.crc:
            raise DamagedZipError(f"has a damaged {_show(entry.name)} (wrong checksum)")

    def span(self, entry: Entry) -> tuple[int, int]:
        """Return the start and end of an entry's bytes in `data`.

        Raises:
            DamagedZipError: If they are not inside the file.
        """
        try:
            mark, _, _, _, _, _, _, _, _, name_length, extra_length = _LOCAL.unpack_from(self.data, entry.offset)
        except struct.error:
            mark = name_length = extra_length = 0
        start = entry.offset + _LOCAL.size + name_length + extra_length
        if mark != _LOCAL_MARK or start + entry.length > self._start:
            raise DamagedZipError(f"is damaged at {_show(entry.name)}")
        return start, start + entry.length

    def _find_directory(self) -> tuple[int, int, int]:
        """Return the number of entries, and the start and end of the directory."""
        end = len(self.data) - _END.size
        mark, _, _, _, count, length, start, _ = _END.unpack_from(self.data, max(end, 0))
        if mark != _END_MARK:
            raise DamagedZipError
        if end >= _LOCATOR64.size:
            locator, _, end64, _ = _LOCATOR64.unpack_from(self.data, end - _LOCATOR64.size)
            if locator == _LOCATOR64_MARK:
                end = end64
                mark, _, _, _, _, _, _, count, length, start = _END64.unpack_from(self.data, end)
                if mark != _END64_MARK:
                    raise DamagedZipError
        if start + length != end or count * _CENTRAL.size > length:
            raise DamagedZipError
        return count, start, end

    def _entry(self, position: int) -> tuple[int, Entry]:
        """Return the position of the next entry of the directory, and this entry."""
        (
            mark, _, _, _, method, _, _, crc, stored, length, name_length, extra_length, comment_length,
            _, _, _, offset,
        ) = _CENTRAL.unpack_from(self.data, position)  # fmt: skip
        name_start = position + _CENTRAL.size
        name_end = name_start + name_length
        position = name_end + extra_length + comment_length
        if mark != _CENTRAL_MARK or position > self._end:
            raise DamagedZipError("has a damaged directory")
        if method != _STORED or stored != length:
            raise DamagedZipError("has compressed entries")
        if extra_length and offset == _MAX32:
            _, _, offset = _EXTRA64.unpack_from(self.data, name_end)
        return position, Entry(self.data[name_start:name_end], offset, length, crc)


def _show(name: bytes) -> str:
    return name.decode(errors="replace")


def _append(file: BinaryIO, piece: BinaryIO, crc: int) -> int:
    """Write `piece`, and return the checksum of all pieces so far."""
    piece.seek(0)
    while block := piece.read(_BLOCK):
        crc = zlib.crc32(block, crc)
        file.write(block)
    return crc
