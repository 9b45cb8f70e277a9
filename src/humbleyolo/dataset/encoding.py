"""The encoding of a split, shard by shard, into the files of an `EncodedSplit`.

Processes of this machine write their rows themselves. Workers of a cluster send them back: many disks that are
shared lose rows that two machines write side by side. JPEGs are sent back too: where one begins depends on all
before it.
"""

import math
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from humbleyolo.dataset.archive import Archive, ArchivedImage
from humbleyolo.dataset.archive_choice import is_part
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import FORMAT, KINDS
from humbleyolo.dataset.jpeg_images import OFFSETS, jpeg_writer, pack
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import ltwh_to_xyxy, xyxy_to_cxcywh
from humbleyolo.geometry.grid import Grid, encode_boxes
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.process.cluster import Cluster, find_cluster
from humbleyolo.process.workers import map_in_order
from humbleyolo.storage.array_types import Floats, Floats32, Ints, Ints32, Uint8s
from humbleyolo.storage.atomic import cannot_write, make_folder
from humbleyolo.storage.json import write_json
from humbleyolo.storage.npy import checksum, reserved_array, write_array, write_rows

_SHARDS = 32  # at most; each looks up its own start in the archive
_SHARD_IMAGES = 256  # at least, where there are as many: a shard is not worth its overhead otherwise
_JUDGED = 16  # images, whose mean as JPEGs the disk is asked for
_BLOCK_BYTES = 1 << 24  # about as much of images and targets is held by a process at a time


@dataclass(frozen=True)
class _Shard:
    """The work of one process at a time: some images of an archive."""

    archive: Path
    start: int
    stop: int
    grid: Grid
    fill: int
    jpeg_quality: int  # 0: pixels


class _Files(NamedTuple):
    """Reserved arrays of a whole archive."""

    images: Path
    targets: Path


_Sent = tuple[_Shard, list[ArchivedImage] | None]  # None: the worker reads them
_Keep = Callable[[int, Any], None]  # writes images, of which the first has this number in the archive


class _Small(NamedTuple):
    """The arrays of some images that are held until the end."""

    boxes: Floats  # (M, 4) xyxy, pixels of the letterboxed image
    labels: Ints32  # (M,)
    per_image: Ints  # (N,) boxes per image
    sizes: Ints32  # (N, 2)


_NOTHING = _Small(np.empty((0, 4)), np.empty(0, np.int32), np.empty(0, np.int64), np.empty((0, 2), np.int32))


class _Encoded(NamedTuple):
    """A part of a split: its images, (n, R, S, K) targets, and small arrays."""

    images: Any  # (n, H, W, 3) uint8, or n JPEGs
    targets: Floats32
    small: _Small


def encode_split(split: Path, grid: Grid, fill: int, folder: Path, jpeg_quality: int) -> Iterator[int]:
    """Letterbox and encode every image of a split: a folder of arrays for each archive, all in `folder`.

    Args:
        split: The folder of its archives.
        grid: Layout of the targets, for as many classes as the split has.
        fill: Grey value of the letterbox padding.
        folder: Made if it is missing; the arrays of an earlier run are taken away.
        jpeg_quality: Quality of JPEGs, 1 to 100, which images are kept as; 0 keeps pixels.

    Yields:
        The number of images in each finished shard.

    Raises:
        UserError: If an archive or an image in it is damaged, or the folder cannot be written.
    """
    with ArchivedSplit(split) as archives:
        if not len(archives):
            raise UserError(f"{split}: holds no images")
        paths = archives.paths
    _begin_arrays(folder)
    yield from encode_archives([(path, folder / path.stem) for path in paths], grid, fill, jpeg_quality)


