"""A new folder, or a zip archive of one, that appears whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.storage.atomic import make_folder, partial_folder
from humbleyolo.storage.zip import StoredZipWriter


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` if the block ends without an error, and else goes away.

    If `path` ends in `.zip`, what was written becomes an archive of that name, of the same bytes for the same files.

    Raises:
        UserError: If something is at `path` already, a link too, or it cannot be written.
    """
    if path.is_symlink():
        raise UserError(f"{path}: is a link, which a new folder would replace; give a name that does not exist")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path}: is there already; give a name that does not exist, or remove it")
    make_folder(path.parent)
    with partial_folder(path) as folder:
        yield folder
        if path.exists():
            path.rmdir()
        if path.suffix.lower() == ".zip":
            _pack(folder, path)
        else:
            folder.rename(path)


def _pack(folder: Path, archive: Path) -> None:
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    with StoredZipWriter(archive) as packed:
        for name, path in files:
            packed.add(os.fsencode(name), path.read_bytes())
