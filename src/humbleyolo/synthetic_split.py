"""Splits of drawn images: cut into shards, drawn on all cores, written to an archive."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from humbleyolo.archive import ArchiveWriter
from humbleyolo.dataset import SplitCounts
from humbleyolo.layout import Box
from humbleyolo.params import Synthetic
from humbleyolo.png import encode_png
from humbleyolo.shards import map_in_order
from humbleyolo.synthetic import Painter

# At most so many images or pixels in a shard: few enough to hold, many enough to be worth it.
_SHARD_IMAGES = 256
_SHARD_PIXELS = 1 << 22


class EncodedSample(NamedTuple):
    """What an archive needs of a sample.

    Attributes:
        image_bytes: A PNG file.
        boxes_ltwh: M boxes, whole pixels.
        labels: M indices into `words`.
        not_drawn: Number of words that found no place.
    """

    image_bytes: bytes
    boxes_ltwh: list[Box]
    labels: list[int]
    not_drawn: int


def draw_shard(
    params: Synthetic, folder: Path, seed: int, split: str, shard: tuple[int, int]
) -> list[EncodedSample]:
    """Draw and encode the images from index `shard[0]` to `shard[1]`, without it."""
    painter = Painter(params, folder, seed)
    samples = []
    for index in range(*shard):
        pixels, words, not_drawn = painter.draw(split, index)
        boxes = [word.box_ltwh for word in words]
        labels = [word.label for word in words]
        samples.append(EncodedSample(encode_png(pixels), boxes, labels, not_drawn))
    return samples


def draw_split(
    params: Synthetic, folder: Path, seed: int, split: str, *, processes: int | None = None
) -> Iterator[EncodedSample]:
    """Draw all images of a split, in order, on all cores where that is quicker.

    Args:
        params: What to draw.
        folder: Of the font files.
        seed: Of all random numbers.
        split: A name in `SPLITS`.
        processes: At most so many; None: one for each available core. The bytes are the same.

    Raises:
        UserError: See `Painter.draw`.
    """
    count = getattr(params.images, split)
    step = min(max(_SHARD_PIXELS // (params.height * params.width), 1), _SHARD_IMAGES)
    shards = [(start, min(start + step, count)) for start in range(0, count, step)]
    for samples in map_in_order(
        partial(draw_shard, params, folder, seed, split), shards, processes=processes
    ):
        yield from samples


def write_split(
    path: Path, params: Synthetic, folder: Path, seed: int, split: str, *, processes: int | None = None
) -> SplitCounts:
    """Draw all images of a split into an archive, with a bar on a terminal, and return what it holds.

    Args:
        path: Of the archive. Its folder exists.
        params: What to draw.
        folder: Of the font files.
        seed: Of all random numbers.
        split: A name in `SPLITS`.
        processes: See `draw_split`.

    Raises:
        UserError: Where the archive cannot be written; see also `Painter.draw`.
    """
    counts = SplitCounts(params.words)
    total = getattr(params.images, split)
    digits = max(len(str(total - 1)), 6)
    samples = draw_split(params, folder, seed, split, processes=processes)
    with ArchiveWriter(path, params.words) as archive:
        for index, sample in enumerate(
            _Bar(samples, split, total, unit=" images", disable=None, leave=False)
        ):
            archive.add(
                f"{index:0{digits}}.png", sample.image_bytes, params.height, params.width,
                sample.boxes_ltwh, sample.labels,
            )  # fmt: skip
            counts.add(sample.boxes_ltwh, sample.labels, sample.not_drawn)
    return counts


class _Bar(tqdm):  # type: ignore[type-arg] # tqdm takes one in its stubs alone
    """A bar without the thread that watches it, beside which `draw_split` could not fork."""

    monitor_interval = 0