def encode_archives(archives: Sequence[tuple[Path, Path]], grid: Grid, fill: int, jpeg_quality: int) -> Iterator[int]:
    """Encode each archive into its folder, which is made if it is missing; see `encode_split`.

    The contents of a folder count as whole again only after the archive's last image.
    """
    wholes: list[_Shard] = []
    categories: tuple[str, ...] = ()
    for path, _ in archives:
        with Archive(path) as opened:
            wholes.append(_Shard(path, 0, len(opened), grid, fill, jpeg_quality))
            categories = opened.categories
    with ExitStack() as stack:
        elsewhere = _encode_elsewhere(wholes, jpeg_quality)
        if elsewhere:
            stack.enter_context(closing(elsewhere))
        for whole, (_, folder) in zip(wholes, archives, strict=True):
            make_folder(folder)
            try:
                for name in ("split.json", f"{OFFSETS}.npy"):
                    (folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise cannot_write(folder / "split.json", error) from None
            yield from _encode_archive(whole, categories, folder, elsewhere)


def _begin_arrays(folder: Path) -> None:
    """Make the folder of an encoded split, and take away the arrays of an earlier run."""
    for path in make_folder(folder).iterdir():
        if is_part(path.name) and path.is_dir():
            try:
                shutil.rmtree(path)
            except OSError as error:
                raise cannot_write(path, error) from None


def _encode_archive(
    whole: _Shard, categories: Sequence[str], folder: Path, elsewhere: Generator[_Encoded] | None
) -> Iterator[int]:
    """Write an archive's arrays, from the next blocks of `elsewhere` if it is given; see `encode_split`."""
    grid, count = whole.grid, whole.stop
    images, shape = folder / "images.npy", (count, grid.height, grid.width, 3)
    with ExitStack() as files:
        targets = files.enter_context(reserved_array(folder / "targets.npy", (count, *grid.shape), np.float32))
        if whole.jpeg_quality:
            keep: _Keep = files.enter_context(jpeg_writer(folder))
        else:
            images = files.enter_context(reserved_array(images, shape, np.uint8))
            keep = partial(write_rows, images)
        finished = (
            _keep_blocks(_blocks(whole), elsewhere, keep, targets)
            if elsewhere
            else map_in_order(partial(_encode_shard, _Files(images, targets)), _shards(whole))
        )
        smalls = [_NOTHING]
        with closing(finished):
            for small in finished:
                smalls.append(small)
                yield len(small.sizes)
    small = _join(smalls)
    write_array(folder / "boxes.npy", small.boxes)
    write_array(folder / "labels.npy", small.labels)
    write_array(folder / "offsets.npy", np.concatenate([np.zeros(1, np.int64), np.cumsum(small.per_image)]))
    write_array(folder / "sizes.npy", small.sizes)
    names = (*KINDS, *([OFFSETS] if whole.jpeg_quality else []))
    info = {
        "format": FORMAT,
        "categories": categories,
        "grid": asdict(grid),
        "fill": whole.fill,
        "crc32": {name: checksum(folder / f"{name}.npy") for name in names},
    }
    write_json(folder / "split.json", info)


def _cut(whole: _Shard, length: int) -> list[_Shard]:
    return [
        replace(whole, start=start, stop=min(start + length, whole.stop)) for start in range(0, whole.stop, length)
    ]


def image_bytes(grid: Grid) -> int:
    """Return the bytes that an image's pixels and its targets take; its boxes take few more."""
    return 3 * grid.height * grid.width + 4 * math.prod(grid.shape)


def expected_bytes(split: Path, grid: Grid, fill: int, jpeg_quality: int) -> int:
    """Return the bytes of the disk that a split will take; those of JPEGs are judged by its first images."""
    with ArchivedSplit(split) as archives:
        count = len(archives)
        some = min(count, _JUDGED) if jpeg_quality else 0
        shard = _Shard(split, 0, some, grid, fill, jpeg_quality)
        jpegs = [one for block in _encode_blocks(archives.images(0, some), shard) for one in block.images]
    whole = count * image_bytes(grid)
    return whole + count * (sum(map(len, jpegs)) // some - 3 * grid.height * grid.width) if some else whole


def _block_length(grid: Grid) -> int:
    return max(min(_BLOCK_BYTES // image_bytes(grid), _SHARD_IMAGES), 1)


def _blocks(whole: _Shard) -> list[_Shard]:
    return _cut(whole, _block_length(whole.grid))


def _shards(whole: _Shard) -> list[_Shard]:
    return _cut(whole, max(-(-whole.stop // _SHARDS), _SHARD_IMAGES))


def _encode_elsewhere(wholes: Sequence[_Shard], jpeg_quality: int) -> Generator[_Encoded] | None:
    """Encode the blocks of all archives, one after the other, which come back; None if processes write them."""
    if cluster := find_cluster():
        return cluster.map_in_order(_encode_sent, _tasks(wholes, cluster))
    if jpeg_quality:
        return map_in_order(_encode_sent, [(block, None) for whole in wholes for block in _blocks(whole)])
    return None


def _tasks(wholes: Sequence[_Shard], cluster: Cluster) -> Iterator[_Sent]:
    """Yield the blocks of all archives, without the images where workers read them themselves."""
    for whole in wholes:
        blocks = _blocks(replace(whole, archive=whole.archive.resolve()))
        if cluster.shares(whole.archive):
            yield from ((block, None) for block in blocks)
        else:
            yield from _with_records(whole.archive, blocks)


def _keep_blocks(
    blocks: Sequence[_Shard], encoded: Iterator[_Encoded], keep: _Keep, targets: Path
) -> Generator[_Small]:
    """Write images and targets of the next blocks that were encoded elsewhere, and yield the rest of each."""
    for block in blocks:
        part = next(encoded)
        keep(block.start, part.images)
        write_rows(targets, block.start, part.targets)
        yield part.small


def _with_records(path: Path, blocks: Sequence[_Shard]) -> Iterator[_Sent]:
    """Yield each block with the images that it is made of, for workers that do not see the archive."""
    with Archive(path) as archive:
        records = archive.images()
        for block in blocks:
            some = islice(records, block.stop - block.start)
            yield replace(block, archive=path), [replace(record, annotations=()) for record in some]
        next(records, None)  # lets the archive check what follows its last image


def _encode_sent(sent: _Sent) -> _Encoded:
    """Encode a block that is written elsewhere, of images that came along, or of the archive."""
    block, records = sent
    if records is None:
        with Archive(block.archive) as archive:
            records = list(archive.images(block.start, block.stop))
    (encoded,) = _encode_blocks(iter(records), block)
    return encoded


def _encode_shard(files: _Files, shard: _Shard) -> _Small:
    """Write the shard's rows of images and targets, block by block; return the rest."""
    start, smalls = shard.start, []
    with Archive(shard.archive) as archive:
        for images, targets, small in _encode_blocks(archive.images(shard.start, shard.stop), shard):
            write_rows(files.images, start, images)
            write_rows(files.targets, start, targets)
            smalls.append(small)
            start += len(targets)
    return _join(smalls)


def _encode_blocks(records: Iterator[ArchivedImage], shard: _Shard) -> Iterator[_Encoded]:
    """Yield a shard's images, few enough at a time that their pixels are no burden."""
    length = _block_length(shard.grid)
    for start in range(shard.start, shard.stop, length):
        count = min(length, shard.stop - start)
        images, targets, small = _encode_block(islice(records, count), count, shard)
        yield _Encoded(pack(images, shard.jpeg_quality) if shard.jpeg_quality else images, targets, small)
    next(records, None)  # lets the archive check what follows its last image


def _encode_block(records: Iterator[ArchivedImage], count: int, shard: _Shard) -> tuple[Uint8s, Floats32, _Small]:
    """Return the images (n, H, W, 3), targets (n, R, S, K) and small arrays of the next n records."""
    grid = shard.grid
    images = np.empty((count, grid.height, grid.width, 3), np.uint8)
    names, parts, classes, shapes = [], [], [], []
    for image, record in zip(images, records, strict=True):
        name = f"{shard.archive}: {record.file_name}"
        pixels = decode_rgb(record.image_bytes, name)
        height, width, _ = pixels.shape
        if (height, width) != (record.height, record.width):
            raise UserError(
                f"{name}: is {height} x {width} pixels, labelled as {record.height} x {record.width} "
                "(height x width); run `dvc repro generate` to make the archive anew"
            )
        image[:] = Letterbox(height, width, grid.height, grid.width).apply(pixels, shard.fill)
        names.append(name)
        parts.append(record.boxes_ltwh)
        classes.append(record.labels)
        shapes.append((height, width))
    sizes = np.array(shapes, np.int32)
    per_image = np.array([len(labels) for labels in classes], np.int64)
    labels = np.concatenate(classes).astype(np.int32)
    image_index = np.repeat(np.arange(count), per_image)  # (M,)
    boxes = ltwh_to_xyxy(np.concatenate(parts))
    for size in np.unique(sizes, axis=0):
        rows = (sizes == size).all(axis=1)[image_index]
        letterbox = Letterbox(int(size[0]), int(size[1]), grid.height, grid.width)
        boxes[rows] = letterbox.boxes_in(boxes[rows])
    _check_centres(boxes, image_index, names, grid)
    targets = encode_boxes(boxes, labels, image_index, count, grid).targets
    return images, targets, _Small(boxes, labels, per_image, sizes)


def _check_centres(boxes: Floats, image_index: Ints, names: Sequence[str], grid: Grid) -> None:
    """Refuse a box whose centre lies outside the letterboxed image: no cell holds it."""
    centres = xyxy_to_cxcywh(boxes)[:, :2]  # (M, 2)
    outside = ~((centres >= 0) & (centres <= (grid.width, grid.height))).all(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        raise UserError(
            f"{names[image_index[row]]}: the centre of a box lies outside the image, so it is in no cell; "
            "clip the box to the image, or leave it out"
        )


def _join(parts: Sequence[_Small]) -> _Small:
    return _Small(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
