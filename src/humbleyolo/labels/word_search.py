"""Words in large label files, by which formats know them, looked for piece by piece."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import IO

from humbleyolo.inputs.folder import HEAD_BYTES, STREAMED_BYTES, Source
from humbleyolo.inputs.ledger import BadInput

_PIECE = 2**20  # bytes


def first_holding(source: Source, names: Iterable[str], words: Sequence[bytes], early: bytes) -> str:
    """Return the first of some files that holds all words; empty if none does. Files that cannot be read do not.

    A file's beginning must hold one of them, or `early`. That is enough in one that is too large to be read, so that
    reading can say so.
    """
    for name in names:
        head = source.head(name)
        missing = {word for word in words if word not in head}
        if missing and len(head) == HEAD_BYTES and (len(missing) < len(words) or early in head):
            with suppress(BadInput), source.open(name) as file:
                missing = _missing(file, missing)
        if not missing:
            return name
    return ""


def _missing(file: IO[bytes], words: set[bytes]) -> set[bytes]:
    """Return the words that a file does not hold; none if it is too large to be read."""
    overlap, total = b"", 0
    while words and (piece := file.read(_PIECE)):
        words = {word for word in words if word not in overlap + piece}
        overlap, total = piece[-max(map(len, words), default=1) :], total + len(piece)
        if total > STREAMED_BYTES:
            return set()
    return words
