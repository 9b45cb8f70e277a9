"""Near-duplicates among images: found by perceptual hash, confirmed on small grey pictures."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from humbleyolo.inputs.image_info import ImageInfo, perceptual_hash
from humbleyolo.storage.array_types import Bools, Floats, Ints, Uint8s

_BITS = 10  # of 64 that the hashes of two similar pictures may differ in
_CORRELATION = 0.985  # of their 32 x 32 grey pictures, at least
_BRIGHTNESS = 24.0  # mean difference, of 255, at most
_BLOCK = 512


def find_near_duplicates(images: Sequence[ImageInfo]) -> list[list[int]]:
    """Return the groups of similar images by index, each of two or more, sorted.

    Two images are in one group if they are similar, directly or through others. Scaling, another file format,
    JPEG's loss, a little noise or brightness, and mirroring left to right make no difference. Turned and cropped
    pictures count as different.

    Every image is compared with every other, in blocks. Pictures that are in one group already are not compared
    again, so that time and memory do not grow with the pairs of one scene.
    """
    order = sorted(range(len(images)), key=lambda index: images[index].sha256)  # the input's order decides nothing
    labels = np.arange(len(order))
    for members in find_copies([images[index] for index in order]):
        labels[members] = members[0]
    thumbs = [images[index].thumb for index in order]
    hashes = np.array([images[index].perceptual for index in order], np.uint64)
    mirrored = np.array([perceptual_hash(thumb[:, ::-1]) for thumb in thumbs], np.uint64)
    for start in range(0, len(order), _BLOCK):
        rows = slice(start, start + _BLOCK)
        for other in range(start, len(order), _BLOCK):
            columns = slice(other, other + _BLOCK)
            for step, candidates in ((1, hashes), (-1, mirrored)):
                near = np.bitwise_count(hashes[rows, None] ^ candidates[None, columns]) <= _BITS  # (block, block)
                near &= labels[rows, None] != labels[None, columns]
                first, second = (start + np.flatnonzero(near.any(1)), other + np.flatnonzero(near.any(0)))
                if len(first):
                    alike = near[np.ix_(first - start, second - other)]
                    alike &= _alike(
                        np.stack([thumbs[i] for i in first]), np.stack([thumbs[i][:, ::step] for i in second])
                    )
                    row, column = np.nonzero(alike)
                    unite(labels, first[row], second[column])
    return members_of([labels[place] for place in np.argsort(order)])


def find_copies(images: Sequence[ImageInfo]) -> list[list[int]]:
    """Return the groups of images by index whose files are equal byte for byte, each of two or more, sorted."""
    return members_of([image.sha256 for image in images])


def members_of(labels: Sequence[object], least: int = 2) -> list[list[int]]:
    """Return the places of each label that occurs `least` times or more, sorted."""
    groups: dict[object, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        groups[label].append(place)
    return [members for members in groups.values() if len(members) >= least]


def unite(labels: Ints, first: Ints, second: Ints) -> None:
    """Give images that are linked, `first[k]` to `second[k]`, one label, in place, and all others of their labels.

    A label is the index of one of its images.
    """
    while len(first):
        one, two = labels[first], labels[second]
        np.minimum.at(labels, np.maximum(one, two), np.minimum(one, two))  # larger label -> smaller
        while (labels != labels[labels]).any():
            labels[:] = labels[labels]
        apart = labels[first] != labels[second]
        first, second = first[apart], second[apart]


def _alike(rows: Uint8s, columns: Uint8s) -> Bools:
    """Compare (R, 32, 32) with (C, 32, 32) grey pictures, each with each; return (R, C).

    All sums are of whole numbers that float64 holds, so that neither the other pictures nor the processor changes
    what is alike.
    """
    (row_values, row_sum, row_spread), (values, total, spread) = _moments(rows), _moments(columns)
    pixels = row_values.shape[1]
    common = pixels * (row_values @ values.T) - row_sum[:, None] * total
    plain, other_plain = row_spread[:, None] < pixels, spread < pixels  # one colour: alike, if the brightness is
    similar = common >= _CORRELATION * np.sqrt(row_spread[:, None] * spread)
    similar = np.where(plain | other_plain, plain & other_plain, similar)
    return np.asarray(similar & (np.abs(row_sum[:, None] - total) <= _BRIGHTNESS * pixels))


def _moments(thumbs: Uint8s) -> tuple[Floats, Floats, Floats]:
    """Return the pixels, (K, 1024), their sum, (K,), and their variance times 1024 squared, (K,)."""
    values = thumbs.reshape(len(thumbs), -1).astype(np.float64)
    total = values.sum(1)
    return values, total, values.shape[1] * (values * values).sum(1) - total * total
