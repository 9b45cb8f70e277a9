"""A split as one file: a zip of images and their COCO annotations, written and read as a stream.

    annotations.json      COCO: ids from 1, boxes `ltwh` in pixels as floats
    images/000000.png     images/<file_name>, in the order of their names

Entries are stored, not compressed (images are compressed already), with fixed dates and attributes: equal
contents are equal bytes on every system. Any zip or COCO tool opens it. `annotations.json` has one image or
annotation a line, in the order of image ids, which COCO does not ask for. So it too is never held.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np

from humbleyolo.dataset.coco_json import BETWEEN, OWN_FIELDS, CocoWriter
from humbleyolo.errors import UserError
from humbleyolo.pipeline.remedies import make_again, make_missing
from humbleyolo.storage.array_types import Array, Floats, Ints
from humbleyolo.storage.zip import DamagedZipError, StoredZip, StoredZipWriter

SPLITS = ("train", "val", "test")
"""The splits of a dataset. Their order keys the random numbers of drawn images and is never changed."""

ANNOTATIONS = "annotations.json"
IMAGES = "images/"

_IMAGES_END = BETWEEN + b"\n"
_CHUNK = 1 << 16  # bytes of annotations parsed at a time

# Errors at annotations that are not ours.
_FOREIGN = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration, RecursionError, OverflowError,
    DamagedZipError,
)  # fmt: skip


@dataclass(slots=True)
class GroundTruth:
    """The ground truth of one image.

    Attributes:
        image_id: COCO's id, from 1, in the order of the archive.
        file_name: Path of the image below `images/`.
        height: Height of the image, pixels.
        width: Width of the image, pixels.
        boxes_ltwh: (M, 4) float64, left, top, width, height in pixels.
        labels: (M,) int64, indices into the archive's `categories`.
        annotations: M COCO annotations as they are in the file, for fields such as `iscrowd`.
    """

    image_id: int
    file_name: str
    height: int
    width: int
    boxes_ltwh: Floats
    labels: Ints
    annotations: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class ArchivedImage(GroundTruth):
    """One image with its ground truth.

    Attributes:
        image_bytes: The image file, undecoded.
    """

    image_bytes: bytes


class ArchiveWriter:
    """Writer of an archive; nothing stands at `path` until the `with` block ends without an error.

    Args:
        path: The archive's file, in a folder that exists.
        categories: Names of the classes, in the order of the labels.

    Raises:
        UserError: If the file cannot be written (full disk, read-only folder).
    """

    def __init__(self, path: Path, categories: Sequence[str]) -> None:
        self._zip = StoredZipWriter(path)
        self._categories = tuple(categories)
        self._stack = ExitStack()
        self._last_name = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._zip)
            self._lines = [stack.enter_context(self._zip.scratch()) for _ in ("images", "annotations")]
            self._coco = CocoWriter(self._categories, {"description": "humbleyolo"}, *self._lines)
            stack.push(self._finish)
            self._stack = stack.pop_all()
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
        boxes_ltwh: Sequence[Sequence[float]] | Array,
        labels: Sequence[int] | Array,
        fields: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Append one image.

        Args:
            file_name: Path below `images/`, with `/` between folders. Names come in ascending order.
            image_bytes: The image file as it shall be stored.
            height: Height of the image, pixels.
            width: Width of the image, pixels.
            boxes_ltwh: (M, 4) left, top, width, height, pixels.
            labels: (M,) indices into `categories`.
            fields: M mappings of further COCO fields (`iscrowd`, `difficult`), or None.

        Raises:
            ValueError: For a name that is out of order or leaves the folder, and if lengths differ. For a
                box without area or not finite, and a label that is no category.
        """
        self._check_name(file_name)
        boxes = boxes_ltwh.tolist() if isinstance(boxes_ltwh, np.ndarray) else boxes_ltwh
        classes = labels.tolist() if isinstance(labels, np.ndarray) else labels
        if len(boxes) != len(classes) or (fields is not None and len(fields) != len(classes)):
            raise ValueError(f"{file_name}: {len(boxes)} boxes, {len(classes)} labels: not as many")
        for box, label in zip(boxes, classes, strict=True):
            left, top, box_width, box_height = box
            area = box_width * box_height
            if not (box_width > 0 and box_height > 0 and math.isfinite(left + top + area)):
                raise ValueError(f"{file_name}: box {box} has no area or is not finite")
            if not 0 <= label < len(self._categories):
                raise ValueError(f"{file_name}: label {label} is not one of {len(self._categories)} classes")
        for more in fields or ():
            if taken := sorted(OWN_FIELDS & more.keys()):
                raise ValueError(f"fields of an annotation that are written already: {', '.join(taken)}")
        self._coco.add(file_name, boxes, classes, fields, height=height, width=width)
        self._zip.add((IMAGES + file_name).encode(), image_bytes)

    def _check_name(self, file_name: str) -> None:
        if file_name <= self._last_name:
            raise ValueError(f"{file_name!r} comes after {self._last_name!r}: not in ascending order")
        parts = PurePosixPath(file_name).parts if "/" in file_name else (file_name,)
        plain = "\\" not in file_name and "\0" not in file_name and "/".join(parts) == file_name
        if not plain or ".." in parts or parts == (".",):
            raise ValueError(f"{file_name!r} is not a plain path below {IMAGES}")
        self._last_name = file_name

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the annotations behind the images; in the zip's directory they stand before them."""
        if kind is not None:
            return
        self._coco.end()
        self._zip.add_first(ANNOTATIONS.encode(), self._lines)


