"""A training run on disk, so that a killed one resumes with the same bytes as if nothing had happened.

One file, written whole or not at all: a SHA-256 of the rest, a line of JSON, then the arrays' bytes. The line has the
run, its progress, and the name, type and shape of each array. Reading it runs no code. A torn file, or one of another
run, is never loaded.
"""

import hashlib
import json
import math
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from pydantic import ValidationError

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.params.sections import Section
from humbleyolo.pipeline.environment import NO_MATTER, describe_environment
from humbleyolo.process.exits import heeded
from humbleyolo.process.terminal import tell
from humbleyolo.storage.array_types import Array
from humbleyolo.storage.atomic import atomic_write, make_folder
from humbleyolo.storage.partial_files import remove_former, remove_partials

Arrays = dict[str, Array]

SHORTEST_S = 5.0
"""Seconds between two checkpoints, at least."""

SHARE = 0.005
"""The part of the time of training that checkpoints may take; the time of one decides how long the next waits."""

_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 27  # bytes; an epoch takes about 500


class Progress(Section):
    """The progress of a run.

    Attributes:
        epoch: Epoch under way, counted from 0.
        step: Next step of this epoch, counted from 0.
        sums: Sums of each loss term's means, over the steps of this epoch that are done.
        history: Rows of the epochs that are done.
        best_ap: AP of the best epoch; -1 before there is one.
        best_epoch: Number of the best epoch, counted from 1; 0 before there is one.
    """

    epoch: int = 0
    step: int = 0
    sums: tuple[float, ...] = ()
    history: tuple[dict[str, int | float | None], ...] = ()
    best_ap: float = -1.0
    best_epoch: int = 0


