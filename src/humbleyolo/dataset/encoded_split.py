"""A split as the network sees it: a folder of arrays for each archive, read through memory maps.

all/images.npy ... if the split is one archive; else 0/, 10/, 11/ ... as the archives are called. In each folder:

images.npy     (N, H, W, 3) uint8     letterboxed; with image_offsets.npy they are kept as JPEGs
targets.npy    (N, R, S, K) float32     the grid's layout
boxes.npy      (M, 4) float64     xyxy, pixels of the letterboxed image, image after image
labels.npy     (M,) int32     class indices
offsets.npy    (N + 1,) int64     image n has the boxes offsets[n] to offsets[n + 1]
sizes.npy      (N, 2) int32     (height, width) of each image before the letterbox
split.json     class names, grid, fill and the arrays' checksums; written last: without it, a folder is not whole
"""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from humbleyolo.dataset.archive_choice import list_parts
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.jpeg_images import OFFSETS, Images, JpegImages
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.geometry.grid import Grid, split_parts
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.pipeline.remedies import ENCODE_AGAIN
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Array, Bools, Floats, Floats32, Ints, Ints32
from humbleyolo.storage.json import read_json
from humbleyolo.storage.npy import checksum, open_array

FORMAT = 2
"""The layout of split.json; 1 had no checksums."""

KINDS = {
    "images": np.uint8,
    "targets": np.float32,
    "boxes": np.float64,
    "labels": np.int32,
    "offsets": np.int64,
    "sizes": np.int32,
}
"""Name -> dtype of the arrays."""


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """The arrays of one split, as the module lists them; `images`, unless JPEGs, and `targets` are memory maps.

    Those of several archives are `JoinedRows`, which take indices as arrays do.

    Attributes:
        categories: Names of the C classes, in the order of the labels.
        grid: Layout of the targets.
        fill: Grey value of the letterbox padding.
    """

    categories: tuple[str, ...]
    grid: Grid
    fill: int
    images: Images
    targets: Floats32
    boxes: Floats
    labels: Ints32
    offsets: Ints
    sizes: Ints32

    def __len__(self) -> int:
        """Return N."""
        return len(self.images)

    def stored(self) -> Iterator[Array]:
        """Yield the arrays as the files hold them."""
        yield from _stored(self.images)
        yield from _stored(self.targets)
        yield from (self.boxes, self.labels, self.offsets, self.sizes)

    @property
    def image_index(self) -> Ints:
        """(M,) index of the image of each box."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    @property
    def most_objects(self) -> int:
        """Number of objects of the image that has most."""
        return int(np.diff(self.offsets).max(initial=0))

    def responsible(self, image: int) -> Bools:
        """Return the cells, (R, S) bool, that hold the centre of an object of one image."""
        return np.asarray(split_parts(self.targets[image], self.grid.classes).confidence.max(axis=-1) > 0)

    def letterbox(self, image: int) -> Letterbox:
        """Return the letterbox that fitted one image into the network's input."""
        height, width = (int(length) for length in self.sizes[image])
        return Letterbox(height, width, self.grid.height, self.grid.width)


def open_encoded(folder: Path) -> EncodedSplit:
    """Open a split that `encode_split` wrote.

    Raises:
        UserError: If a file is missing, damaged or of another shape than the others say, or of another run.
    """
    names = list_parts(folder, "", ENCODE_AGAIN)
    if len(names) == 1:
        return _open_part(folder / names[0])
    return join_splits(*(_hold_small(_open_part(folder / name)) for name in names))


def _hold_small(part: EncodedSplit) -> EncodedSplit:
    """Return a split whose small arrays are in memory: each that is mapped keeps a file open."""
    held: Any = {name: np.array(getattr(part, name)) for name in KINDS if name not in ("images", "targets")}
    return replace(part, **held)


