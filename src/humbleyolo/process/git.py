"""Git, through its command line: its words, and the versions of a file."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from humbleyolo.errors import UserError


def git(folder: Path, *arguments: str, **variables: str) -> str:
    """Run git in a folder, with further environment variables, and return what it printed.

    Raises:
        UserError: If git refuses, with its words.
    """
    command = ["git", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - git
            command, cwd=folder, env=os.environ | variables, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise UserError("git is not there; install it") from None
    if done.returncode:
        raise UserError(*f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}".splitlines())
    return done.stdout.decode(errors="replace")


def at_head(file: Path) -> str | None:
    """Return the text of a file in HEAD; None if HEAD has no such file, or there is no repository."""
    try:
        return git(file.parent, "show", f"HEAD:./{file.name}")
    except UserError:
        return None


def versions(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each version of a file in the history of HEAD, the newest first.

    Versions that a merge has dropped are among them. Outside a repository there are none.
    """
    folder, name = file.parent, file.name
    try:
        commits = git(folder, "log", "--full-history", "--format=%h", "--", name).split()
    except UserError:
        return
    for commit in commits:
        try:
            yield f"{name} of commit {commit}", git(folder, "show", f"{commit}:./{name}")
        except UserError:  # removed in this commit, or beyond a shallow clone
            continue
