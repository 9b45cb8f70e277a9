"""JSON is read as it was written, and what could be read in two ways, or would fill the memory, is refused."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.storage.json import parse_json, read_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**28), 10**28)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_was_written_is_read(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_value_error(content: bytes) -> None:
    with suppress(ValueError):
        parse_json(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', r"line 1: key 'c' twice in one object: one must go"),
        (b'[1,\n{"a": 1, "a": 1}]', "line 2: key 'a' twice"),
        (b'{"a":\nNaN}', "line 2: NaN: JSON has finite numbers only"),
        (b"[-Infinity]", "-Infinity: JSON has finite numbers only"),
        (b"[0,\n1e999]", "line 2: '1e999': must be a finite number"),
        (b"9" * 31, "a number of 31 digits: at most 30"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"9" * 5000, "digits"),
        (b"\xff\xfe{\0}\0", "decode"),
        (b"", "Expecting value"),
        (b"{} {}", "Extra data"),
    ],
)
def test_what_is_not_ours_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json(content)


def test_a_file_that_is_too_large_is_refused_before_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[]")
    assert read_json(path, 2) == []
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing, which takes no space
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        read_json(path, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
