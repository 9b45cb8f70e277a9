"""The commands that the documents show, run as a reader would run them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# `uv run` and `uv sync` in the environment that the tests run in, where all is installed that they would install.
_UV = """#!/bin/sh
case "$1" in
    run) shift; exec "$@" ;;
    sync) ;;
    *) echo "uv $1: not known to the tests" >&2; exit 2 ;;
esac
"""


def section(document: str, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading!r}"
    return found[1]


def blocks(document: str) -> list[str]:
    """Return each block of commands."""
    return re.findall(r"^```console\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def put(block: str, places: Mapping[str, str]) -> str:
    """Replace addresses in a block by those of the test; each must occur."""
    for shown, real in places.items():
        assert shown in block, f"{shown!r} is not in\n{block}"
        block = block.replace(shown, real)
    return block


class Reader:
    """Somebody with a home of their own, who types commands.

    Args:
        home: An empty folder.
        variables: Of the environment, beside those that every program needs.
    """

    def __init__(self, home: Path, variables: Mapping[str, str]) -> None:
        programs = home / "programs"
        programs.mkdir(parents=True)
        (programs / "uv").write_text(_UV)
        (programs / "uv").chmod(0o755)
        (home / ".gitconfig").write_text("[user]\n\tname = Test\n\temail = test@example.org\n")
        path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        self.environment = kept | {"HOME": str(home), "PATH": os.pathsep.join(path), "DVC_NO_ANALYTICS": "1"}
        self.environment |= variables

    def run(
        self, block: str, folder: Path, *, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a block of commands in a folder, up to the first that fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=600,
        )
        if check and done.returncode:
            raise AssertionError(f"{block}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
        """Start a command, and do not wait for it."""
        return subprocess.Popen(
            command, cwd=folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
