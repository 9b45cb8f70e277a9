"""Hashes of files: SHA-256, and those that DVC writes into `dvc.lock`."""

import hashlib
import json
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dvc_digest(path: Path) -> str:
    """Return DVC's name for the contents of a file, or of a folder with every file in it.

    Returns:
        The MD5 of a file; for a folder, that of the list of its files in JSON, with `.dir` behind it.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, _md5).hexdigest()
    files = [file for file in path.rglob("*") if file.is_file()]
    listed = [{"md5": dvc_digest(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    listed.sort(key=lambda entry: entry["relpath"])
    return _md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


def _md5(content: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(content, usedforsecurity=False)
