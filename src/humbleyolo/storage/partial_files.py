"""Unfinished files beside the paths that they take once they are whole, and what killed writers left of them."""

import os
import re
import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None  # type: ignore[assignment]

_LARGEST_GAP = 16  # in the numbers of unfinished files: writers at a time that end before one that was killed
_MOST_REFUSED = 100  # new files that seem another writer's; as many never come by chance
_FORMER = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)  # as versions before locks named them
_PARTIAL = re.compile(r"\.(.+)\.partial\d*", re.DOTALL)


def has_locks() -> bool:
    """Tell if this system has locks; Windows lets nobody remove, or rename, a file that is open."""
    return fcntl is not None


def partial_path(path: Path, number: int = 1) -> Path:
    """Return the hidden path of an unfinished file beside `path`: `.<name>.partial`, and `.<name>.partial2`.

    Several writers of one path at a time have numbers of their own.
    """
    return path.with_name(f".{path.name}.partial{number if number > 1 else ''}")


def finished_path(partial: Path) -> Path | None:
    """Return the path that an unfinished file takes once it is whole; None if it has no name of an unfinished one.

    Eight hexadecimal digits before `.partial` are taken for those of a former version, not for the end of a name.
    """
    found = _FORMER.fullmatch(partial.name) or _PARTIAL.fullmatch(partial.name)
    return partial.with_name(found[1]) if found else None


def remove_partials(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; unfinished files of writers at work stay."""
    missing = 0
    for number in count(1):
        partial = partial_path(path, number)
        if not os.path.lexists(partial):
            missing += 1
            if missing == _LARGEST_GAP:
                return
            continue
        missing = 0
        with suppress(OSError):  # a writer holds it, it is not ours, or the disk knows no locks
            _remove_left(partial)


def remove_former(folder: Path, names: Container[str]) -> None:
    """Remove what killed writers of former versions left of files of these names; it looks through the folder."""
    for path in folder.glob(".*.partial"):
        found = _FORMER.fullmatch(path.name)
        if found and found[1] in names:
            with suppress(OSError):
                _remove_left(path)


def _remove_left(partial: Path, sure: bool = False) -> None:
    """Remove an unfinished file, and the folder of its name, if no writer holds it.

    Args:
        partial: The unfinished file.
        sure: True if it cannot have become whole meanwhile.

    Raises:
        OSError: If one does, or may.
    """
    if fcntl is None:
        partial.unlink()
        shutil.rmtree(folder_of(partial), ignore_errors=True)
        return
    descriptor = os.open(partial, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if sure or _is_at(os.fstat(descriptor), partial):  # and has not become whole meanwhile
            shutil.rmtree(folder_of(partial), ignore_errors=True)
            partial.unlink()
    finally:
        os.close(descriptor)


def folder_of(partial: Path) -> Path:
    """Return the folder that belongs to whoever holds an unfinished file."""
    return partial.with_name(f"{partial.name}.folder")


def _is_at(file: os.stat_result, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(file, path.lstat())
    return False


@contextmanager
def held_partial(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield an unfinished file of `path` that no other writer takes for left behind; it goes in the end.

    It is locked while it is open, and a kill ends that. On a disk that knows no locks, what a kill left stays.

    Raises:
        OSError: If it cannot be made.
    """
    partial, file, mine = _begin(path)
    try:
        remove_partials(path)
        yield partial, file
    finally:
        if fcntl is None:
            _close(file)
        with suppress(OSError):
            if _is_at(mine, partial):  # it was not finished, and the name is no other writer's yet
                partial.unlink()
        _close(file)


def _begin(path: Path) -> tuple[Path, BinaryIO, os.stat_result]:
    """Make an unfinished file, and return also what tells it from others of its name.

    On some network disks an open file and its path never seem to be one. It is taken unheld then, as without locks.
    """
    refused: list[Path] = []
    for number in count(1):
        partial = partial_path(path, number)
        with suppress(FileExistsError):
            file = partial.open("x+b")
            if _hold(file, partial):
                return partial, file, os.fstat(file.fileno())
            if len(refused) == _MOST_REFUSED:
                for one in refused:
                    with suppress(OSError):
                        _remove_left(one, sure=True)
                return partial, file, partial.lstat()
            file.close()
            refused.append(partial)
    raise AssertionError


def _hold(file: BinaryIO, partial: Path) -> bool:
    """Lock a file that was made now; return False if another writer took it for left behind before that."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the disk knows no locks, so that nobody removes it
        return True
    return _is_at(os.fstat(file.fileno()), partial)


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # a full disk fails again here, where the buffer is flushed
        file.close()
