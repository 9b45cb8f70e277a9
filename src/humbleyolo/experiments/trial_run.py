"""A trial of a search where it runs: on a worker of a cluster, in a temporary folder, through `dvc repro`."""

import logging
import os
import platform
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from humbleyolo.errors import UserError
from humbleyolo.experiments.dvc_environment import dvc_environment
from humbleyolo.process.cluster_address import VARIABLE
from humbleyolo.process.shard_runner import differences, is_unwanted, worker_folder
from humbleyolo.process.versions import numeric_instructions
from humbleyolo.training.progress_bar import read_epoch

SOURCES = "sources.tar"
"""The project's files that git keeps, as they were when the search began."""

MOST_SENT = 1 << 31
"""Bytes of data that go to a trial, unless it sees the cache, or that come back: workers hold them in memory."""

CACHE = Path("cache")
"""DVC's cache, below the folder that has the sources."""

_GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of NVIDIA, AMD, and Linux in Windows
_TELL_GPU = (
    "from humbleyolo.models.tensorflow_setup import runtime_in_force\n"
    "print(', '.join(runtime_in_force().gpus) or 'none')"
)
_HOPELESS = "at epoch {}: hopeless"
_LOOK_S = 0.2
_TOLD = 3  # last lines of a trial that failed
# What takes no link would be copied; a stage writes new files, never into those that it reads.
_CONFIG = "[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n    type = symlink,copy\n"
_DVC = (
    "import sys; from humbleyolo.process.parent_watch import end_with_parents; end_with_parents()\n"
    "from dvc.cli import main\n"
    "sys.exit((sys.argv[1:] and main(['checkout', '--quiet', *sys.argv[1:]])) or main(['repro', '--allow-missing']))"
)


@dataclass(frozen=True)
class TrialTask:
    """A trial to run.

    Attributes:
        params: Text of its `params.yaml`.
        computing: GPU and instructions of the machine that asks, as `describe_computing` returns it.
        cached: The data that it reads: output -> its names in DVC's cache.
        cache: Cache that the worker reads them from itself; None: they are sent along.
        study: Optuna's study, and the number of this trial in it, if a hopeless one is stopped; else None.
    """

    params: str
    computing: dict[str, str]
    cached: dict[str, list[str]]
    cache: Path | None = None
    study: tuple[Any, int] | None = None


@dataclass(frozen=True)
class TrialOutcome:
    """The end of a trial.

    Attributes:
        state: `finished`, `stopped` or `failed`.
        why: Reason, unless it finished.
        aps: AP on val of each epoch that ended, by its number from 1.
        kept: Contents of the files that git keeps and the trial wrote, by their path in the project.
        cached: Contents of its outputs and runs in DVC's cache, by their name there.
    """

    state: str
    why: str
    aps: dict[int, float]
    kept: dict[str, bytes] = field(default_factory=dict)
    cached: dict[str, bytes] = field(default_factory=dict)


def describe_optuna() -> str:
    """Return the versions of Optuna and its connection to Dask."""
    try:
        return ", ".join(f"{name} {metadata.version(name)}" for name in ("optuna", "optuna-integration"))
    except metadata.PackageNotFoundError as missing:
        return f"no {missing.name}"


@cache
def describe_computing() -> dict[str, str]:
    """Return the GPU and the instructions that TensorFlow computes with on this machine."""
    gpu = "none"
    if sys.platform != "linux" or any(Path(device).exists() for device in _GPUS):
        # In a process of its own: TensorFlow stays in memory, and its threads are those of a trial.
        done = subprocess.run(  # noqa: S603 - Python
            [sys.executable, "-c", _TELL_GPU], capture_output=True, text=True, check=False
        )
        gpu = done.stdout.strip() or f"unknown, since TensorFlow does not start: {done.stderr.strip()[-200:]}"
    return {"GPU": gpu, "instructions": numeric_instructions()}


