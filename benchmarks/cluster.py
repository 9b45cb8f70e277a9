"""Measure the chain on a cluster of this machine beside the process pool: python -m benchmarks.cluster [--workers 2].

Clones the last commit, runs `dvc repro` there in processes of this machine, and copies the clone. Then it runs each
of `--stages` again without any cache, `--rounds` times. The first clone uses processes. The second one uses a
scheduler and workers on loopback, each in a folder of its own. Both take turns, so that they see the same machine.
Training is not among them, since a step in one part runs on this machine anyway. Prints medians of the seconds, and
of those of a core, in all processes together. Then come the cluster's cost in percent of the whole chain, and if
the bytes are those of processes, and the committed ones. The exit code is 0 if they are those of processes. The
working tree must be that commit: workers have its code.
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from humbleyolo.errors import UserError
from humbleyolo.experiments.dvc_lock import differing_outputs, read_lock, read_params

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

from cluster import loopback_cluster  # noqa: E402 - that of the tests

_IDLE_S = 10.0


class Cost(NamedTuple):
    """Seconds by the clock, and seconds of a core in all processes together."""

    seconds: float
    core: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.core:.1f} s of a core)"


def clone(folder: Path) -> Path:
    """Clone the last commit, with a cache of its own."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    dvc(folder, "cache", "dir", "--local", ".dvc/cache")
    return folder


def dvc(folder: Path, *arguments: str, address: str | None = None) -> str:
    """Run DVC with this environment's programs, and return what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "DASK_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    if address:
        environment["DASK_SCHEDULER_ADDRESS"] = address
    ran = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if ran.returncode:
        raise SystemExit(f"dvc {' '.join(arguments)} failed\n{ran.stdout}\n{ran.stderr}")
    return ran.stdout + ran.stderr


def core_seconds(pids: Iterable[int]) -> float:
    """Return the seconds of a core that ended children have taken, and processes that run, with those below them."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    trees = [tree for pid in pids for tree in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    running = [one.cpu_times() for one in trees]
    return ended.ru_utime + ended.ru_stime + sum(one.user + one.system for one in running)


def run(folder: Path, stage: str = "", address: str | None = None, pids: Iterable[int] = ()) -> Cost:
    """Run a stage, or the whole chain, with DVC's own part; `pids` are the processes of a cluster."""
    started, before = time.perf_counter(), core_seconds(pids)
    single = ["--single-item", stage] if stage else []
    said = dvc(folder, "repro", "--force", "--no-run-cache", *single, address=address)
    cost = Cost(time.perf_counter() - started, core_seconds(pids) - before)
    if address and not re.search(r"^work runs on .*$", said, re.MULTILINE):
        raise SystemExit(f"{stage} did not run on the cluster\n{said}")
    return cost


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of both columns."""
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def compare(folder: Path, workers: int, stages: Sequence[str], rounds: int) -> tuple[Path, Path]:
    """Run and print the costs, and return the clones: that of processes and that of the cluster."""
    pool, cluster = clone(folder / "pool"), folder / "cluster"
    whole = run(pool)
    print(f"the whole chain in processes: {whole}", flush=True)
    shutil.copytree(pool, cluster, symlinks=True)
    with loopback_cluster(folder / "started", workers) as started:
        pids, address, more = [process.pid for process in started.started], started.address, Cost(0.0, 0.0)
        before = core_seconds(pids)
        time.sleep(_IDLE_S)
        print(f"the cluster, idle: {100 * (core_seconds(pids) - before) / _IDLE_S:.1f} % of a core", flush=True)
        for stage in stages:
            turns = [(run(pool, stage), run(cluster, stage, address, pids)) for _ in range(rounds)]
            here, there = (median(costs) for costs in zip(*turns, strict=True))
            more = Cost(more.seconds + there.seconds - here.seconds, more.core + there.core - here.core)
            print(f"{stage}: {here} in processes, {there} on {workers} workers", flush=True)
    parts = ", ".join(f"{100 * one / of:+.1f} %" for one, of in zip(more, whole, strict=True))
    print(f"the cluster's cost for the whole chain, in seconds and in those of a core: {parts}")
    return pool, cluster


def main() -> int:
    """Print the comparison, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stages", nargs="+", default=["generate", "encode", "evaluate"])
    parsed = parser.parse_args()
    committed = read_lock((ROOT / "dvc.lock").read_text(encoding="utf-8"), "dvc.lock")
    with tempfile.TemporaryDirectory(prefix="humbleyolo-cluster-") as folder:
        places = compare(Path(folder), parsed.workers, parsed.stages, parsed.rounds)
        pool, cluster = (read_lock((one / "dvc.lock").read_text(encoding="utf-8"), "dvc.lock") for one in places)
        inputs = str(read_params(places[0])["dataset"]["inputs"])
        differ = differing_outputs(pool, cluster, inputs)
        print(f"the cluster's bytes: {f'others in {differ}' if differ else 'those of processes'}")
        try:
            others = differing_outputs(committed, cluster, inputs)
            print(f"the committed bytes: {f'others in {others}' if others else 'the same'}")
        except UserError as error:  # changed code, of which no run is committed yet
            print(f"the committed bytes: not compared: {error}")
    return 1 if differ else 0


if __name__ == "__main__":
    raise SystemExit(main())
