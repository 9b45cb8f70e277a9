"""Hashes of files: SHA-256, and those that DVC writes into `dvc.lock`."""

import hashlib
import json
from pathlib import Path

from humbleyolo.storage.dvc_files import dvc_files


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dvc_digest(path: Path, project: Path) -> str:
    """Return DVC's name for the contents of a file, or of a folder with every file in it that DVC sees.

    Args:
        path: The file or the folder.
        project: The folder of `dvc.yaml`, whose rules of ignored files hold.

    Returns:
        The MD5 of a file; for a folder, that of the list of its files in JSON, with `.dir` behind it.

    Raises:
        UserError: As for `dvc_files`.
    """
    if path.is_file():
        return _md5_of(path)
    files = [file for file in dvc_files(path, project) if file.is_file()]
    listed = [{"md5": _md5_of(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    listed.sort(key=lambda entry: entry["relpath"])
    return _md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def _md5(content: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(content, usedforsecurity=False)