def run_trial(folder: Path, task: TrialTask) -> TrialOutcome:
    """Run a trial's chain; `folder` has `SOURCES`, and `CACHE` with data that are sent along.

    Raises:
        UserError: If this worker, which came later, computes otherwise than the machine that asks.
    """
    if differing := differences(task.computing, describe_computing()):
        raise UserError(f"a worker on {platform.node()} came later, and has {differing}; take machines of one kind")
    with tempfile.TemporaryDirectory(prefix="humbleyolo-trial-", dir=worker_folder()) as own:
        project, store, log = (Path(own) / name for name in ("project", "cache", "log"))
        with tarfile.open(folder / SOURCES) as sources:
            sources.extractall(project, filter=_undated)  # noqa: S202 - a filter it has
        (project / "params.yaml").write_text(task.params, encoding="utf-8")
        lay_config(project, store)
        for name in {name for names in task.cached.values() for name in names}:
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            (store / name).symlink_to((task.cache or folder / CACHE) / name)
        report = _Report(task.study)
        code = None if report.hopeless else _run_chain(project, sorted(task.cached), log, report)
        if code is None:
            return report.outcome("stopped", report.hopeless or "the search ended")
        if code:
            lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
            return report.outcome("failed", " | ".join([line.strip() for line in lines if line.strip()][-_TOLD:]))
        kept = {name: project / name for name in kept_by_git(project) if (project / name).is_file()}
        made = {
            str(path.relative_to(store)): path
            for path in sorted(store.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        size = sum(path.stat().st_size for path in [*kept.values(), *made.values()])
        if size > MOST_SENT:
            told = f"its outputs are {size / 1e9:.1f} GB, and at most {MOST_SENT / 1e9:.1f} GB are sent back"
            return report.outcome("failed", f"{told}; search without the cluster")
        contents = [{name: path.read_bytes() for name, path in files.items()} for files in (kept, made)]
        return report.outcome("finished", "", *contents)


def _undated(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """Refuse a file that would lie elsewhere, and take its date: of a clock that is ahead, it would look edited."""
    return tarfile.data_filter(member, folder).replace(mtime=0, deep=False)


def too_large() -> str:
    """Return the end of a line on data that are too large to be sent to a worker."""
    return (
        f"and at most {MOST_SENT / 1e9:.1f} GB are sent to a worker; let the workers see this folder under its path "
        "(docs/cluster.md), or search without the cluster"
    )


def lay_config(project: Path, cache: Path) -> None:
    """Have a copy of the project use a cache of its own, without git."""
    (project / ".dvc/config.local").write_text(_CONFIG.format(cache=cache), encoding="utf-8")


def kept_by_git(project: Path) -> Iterator[str]:
    """Yield the paths that a run changes and DVC leaves to git."""
    from dvc.repo import Repo

    yield from ("params.yaml", "dvc.lock")
    with Repo(str(project)) as repo:
        yield from (str(Path(out.fs_path).relative_to(project)) for out in repo.index.outs if not out.use_cache)


class _Report:
    """The AP that a trial's training has told, which Optuna's study on the scheduler gets too."""

    def __init__(self, study: tuple[Any, int] | None) -> None:
        self._trial, self._after = None, 0
        self.aps: dict[int, float] = {}
        self.hopeless = ""
        if study:
            import optuna

            optuna.logging.set_verbosity(logging.ERROR)
            self._trial = optuna.trial.Trial(*study)
            before = self._trial.study._storage.get_trial(study[1])  # of a worker that died
            self._after = max(before.intermediate_values, default=0)  # the same epochs come again
            if before.state == optuna.trial.TrialState.PRUNED:
                self.aps, self.hopeless = dict(before.intermediate_values), _HOPELESS.format(self._after)
            elif before.state.is_finished():
                self._trial = None  # what it tells is known

    def take(self, line: str) -> None:
        """Note a line of the log, and if the trial is hopeless after it."""
        if self.hopeless or not (told := read_epoch(line)):
            return
        epoch, last, ap = told
        self.aps[epoch] = ap
        if self._trial is not None and epoch > self._after:
            self._trial.report(ap, epoch)
            if epoch < last and self._trial.should_prune():
                self.hopeless = _HOPELESS.format(epoch)

    def outcome(self, state: str, why: str, *files: dict[str, bytes]) -> TrialOutcome:
        """Return the outcome, and tell it to the study."""
        if self._trial is not None and (state != "stopped" or self.hopeless):
            from optuna.trial import TrialState

            # A trial without an epoch of its own has nothing that others can be compared with.
            finished = state == "finished" and self.aps
            told = TrialState.COMPLETE if finished else TrialState.PRUNED if state == "stopped" else TrialState.FAIL
            value = max(self.aps.values()) if finished else None
            self._trial.study.tell(self._trial.number, value, state=told, skip_if_finished=True)
        return TrialOutcome(state, why, self.aps, *files)


def _run_chain(project: Path, outs: list[str], log: Path, report: _Report) -> int | None:
    """Run `dvc repro` in a project until it ends, is hopeless or is no longer wanted; return its exit code.

    `outs` are laid out from the cache first.
    """
    # Its stages work here, not on the cluster again.
    environment = dvc_environment() | {VARIABLE: "", "DVC_NO_ANALYTICS": "1"}
    with log.open("wb") as out, log.open(encoding="utf-8", errors="replace") as said, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna's, of what is experimental
        process = subprocess.Popen(  # noqa: S603 - DVC
            [sys.executable, "-c", _DVC, *outs],
            cwd=project, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        code, rest = None, ""
        try:
            while code is None and not report.hopeless and not is_unwanted():
                time.sleep(_LOOK_S)
                code = process.poll()
                *lines, rest = (rest + said.read()).split("\n")
                for line in lines:
                    report.take(line)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return code
