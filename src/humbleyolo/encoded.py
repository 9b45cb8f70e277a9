"""A split as the network sees it: a folder of arrays, written shard by shard and read through memory maps.

images.npy     (N, H, W, 3) uint8     letterboxed
targets.npy    (N, R, S, K) float32     the grid's layout
boxes.npy      (M, 4) float64     xyxy, pixels of the letterboxed image, image after image
labels.npy     (M,) int32     class indices
offsets.npy    (N + 1,) int64     image n has the boxes offsets[n] to offsets[n + 1]
sizes.npy      (N, 2) int32     (height, width) of each image before the letterbox
split.json     class names, grid and fill; written last, so that a folder without it is not whole
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humbleyolo.archive import Archive
from humbleyolo.boxes import Floats, ltwh_to_xyxy
from humbleyolo.errors import UserError
from humbleyolo.files import atomic_write, cannot_write, make_folder
from humbleyolo.grid import Grid, encode_boxes
from humbleyolo.images import Letterbox, decode
from humbleyolo.shards import map_in_order

_SHARD = 256  # images
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """The arrays of one split; `images` and `targets` are memory maps.

    Attributes:
        categories: The C class names, in the order of the labels.
        grid: The grid of the targets.
        fill: Grey value of the letterbox's bars.
        images: (N, H, W, 3) uint8.
        targets: (N, R, S, K) float32.
        boxes: (M, 4) float64 xyxy pixels.
        labels: (M,) int32.
        offsets: (N + 1,) int64.
        sizes: (N, 2) int32.
    """

    categories: tuple[str, ...]
    grid: Grid
    fill: int
    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int32]

    def __len__(self) -> int:
        """Return N."""
        return len(self.images)

    @property
    def image_index(self) -> NDArray[np.int64]:
        """(M,) which image each box is in."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    def letterbox(self, image: int) -> Letterbox:
        """Return how one image was fitted into the network's input."""
        height, width = (int(length) for length in self.sizes[image])
        return Letterbox(height, width, self.grid.height, self.grid.width)


_KINDS = {
    "images": np.uint8,
    "targets": np.float32,
    "boxes": np.float64,
    "labels": np.int32,
    "offsets": np.int64,
    "sizes": np.int32,
}


def open_encoded(folder: Path) -> EncodedSplit:
    """Open what `encode_archive` wrote.

    Raises:
        UserError: Where a file is missing, damaged or of another shape than the others say.
    """
    fix = "run `dvc repro encode`, or `dvc checkout` where it was made before"
    try:
        info = json.loads((folder / "split.json").read_text(encoding="utf-8"))
        categories = tuple(str(name) for name in info["categories"])
        grid = Grid(**{key: int(value) for key, value in info["grid"].items()})
        fill = int(info["fill"])
        arrays: dict[str, Any] = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _KINDS
        }
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; {fix}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise UserError(f"{folder}: cannot be read as an encoded split ({error}); {fix}") from None
    images, objects = len(arrays["images"]), len(arrays["boxes"])
    shapes: dict[str, tuple[int, ...]] = {
        "images": (images, grid.height, grid.width, 3),
        "targets": (images, *grid.shape),
        "boxes": (objects, 4),
        "labels": (objects,),
        "offsets": (images + 1,),
        "sizes": (images, 2),
    }
    for name, kind in _KINDS.items():
        if arrays[name].dtype != kind or arrays[name].shape != shapes[name]:
            raise UserError(
                f"{folder / name}.npy: holds {arrays[name].dtype} {arrays[name].shape}, "
                f"expected {np.dtype(kind)} {shapes[name]}; {fix}"
            )
    return EncodedSplit(categories, grid, fill, **arrays)


@dataclass(frozen=True)
class _Shard:
    """What one process encodes by itself."""

    archive: Path
    start: int
    stop: int
    grid: Grid
    fill: int
    images: Path  # file to write the shard's slice into
    targets: Path