class Archive:
    """Reader of an archive, in order, without holding it. A context manager.

    Several processes may read disjoint ranges of one archive.

    Args:
        path: The archive's file.

    Attributes:
        path: The archive's file.
        categories: Names of the classes, in the order of the labels.

    Raises:
        UserError: If the file is missing, damaged, or not such an archive; the text says what to run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = StoredZip(path)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; {make_missing('generate')}") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
        except DamagedZipError as error:
            self._foreign(error)
        try:
            self.categories = self._open()
        except _FOREIGN as error:
            self.close()
            self._foreign(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._zip) - 1

    def __iter__(self) -> Iterator[ArchivedImage]:
        """Yield every image, in order."""
        return self.images()

    def images(self, start: int = 0, stop: int | None = None) -> Iterator[ArchivedImage]:
        """Yield images number `start` (from 0) to `stop` (without it; None: to the end), in order.

        Raises:
            UserError: If an image is damaged, or the annotations do not match it.
        """
        start, stop, _ = slice(start, stop).indices(len(self))
        entries = self._zip.entries(start + 1, stop + 1)
        try:
            for truth in self.truths(start, stop):
                entry = next(entries)
                if entry.name.decode() != IMAGES + truth.file_name:
                    raise ValueError(f"{truth.file_name} in {ANNOTATIONS} where {entry.name!r} is stored")
                yield ArchivedImage(
                    truth.image_id, truth.file_name, truth.height, truth.width,
                    truth.boxes_ltwh, truth.labels, truth.annotations, self._zip.read(entry),
                )  # fmt: skip
        except _FOREIGN as error:
            self._foreign(error)

    def truths(self, start: int = 0, stop: int | None = None) -> Iterator[GroundTruth]:
        """Yield the ground truth of images `start` to `stop`, without reading the images.

        Raises:
            UserError: If the annotations are not as `ArchiveWriter` writes them.
        """
        start, stop, _ = slice(start, stop).indices(len(self))
        try:
            images = self._objects(self._first(self._image_lines, "id", start + 1), self._image_lines[1])
            annotations = self._objects(
                self._first(self._annotation_lines, "image_id", start + 1), self._annotation_lines[1]
            )
            ahead = next(annotations, None)  # the annotation that was read, but not used
            for image_id in range(start + 1, stop + 1):
                image = next(images)
                if image["id"] != image_id:
                    raise ValueError(f"image {image['id']} where {image_id} is due")
                own = []
                while ahead is not None and ahead["image_id"] == image_id:
                    own.append(ahead)
                    ahead = next(annotations, None)
                yield self._truth(image, own)
            if stop == len(self) and (ahead is not None or next(images, None) is not None):
                raise ValueError("more images or annotations than are stored")
        except _FOREIGN as error:
            self._foreign(error)

    def _open(self) -> tuple[str, ...]:
        """Find and check the annotations, and return the categories."""
        entry = next(self._zip.entries(0, 1), None)
        if entry is None or entry.name != ANNOTATIONS.encode():
            raise ValueError(f"no {ANNOTATIONS} at the start")
        self._zip.check(entry)
        start, end = self._zip.span(entry)
        data = self._zip.data
        head_end = data.find(b"\n", start, end) + 1
        images_end = data.find(b"\n" + _IMAGES_END, head_end - 1, end) + 1
        if not head_end or not images_end or data[end - 4 : end] != b"\n]}\n":
            raise ValueError(f"{ANNOTATIONS} is laid out in another way")
        self._image_lines = (head_end, images_end)
        self._annotation_lines = (images_end + len(_IMAGES_END), end - 3)
        categories = json.loads(data[start:head_end] + b"]}")["categories"]
        if [category["id"] for category in categories] != list(range(1, len(categories) + 1)):
            raise ValueError(f"the categories' ids are not 1 to {len(categories)}")
        return tuple(str(category["name"]) for category in categories)

    def _truth(self, image: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> GroundTruth:
        """Join an image with its annotations."""
        boxes = np.array([annotation["bbox"] for annotation in own], np.float64).reshape(len(own), 4)
        labels = [annotation["category_id"] - 1 for annotation in own]
        for label in labels:
            if not 0 <= label < len(self.categories):
                raise ValueError(f"image {image['id']} has an object of category {label + 1}")
        return GroundTruth(
            image["id"], image["file_name"], image["height"], image["width"],
            boxes, np.array(labels, np.int64), own,
        )  # fmt: skip

    def _objects(self, start: int, end: int) -> Iterator[Mapping[str, Any]]:
        """Parse the lines from byte `start` to `end`, some at a time."""
        data = self._zip.data
        while start < end:
            cut = data.rfind(b"\n", start, min(start + _CHUNK, end))
            if cut < 0:  # a line longer than a chunk
                cut = data.find(b"\n", start, end)
            yield from json.loads(b"[" + data[start:cut].rstrip(b",") + b"]")
            start = cut + 1

    def _first(self, lines: tuple[int, int], key: str, wanted: int) -> int:
        """Return the start of the first line whose `key` is `wanted` or more, by bisection."""
        data = self._zip.data
        low, high = lines
        while low < high:
            line_start = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
            line_end = data.find(b"\n", line_start, high)
            line = json.loads(data[line_start:line_end].rstrip(b","))
            if line[key] < wanted:
                low = line_end + 1
            else:
                high = line_start
        return low

    def _foreign(self, error: Exception) -> NoReturn:
        if isinstance(error, DamagedZipError):
            what = str(error)
        else:
            what = f"is not an archive that `generate` wrote ({str(error) or type(error).__name__})"
        raise UserError(f"{self.path}: {what}; {make_again('generate')}") from None
