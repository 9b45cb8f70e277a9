"""`.npy` files: written whole or row by row, and mapped once their size fits what the header claims."""

import math
import os
import struct
import tokenize
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from humbleyolo.storage.array_types import Array
from humbleyolo.storage.atomic import atomic_write, cannot_write

# Errors of NumPy at a header that is not ours, besides ValueError.
_DAMAGED = (
    TypeError, KeyError, EOFError, SyntaxError, struct.error, tokenize.TokenError, RecursionError, OverflowError,
    UserWarning, MemoryError,
)  # fmt: skip
_BLOCK = 1 << 20  # bytes held at a time


def read_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and kind in a file's header, and leave the file in front of the values.

    Args:
        file: An open file, at its beginning.
        name: Name of the file in errors.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no array as NumPy writes ours.
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


@contextmanager
def reserved_array(path: Path, shape: tuple[int, ...], kind: type) -> Iterator[Path]:
    """Make an `.npy` file of this shape, its disk space reserved, for `write_rows`.

    A disk without the space is told here, before the work.

    Yields:
        The file's name until the body has ended well; then it is renamed to `path`.

    Raises:
        UserError: If the file cannot be written.
    """
    with atomic_write(path) as file:
        header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        size = file.tell() + math.prod(shape) * np.dtype(kind).itemsize
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        yield Path(file.name)


@contextmanager
def appended_bytes(path: Path) -> Iterator[Callable[[bytes], Any]]:
    """Write an `.npy` file of bytes, (B,) uint8, of a length that is not known before; what is yielded appends some.

    Raises:
        UserError: If the file cannot be written.
    """
    with atomic_write(path) as file:

        def write_header(length: int) -> int:  # as long for any length, since NumPy leaves room for growth
            file.seek(0)
            header = {"descr": np.dtype(np.uint8).str, "fortran_order": False, "shape": (length,)}
            np.lib.format.write_array_header_1_0(file, header)
            return file.tell()

        start = write_header(0)
        yield file.write
        if write_header(file.tell() - start) != start:
            raise ValueError(f"{path}: NumPy's header has grown")


def write_rows(path: Path, start: int, values: Array) -> None:
    """Write rows of an array from number `start` on, into a file that `reserved_array` made.

    Raises:
        UserError: If the file cannot be written.
    """
    try:
        with path.open("r+b") as file:
            read_header(file, path.name)
            file.seek(start * values[0].nbytes, os.SEEK_CUR)
            file.write(values.data)
    except OSError as error:
        raise cannot_write(path, error) from None


def open_array(path: Path) -> Array:
    """Return the array in a file as a read-only memory map.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no array as NumPy writes ours, or its size is not what its header promises.
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
        OSError: If it cannot be read.
    """
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc
