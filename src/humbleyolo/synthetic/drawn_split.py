"""Splits of drawn images: cut into shards, drawn on all cores or a cluster, written to archives."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from humbleyolo.dataset.archive import SPLITS, ArchiveWriter
from humbleyolo.dataset.archive_choice import choose_archives, number_key, require_few
from humbleyolo.dataset.archived_split import ENDING, begin_split
from humbleyolo.dataset.summary import SplitCounts
from humbleyolo.params.sections import Synthetic
from humbleyolo.process.workers import map_in_order
from humbleyolo.storage.atomic import require_space
from humbleyolo.storage.png import encode_png
from humbleyolo.synthetic.painter import Painter
from humbleyolo.synthetic.word_layout import Box

# Most images, and most pixels, of a shard: few enough to hold, many enough to be worth it.
_SHARD_IMAGES = 256
_SHARD_PIXELS = 1 << 22
_SAMPLED = 16  # images from whose size that of all is estimated


class EncodedSample(NamedTuple):
    """A drawn image as an archive takes it.

    Attributes:
        image_bytes: Contents of a PNG file.
        boxes_ltwh: M boxes, whole pixels.
        labels: M indices into `words`.
        not_drawn: Number of words that found no place.
    """

    image_bytes: bytes
    boxes_ltwh: list[Box]
    labels: list[int]
    not_drawn: int


Shard = tuple[str, Sequence[int]]  # split, numbers of its images


def draw_shard(params: Synthetic, seed: int, folder: Path, shard: Shard) -> list[EncodedSample]:
    """Draw and encode the images of a shard."""
    split, numbers = shard
    painter = Painter(params, folder, seed)
    samples = []
    for index in numbers:
        pixels, words, not_drawn = painter.draw(split, index)
        boxes, labels = [word.box_ltwh for word in words], [word.label for word in words]
        samples.append(EncodedSample(encode_png(pixels), boxes, labels, not_drawn))
    return samples


def draw_splits(
    params: Synthetic, folder: Path, seed: int, images: Mapping[str, Sequence[int]], *, processes: int | None = None
) -> Generator[EncodedSample]:
    """Draw images of some splits, given their numbers in each split, in order, on all cores if that is quicker.

    `folder` holds the font files. At most `processes` processes draw, one per core if None; the bytes are the same.

    Raises:
        UserError: See `Painter.draw`.
    """
    step = min(max(_SHARD_PIXELS // (params.height * params.width), 1), _SHARD_IMAGES)
    shards = []
    for split, numbers in images.items():
        shards += [(split, numbers[start : start + step]) for start in range(0, len(numbers), step)]
    work = partial(draw_shard, params, seed)
    for samples in map_in_order(work, shards, processes=processes, folder=folder, names=params.fonts):
        yield from samples


def write_splits(
    out: Path,
    params: Synthetic,
    folder: Path,
    seed: int,
    archive_images: int,
    *,
    splits: Sequence[str] = SPLITS,
    processes: int | None = None,
) -> dict[str, SplitCounts]:
    """Draw all images of some splits into the archives of a folder each, with a bar on a terminal.

    Arguments are those of `draw_splits`; `out` is the folder of those folders, which exists. An archive holds
    `archive_images` images at most.

    Returns:
        Counts of each split.

    Raises:
        UserError: If there are too many archives, or one cannot be written; see also `Painter.draw`.
    """
    archives = {
        split: choose_archives([number_key(index) for index in range(getattr(params.images, split))], archive_images)
        for split in splits
    }
    require_few(archives, archive_images)
    numbers = {split: list(chain.from_iterable(some.values())) for split, some in archives.items()}
    require_space(out, _estimate_bytes(params, folder, seed, splits))
    counts = {split: SplitCounts(params.words) for split in splits}
    with closing(draw_splits(params, folder, seed, numbers, processes=processes)) as samples:
        for split, count in counts.items():
            total = getattr(params.images, split)
            digits = max(len(str(total - 1)), 6)
            begin_split(out / split)
            with _Bar(islice(samples, total), split, total, unit=" images", disable=None, leave=False) as bar:
                drawn = iter(bar)
                for name, own in archives[split].items():
                    with ArchiveWriter(out / split / f"{name}{ENDING}", params.words) as archive:
                        for index, sample in zip(own, drawn, strict=False):
                            archive.add(
                                f"{index:0{digits}}.png", sample.image_bytes, params.height, params.width,
                                sample.boxes_ltwh, sample.labels,
                            )  # fmt: skip
                            count.add(sample.boxes_ltwh, sample.labels, sample.not_drawn)
    return counts


def _estimate_bytes(params: Synthetic, folder: Path, seed: int, splits: Sequence[str]) -> int:
    """Return about the bytes of all images, a fifth less for safety, from the first few of a split."""
    few = min(getattr(params.images, splits[0]), _SAMPLED)
    drawn = sum(len(sample.image_bytes) for sample in draw_shard(params, seed, folder, (splits[0], range(few))))
    total = sum(getattr(params.images, split) for split in splits)
    return int(0.8 * drawn / max(few, 1) * total)


class _Bar(tqdm):  # type: ignore[type-arg] # tqdm takes one in its stubs alone
    """A progress bar without its monitoring thread, beside which `map_in_order` could not fork."""

    monitor_interval = 0
