"""Calls to a cluster: words if its scheduler is gone, or a worker does not answer."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from humbleyolo.errors import UserError
from humbleyolo.process.cluster_address import naming
from humbleyolo.process.shard_runner import write_piece
from humbleyolo.process.terminal import first_few

_ANSWER_S = 120.0  # TensorFlow, which a worker may be asked about, can take a minute to start
_REACH_S = 5.0
_TOLD = 10  # workers in a message
_PIECE_BYTES = 1 << 24  # of a file that workers keep on their disk; the scheduler holds one per worker at most


@contextmanager
def scheduler_there(address: str, client: Any) -> Iterator[None]:
    """Turn any error of Dask's about a scheduler that is gone into words.

    Raises:
        UserError: If the client has lost its connection, or what it had asked for.
    """
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if client.status == "running" and not isinstance(error, CancelledError | CommClosedError):
            raise
        raise UserError(
            f"{address}: the scheduler is gone, and with it what the workers had not yet sent; start it again, or "
            f"unset {naming()}; `dvc repro` goes on with the stage that was stopped"
        ) from None


def ask_workers(
    address: str, client: Any, question: Callable[..., Any], *arguments: Any, workers: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what `question(*arguments)` gives on each worker, at once, whatever else it does; an error as a value.

    With `workers`, only those are asked.

    Raises:
        UserError: If the scheduler is gone, or a worker does not answer for two minutes.
    """
    with scheduler_there(address, client):
        return run_on_workers(address, client, question, *arguments, workers=workers)


def run_on_workers(
    address: str, client: Any, question: Callable[..., Any], *arguments: Any, workers: Sequence[str] | None
) -> dict[str, Any]:
    """Do as `ask_workers`, with Dask's own errors.

    Raises:
        UserError: If a worker does not answer for two minutes.
    """
    found = Future[dict[str, Any]]()

    def ask() -> None:
        try:
            found.set_result(client.run(question, *arguments, workers=workers, on_error="return"))
        except Exception as error:  # noqa: BLE001 - it is raised below
            found.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()  # Dask's own call waits for ever
    if wait([found], timeout=_ANSWER_S).done:
        return found.result()
    now, known = client.run_on_scheduler(time.time), client.scheduler_info(n_workers=-1)["workers"]
    silent = [name for name, one in sorted(known.items()) if now - one["last_seen"] > _ANSWER_S / 2]
    who = first_few(silent, _TOLD) or "a worker"
    have, it = ("have", "them") if len(silent) > 1 else ("has", "it")
    advice = f"as if stopped; let {it} go on, or end {it}"
    raise UserError(f"{address}: {who} {have} not answered for {_ANSWER_S:.0f} s, {advice}")


def reaches(worker: str) -> bool:
    """Tell if this machine reaches a worker's address; a firewall, or a network of containers, may be between."""
    address = urlsplit(worker)
    try:
        with socket.create_connection((address.hostname, address.port or 0), timeout=_REACH_S):
            return True
    except OSError:
        return False


def send_files(address: str, client: Any, names: Sequence[str], key: str, files: dict[str, Path]) -> None:
    """Write files into the folder `sent_folder(key)` of each of the named workers, which may be busy.

    They go in pieces, so that no process holds a whole one.

    Raises:
        UserError: If a worker is gone or cannot write, or the scheduler is gone.
    """
    for name, path in files.items():
        with path.open("rb") as file:
            piece = file.read(_PIECE_BYTES)
            while True:
                told = ask_workers(address, client, write_piece, key, name, piece, workers=names)
                if failed := [f"worker {one}: {error}" for one, error in sorted(told.items()) if error]:
                    raise UserError(f"{address}: {path} cannot be sent: {'; '.join(failed)}")
                if not (piece := file.read(_PIECE_BYTES)):
                    break