def encode_archive(archive: Path, grid: Grid, fill: int, folder: Path) -> Iterator[int]:
    """Letterbox and encode every image of a split into `folder`.

    Args:
        archive: The split.
        grid: Of the targets; its classes are the archive's.
        fill: Grey value of the letterbox's bars.
        folder: Made where it is not there.

    Yields:
        How many images each finished shard held.

    Raises:
        UserError: Where the archive or an image in it is damaged, or the folder cannot be written.
    """
    make_folder(folder)
    with Archive(archive) as opened:
        count, categories = len(opened), opened.categories
    boxes, labels, per_image, sizes = [], [], [], []
    with (
        _array_file(folder / "images.npy", (count, grid.height, grid.width, 3), np.uint8) as images,
        _array_file(folder / "targets.npy", (count, *grid.shape), np.float32) as targets,
    ):
        tasks = [
            _Shard(archive, start, min(start + _SHARD, count), grid, fill, images, targets)
            for start in range(0, count, _SHARD)
        ]
        for shard_boxes, shard_labels, shard_per_image, shard_sizes in map_in_order(_encode_shard, tasks):
            boxes.append(shard_boxes)
            labels.append(shard_labels)
            per_image.append(shard_per_image)
            sizes.append(shard_sizes)
            yield len(shard_sizes)
    _save(folder / "boxes.npy", np.concatenate(boxes))
    _save(folder / "labels.npy", np.concatenate(labels))
    _save(folder / "offsets.npy", np.cumsum([0, *np.concatenate(per_image)], dtype=np.int64))
    _save(folder / "sizes.npy", np.concatenate(sizes))
    with atomic_write(folder / "split.json") as file:
        info = {"format": _FORMAT, "categories": categories, "grid": asdict(grid), "fill": fill}
        file.write((json.dumps(info, indent=2, ensure_ascii=False) + "\n").encode())


def _encode_shard(shard: _Shard) -> tuple[Floats, NDArray[np.int32], list[int], NDArray[np.int32]]:
    """Write the shard's slice of images and targets; return its boxes, labels, boxes an image, and sizes."""
    grid, count = shard.grid, shard.stop - shard.start
    images = np.empty((count, grid.height, grid.width, 3), np.uint8)
    boxes, labels, sizes = [], [], np.empty((count, 2), np.int32)
    with Archive(shard.archive) as archive:
        for position, record in enumerate(archive.records(shard.start, shard.stop)):
            pixels = decode(record.image_bytes, f"{shard.archive}: {record.file_name}")
            letterbox = Letterbox(pixels.shape[0], pixels.shape[1], grid.height, grid.width)
            images[position] = letterbox.apply(pixels, shard.fill)
            inside = letterbox.boxes_in(
                ltwh_to_xyxy(np.asarray(record.boxes_ltwh, np.float64).reshape(-1, 4))
            )
            boxes.append(inside)
            labels.append(np.asarray(record.labels, np.int32).reshape(-1))
            sizes[position] = pixels.shape[:2]
    per_image = [len(part) for part in labels]
    shard_boxes, shard_labels = np.concatenate(boxes), np.concatenate(labels)
    targets = encode_boxes(
        shard_boxes, shard_labels, np.repeat(np.arange(count), per_image), count, grid
    ).targets
    _write_slice(shard.images, shard.start, images)
    _write_slice(shard.targets, shard.start, targets)
    return shard_boxes, shard_labels, per_image, sizes


@contextmanager
def _array_file(path: Path, shape: tuple[int, ...], kind: type) -> Iterator[Path]:
    """Make an .npy file of this shape, its disk space reserved, for slices to be written into.

    Yields:
        The file's name until the body has ended well; then it is renamed to `path`.
    """
    unfinished = path.with_name(f".{path.name}.partial")
    try:
        try:
            np.lib.format.open_memmap(unfinished, "w+", kind, shape)
            with unfinished.open("r+b") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, unfinished.stat().st_size)
        except OSError as error:
            raise cannot_write(path, error) from None
        yield unfinished
        with unfinished.open("r+b") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_slice(path: Path, start: int, values: NDArray[Any]) -> None:
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        file.seek(start * values[0].nbytes, os.SEEK_CUR)
        file.write(values.tobytes())


def _save(path: Path, values: NDArray[Any]) -> None:
    with atomic_write(path) as file:
        np.save(file, values, allow_pickle=False)
