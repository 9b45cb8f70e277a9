"""Files and folders that appear whole or not at all."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from humbleyolo.errors import UserError
from humbleyolo.storage.partial_files import folder_of, has_locks, held_partial

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EIO: "the disk failed (input/output error)",
    errno.ENOENT: "no such folder",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where the file is needed",
    errno.EFBIG: "the file is larger than this disk allows",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "a link leads to itself",
    errno.EBADF: "it is not open for writing",
    errno.EPIPE: "its reader has gone",
}
# Errors that can only come from writing; others in the body of `atomic_write` are the body's own.
_FROM_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}
_FROM_WRITING_THROUGH = {errno.EBADF, errno.EPIPE}
_OPEN_FILES = re.compile(r"/dev/fd|/proc/(?P<process>\d+)(/task/\d+)?/fd")  # folders of the open files of processes
_MOST_LINKS = 40  # as Linux has it


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside `path` for what takes that name later; it goes in the end.

    A kill can leave it behind; the next writer of `path` removes it.

    Raises:
        UserError: If it cannot be made, or an `OSError` leaves the block.
    """
    try:
        with held_partial(path) as (partial, _):
            folder = folder_of(partial)
            shutil.rmtree(folder, ignore_errors=True)
            try:
                folder.mkdir()
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise cannot_write(path, error) from None


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing (and reading back) that takes its name only once it is whole.

    The bytes go to a hidden file in the same folder, `partial_path`. When the body ends without an
    error they are flushed to the disk and the file is renamed over `path`. Otherwise it is removed, and the file at
    `path` stays as it was. A kill can leave the hidden file behind, never a part under `path`; the next writer of
    `path` removes it. Of several writers at a time, the last to end decides what `path` holds.

    Args:
        path: Place of the file, in a folder that exists.

    Yields:
        The open binary file, seekable.

    Raises:
        UserError: If the file cannot be written: full disk, read-only folder, missing folder.
    """
    with ExitStack() as stack:
        try:
            partial, file = stack.enter_context(held_partial(path))
        except OSError as error:
            raise cannot_write(path, error) from None
        try:
            yield file
        except OSError as error:
            if error.errno in _FROM_WRITING:
                raise cannot_write(path, error) from None
            raise
        try:
            file.flush()
            os.fsync(file.fileno())
            if not has_locks():
                file.close()  # Windows renames no open file; elsewhere it is held until it has its name
            partial.replace(path)
            _sync_folder(path.parent)
        except FileNotFoundError:
            raise UserError(f"{path}: cannot be written: its unfinished file or its folder was removed") from None
        except OSError as error:
            raise cannot_write(path, error) from None


@contextmanager
def write_output(path: Path) -> Iterator[BinaryIO]:
    """Open the file that a user names: the target of a link, a device and a pipe are written to as they are.

    So is an open file of a process (`/dev/stdout`, `/proc/self/fd/3`), from its place on. Any other file appears as
    with `atomic_write`, which would replace these.

    Raises:
        UserError: If it cannot be written.
    """
    target = target_of(path)
    try:
        through = _open_through(target)
    except OSError as error:
        raise cannot_write(path, error) from None
    if through is None:
        with atomic_write(target) as file:
            yield file
        return
    try:
        with through:
            yield through
    except OSError as error:
        if error.errno in _FROM_WRITING | _FROM_WRITING_THROUGH:
            raise cannot_write(path, error) from None
        raise


def target_of(path: Path) -> Path:
    """Follow links one by one, as far as to an open file of a process, whose link names what it was opened as.

    Raises:
        UserError: If they lead nowhere, the name is too long, or a folder is closed.
    """
    target = path
    try:
        for _ in range(_MOST_LINKS):
            if not target.is_symlink() or _open_file(target):
                return target
            target = target.parent / target.readlink()
    except OSError as error:
        raise cannot_write(path, error) from None
    raise cannot_write(path, OSError(errno.ELOOP, ""))


def _open_through(path: Path) -> BinaryIO | None:
    """Open what must not be replaced; return None for a file, or nothing, which may be.

    Raises:
        OSError: If it cannot be opened, or is a folder.
    """
    open_file = _open_file(path)
    if open_file and path.name.isdecimal() and open_file["process"] in (None, str(os.getpid())):
        return os.fdopen(os.dup(int(path.name)), "wb")  # a file opened anew would begin at its start
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "")
    return path.open("wb") if path.exists() and (open_file or not path.is_file()) else None


def _open_file(path: Path) -> re.Match[str] | None:
    """Return the match of a path among the open files of a process."""
    return _OPEN_FILES.fullmatch(os.path.realpath(path.parent))


def require_output(path: Path) -> None:
    """Make sure, before any work, that `write_output` can make a file, or replace it; nothing changes yet.

    Devices, pipes and open files are not tried.

    Raises:
        UserError: If it cannot.
    """
    target = target_of(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "")
        if not _open_file(target) and (target.is_file() or not target.exists()):
            tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise cannot_write(target, error) from None


def make_folder(path: Path) -> Path:
    """Make `path` and missing folders above it, and return it once a file can be made in it.

    Raises:
        UserError: If that is not possible; so called before the work whose outcome shall lie there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except FileExistsError:
        raise UserError(f"{path}: cannot be made: a file stands where a folder is needed") from None
    except OSError as error:
        raise cannot_write(path, error) from None
    return path


def require_space(folder: Path, needed: int) -> None:
    """Make sure, before any work, that the disk of a folder has room for so many bytes.

    Raises:
        UserError: If it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder}: the work needs {_sized(needed)}, and {_sized(free)} are free on its disk; free some space. "
            "DVC's cache needs as much again, unless it links (`dvc config cache.type`)"
        )


def _sized(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return the error to show for an `OSError` of writing `path`."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return UserError(f"{path}: cannot be written: {reason}")


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut; Windows does so by itself."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(OSError):  # some network disks cannot; the file itself is safe and whole
            os.fsync(descriptor)
        os.close(descriptor)
