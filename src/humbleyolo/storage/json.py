"""JSON that we wrote, or somebody else: what could be read in two ways, or is too large to be ours, is refused."""

import json
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 26
"""Of a file that does not grow with the images; one with 100,000 classes of long names has less."""


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """Return the value in a file, read in memory of no more than some times `most_bytes`.

    Raises:
        OSError: Where the file cannot be read.
        ValueError: Where it is larger than that, no JSON in UTF-8, nested too deeply, or has a key twice.
    """
    with path.open("rb") as file:
        content = file.read(min(path.stat().st_size, most_bytes) + 1)
    if len(content) > most_bytes:
        raise ValueError(f"more than {most_bytes:,} bytes")
    return parse_json(content)


def parse_json(content: bytes) -> Any:
    """Return the value in some bytes.

    Raises:
        ValueError: See `read_json`.
    """
    try:
        return json.loads(content.decode(), object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {json.dumps(twice)[:80]} is there twice")
    return values
