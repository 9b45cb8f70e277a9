"""Near-duplicates among images: found by perceptual hash, confirmed on small grey pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humbleyolo.labels.image_info import ImageInfo
from humbleyolo.storage.array_types import Floats32, Uint8s

_BITS = 10  # of 64 that the hashes of two similar pictures may differ in
_CORRELATION = 0.985  # of their 32 x 32 grey pictures, at least
_BRIGHTNESS = 24.0  # mean difference, of 255, at most
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Two similar images, by index, `first < second`. `same`: their files are equal byte by byte."""

    first: int
    second: int
    same: bool


def find_near_duplicates(images: Sequence[ImageInfo]) -> list[NearDuplicates]:
    """Return every pair of similar images, sorted.

    Every image is compared with every other, in blocks: 10,000 take about two seconds, and memory does not
    grow with their number beyond 1 KiB each. Scaling, another file format, JPEG's loss and a little noise or
    brightness make no difference; mirrored, turned and cropped pictures count as different.
    """
    if len(images) < 2:
        return []
    hashes = np.array([one.perceptual for one in images], np.uint64)
    pairs = []
    thumbs = [_normalised(one.thumb) for one in images]
    means = np.array([one.thumb.mean() for one in images])
    for first, second in _candidates(hashes):
        same = images[first].sha256 == images[second].sha256
        alike = float((thumbs[first] * thumbs[second]).sum()) >= _CORRELATION
        if same or (alike and abs(means[first] - means[second]) <= _BRIGHTNESS):
            pairs.append(NearDuplicates(first, second, same))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Yield index pairs whose hashes differ in few bits."""
    for start in range(0, len(hashes), _BLOCK):
        rows = hashes[start : start + _BLOCK]
        for other in range(start, len(hashes), _BLOCK):
            columns = hashes[other : other + _BLOCK]
            near = np.bitwise_count(rows[:, None] ^ columns[None, :]) <= _BITS  # (block, block)
            for row, column in np.argwhere(near).tolist():
                if start + row < other + column:
                    yield start + row, other + column


def _normalised(thumb: Uint8s) -> Floats32:
    """Return the grey picture with mean 0 and length 1; one without contrast becomes a constant."""
    values = thumb.astype(np.float32)
    values -= values.mean()
    length = float(np.sqrt((values * values).sum()))
    if length < 1.0:  # one colour: similar to any other of one colour, unless brightness differs
        return np.full(values.shape, 1 / values.shape[0], np.float32)
    return values / np.float32(length)
