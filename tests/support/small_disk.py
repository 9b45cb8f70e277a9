"""A disk of a few pages, mounted for a test: it can be filled, made larger and made read-only."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A tmpfs at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remount(self, options: str) -> None:
        """Change what the disk is: `size=8k`, `ro`, `rw`."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)


@contextmanager
def small_disk(path: Path | None = None, size: str = "1m") -> Iterator[SmallDisk]:
    """Mount a disk of so many bytes on an empty folder, a new one where none is given; skip where that cannot be."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk needs root on Linux")
    own = None if path else Path(tempfile.mkdtemp())
    folder = path or own
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        if mounted.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
        try:
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        if own:
            own.rmdir()