class _Array(Section):
    """One array's place in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class _Header(Section):
    """The line of JSON."""

    run: dict[str, str]
    progress: Progress
    arrays: tuple[_Array, ...]


@dataclass(frozen=True)
class State:
    """A run at one moment."""

    progress: Progress
    arrays: Arrays  # all that the next step depends on, and the best epoch's weights


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """The reason for not loading a file."""


class Checkpoint:
    """The file that one run is kept in, and the time of its next writing.

    Args:
        path: The file. Its folder is made when it is needed.
        run: All that the run depends on, from `describe_run`.
    """

    def __init__(self, path: Path, run: Mapping[str, str]) -> None:
        self.path, self._run = path, dict(run)
        self._due = time.monotonic() + SHORTEST_S
        self._told = self._stopping = False

    @property
    def due(self) -> bool:
        """True when it is time to write."""
        return self._stopping or time.monotonic() >= self._due

    @contextmanager
    def stop_when_kept(self) -> Iterator[None]:
        """Let a signal that stops this process end the body once the run is kept; a second one ends it at once."""

        def stop(*_: object) -> None:
            if self._stopping:
                raise KeyboardInterrupt
            self._stopping = True

        before = {number: signal.signal(number, stop) for number in heeded()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def read(self, expected: Mapping[str, Array], optional: str) -> State | None:
        """Return the run as it was written last, or None, with the reason on standard error.

        Args:
            expected: Arrays of this run, for their types and shapes. No others are read.
            optional: Prefix of arrays that are in the file all together or not at all.
        """
        try:
            with self.path.open("rb") as file:
                return self._read(file, expected, optional)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        except _Refused as refused:
            reason = str(refused)
        tell(f"{self.path}: {reason}; training starts at the first epoch", to=sys.stderr)
        return None

    def _read(self, file: BinaryIO, expected: Mapping[str, Array], optional: str) -> State:
        digest, checksum = hashlib.sha256(), file.read(65)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        if checksum != digest.hexdigest().encode() + b"\n":
            raise _Refused("is damaged (its checksum does not fit)")
        file.seek(len(checksum))
        try:
            header = _Header.model_validate_json(file.readline(_LONGEST_HEADER))
        except ValidationError as error:
            raise _Refused(f"is not a checkpoint of this version ({error.errors()[0]['msg']})") from None
        names = self._run.keys() | header.run.keys()
        differ = sorted(name for name in names if header.run.get(name) != self._run.get(name))
        if differ:
            raise _Refused(f"is of a run with other {', '.join(differ)}")
        required = {name: array for name, array in expected.items() if not name.startswith(optional)}
        wanted = expected if header.progress.best_epoch else required
        found = {array.name: (array.dtype, array.shape) for array in header.arrays}
        if found != {name: (array.dtype.str, array.shape) for name, array in wanted.items()}:
            raise _Refused("holds other arrays than this network and optimizer have")
        arrays = {}
        for array in header.arrays:
            content = file.read(math.prod(array.shape) * np.dtype(array.dtype).itemsize)
            arrays[array.name] = np.frombuffer(content, array.dtype).reshape(array.shape)
        return State(header.progress, arrays)

    def write(self, gather: Callable[[], State]) -> None:
        """Write the run that `gather` returns; the time of gathering counts too.

        An error does not end training: it is told once, and writing is tried again when it is due.

        Raises:
            KeyboardInterrupt: A signal has asked to stop: see `stop_when_kept`.
        """
        started = time.monotonic()
        try:
            make_folder(self.path.parent)
            with atomic_write(self.path) as file:
                digest = hashlib.sha256()
                file.write(b"0" * 64 + b"\n")
                for part in self._parts(gather()):
                    digest.update(part)
                    file.write(part)
                file.seek(0)
                file.write(digest.hexdigest().encode())
        except UserError as error:
            if not self._told:
                tell(f"warning: {error}; training goes on, but not after a stop", to=sys.stderr)
            self._told = True
        if self._stopping:
            raise KeyboardInterrupt
        ended = time.monotonic()
        self._due = ended + max(SHORTEST_S, (ended - started) / SHARE)

    def _parts(self, state: State) -> Iterator[bytes | memoryview]:
        arrays = [
            {"name": name, "dtype": array.dtype.str, "shape": array.shape} for name, array in state.arrays.items()
        ]
        header = {"run": self._run, "progress": state.progress.model_dump(), "arrays": arrays}
        yield json.dumps(header).encode() + b"\n"
        yield from map(_bytes_of, state.arrays.values())

    def remove(self) -> None:
        """Remove the file of a run that has ended, and the rest that a kill left of one half written."""
        self.path.unlink(missing_ok=True)
        remove_partials(self.path)
        remove_former(self.path.parent, {self.path.name})


def describe_run(splits: Iterable[EncodedSplit], start: str, **sections: Section | int) -> dict[str, str]:
    """Return hashes of all that a run's bits depend on: its parameters, data, start, code and environment.

    `splits` are the run's data, `start` the words for what it begins with, `sections` those of `params.yaml`.
    """
    values = {
        name: section.model_dump() if isinstance(section, Section) else section for name, section in sections.items()
    }
    data = hashlib.sha256()
    for split in splits:
        data.update(repr((split.categories, split.grid, split.fill)).encode())
        for array in split.stored():
            data.update(repr((array.dtype.str, array.shape)).encode())
            data.update(_bytes_of(array))
    code = hashlib.sha256()
    for name, path in sorted(_loaded_sources()):
        code.update(f"{name} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    environment = {name: value for name, value in describe_environment().items() if name not in NO_MATTER}
    return {
        "parameters": _hash_json(values),
        "data": data.hexdigest(),
        "start": start,
        "code": code.hexdigest(),
        "environment": _hash_json(environment),
    }


def _hash_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _loaded_sources() -> set[tuple[str, Path]]:
    """Return the name and file of each of the project's modules that this process has loaded."""
    return {
        (getattr(getattr(module, "__spec__", None), "name", None) or name, Path(file))
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in ("humbleyolo", "stages", "__main__")
        and (file := getattr(module, "__file__", None))
    }


def _bytes_of(array: Array) -> memoryview:
    """Return an array's bytes, without a copy if they lie in order already."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