def _open_part(folder: Path) -> EncodedSplit:
    """Open the arrays of one archive."""
    try:
        info = read_json(folder / "split.json")
        if info["format"] != FORMAT:
            raise UserError(f"{folder}: is of format {info['format']!r}, not {FORMAT}; run `dvc repro encode`")
        categories = tuple(str(name) for name in info["categories"])
        grid = Grid(**{key: int(value) for key, value in info["grid"].items()})
        fill = int(info["fill"])
        names = [*KINDS, *([OFFSETS] if OFFSETS in info["crc32"] else [])]
        checksums = {name: int(info["crc32"][name]) for name in names}
        arrays: dict[str, Any] = {name: open_array(folder / f"{name}.npy") for name in names}
        if OFFSETS in names:
            offsets, name = np.array(arrays.pop(OFFSETS)), str(folder / "images.npy")
            arrays["images"] = JpegImages(arrays["images"], offsets, grid.height, grid.width, name)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; {ENCODE_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            raise
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            how = "raise `ulimit -n`, or dataset.archive_images and run `dvc repro`"
            raise UserError(f"{folder}: cannot be opened: this system allows no more open files; {how}") from None
        raise UserError(f"{folder}: cannot be read as an encoded split ({error}); {ENCODE_AGAIN}") from None
    split = EncodedSplit(categories, grid, fill, **arrays)
    _check_arrays(folder, split)
    for name, expected in checksums.items():
        if checksum(folder / f"{name}.npy") != expected:
            raise UserError(f"{folder / name}.npy: is damaged (wrong checksum); {ENCODE_AGAIN}")
    return split


def _check_arrays(folder: Path, split: EncodedSplit) -> None:
    """Refuse arrays that do not fit each other, the grid and the classes."""
    grid, offsets, labels = split.grid, split.offsets, split.labels
    images, objects = len(split.images), len(split.boxes)
    shapes: dict[str, tuple[int, ...]] = {
        "images": (images, grid.height, grid.width, 3),
        "targets": (images, *grid.shape),
        "boxes": (objects, 4),
        "labels": (objects,),
        "offsets": (images + 1,),
        "sizes": (images, 2),
    }
    for name, kind in KINDS.items():
        array = getattr(split, name)
        if array.dtype != kind or array.shape != shapes[name]:
            raise UserError(
                f"{folder / name}.npy: holds {array.dtype} {array.shape}, "
                f"expected {np.dtype(kind)} {shapes[name]}; {ENCODE_AGAIN}"
            )
    if offsets[0] != 0 or offsets[-1] != objects or (np.diff(offsets) < 0).any():
        boxes = counted(objects, "box", "boxes")
        raise UserError(f"{folder / 'offsets.npy'}: does not share {boxes} out to the images; {ENCODE_AGAIN}")
    if len(split.categories) != grid.classes or (objects and not 0 <= labels.min() <= labels.max() < grid.classes):
        classes = counted(grid.classes, "class", "classes")
        raise UserError(f"{folder}: holds labels that are not one of its {classes}; {ENCODE_AGAIN}")


class JoinedRows:
    """Rows of several arrays, one behind the other; only rows that are asked for are read.

    Attributes:
        parts: The arrays.
        dtype: Their dtype.
        shape: The shape of all rows as one array.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts
        # Quicker to index than memory maps, whose rows are such maps too.
        self._plain = [np.asarray(part) if isinstance(part, np.memmap) else part for part in parts]
        self._bounds = np.cumsum([0, *map(len, parts)])
        self._rows = np.arange(self._bounds[-1])
        self.dtype = parts[0].dtype
        self.shape = (len(self._rows), *parts[0].shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which: Any) -> Array:
        rows = np.asarray(self._rows[which])
        chosen = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        owners = np.searchsorted(self._bounds, rows, "right") - 1  # of parts that begin at one row, the last has it
        for owner in np.unique(owners).tolist():
            own = owners == owner
            chosen[own] = self._plain[owner][rows[own] - self._bounds[owner]]
        return chosen

    def spans(self, start: int, stop: int) -> Iterator[tuple[Any, int, int]]:
        """Yield each array that holds some of the rows `start` to `stop` (without it), and their range there."""
        for part, (low, high) in zip(self.parts, pairwise(self._bounds.tolist()), strict=True):
            first, last = max(start, low) - low, min(stop, high) - low
            if first < last:
                yield from part.spans(first, last) if isinstance(part, JoinedRows) else [(part, first, last)]


class _PickedRows:
    """Some rows of an array; only those that are asked for are read."""

    def __init__(self, source: Any, rows: Ints) -> None:
        self._source, self._rows = source, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which: Any) -> Array:
        return np.asarray(self._source[self._rows[which]])


def _stored(rows: Any) -> Iterator[Array]:
    """Yield the arrays that hold the rows, as the files do."""
    if isinstance(rows, JoinedRows):
        for part in rows.parts:
            yield from _stored(part)
    else:
        yield from rows.stored if isinstance(rows, JpegImages) else (rows,)


def join_splits(*splits: EncodedSplit) -> EncodedSplit:
    """Return splits of one dataset as one, whose `images` and `targets` take arrays of indices, or slices.

    Raises:
        UserError: If they were encoded from other data.
    """
    first = splits[0]
    if any((one.categories, one.grid, one.fill) != (first.categories, first.grid, first.fill) for one in splits):
        raise UserError("the splits were encoded from other data; run `dvc repro encode`")
    large: Any = {name: JoinedRows([getattr(one, name) for one in splits]) for name in ("images", "targets")}
    small = {name: np.concatenate([getattr(one, name) for one in splits]) for name in ("boxes", "labels", "sizes")}
    counts = np.concatenate([np.diff(one.offsets) for one in splits])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return EncodedSplit(first.categories, first.grid, first.fill, **large, **small, offsets=offsets)


def pick_images(split: EncodedSplit, images: Ints) -> EncodedSplit:
    """Return the split of some images of a split, (N,) indices, in this order; nothing large is read."""
    large: Any = {name: _PickedRows(getattr(split, name), images) for name in ("images", "targets")}
    rows, _ = rows_of_images(split.offsets, images)
    small: Any = {"boxes": split.boxes[rows], "labels": split.labels[rows], "sizes": split.sizes[images]}
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(split.offsets)[images])])
    return EncodedSplit(split.categories, split.grid, split.fill, **large, **small, offsets=offsets)


def check_split_fits_archive(split: EncodedSplit, archive: ArchivedSplit) -> None:
    """Refuse an encoded split that is not of the images and classes of an archived one.

    Raises:
        ProblemsError: With each thing that differs, and what to run.
    """
    problems = []
    if split.categories != archive.categories:
        own, theirs = list_classes(split.categories), list_classes(archive.categories)
        problems.append(f"the encoded split has {own}, the archives {theirs}")
    if len(split) != len(archive):
        problems.append(f"the encoded split has {counted(len(split), 'image')}, the archives {len(archive):,}")
    if problems:
        raise ProblemsError(str(archive.path), problems, fix="run `dvc repro encode`")


def list_classes(categories: Sequence[str]) -> str:
    """Return the names of classes in one line, the first ten of many."""
    few = ", ".join(repr(name) for name in categories[:10])
    return few if len(categories) <= 10 else f"{few} ... ({counted(len(categories), 'class', 'classes')})"


def rows_of_images(offsets: Ints, images: Ints) -> tuple[Ints, Ints]:
    """Return the rows of the boxes of some images, one image after the other.

    Args:
        offsets: (N + 1,) row of each image's first box, as in `EncodedSplit`.
        images: (I,) indices of images, in any order, and more than once if need be.

    Returns:
        (M',) rows, and (M',) the place in `images`, 0 to I - 1, that each is of.
    """
    counts = np.diff(offsets)[images]
    places = np.repeat(np.arange(len(images)), counts)
    rows = np.arange(len(places)) + np.repeat(offsets[images] - np.cumsum(counts) + counts, counts)
    return rows, places
