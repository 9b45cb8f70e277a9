"""Work cut into shards: done here when it is small, by a process a core when it is not.

Results come in the order of the tasks and do not depend on who computed them, so that neither do any bytes.
"""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from humbleyolo.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")

_PATIENCE_S = 1.0  # of work that is done here before a pool, which takes about as long to start, is worth it


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int | None = None,
    patience_s: float = _PATIENCE_S,
) -> Iterator[Result]:
    """Yield `work(task)` for each task, in order, with few results in memory at a time.

    Args:
        work: A pure function that can be pickled.
        tasks: What can be pickled, each small.
        processes: At most so many; None: one for each available core.
        patience_s: The first tasks are done in this process, for so many seconds.

    Raises:
        UserError: Where a process was killed from outside, for example because memory ran out.
    """
    processes = available_cores() if processes is None else processes
    started = time.monotonic()
    done = 0
    while done < len(tasks) and (processes < 2 or time.monotonic() - started < patience_s):
        yield work(tasks[done])
        done += 1
    rest = tasks[done:]
    if not rest:
        return
    # A fork of a process that has threads can hang, so the processes are started afresh.
    with ProcessPoolExecutor(
        min(processes, len(rest)), multiprocessing.get_context("spawn"), initializer=_ignore_interrupt
    ) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in rest:
                waiting.append(pool.submit(work, task))
                if len(waiting) > 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed from outside; if memory ran out, make the images smaller"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the process that started this one, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
