"""The part of a cluster's work that runs on its workers: one shard at a time per process, errors as values."""

import hashlib
import pickle
import platform
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humbleyolo.errors import UserError
from humbleyolo.process.versions import describe_installation, numeric_instructions

Files = dict[str, bytes]  # relative name -> contents

_ALONE = threading.Lock()  # filters of warnings, and TensorFlow's threads, belong to the whole process
_FOLDERS: OrderedDict[str, tempfile.TemporaryDirectory[str]] = OrderedDict()  # by the hash of the files in them
_KEPT_FOLDERS = 4
_SENT = "humbleyolo-sent-{}"


@dataclass(frozen=True)
class Refused:
    """A shard's `UserError`; as a value it is not tried again."""

    error: UserError


def describe_worker(token: str) -> dict[str, str]:
    """Return versions and processor of this process, and if it sees the file `token` of whoever asks."""
    shared = "yes" if Path(token).is_file() else "no"
    return describe_installation() | {"instructions": numeric_instructions(), "shared": shared}


def hold(files: Files) -> Files:
    """Return files as they came: a result on a cluster, which moves to each worker once and is made anew if lost."""
    return files


def run_shard(
    work: bytes, task: bytes, here: tuple[dict[str, str], str | None], files: Files | None = None
) -> object:
    """Return `work(task)`, both pickled here; with `files`, `work(folder, task)` of a folder that holds them.

    `here` has the versions of the process that asks, and its file that all workers saw when it began. Another clone
    of the project, at the same path, lacks that file.
    """
    versions, shared = here
    problem = differences(versions, describe_installation())
    if not problem and shared and not Path(shared).is_file():
        problem = f"no file {shared}, as those have that share the project's folder"
    if not problem and (threads := _worker_threads()) > 1:
        problem = f"{threads} threads, not 1 (`--nthreads 1`)"
    if problem:
        return Refused(UserError(f"a worker on {platform.node()} came later, and has {problem}; start all alike"))
    with _ALONE:
        try:
            function, value = pickle.loads(work), pickle.loads(task)  # noqa: S301 - a cluster runs what it is sent
            return function(value) if files is None else function(_folder_of(files), value)
        except UserError as error:
            return Refused(error)


def differences(here: dict[str, str], there: dict[str, str]) -> str:
    """Return the versions that differ, in words; empty if none does."""
    return ", ".join(
        f"{name} {there.get(name, 'none')} (here {wanted})"
        for name, wanted in here.items()
        if there.get(name) != wanted
    )


def write_piece(key: str, name: str, piece: bytes, dask_worker: Any) -> None:
    """Write the next piece of a file below `sent_folder(key)`; Dask passes the worker that this process is."""
    path = Path(dask_worker.local_directory) / _SENT.format(key) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(piece)


def sent_folder(key: str) -> Path:
    """Return the folder of files that `write_piece` wrote on this worker; whoever uses it removes it."""
    return Path(worker_folder() or tempfile.gettempdir()) / _SENT.format(key)


def is_unwanted() -> bool:
    """Tell if whoever asked for the task of Dask that this is has gone or has cancelled it; False if this is none."""
    worker = _this_worker()
    if worker is None:
        return False
    task = worker.state.tasks.get(worker.get_current_task())
    return task is None or task.state == "cancelled"


def worker_folder() -> str | None:
    """Return the folder of the Dask worker that this is, which is removed with it, also after a kill; else None."""
    worker = _this_worker()
    return str(worker.local_directory) if worker else None


def _worker_threads() -> int:
    """Return how many tasks Dask takes this process to compute at a time; 1 where it is no worker."""
    worker = _this_worker()
    return int(worker.state.nthreads) if worker else 1


def _this_worker() -> Any:
    """Return the Dask worker that this process is; None if it is none."""
    try:
        from distributed import get_worker

        return get_worker()
    except (ImportError, ValueError):
        return None


def _folder_of(files: Files) -> Path:
    """Return a folder of this process that holds the files; the last few are kept."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    key = digest.hexdigest()
    if key not in _FOLDERS:
        folder = tempfile.TemporaryDirectory(prefix="humbleyolo-shard-", dir=worker_folder())
        for name, content in files.items():
            path = Path(folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _FOLDERS[key] = folder
        if len(_FOLDERS) > _KEPT_FOLDERS:
            _FOLDERS.popitem(last=False)[1].cleanup()
    _FOLDERS.move_to_end(key)
    return Path(_FOLDERS[key].name)
