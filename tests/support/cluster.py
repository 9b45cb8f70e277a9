"""A Dask cluster as processes of their own on loopback, each in its own working folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

_START_S = 180.0
_QUICK = {  # a scheduler that finds a dead worker at once, and no dashboard
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
}


class LoopbackCluster:
    """A scheduler and workers below a folder, for which another folder is empty where one is `hidden` from them."""

    def __init__(self, folder: Path, hidden: Path | None = None) -> None:
        self.folder, self.hidden = folder, hidden
        self.started: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        said = _wait_for(folder / "scheduler/log", "Scheduler at:")
        self.address = next(
            word for line in said.splitlines() if "Scheduler at:" in line for word in [line.split()[-1]]
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(
        self, options: Sequence[str] = ("--nthreads", "1", "--death-timeout", "120"), **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker under its nanny, and wait until the scheduler has it."""
        name = f"worker{len(self.workers)}"
        worker = self._start(name, "dask_worker", self.address, "--host", "127.0.0.1", *options, **environment)
        self.workers.append(worker)
        _wait_for(self.folder / name / "log", "Starting established connection", "Registered to:")
        return worker

    def _start(self, name: str, module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        place = self.folder / name
        place.mkdir(parents=True)
        # The tests' own settings, such as the address of a cluster, are not those of its processes.
        own = {key: value for key, value in os.environ.items() if not key.startswith("DASK_")}
        hiding = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(self.hidden)]
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(hiding if self.hidden else []),
                    sys.executable,
                    "-m",
                    f"distributed.cli.{module}",
                    *arguments,
                    "--no-dashboard",
                ],
                cwd=place,
                env={**own, **_QUICK, "DASK_TEMPORARY_DIRECTORY": str(place), **environment},
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End all that was started, and what that started."""
        for process in self.started:
            kill_tree(process.pid)
            process.wait()


def kill_tree(pid: int) -> None:
    """Kill a process and its children, as a machine that loses power."""
    try:
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        pass


def worker_processes(nanny: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes that compute under a nanny."""
    found = psutil.Process(nanny.pid).children()
    return [one for one in found if "spawn_main" in " ".join(one.cmdline())]


@contextmanager
def loopback_cluster(folder: Path, workers: int, hidden: Path | None = None) -> Iterator[LoopbackCluster]:
    """Yield a cluster of workers with one thread each, which cannot see into `hidden`; skip where that takes root."""
    if hidden and (sys.platform != "linux" or os.geteuid() != 0):
        pytest.skip("to hide a folder from a process needs root on Linux")
    cluster = LoopbackCluster(folder, hidden)
    try:
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        cluster.close()


def _wait_for(log: Path, *texts: str) -> str:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        said = log.read_text(errors="replace")
        if any(text in said for text in texts):
            return said
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))
