"""A split as one file: a zip of images and their COCO annotations, written and read as a stream.

    annotations.json      COCO: ids from 1, boxes `ltwh` in pixels as floats
    images/000000.png     images/<file_name>, in the order of their names

Entries are stored, not compressed (images are compressed already), with fixed dates and attributes: equal
contents are equal bytes on every system. Any zip or COCO tool opens it.

`annotations.json` holds one image or annotation a line, both in the order of image ids, so that it too can be
written and read without holding it. That is the only thing that `Archive` asks for and COCO does not.
"""

import json
import math
import mmap
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, NoReturn, Self

import numpy as np
import numpy.typing as npt

from humbleyolo.errors import UserError
from humbleyolo.files import atomic_write

ANNOTATIONS = "annotations.json"
IMAGES = "images/"

# The zip format: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16 and 4.5.3.
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
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
_ATTRIBUTES = 0o100644 << 16
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF

_IMAGES_END = b'],"annotations":[\n'
_OWN_FIELDS = {"id", "image_id", "category_id", "bbox", "area"}
_CHUNK = 1 << 16  # bytes of annotations parsed at a time

# What a file that is not ours can raise on the way in.
_FOREIGN = (
    struct.error, ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration, RecursionError,
)  # fmt: skip


@dataclass(slots=True)
class Truth:
    """What is known of one image.

    Attributes:
        image_id: COCO's id, from 1, in the order of the archive.
        file_name: Path below `images/`.
        height: Pixels.
        width: Pixels.
        boxes_ltwh: (M, 4) float64, left, top, width, height in pixels.
        labels: (M,) int64, indices into the archive's `categories`.
        annotations: M COCO annotations as they are in the file, for fields such as `iscrowd`.
    """

    image_id: int
    file_name: str
    height: int
    width: int
    boxes_ltwh: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    annotations: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Record(Truth):
    """One image with what is known of it.

    Attributes:
        image_bytes: The image file, undecoded.
    """

    image_bytes: bytes


class _Entry(NamedTuple):
    """One file, as the zip's directory has it; `offset` is that of its local header."""

    name: bytes
    offset: int
    length: int
    crc: int


