"""Arrays are mapped as they are, and a header that promises something else is refused before anything is held."""

import io
import resource
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from humbleyolo.storage.npy import checksum, open_array

KINDS = [np.uint8, np.float32, np.float64, np.int32, np.int64]


@contextmanager
def little_memory(more: int) -> Iterator[None]:
    """Let this process have so many bytes more of addresses than it has."""
    if sys.platform != "linux":
        yield
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def saved(array: np.ndarray[Any, Any], **settings: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **settings)
    return file.getvalue()


def header(text: str, version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + text.encode()


@given(st.sampled_from(KINDS).flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_side=0))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_was_saved_is_mapped(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    (tmp_path / "a.npy").write_bytes(saved(array))
    found = open_array(tmp_path / "a.npy")
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()
    assert not found.flags.writeable


def promise(shape: str, kind: str = "'<f4'", order: str = "False") -> str:
    return f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (header(promise("(1000000000000,)")) + bytes(40), "its header promises 4000000000"),
        (header(promise("(10,)")) + bytes(39), "its header promises"),
        (header(promise("(10,)")) + bytes(41), "its header promises"),
        (header(promise(f"({'9' * 400}, 0)")), "."),
        (header(promise("(-1, 0)")), "."),
        (header(promise("(4, 10)", order="True")) + bytes(160), "by columns"),
        (saved(np.array([print, {}], object), allow_pickle=True), "holds object"),
        (header(promise("(1,)", "'|O'")) + bytes(8), "holds object"),
        (header(promise("(1,)", "[('a', '|O'), ('b', '<f4')]")) + bytes(12), "expected numbers"),
        (header(promise("(10,)"), (2, 0)) + bytes(40), "version"),
        (header(promise("(10,)"), (3, 0)) + bytes(40), "version"),
        (header("", (3, 0), 0xFFFFFFFF), "version"),
        (header("", (9, 9), 0xFFFFFFFF), "version"),
        (header(promise("(10,)"), length=0xFFFF) + bytes(40), "."),
        (header("(" * 9000), "."),
        (header("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': ()}"), "."),
        (header("{'descr': '<f4', 'fortran_order': False}"), "."),
        (header("'''"), "."),
        (header("7L"), "."),
        (header(promise("3")), "."),
        (header(promise("()", "'<f99'")), "."),
        (b"\x93NUMPY", "."),
        (b"", "."),
        (b"PK\x03\x04" + bytes(100), "."),
    ],
    ids=range(24),
)
def test_what_is_no_array_of_ours_is_refused_in_little_memory(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with little_memory(1 << 26), pytest.raises(ValueError, match=why):
        open_array(tmp_path / "a.npy")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_file_changed_anywhere_is_refused_or_an_array_of_its_size(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(saved(np.arange(12, dtype=np.float32).reshape(3, 4)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    (tmp_path / "a.npy").write_bytes(content)
    try:
        found = open_array(tmp_path / "a.npy")
    except ValueError:
        return
    assert found.nbytes <= len(content)


def test_the_checksum_is_of_the_whole_file(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(3_000_001)
    (tmp_path / "a").write_bytes(content)
    assert checksum(tmp_path / "a") == zlib.crc32(content)
