"""Workers for work cut into shards: those of a cluster where there is one, else a process pool.

Results come in the order of the tasks and do not depend on the process that computed them; so no bytes do. Little
work is done in this process.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TypeVar

from humbleyolo.errors import UserError
from humbleyolo.process.cluster import find_cluster
from humbleyolo.process.exits import STOPPING, heeded
from humbleyolo.process.parent_watch import WATCH

Task = TypeVar("Task")
Result = TypeVar("Result")

# Seconds of work that are done here first: about as long as processes take to start.
_PATIENCE_S = {"fork": 0.05, "spawn": 1.0}

_MEANWHILE_S = 0.2


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    work: Callable[..., Result],
    tasks: Sequence[Task],
    *,
    processes: int | None = None,
    patience_s: float | None = None,
    folder: Path | None = None,
    names: Sequence[str] = (),
) -> Generator[Result]:
    """Yield `work(task)` for each task, in order, holding three results per process at most.

    `work` is a pure function, and tasks are small values; both can be pickled. With a folder, each call is
    `work(folder, task)`, and reads only its files `names`. At most `processes` of this machine are used; None: the
    cluster that Dask's convention names, else one per available core. This process works alone for `patience_s`
    seconds first; None: as long as processes take to start.

    Raises:
        UserError: If a process was killed from outside, for example because memory ran out; see also `find_cluster`.
    """
    if processes is None and (cluster := find_cluster()):
        yield from cluster.map_in_order(work, tasks, folder, names)
        return
    work = work if folder is None else partial(work, folder)
    processes = available_cores() if processes is None else processes
    method = _start_method()
    patience_s = _PATIENCE_S[method] if patience_s is None else patience_s
    started = time.monotonic()
    done = 0
    while done < len(tasks) and (processes < 2 or time.monotonic() - started < patience_s):
        yield work(tasks[done])
        done += 1
    rest = tasks[done:]
    if not rest:
        return
    pool = ProcessPoolExecutor(
        min(processes, len(rest)), multiprocessing.get_context(method), initializer=_start_worker
    )
    waiting: deque[Future[Result]] = deque()
    try:
        for task in rest:
            with warnings.catch_warnings(), _signals_held():
                # Python 3.12 warns of every fork beside a thread, also NumPy's, which is made for that.
                warnings.simplefilter("ignore", DeprecationWarning)
                waiting.append(pool.submit(work, task))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        time.sleep(_MEANWHILE_S)  # a signal that ended a worker may be on its way to this process too
        raise UserError(
            "a worker process was killed from outside, as the system does if memory runs out; make the images "
            "smaller, or use one core: `taskset -c 0 dvc repro`"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_method() -> str:
    """Return the method to start processes: a fork in 20 ms if that is safe, else a new one in 600 ms.

    A fork of a process with threads can hang on a lock that one of them held. NumPy's own (OpenBLAS) ends its
    threads for a fork; TensorFlow does not.
    """
    others = [thread for thread in threading.enumerate() if thread.name != WATCH]
    alone = len(others) == 1 and "tensorflow" not in sys.modules
    return "fork" if sys.platform == "linux" and alone else "spawn"


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals that stop this process back until the body ends; processes that it starts inherit the hold."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """Leave a terminal's signals to the process that started this one, and end with it even if it is killed."""
    for number in heeded():
        terminals = number != signal.SIGTERM
        signal.signal(number, signal.SIG_IGN if terminals else signal.SIG_DFL)  # the other process has the word
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
