"""Work on a Dask cluster, where Dask's own convention names one: shards go to its workers, results come in order.

`DASK_SCHEDULER_ADDRESS`, or `scheduler-address` of Dask's configuration, decides. That is no parameter: bytes do not
depend on it. The workers need no disk in common with this machine; docs/cluster.md says how to start them.
"""

import logging
import pickle
import secrets
import sys
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tqdm import tqdm

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.process.cluster_address import cluster_address, how_to_start_workers, naming, read_configuration
from humbleyolo.process.cluster_calls import ask_workers, reaches, scheduler_there
from humbleyolo.process.shard_runner import Refused, describe_worker, differences, hold, run_shard
from humbleyolo.process.terminal import counted, first_few, printable
from humbleyolo.process.versions import COMPUTING, describe_installation, numeric_instructions

Task = TypeVar("Task")
Result = TypeVar("Result")

_PER_WORKER = 3  # shards sent and results held, per worker
_SENT_BYTES = 1 << 29  # and of what was sent, at most, unless one shard alone is more
_TRIES = 3  # of a shard that fails for another reason than its input
_LOOK_S = 1.0
_NO_WORKER_S = 60.0  # until a cluster without a worker is given up, unless Dask's configuration says otherwise
_CONNECT_S = 10.0
_SCHEDULER = "the scheduler"
_TOKENS = Path(".humbleyolo")  # of the project, and not in git


class _Sent(NamedTuple):
    """A task under way: its number, its future, and how many bytes were sent."""

    number: int
    future: Any
    length: int


