"""The archive of each image of a split, by the bits of the images' keys.

All images are in one archive, `all`. One with too many is cut in two by the next bit of the keys: `0` and `1`, then
`10` and `11`, and so on. So one more image changes one archive, or cuts one in two. The names are the leaves of a
binary tree, so that an archive that is missing shows.
Source: R. Fagin et al., Extendible Hashing, ACM TODS 4 (3), 1979.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from humbleyolo.errors import UserError

ALL = "all"
"""Name of the archive of a split that has only one."""

MOST_ARCHIVES = 400
"""Number of archives of a dataset at most: as many arrays twice can be open in a process."""

_KEY_BYTES = 8
_NAME = re.compile(rf"{ALL}|[01]{{1,{8 * _KEY_BYTES}}}")


def content_key(sha256: str) -> bytes:
    """Return the key of an image, by the hash of its file (hex); equal files have one."""
    return bytes.fromhex(sha256)[:_KEY_BYTES]


def number_key(number: int) -> bytes:
    """Return the key of a drawn image, whose content follows from its number in the split."""
    return hashlib.sha256(str(number).encode()).digest()[:_KEY_BYTES]


def choose_archives(keys: Sequence[bytes], most: int) -> dict[str, list[int]]:
    """Return the numbers of the images in each archive, rising, by the archive's name; archives are sorted by it.

    An archive is empty if a cut left it so.

    Args:
        keys: Key of each image.
        most: Number of images of an archive at most; more of equal keys stay together.
    """
    order = sorted(range(len(keys)), key=keys.__getitem__)
    bits = [int.from_bytes(key) for key in keys]
    archives = {}
    waiting = [("", 0, len(order))]
    while waiting:
        prefix, start, stop = waiting.pop()
        if stop - start <= most or keys[order[start]] == keys[order[stop - 1]]:
            archives[prefix or ALL] = sorted(order[start:stop])
            continue
        shift = 8 * _KEY_BYTES - 1 - len(prefix)
        cut = bisect_left(order, 1, start, stop, key=lambda number: bits[number] >> shift & 1)
        waiting += [(f"{prefix}1", cut, stop), (f"{prefix}0", start, cut)]
    return archives


def require_few(archives: Mapping[str, Mapping[str, Sequence[int]]], most: int) -> None:
    """Refuse a dataset of too many archives; `archives` are those of each split, `most` is the limit of images.

    Raises:
        UserError: If there are more than `MOST_ARCHIVES`.
    """
    count = sum(map(len, archives.values()))
    if count > MOST_ARCHIVES:
        images = sum(len(numbers) for some in archives.values() for numbers in some.values())
        raise UserError(
            f"params.yaml: dataset.archive_images: {most:,} makes {count:,} archives of {images:,} images; allowed: "
            f"at most {MOST_ARCHIVES}; raise it, to {max(2 * most, -(-4 * images // MOST_ARCHIVES)):,} for example"
        )


def is_part(name: str) -> bool:
    """Tell if a name, without its ending, is one that a part of a split can have."""
    return _NAME.fullmatch(name) is not None


def list_parts(folder: Path, ending: str, fix: str) -> list[str]:
    """Return the names of a split's parts, sorted, without their ending: its archives, or its folders of arrays.

    Raises:
        UserError: If the folder or a part is missing, or parts are of two runs; it ends with `fix`.
    """
    try:
        found = [path.name.removesuffix(ending) for path in folder.iterdir() if path.name.endswith(ending)]
    except FileNotFoundError:
        raise UserError(f"{folder}: no such folder; {fix}") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror or error}; {fix}") from None
    names = sorted(filter(is_part, found))
    if not names:
        raise UserError(f"{folder}: holds no {ALL}{ending} and no other of its parts; {fix}")
    gaps, extra = find_faults(names)
    if gaps:
        raise UserError(
            f"{folder}: {gaps[0]}{ending} is missing, or all parts whose names begin with {gaps[0]}; {fix}"
        )
    if extra:
        raise UserError(f"{folder}: {extra[0]}{ending} is not of the same run as the others; {fix}")
    return names


def find_faults(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return what keeps names from being the parts of one split: beginnings that none has, and names too many."""
    bits = {"" if name == ALL else name for name in names}
    above = {name[:length] for name in bits for length in range(len(name))}
    leaves, gaps, waiting = set(), [], [""]
    while waiting:
        prefix = waiting.pop()
        if prefix in bits:
            leaves.add(prefix)
        elif prefix in above:
            waiting += [f"{prefix}1", f"{prefix}0"]
        else:
            gaps.append(prefix)
    return gaps, sorted(name or ALL for name in bits - leaves)