class ArchiveWriter:
    """Writes an archive; nothing stands at `path` until the `with` block ends without an error.

    Memory does not grow with the number of images.

    Args:
        path: Of the archive. Its folder exists.
        categories: Names of the classes, in the order of the labels.

    Raises:
        UserError: Where the file cannot be written (full disk, read-only folder).
    """

    def __init__(self, path: Path, categories: Sequence[str]) -> None:
        self._path = path
        self._categories = tuple(categories)
        self._stack = ExitStack()
        self._images = 0
        self._annotations = 0
        self._last_name = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._file = stack.enter_context(atomic_write(self._path))
            self._directory, self._image_lines, self._annotation_lines = (
                stack.enter_context(tempfile.TemporaryFile(dir=self._path.parent)) for _ in range(3)
            )
            stack.push(self._finish)
            self._stack = stack.pop_all()
        self._offset = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(
        self,
        file_name: str,
        image_bytes: bytes,
        height: int,
        width: int,
        boxes_ltwh: Sequence[Sequence[float]] | npt.NDArray[Any],
        labels: Sequence[int] | npt.NDArray[Any],
        fields: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Append one image.

        Args:
            file_name: Path below `images/`, with `/` between folders. Names come in ascending order.
            image_bytes: The image file as it shall be stored.
            height: Of the image, pixels.
            width: Of the image, pixels.
            boxes_ltwh: (M, 4) left, top, width, height, pixels.
            labels: (M,) indices into `categories`.
            fields: M mappings of further COCO fields (`iscrowd`, `difficult`), or None.

        Raises:
            ValueError: Where a name is out of order or leaves the folder, a box has no area or is not
                finite, a label is not a category, or the lengths differ.
        """
        encoded_name = self._check_name(file_name)
        boxes = boxes_ltwh.tolist() if isinstance(boxes_ltwh, np.ndarray) else boxes_ltwh
        classes = labels.tolist() if isinstance(labels, np.ndarray) else labels
        if len(boxes) != len(classes) or (fields is not None and len(fields) != len(classes)):
            raise ValueError(f"{file_name}: {len(boxes)} boxes, {len(classes)} labels: not as many")
        self._images += 1
        self._image_lines.write(
            b'%s{"id":%d,"file_name":%s,"height":%d,"width":%d}'
            % (b",\n" if self._images > 1 else b"", self._images, _to_json(file_name), height, width)
        )
        for position, (box, label) in enumerate(zip(boxes, classes, strict=True)):
            left, top, box_width, box_height = box
            area = box_width * box_height
            if not (box_width > 0 and box_height > 0 and math.isfinite(left + top + area)):
                raise ValueError(f"{file_name}: box {box} has no area or is not finite")
            if not 0 <= label < len(self._categories):
                raise ValueError(f"{file_name}: label {label} is not one of {len(self._categories)} classes")
            self._annotations += 1
            more = b',"iscrowd":0' if fields is None else _more_fields(fields[position])
            self._annotation_lines.write(
                b'%s{"id":%d,"image_id":%d,"category_id":%d,"bbox":[%r,%r,%r,%r],"area":%r%s}'
                % (
                    b",\n" if self._annotations > 1 else b"", self._annotations, self._images, label + 1,
                    float(left), float(top), float(box_width), float(box_height), float(area), more,
                )
            )  # fmt: skip
        self._store(encoded_name, len(image_bytes), zlib.crc32(image_bytes))
        self._file.write(image_bytes)
        self._offset += len(image_bytes)

    def _check_name(self, file_name: str) -> bytes:
        """Return the entry's name in the zip."""
        if file_name <= self._last_name:
            raise ValueError(f"{file_name!r} comes after {self._last_name!r}: not in ascending order")
        if "/" in file_name or "\\" in file_name:
            parts = PurePosixPath(file_name).parts
            if "\\" in file_name or "/".join(parts) != file_name or ".." in parts or parts[0] == "/":
                raise ValueError(f"{file_name!r} is not a plain path below {IMAGES}")
        elif file_name in (".", ".."):
            raise ValueError(f"{file_name!r} is not a file's name")
        self._last_name = file_name
        name = (IMAGES + file_name).encode()
        if len(name) > _MAX16:
            raise ValueError(f"{file_name[:40]!r}...: a name of {len(name)} bytes is too long for a zip")
        return name

    def _store(self, name: bytes, length: int, crc: int) -> None:
        """Write an entry's local header, and note it in the directory."""
        if length >= _MAX32:
            raise UserError(f"{self._path}: {name.decode()} has {length} bytes; allowed: less than 4 GiB")
        flags = 0 if name.isascii() else _UTF8
        extra = b"" if self._offset < _MAX32 else _EXTRA64.pack(1, 8, self._offset)
        version = 45 if extra else 20
        self._directory.write(
            _CENTRAL.pack(
                _CENTRAL_MARK, _UNIX | version, version, flags, _STORED, _TIME, _DATE, crc, length, length,
                len(name), len(extra), 0, 0, 0, _ATTRIBUTES, min(self._offset, _MAX32),
            ) + name + extra
        )  # fmt: skip
        self._file.write(_local_header(name, flags, length, crc))
        self._offset += _LOCAL.size + len(name)

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the annotations and the directory behind the images."""
        if kind is not None:
            return
        head = {
            "info": {"description": "humbleyolo"},
            "licenses": [],
            "categories": [
                {"id": label + 1, "name": name, "supercategory": ""}
                for label, name in enumerate(self._categories)
            ],
            "images": [],
        }
        images_end = b"\n" + _IMAGES_END if self._images else _IMAGES_END
        annotations_end = b"\n]}\n" if self._annotations else b"]}\n"
        pieces: list[bytes | BinaryIO] = [
            _to_json(head)[:-2] + b"\n", self._image_lines, images_end, self._annotation_lines,
            annotations_end,
        ]  # fmt: skip
        start, name = self._offset, ANNOTATIONS.encode()
        body = start + _LOCAL.size + len(name)
        self._file.seek(body)
        crc = 0
        for piece in pieces:
            crc = _append(self._file, piece, crc)
        end = self._file.tell()
        entries = self._directory
        with tempfile.TemporaryFile(dir=self._path.parent) as self._directory:
            self._file.seek(start)
            self._store(name, end - body, crc)
            self._file.seek(end)
            for directory in (self._directory, entries):  # annotations.json first: sorted by name
                _append(self._file, directory, 0)
        self._file.write(_end_of(self._images + 1, end, self._file.tell()))


class Archive:
    """Reads what `ArchiveWriter` wrote, in order, without holding it. A context manager.

    Several processes may read disjoint ranges of one archive.

    Args:
        path: Of the archive.

    Attributes:
        path: As given.
        categories: Names of the classes, in the order of the labels.

    Raises:
        UserError: Where the file is missing, damaged, or not such an archive; the text says what to run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise UserError(
                f"{path}: no such file; run `dvc repro generate` to make it, or `dvc pull` to fetch it"
            ) from None
        except ValueError:
            self._damaged("is empty")
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
        try:
            self.categories = self._open()
        except _FOREIGN as error:
            self._data.close()
            self._foreign(error)
        except UserError:
            self._data.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._data.close()

    def __len__(self) -> int:
        """Return the number of images."""
        return self._length

    def __iter__(self) -> Iterator[Record]:
        """Yield every image, in order."""
        return self.records()

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """Yield images number `start` (from 0) to `stop` (without it; None: the last), in order.

        Raises:
            UserError: Where an image is damaged, or the annotations do not match it.
        """
        start, stop, _ = slice(start, stop).indices(self._length)
        try:
            for truth, entry in zip(self.truths(start, stop), self._entries(start, stop), strict=True):
                if entry.name.decode() != IMAGES + truth.file_name:
                    self._damaged(f"has {truth.file_name} in {ANNOTATIONS} where {entry.name!r} is stored")
                image_start = self._body(entry)
                image = self._data[image_start : image_start + entry.length]
                if zlib.crc32(image) != entry.crc:
                    self._damaged(f"has a damaged {entry.name.decode()} (wrong checksum)")
                yield Record(
                    truth.image_id, truth.file_name, truth.height, truth.width,
                    truth.boxes_ltwh, truth.labels, truth.annotations, image,
                )  # fmt: skip
        except _FOREIGN as error:
            self._foreign(error)

    def truths(self, start: int = 0, stop: int | None = None) -> Iterator[Truth]:
        """Yield what is known of images `start` to `stop`, without reading them.

        Raises:
            UserError: Where the annotations are not as COCO has them.
        """
        start, stop, _ = slice(start, stop).indices(self._length)
        if start >= stop:
            return
        try:
            images = self._objects(self._first(self._image_range, "id", start + 1), self._image_range[1])
            annotations = self._objects(
                self._first(self._annotation_range, "image_id", start + 1), self._annotation_range[1]
            )
            ahead = next(annotations, None)  # the annotation that was read, but not used
            for image_id in range(start + 1, stop + 1):
                image = next(images)
                if image["id"] != image_id:
                    self._damaged(f"has image {image['id']} where {image_id} is due")
                own = []
                while ahead is not None and ahead["image_id"] == image_id:
                    own.append(ahead)
                    ahead = next(annotations, None)
                yield self._truth(image, own)
            if stop == self._length and (ahead is not None or next(images, None) is not None):
                self._damaged(f"has more in {ANNOTATIONS} than images")
        except _FOREIGN as error:
            self._foreign(error)

    def _open(self) -> tuple[str, ...]:
        """Find the directory and the annotations, check these, and return the categories."""
        count, self._directory_start, self._directory_end = self._find_directory()
        if count < 1:
            self._damaged(f"has no {ANNOTATIONS}")
        self._length = count - 1
        self._images_start, entry = self._entry(self._directory_start)
        if entry.name != ANNOTATIONS.encode():
            self._damaged(f"does not start with {ANNOTATIONS}")
        start = self._body(entry)
        end = start + entry.length
        if self._crc(start, end) != entry.crc:
            self._damaged(f"has a damaged {ANNOTATIONS} (wrong checksum)")
        head_end = self._data.find(b"\n", start, end) + 1
        head = json.loads(self._data[start:head_end] + b"]}")
        middle = self._data.find(b"\n" + _IMAGES_END, head_end - 1, end) + 1
        if not head_end or not middle or self._data[end - 4 : end] != b"\n]}\n":
            self._damaged(f"has an {ANNOTATIONS} that is laid out in another way")
        self._image_range = (head_end, middle)
        self._annotation_range = (middle + len(_IMAGES_END), end - 3)
        categories = head["categories"]
        if [category["id"] for category in categories] != list(range(1, len(categories) + 1)):
            self._damaged(f"has categories whose ids are not 1 to {len(categories)}")
        return tuple(str(category["name"]) for category in categories)

    def _find_directory(self) -> tuple[int, int, int]:
        """Return the number of entries, and where the directory starts and ends."""
        end = len(self._data) - _END.size
        mark, _, _, _, count, length, start, _ = _END.unpack_from(self._data, max(end, 0))
        if mark != _END_MARK:
            self._damaged("is cut short, or no zip archive")
        if count == _MAX16 or start == _MAX32:
            end -= _LOCATOR64.size
            mark, _, end64, _ = _LOCATOR64.unpack_from(self._data, max(end, 0))
            if mark == _LOCATOR64_MARK:
                end = end64
                mark, _, _, _, _, _, _, count, length, start = _END64.unpack_from(self._data, end)
                if mark != _END64_MARK:
                    self._damaged("has a damaged directory")
            else:
                end += _LOCATOR64.size
        if start + length != end or count * _CENTRAL.size > length:
            self._damaged("has a damaged directory")
        return count, start, end

    def _entry(self, position: int) -> tuple[int, _Entry]:
        """Return where the next directory entry is, and this one."""
        (
            mark, _, _, _, method, _, _, crc, stored, length, name_length, extra_length, comment_length,
            _, _, _, offset,
        ) = _CENTRAL.unpack_from(self._data, position)  # fmt: skip
        name_start = position + _CENTRAL.size
        name_end = name_start + name_length
        position = name_end + extra_length + comment_length
        if mark != _CENTRAL_MARK or method != _STORED or stored != length or position > self._directory_end:
            self._damaged("has a damaged directory, or compressed entries")
        if offset == _MAX32 and extra_length:
            _, _, offset = _EXTRA64.unpack_from(self._data, name_end)
        return position, _Entry(self._data[name_start:name_end], offset, length, crc)

    def _body(self, entry: _Entry) -> int:
        """Return where an entry's bytes start; they are known to end before the directory."""
        fields = _LOCAL.unpack_from(self._data, entry.offset)
        start: int = entry.offset + _LOCAL.size + fields[9] + fields[10]
        if fields[0] != _LOCAL_MARK or start + entry.length > self._directory_start:
            self._damaged(f"is damaged at {entry.name.decode(errors='replace')}")
        return start

    def _entries(self, start: int, stop: int) -> Iterator[_Entry]:
        """Yield the directory's entries of images `start` to `stop`."""
        position = self._images_start
        for index in range(stop):
            position, entry = self._entry(position)
            if index >= start:
                yield entry

    def _truth(self, image: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> Truth:
        """Join an image with its annotations."""
        boxes = np.array([annotation["bbox"] for annotation in own], np.float64).reshape(len(own), 4)
        labels = np.array([annotation["category_id"] for annotation in own], np.int64) - 1
        if own and not (int(labels.min()) >= 0 and int(labels.max()) < len(self.categories)):
            self._damaged(f"has an annotation of image {image['id']} whose category does not exist")
        return Truth(image["id"], image["file_name"], image["height"], image["width"], boxes, labels, own)

    def _objects(self, start: int, end: int) -> Iterator[Mapping[str, Any]]:
        """Parse the lines from byte `start` to `end`, some at a time."""
        while start < end:
            cut = self._data.rfind(b"\n", start, min(start + _CHUNK, end))
            if cut < 0:  # a line longer than a chunk
                cut = self._data.find(b"\n", start, end)
            yield from json.loads(b"[" + self._data[start:cut].rstrip(b",") + b"]")
            start = cut + 1

    def _first(self, section: tuple[int, int], key: str, wanted: int) -> int:
        """Return the start of the first line whose `key` is `wanted` or more, by bisection."""
        low, high = section
        while low < high:
            line_start = self._data.rfind(b"\n", low, (low + high) // 2) + 1 or low
            line_end = self._data.find(b"\n", line_start, high)
            line = json.loads(self._data[line_start:line_end].rstrip(b","))
            if line[key] < wanted:
                low = line_end + 1
            else:
                high = line_start
        return low

    def _crc(self, start: int, end: int) -> int:
        crc = 0
        for chunk in range(start, end, 1 << 20):
            crc = zlib.crc32(self._data[chunk : min(chunk + (1 << 20), end)], crc)
        return crc

    def _foreign(self, error: BaseException) -> NoReturn:
        self._damaged(f"is damaged, or was not written by `generate` ({type(error).__name__}: {error})")

    def _damaged(self, what: str) -> NoReturn:
        raise UserError(
            f"{self.path}: {what}; run `dvc repro generate` to make it anew, or `dvc pull` to fetch it"
        )


_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _to_json(value: Any) -> bytes:
    return _encode_json(value).encode()


def _more_fields(fields: Mapping[str, Any]) -> bytes:
    """Return further fields of an annotation as they stand behind the first, with `iscrowd` in any case."""
    if taken := sorted(_OWN_FIELDS & fields.keys()):
        raise ValueError(f"fields of an annotation that are written already: {', '.join(taken)}")
    return b"," + _to_json({"iscrowd": 0, **fields})[1:-1]


def _local_header(name: bytes, flags: int, length: int, crc: int) -> bytes:
    return _LOCAL.pack(
        _LOCAL_MARK, 20, flags, _STORED, _TIME, _DATE, crc, length, length, len(name), 0
    ) + name  # fmt: skip


def _end_of(count: int, start: int, end: int) -> bytes:
    """Return what ends a zip whose directory of `count` entries stands from byte `start` to `end`."""
    tail = b""
    if count >= _MAX16 or start >= _MAX32:
        size = _END64.size - 12  # of the record, without its mark and this number
        tail = _END64.pack(_END64_MARK, size, _UNIX | 45, 45, 0, 0, count, count, end - start, start)
        tail += _LOCATOR64.pack(_LOCATOR64_MARK, 0, end, 1)
    few = min(count, _MAX16)
    return tail + _END.pack(_END_MARK, 0, 0, few, few, min(end - start, _MAX32), min(start, _MAX32), 0)


def _append(file: BinaryIO, piece: bytes | BinaryIO, crc: int) -> int:
    """Write `piece` and return the checksum of all so far."""
    if isinstance(piece, bytes):
        file.write(piece)
        return zlib.crc32(piece, crc)
    piece.seek(0)
    while block := piece.read(1 << 20):
        crc = zlib.crc32(block, crc)
        file.write(block)
    return crc
