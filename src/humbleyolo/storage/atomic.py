"""Files that appear whole or not at all."""

import errno
import glob
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from humbleyolo.errors import UserError

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
}
# Errors that can only come from writing; others in the body of `atomic_write` are the body's own.
_FROM_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing (and reading back) that takes its name only once it is whole.

    The bytes go to a hidden file `.<name>.<random>.partial` in the same folder. When the body ends without an
    error they are flushed to the disk and the file is renamed over `path`. Otherwise it is removed, and the file at
    `path` stays as it was. A kill can leave the hidden file behind, never a part under `path`; the next writer of
    `path` removes it. So only one may write to `path` at a time (DVC sees to that).

    Args:
        path: Place of the file, in a folder that exists.

    Yields:
        The open binary file, seekable.

    Raises:
        UserError: If the file cannot be written: full disk, read-only folder, missing folder.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        for left_behind in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
            left_behind.unlink(missing_ok=True)
        file = partial.open("x+b")
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        try:
            yield file
        except OSError as error:
            if error.errno in _FROM_WRITING:
                raise cannot_write(path, error) from None
            raise
        try:
            file.flush()
            os.fsync(file.fileno())
            file.close()
            partial.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise cannot_write(path, error) from None
    finally:
        with suppress(OSError):  # a full disk fails again here, where the buffer is flushed
            file.close()
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def write_output(path: Path) -> Iterator[BinaryIO]:
    """Open the file that a user names: the target of a link, a device and a pipe are written to as they are.

    Any other file appears as with `atomic_write`, which would replace these.

    Raises:
        UserError: If it cannot be written.
    """
    through = None
    try:
        if path.parent in (Path("/dev"), Path("/dev/fd")) or (
            path.exists() and not (path.is_file() or path.is_dir())
        ):
            through = path.open("wb")
        named = path.resolve() if path.is_symlink() else path
    except OSError as error:  # also for a look at a name that is too long, or in a folder that is closed
        raise cannot_write(path, error) from None
    except RuntimeError:  # of `resolve`
        raise UserError(f"{path}: cannot be written: a link leads to itself") from None
    if through:
        with through:
            yield through
    else:
        with atomic_write(named) as file:
            yield file


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
