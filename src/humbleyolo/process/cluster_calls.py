"""Calls to a cluster: words if its scheduler is gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from humbleyolo.errors import UserError
from humbleyolo.process.cluster_address import VARIABLE


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
            f"unset {VARIABLE}; `dvc repro` goes on with the stage that was stopped"
        ) from None


def ask_workers(address: str, client: Any, question: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Return what `question(*arguments)` gives on each worker, at once, whatever else it does; an error as a value.

    Raises:
        UserError: If the scheduler is gone.
    """
    with scheduler_there(address, client):
        return dict(client.run(question, *arguments, on_error="return"))
