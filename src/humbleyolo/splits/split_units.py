"""Units of images that stay together, and their division in given fractions, in a seeded order."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np

from humbleyolo.inputs.near_duplicates import members_of, unite


def join_units(keys: Mapping[int, str], groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Return the units of images by index: images with one key or in one group, directly or through others.

    `keys` are in the order of the indices.
    """
    indices = list(keys)
    same = [[indices[place] for place in members] for members in members_of(list(keys.values()))]
    links = [link for members in (*same, *groups) for link in pairwise(members)]
    first, second = np.searchsorted(indices, np.array(links, np.int64).reshape(-1, 2)).T
    labels = np.arange(len(indices))
    unite(labels, first, second)
    return [[indices[place] for place in members] for members in members_of(labels.tolist(), least=1)]


def cut(
    sizes: Sequence[int], keys: Sequence[str], fractions: Sequence[float], seed: int, strata: Sequence[str] | None
) -> list[int]:
    """Return the part of each unit, by the part's index.

    Units are sorted by a hash of key and seed, and cut where the number of images comes nearest to each fraction.
    Units of one image give the exact counts. Another unit shifts each cut by one at most, so that few others move.
    Each part gets a unit, if there are enough. Units larger than the power of two under the smallest part go first.

    Args:
        sizes: Number of images of each unit.
        keys: Text of each unit that decides about it; all differ.
        fractions: Fraction of the images in each part; they add up to 1.
        seed: Seed of the order.
        strata: Name of each unit's stratum, to give each part its share of every stratum; None: no strata.
    """
    places = [(_place(key, seed), key) for key in keys]
    if strata is not None:
        places = _spread(sizes, places, strata)
    ends = target_ends(sum(sizes), fractions)
    smallest = max(1, min(after - before for before, after in pairwise(ends)))
    room = 2 ** (smallest.bit_length() - 1)  # changes seldom as images are added, so that few units change places
    order = sorted(range(len(sizes)), key=lambda unit: (sizes[unit] <= room, places[unit]))
    reached = np.array([0, *accumulate(sizes[unit] for unit in order)])
    parts, start = [0] * len(sizes), 0
    for part, target in enumerate(ends, 1):
        nearest = int(np.abs(reached - target).argmin())
        least, most = start + 1, len(sizes) - (len(ends) - part)  # a unit for this part, and for each later one
        stop = min(max(least, min(nearest, most)), len(sizes))
        for unit in order[start:stop]:
            parts[unit] = part - 1
        start = stop
    return parts


def target_ends(images: int, fractions: Sequence[float]) -> list[int]:
    """Return the number of images up to the end of each part: one or more in each, if there are enough.

    One image more moves no end by more than one.
    """
    count = len(fractions)
    shares = [(part, images * share) for part, share in enumerate(accumulate(fractions), 1)]
    return [max(part, min(round(share), images - (count - part))) for part, share in shares]


def _place(key: str, seed: int) -> float:
    """Return a number in [0, 1) that the key and the seed alone decide."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:6], "big") / 2**48


def _spread(
    sizes: Sequence[int], places: Sequence[tuple[float, str]], strata: Sequence[str]
) -> list[tuple[float, str]]:
    """Return places that spread each stratum's units evenly over [0, 1), in their order."""
    result = list(places)
    members: dict[str, list[int]] = defaultdict(list)
    for unit in sorted(range(len(sizes)), key=lambda unit: places[unit]):
        members[strata[unit]].append(unit)
    for units in members.values():
        ends = list(accumulate(sizes[unit] for unit in units))
        for unit, end in zip(units, ends, strict=True):
            result[unit] = ((end - sizes[unit] / 2) / ends[-1], places[unit][1])
    return result
