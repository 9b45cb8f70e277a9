"""Calls to a cluster: words if its scheduler is gone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from humbleyolo.errors import UserError
from humbleyolo.process.cluster_address import naming
from humbleyolo.process.shard_runner import write_piece

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
        UserError: If the scheduler is gone.
    """
    with scheduler_there(address, client):
        return dict(client.run(question, *arguments, workers=workers, on_error="return"))


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
