"""The address of a cluster's scheduler, where Dask's own convention names one."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.process.extras import how_to_install

VARIABLE = "DASK_SCHEDULER_ADDRESS"
"""The environment variable that names it; `scheduler-address` of Dask's configuration does so too."""

_CONFIGURED = ("/etc/dask", f"{sys.prefix}/etc/dask", "~/.config/dask")


def cluster_address() -> str | None:
    """Return the scheduler's address where Dask's convention names one; None: work stays on this machine.

    Raises:
        UserError: If it is named, but Dask is not installed, or if Dask cannot read its configuration.
    """
    named = os.environ.get(VARIABLE)
    if not named and not _configurations():
        return None  # without the time that an import of Dask takes
    if importlib.util.find_spec("distributed") is None:
        if not named:
            return None
        raise UserError(
            f"{VARIABLE} is {named}, but the package distributed is missing; unset the variable, or install it with "
            + how_to_install("cluster")
        )
    if named:
        return named
    with read_configuration():
        import dask.config

    address = dask.config.get("scheduler-address", None)
    return str(address) if address else None


def naming() -> str:
    """Return what names the scheduler: the variable, or a line of Dask's configuration."""
    return VARIABLE if os.environ.get(VARIABLE) else "scheduler-address of Dask's configuration"


def how_to_start_workers(address: str) -> str:
    """Return the advice where workers are missing."""
    return f"start some with `dask worker {address} --nthreads 1`"


def _configurations() -> list[str]:
    """Return the files and folders of Dask's configuration that are there."""
    named = os.environ.get("DASK_CONFIG") or "~/.config/dask"
    paths = dict.fromkeys(Path(place).expanduser() for place in (named, *_CONFIGURED))
    return [str(path) for path in paths if os.access(path, os.R_OK)]


@contextmanager
def read_configuration() -> Iterator[None]:
    """Turn an error of an import of Dask, which reads its configuration, into words.

    Raises:
        UserError: If Dask cannot read it.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a wrong value can raise any kind
        places = ", ".join(_configurations()) or "the variables DASK_*"
        raise UserError(
            f"{places}: Dask cannot read its configuration: {' '.join(str(error).split())}; mend that file, or move "
            "it away"
        ) from None