@dataclass(frozen=True)
class Cluster:
    """A connection to a scheduler whose workers have the same versions as this process.

    Attributes:
        address: The scheduler's address.
        client: Dask's client.
        shared: A file of the project's folder that the workers see, as long as this connection lives; None if they
            do not.
        unlike: Workers whose processors compute floats with other instructions, in words; empty if there are none.
    """

    address: str
    client: Any
    shared: Path | None
    unlike: str

    def shares(self, path: Path) -> bool:
        """Tell if the workers can read a file themselves: it lies in the project's folder, which they share."""
        return self.shared is not None and path.resolve().is_relative_to(Path.cwd())

    def workers(self) -> int:
        """Return the number of workers now."""
        return len(self.names())

    def names(self) -> list[str]:
        """Return the addresses of the workers now.

        Raises:
            UserError: If the scheduler is gone.
        """
        with scheduler_there(self.address, self.client):
            return sorted(self.client.nthreads())

    def start_each(self, names: Sequence[str], work: Callable[..., Any], tasks: Sequence[Any]) -> list[Any]:
        """Start `work(task)` on each of the named workers, with its own task; return Dask's futures.

        Work that is lost is not started anew elsewhere.
        """
        with scheduler_there(self.address, self.client):
            sent, futures = pickle.dumps(work), []
            for name, task in zip(names, tasks, strict=True):
                arguments = (run_shard, sent, pickle.dumps(task), self._here())
                futures.append(self._submit(*arguments, workers=[name], allow_other_workers=False))
            return futures

    def _here(self) -> tuple[dict[str, str], str | None]:
        return describe_installation(), str(self.shared) if self.shared else None

    def map_in_order(
        self,
        work: Callable[..., Result],
        tasks: Iterable[Task],
        folder: Path | None = None,
        names: Iterable[str] = (),
    ) -> Generator[Result]:
        """Yield `work(task)` for each task, in order; tasks are taken as workers get free, three ahead of each.

        With a folder, each call is `work(copy, task)`: its files `names` are sent to each worker once. Shards of a
        worker that dies are computed anew by another.

        Raises:
            UserError: As `work` does; if the scheduler is gone, no worker is left, or a shard kills its workers.
        """
        for _, result in self._map(work, tasks, folder, names, deque.popleft):
            yield result

    def _map(
        self,
        work: Callable[..., Result],
        tasks: Iterable[Task],
        folder: Path | None,
        names: Iterable[str],
        take: Callable[[deque[_Sent]], _Sent],
    ) -> Generator[tuple[int, Result]]:
        """Yield the number of a task and its result; `take` takes the next one out of those under way."""
        client, here = self.client, self._here()
        paths = {name: folder / name for name in names} if folder is not None else {}
        # Of missing ones `work` tells.
        contents = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
        sent, waiting, held = pickle.dumps(work), deque[_Sent](), 0
        try:
            with scheduler_there(self.address, client):
                files = self._submit(hold, contents) if folder is not None else None
                limit, looked = _PER_WORKER * max(self.workers(), 1), time.monotonic()
                for number, task in enumerate(tasks):
                    packed = pickle.dumps(task)
                    future = self._submit(run_shard, sent, packed, here, files, retries=_TRIES - 1)
                    waiting.append(_Sent(number, future, len(packed)))
                    held += len(packed)
                    if time.monotonic() - looked > _LOOK_S:
                        limit, looked = _PER_WORKER * max(self.workers(), 1), time.monotonic()
                    while len(waiting) >= limit or (held > _SENT_BYTES and len(waiting) > 1):
                        one = take(waiting)
                        yield one.number, self._result(one.future)
                        held -= one.length
                while waiting:
                    one = take(waiting)
                    yield one.number, self._result(one.future)
        finally:
            if waiting and client.status == "running":
                with suppress(Exception):  # it may be gone; then there is nothing to cancel
                    client.cancel([one.future for one in waiting], force=True)

    def map_as_they_end(
        self, work: Callable[..., Result], tasks: Iterable[Task], folder: Path, names: Iterable[str]
    ) -> Generator[tuple[int, Result]]:
        """Yield the number of each task, from 0, and its result, as they end; else as `map_in_order` does."""
        return self._map(work, tasks, folder, names, self._take_ended)

    def _take_ended(self, waiting: deque[_Sent]) -> _Sent:
        """Take out the first task that has ended."""
        self._wait([one.future for one in waiting])
        chosen = next(one for one in waiting if one.future.done())
        waiting.remove(chosen)
        return chosen

    def _submit(self, *arguments: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # a shard holds what it reads
            return self.client.submit(*arguments, pure=False, **options)

    def _wait(self, futures: list[Any]) -> None:
        """Wait until one of the shards has ended; say so while there is no worker."""
        from distributed import wait

        alone_since = None
        while True:
            with self.client.as_current(), suppress(TimeoutError):
                wait(futures, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
            if any(future.done() for future in futures):
                return
            if self.workers():
                alone_since = None
            elif alone_since is None:
                alone_since = time.monotonic()
                _say(f"{self.address} has no worker left; waiting for one")
            elif time.monotonic() - alone_since > _patience_s():
                raise _nobody_came(self.address)

    def _result(self, future: Any) -> Any:
        """Wait for a shard, and return its result."""
        from distributed import KilledWorker

        self._wait([future])
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                raise UserError(
                    f"{self.address}: {error.allowed_failures + 1} workers died at one shard, as they do if memory "
                    "runs out; give them more (`dask worker --memory-limit`), or make the images smaller"
                ) from None
            if isinstance(error, OSError):
                raise UserError(f"{self.address}: a worker failed {_TRIES} times at one shard: {error}") from None
        result = future.result()
        if isinstance(result, Refused):
            raise result.error
        return result


def find_cluster() -> Cluster | None:
    """Return the cluster that Dask's convention names, connected and checked once per process; None without one.

    Raises:
        UserError: If the scheduler does not answer, or no worker comes.
        ProblemsError: With each worker that has other versions than this process.
    """
    address = cluster_address()
    return None if address is None else _connect(address)


@cache
def _connect(address: str) -> Cluster:
    with read_configuration():
        from distributed import Client
        from distributed.comm import parse_address
        from distributed.security import Security

    for name in ("distributed", "distributed.client"):  # their errors are told here, in words
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    scheme, place = parse_address(address)
    if scheme == "tcp" and Security().require_encryption:
        raise UserError(
            f"{naming()} is {address}, but distributed.comm.require-encryption of Dask's configuration is true; a "
            f"scheduler with TLS has an address such as tls://{place}"
        )
    try:
        if scheme == "tls" and not Security().get_connection_args("client").get("ssl_context"):
            raise ValueError("Dask's configuration names no certificates under distributed.comm.tls")
        client = Client(address, timeout=_CONNECT_S, set_as_default=False, direct_to_workers=False)
    except (OSError, TimeoutError, ValueError, ImportError, RuntimeError) as error:
        raise UserError(
            f"{naming()} is {address}, but no scheduler answers there ({error}); start it with `dask scheduler`, or "
            f"unset {naming()}"
        ) from None
    with scheduler_there(address, client):
        if not client.nthreads():
            _say(f"{address} has no worker yet; waiting for one")
        try:
            client.wait_for_workers(1, timeout=_patience_s())
        except TimeoutError:
            raise _nobody_came(address) from None
        _refuse_threads(address, dict(client.nthreads()))
        first = min(client.nthreads(), default=None)
    # Else each result would wait until a connection is given up.
    client.direct_to_workers = first is not None and reaches(first)
    token = _make_token()
    forget = weakref.finalize(client, _remove_token, token)  # also if this process ends
    found = ask_workers(address, client, describe_worker, str(token))
    try:
        scheduler = client.run_on_scheduler(describe_worker, str(token))
    except Exception as error:  # noqa: BLE001 - it is the scheduler's, of any kind
        scheduler = error
    _refuse_others(address, {_SCHEDULER: scheduler, **{f"worker {name}": one for name, one in found.items()}})
    shared = all(one["shared"] == "yes" for one in found.values())
    if not shared:
        forget()
    here = numeric_instructions()
    unlike = [name for name, one in sorted(found.items()) if one["instructions"] != here]
    reads = "they share the project's folder" if shared else "what they read is sent to them"
    _say(f"work runs on the cluster {address}: {counted(len(found), 'worker')}; {reads}")
    if not client.direct_to_workers:
        which = first or "the workers"
        _say(f"note: this machine does not reach {which}; results come through the scheduler, which is slower")
    return Cluster(address, client, token if shared else None, first_few(unlike, 3))


def _refuse_threads(address: str, threads: dict[str, int]) -> None:
    """Refuse workers of several threads: one would compute, and hold up shards that others could take.

    Raises:
        ProblemsError: With each of them.
    """
    if several := [f"worker {name} has {count} threads" for name, count in sorted(threads.items()) if count > 1]:
        head = f"{address}: a worker computes one shard at a time; start one process per core, with `--nthreads 1`"
        raise ProblemsError(head, several)


def _refuse_others(address: str, found: dict[str, Any]) -> None:
    """Refuse machines whose package or libraries differ from this process'.

    Raises:
        ProblemsError: With each of them; or with those that died while they were asked.
    """
    # Dask's errors of connections are OSErrors.
    if gone := [f"{name}: {there}" for name, there in sorted(found.items()) if isinstance(there, OSError)]:
        raise ProblemsError(f"{address}: machines that do not answer; start them again, then the stage", gone)
    here, problems = describe_installation(), []
    wanted = {name: version for name, version in here.items() if name not in COMPUTING}
    for name, there in sorted(found.items()):
        if isinstance(there, Exception):
            problems.append(f"{name} cannot run this package: {there}; install it there, of this version")
        elif differing := differences(wanted if name == _SCHEDULER else here, there):
            problems.append(f"{name} has {differing}; install what this machine has there, and start it again")
    if problems:
        raise ProblemsError(f"{address}: machines of other versions, which may make other bytes", problems)


def _make_token() -> Path:
    """Make a file in the project's folder: a worker that sees it shares the folder."""
    path = (_TOKENS / f"shared-{secrets.token_hex(8)}").resolve()
    with suppress(OSError):  # a folder that cannot be written is not shared
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return path


def _remove_token(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()  # only if it is empty


def _patience_s() -> float:
    import dask
    from dask.utils import parse_timedelta

    configured = dask.config.get("distributed.scheduler.no-workers-timeout", None)
    return float(parse_timedelta(configured)) if configured else _NO_WORKER_S


def _nobody_came(address: str) -> UserError:
    start = how_to_start_workers(address)
    return UserError(f"{address}: no worker came in {_patience_s():.0f} s; {start}, or unset {naming()}")


def _say(text: str) -> None:
    """Print a line to standard error, above a progress bar where one is shown."""
    tqdm.write(printable(text), file=sys.stderr)
