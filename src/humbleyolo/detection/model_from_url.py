"""A model from a git repository, fetched through DVC."""

import os
import re
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import NoReturn

from humbleyolo.errors import UserError
from humbleyolo.models.selection import NAME as SELECTION
from humbleyolo.pipeline.project_folders import MODEL
from humbleyolo.process.exits import exit_with
from humbleyolo.process.terminal import hide_password

_FILES = ("model.json", "weights.npz")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:|.*\.git/?$", re.IGNORECASE)


def is_remote(model: str) -> bool:
    """Return whether a model is named by a git URL: `https://...`, `git@host:...`, or anything ending in `.git`."""
    return _URL.match(model) is not None


def fetch_model(url: str, revision: str | None, folder: Path) -> Path:
    """Fetch `data/model` of a git repository, from its DVC remote or cache, into an existing folder.

    The selection that its evaluation measured comes along if there is one. A process of its own does it, whose
    temporary clones, and what DVC notes of them, lie in `folder` too.

    `revision` is a branch, tag or commit; None: the repository's HEAD. `folder` is that for the model's own folder,
    which is returned.

    Raises:
        UserError: If the repository, the revision or the model cannot be had.
    """
    command = [sys.executable, "-m", __name__, url, revision or "", str(folder)]
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "DVC_SITE_CACHE_DIR"), str(folder))
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 - this module
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip()
        before, _, told = f"\n{text}".partition("\nerror: ")
        told = told or f"{url}: cannot be fetched: {before.rpartition(chr(10))[2]}"
        raise UserError(*hide_password(told).splitlines())
    return folder / "model"


def _fetch(url: str, revision: str, folder: Path) -> None:
    from dvc.api import DVCFileSystem

    at = f"{url} at {revision}" if revision else url
    name, refused = _FILES[0], list[str]()
    try:
        with closing(DVCFileSystem(url, rev=revision or None)) as system:
            _ = system.repo  # the clone, from the host that the user named
            if not Path(url).exists():
                _refuse_ssh(refused)
            (model := folder / "model").mkdir()
            for name in _FILES:
                system.get_file(f"{MODEL}/{name}", str(model / name))
            with suppress(FileNotFoundError):  # without it, the defaults are used and said to be
                system.get_file(f"{MODEL}/{SELECTION}", str(model / SELECTION))
    except FileNotFoundError as error:
        _raise_refusal(at, refused)
        raise UserError(
            f"{at}: has no {MODEL}/{name} that can be fetched ({error}); train and `dvc push` it there, or name "
            "another revision"
        ) from None
    except Exception as error:  # noqa: BLE001 - each kind of remote has exceptions of its own
        _raise_refusal(at, refused)
        cause = error.__cause__ or error
        reason = str(cause).strip() or type(cause).__name__
        if isinstance(cause, ImportError) and cause.name:  # DVC's package for this kind of remote
            reason = f"its remote needs the package {cause.name.replace('_', '-')}, which is not installed"
        raise UserError(f"{at}: cannot be fetched: {reason}") from None


def _refuse_ssh(refused: list[str]) -> None:
    """Connect to no host by SSH from here on, and note those that are asked for in `refused`.

    The repository would name it, and get the keys of this user offered. It may be a remote of DVC, or have the
    repository of a `dvc import`, which is cloned by asyncssh or by `ssh`.
    """
    import asyncssh
    from dulwich.client import SubprocessSSHVendor

    def refuse(host: str) -> NoReturn:
        refused.append(host)
        raise PermissionError(host)

    asyncssh.connect = lambda host="", *_, **__: refuse(host)
    SubprocessSSHVendor.run_command = lambda _, host, *__, **___: refuse(host)  # type: ignore[method-assign]


def _raise_refusal(at: str, refused: list[str]) -> None:
    if refused:
        raise UserError(
            f"{at}: cannot be fetched: the repository names {refused[0]} for its data, over SSH, and no key of yours "
            "is offered there; clone it and `dvc pull` if you trust it, and give the clone"
        ) from None


if __name__ == "__main__":
    exit_with(lambda: _fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
