"""An `.npy` file of ours, looked at before any of it is held: what its header says is no more than a claim."""

import math
import os
import struct
import tokenize
import warnings
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from humbleyolo.storage.array_types import Array
from humbleyolo.storage.atomic import atomic_write

# What a header that is not ours can raise, besides ValueError.
_DAMAGED = (
    TypeError, KeyError, EOFError, SyntaxError, struct.error, tokenize.TokenError, RecursionError, OverflowError,
    UserWarning, MemoryError,
)  # fmt: skip
_BLOCK = 1 << 20  # bytes held at a time


def read_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and kind that a file promises, and leave it in front of the values.

    Args:
        file: At its beginning.
        name: What it is called in errors.

    Raises:
        OSError: Where the file cannot be read.
        ValueError: Where it is no array as NumPy writes ours.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{name} is of .npy version {version}, expected (1, 0)")
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns of headers that it has to mend, and reads them
            shape, column_major, kind = np.lib.format.read_array_header_1_0(file)
    except _DAMAGED as error:
        raise ValueError(f"{name} has a damaged header ({error})") from None
    if kind.hasobject or column_major:
        raise ValueError(f"{name} holds {kind}{' by columns' * column_major}, expected numbers by rows")
    return shape, kind


def write_array(path: Path, values: Array) -> None:
    """Write an array as an `.npy` file."""
    with atomic_write(path) as file:
        np.save(file, values, allow_pickle=False)


def open_array(path: Path) -> Array:
    """Return the array in a file as a read-only memory map.

    Raises:
        OSError: Where the file cannot be read.
        ValueError: Where it is no array as NumPy writes ours, or has not the bytes that its header promises.
    """
    with path.open("rb") as file:
        shape, kind = read_header(file, path.name)
        promised = file.tell() + math.prod(shape) * kind.itemsize
        size = os.fstat(file.fileno()).st_size
    if size != promised:
        raise ValueError(f"{path.name} has {size} bytes, its header promises {promised}")
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        raise ValueError(f"{path.name} has a damaged header ({error})") from None
    return array


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file.

    Raises:
        OSError: Where it cannot be read.
    """
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc
