"""A search on a cluster: its trials run side by side on the workers, and become DVC's experiments here.

Each trial is the project's snapshot with other parameters. Workers need no disk in common with this machine. They get
the files that git keeps, and of DVC's cache the data that the stages to run read.
"""

import hashlib
import json
import logging
import os
import platform
import secrets
import tarfile
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pandas as pd

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.experiments.dvc_lock import read_lock
from humbleyolo.experiments.saved_experiments import Snapshot
from humbleyolo.experiments.trial_run import (
    CACHE,
    MOST_SENT,
    SOURCES,
    TrialOutcome,
    TrialTask,
    describe_computing,
    describe_optuna,
    lay_config,
    run_trial,
    too_large,
)
from humbleyolo.experiments.trials import Trial, assignments
from humbleyolo.pipeline.changed_dependencies import value_at
from humbleyolo.process.cluster import Cluster
from humbleyolo.process.cluster_calls import ask_workers, scheduler_there
from humbleyolo.process.extras import how_to_install
from humbleyolo.process.shard_runner import differences
from humbleyolo.process.terminal import tell
from humbleyolo.storage.atomic import atomic_write, make_folder
from humbleyolo.storage.table_writer import write_table

TABLE = Path("search.csv")

_FINISHED_FIRST = 4  # trials with an AP at an epoch, before one is compared with them
_HOPELESS_PERCENT = 25.0  # percentile of their APs, below which a trial is stopped
_EARLIER = TrialOutcome("finished", "in an earlier search", {})


def search_on_cluster(cluster: Cluster, trials: Sequence[Trial], hopeless_from: int | None) -> int:
    """Run trials on a cluster's workers, save those that finish as experiments, and write `TABLE` of all.

    Those that are experiments already are not run again. From the epoch `hopeless_from` on, hopeless trials are
    stopped; None: none is.

    Returns:
        The exit code: 1 if a trial failed, else 0.

    Raises:
        UserError: If the project or the cluster does not allow it.
    """
    if not hasattr(tarfile, "FilterError"):
        raise UserError(
            "a search on a cluster needs Python 3.11.4 or newer, which refuses files that lead out of a project; "
            f"this is {platform.python_version()}; make the environment anew (`uv sync --python 3.13`)"
        )
    snapshot = Snapshot.take(Path.cwd())
    _refuse_unlike(cluster)
    study = None if hopeless_from is None else _open_study(cluster, hopeless_from)
    with tempfile.TemporaryDirectory(prefix="humbleyolo-search-") as made:
        folder = Path(made)
        snapshot.write_archive(folder / SOURCES)
        planner = _Planner(folder)
        named = [(_name_of(snapshot.tree, trial), trial) for trial in trials]
        told = _rows_told()
        known = {name: trial for name, trial in named if snapshot.has(name)}
        rows = {name: _row(name, trial, _EARLIER) | told.get(name, {}) for name, trial in known.items()}
        new = [(name, trial) for name, trial in named if name not in known]
        shared = planner.cache if cluster.shares(planner.cache) else None
        tasks = {name: planner.plan(trial, shared) for name, trial in new}
        files = [SOURCES] if shared else [SOURCES, *planner.lay_out(tasks.values())]
        numbers = {name: number for number, (name, _) in enumerate(named, 1)}

        def tell_of(name: str, trial: Trial) -> None:
            settings = " ".join(assignments(trial))
            tell(f"{numbers[name]}/{len(trials)} {name}: {settings}: {_said(rows[name])}")
            write_table(TABLE, pd.DataFrame([rows[name] for name in numbers if name in rows]))

        for name, trial in known.items():
            tell_of(name, trial)
        ended = _Trials(**vars(cluster)).map_as_they_end(run_trial, _with_study(tasks, study), folder, files)
        with closing(ended) as outcomes:
            for place, outcome in outcomes:
                name, trial = new[place]
                if outcome.state == "finished":
                    _keep(outcome, planner.cache)
                    snapshot.save(name, outcome.kept, f"humbleyolo search {' '.join(assignments(trial))}")
                rows[name] = _row(name, trial, outcome)
                tell_of(name, trial)
    counts = {
        state: sum(row["outcome"] == state for row in rows.values()) for state in ("finished", "stopped", "failed")
    }
    tell(", ".join(f"{count} {state}" for state, count in counts.items() if count) + f"; {TABLE} lists them")
    return int(counts["failed"] > 0)


class _Trials(Cluster):
    """A cluster on which an error of one trial is its own: the others go on."""

    def _result(self, future: Any) -> Any:
        try:
            return super()._result(future)
        except Exception as error:
            told = isinstance(error, UserError)
            if not (future.status == "error" or (told and future.status == "finished")):
                raise  # the scheduler is gone, or no worker came
            return TrialOutcome("failed", str(error) if told else f"{type(error).__name__}: {error}", {})


class _Planner:
    """The project's sources, unpacked: which data a trial reads."""

    def __init__(self, folder: Path) -> None:
        from dvc.repo import Repo

        self._folder, self._project, self._planned = folder, folder / "project", dict[str, dict[str, list[str]]]()
        with tarfile.open(folder / SOURCES) as sources:
            try:
                sources.extractall(self._project, filter="data")
            except tarfile.FilterError as error:
                name = error.tarinfo.name
                raise UserError(
                    f"{name}: leads out of the project, where workers have nothing; put the file itself there, or "
                    f"add it to DVC (`git rm --cached {name}`, then `dvc add {name}`)"
                ) from None
        with Repo() as repo:
            self.cache = Path(str(repo.cache.local_cache_dir)).resolve()
        lay_config(self._project, self.cache)
        self._params = self._project / "params.yaml"
        self._text = self._params.read_text(encoding="utf-8")
        lock = self._project / "dvc.lock"
        self.lock = read_lock(lock.read_text(encoding="utf-8"), "dvc.lock") if lock.is_file() else {}

    def plan(self, trial: Trial, shared: Path | None) -> TrialTask:
        """Return a trial's task, with the names of the data in the cache that it reads.

        Raises:
            ProblemsError: With data that are neither in git nor in DVC's cache.
        """
        from dvc.utils.hydra import apply_overrides

        # Trials that differ from dvc.lock in the same parameters run the same stages.
        recorded = [stage["params"] for stage in self.lock.values()]
        same = [[_value(one, key) == value for key, value in trial.items()] for one in recorded]
        kind = repr((list(trial), same))
        self._params.write_text(self._text, encoding="utf-8")
        apply_overrides(self._params, assignments(trial))  # as DVC itself changes it for an experiment
        text = self._params.read_text(encoding="utf-8")
        if kind not in self._planned:
            self._planned[kind] = self._data_to_read()
        return TrialTask(text, describe_computing(), self._planned[kind], shared)

    def lay_out(self, tasks: Iterable[TrialTask]) -> list[str]:
        """Link the data that tasks read beside the sources, and return their names there.

        Raises:
            UserError: If they are too large to be sent.
        """
        names = sorted({name for task in tasks for names in task.cached.values() for name in names})
        size = sum((self.cache / name).stat().st_size for name in names)
        if size > MOST_SENT:
            raise UserError(f"the trials read {size / 1e9:.1f} GB, {too_large()}")
        for name in names:
            (self._folder / CACHE / name).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / CACHE / name).symlink_to(self.cache / name)
        return [(CACHE / name).as_posix() for name in names]

    def _data_to_read(self) -> dict[str, list[str]]:
        from dvc.repo import Repo

        with Repo(str(self._project)) as repo, repo.lock:
            graph = repo.index.graph  # from a stage to those that it reads from
            runs, surely = set[Any](), set[Any]()
            for stage in TopologicalSorter({one: set(graph.successors(one)) for one in graph}).static_order():
                before = set(graph.successors(stage))
                if stage.cmd and stage.changed(allow_missing=True, upstream=list(before)):
                    surely.add(stage)
                if stage in surely or (stage.cmd and before & runs):
                    runs.add(stage)
            read = [Path(dep.fs_path) for stage in runs for dep in stage.deps]
            made = [out for stage in graph for out in stage.outs]
            places = [Path(out.fs_path) for out in made]
            nowhere = [path for path in read if not path.exists() and not any(_meet(path, one) for one in places)]
            wanted = [
                out for out in made
                if out.use_cache and out.stage not in runs and any(_meet(path, Path(out.fs_path)) for path in read)
            ]  # fmt: skip
            problems = [f"{os.path.relpath(path, self._project)}: is not in git, and not in DVC" for path in nowhere]
            # Of a stage that DVC skips if what it reads comes out as it was; a later one runs nevertheless.
            spare = [
                out for out in made
                if out.use_cache and out.stage in runs - surely and any(
                    _runs_without(graph, stage, out.stage, surely)
                    for stage in runs for dep in stage.deps if _meet(Path(dep.fs_path), Path(out.fs_path))
                )
            ]  # fmt: skip
            found, spared = (self._cached(outs) for outs in (wanted, spare))
        problems += [f"{path}: is not in DVC's cache" for path in found if not self._has(found[path])]
        if problems:
            raise ProblemsError("workers need what is not there; `dvc pull`, `dvc repro` or `dvc add` it", problems)
        return found | {path: names for path, names in spared.items() if self._has(names)}

    def _cached(self, outs: Iterable[Any]) -> dict[str, list[str]]:
        """Return path -> names in the cache of outputs."""
        return {
            str(Path(out.fs_path).relative_to(self._project)): list(self._names_of(str(out.hash_info.value)))
            for out in outs
        }

    def _has(self, names: Iterable[str]) -> bool:
        return all((self.cache / name).is_file() for name in names)

    def _names_of(self, digest: str) -> Iterator[str]:
        """Yield the names in the cache of an output: of a folder, its list and what that names."""
        name = f"files/md5/{digest[:2]}/{digest[2:]}"
        yield name
        if digest.endswith(".dir") and (self.cache / name).is_file():
            for entry in json.loads((self.cache / name).read_text(encoding="utf-8")):
                yield f"files/md5/{entry['md5'][:2]}/{entry['md5'][2:]}"


def _value(recorded: Any, key: str) -> Any:
    return recorded.get(key, value_at(recorded, key))


def _meet(path: Path, other: Path) -> bool:
    return path.is_relative_to(other) or other.is_relative_to(path)


def _runs_without(graph: Any, stage: Any, skipped: Any, surely: set[Any]) -> bool:
    """Tell if a stage may run although one that it reads from is skipped."""
    return stage in surely or any(
        one is not skipped and _runs_without(graph, one, skipped, surely) for one in graph.successors(stage)
    )


def _name_of(tree: str, trial: Trial) -> str:
    """Return the name of a trial's experiment: the same sources and parameters have the same one."""
    return f"search-{hashlib.sha256(json.dumps([tree, assignments(trial)]).encode()).hexdigest()[:8]}"


def _refuse_unlike(cluster: Cluster) -> None:
    """Refuse workers whose trials may differ from runs here: what they make goes into this machine's cache.

    Raises:
        ProblemsError: With each worker that has another GPU or other instructions.
    """
    problems = []
    for name, one in sorted(ask_workers(cluster.address, cluster.client, describe_computing).items()):
        differing = str(one) if isinstance(one, Exception) else differences(describe_computing(), one)
        if differing:
            problems.append(f"worker {name} has {differing}")
    if problems:
        head = f"{cluster.address}: workers that compute otherwise than this machine, which may change the last bits"
        raise ProblemsError(f"{head}; take machines of one kind, or search without the cluster", problems)


def _open_study(cluster: Cluster, hopeless_from: int) -> Any:
    """Return a study of Optuna, whose storage lies on the scheduler.

    Raises:
        UserError: If Optuna is missing.
        ProblemsError: With the machines that have another.
    """
    try:
        import optuna
        from optuna_integration.dask import DaskStorage

        here = describe_optuna()
    except ImportError as error:
        raise UserError(f"{error}; install it with {how_to_install('cluster')}") from None
    with scheduler_there(cluster.address, cluster.client):
        there = {"the scheduler": cluster.client.run_on_scheduler(describe_optuna)}
    found = ask_workers(cluster.address, cluster.client, describe_optuna)
    there |= {f"worker {name}": one for name, one in found.items()}
    if differ := [f"{name} has {one} (here {here})" for name, one in sorted(there.items()) if one != here]:
        raise ProblemsError(f"{cluster.address}: machines with another Optuna", differ)
    optuna.logging.set_verbosity(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Optuna calls experimental
        return optuna.create_study(
            storage=DaskStorage(name=f"humbleyolo-{secrets.token_hex(8)}", client=cluster.client),
            direction="maximize",
            sampler=optuna.samplers.RandomSampler(seed=0),  # it draws nothing: trials have their parameters
            pruner=_hopelessness(hopeless_from),
        )


def _hopelessness(first_epoch: int) -> Any:
    """Return Optuna's judge: best AP so far, and a percentile of the finished trials' APs at the same epoch."""
    import optuna

    return optuna.pruners.PercentilePruner(
        100 - _HOPELESS_PERCENT,
        n_startup_trials=_FINISHED_FIRST,
        n_min_trials=_FINISHED_FIRST,
        n_warmup_steps=first_epoch,
    )


def _with_study(tasks: dict[str, TrialTask], study: Any) -> Iterator[TrialTask]:
    """Yield tasks as workers get free, each with a number in the study."""
    for task in tasks.values():
        yield task if study is None else replace(task, study=(study, study.ask()._trial_id))


def _keep(outcome: TrialOutcome, cache: Path) -> None:
    """Bring a trial's outputs into DVC's cache, and what lets `dvc repro` know the run."""
    for name, content in outcome.cached.items():
        if not (cache / name).exists():
            make_folder((cache / name).parent)
            with atomic_write(cache / name) as file:
                file.write(content)


def _rows_told() -> dict[str, dict[str, Any]]:
    """Return epochs and AP of each trial in the table of an earlier search, by its experiment's name."""
    try:
        table = pd.read_csv(TABLE).set_index("experiment")[["epochs", "val_ap"]].dropna()
    except (OSError, ValueError, KeyError):  # there is none, or another's
        return {}
    return {str(name): {"epochs": int(epochs), "val_ap": float(ap)} for name, epochs, ap in table.itertuples()}


def _row(name: str, trial: Trial, outcome: TrialOutcome) -> dict[str, Any]:
    row = {"experiment": name, "outcome": outcome.state, "why": outcome.why, "epochs": max(outcome.aps, default=None)}
    return row | {"val_ap": max(outcome.aps.values(), default=None), **trial}


def _said(row: dict[str, Any]) -> str:
    ap = "" if row["val_ap"] is None else f"AP on val {row['val_ap']:.3f}"
    why = f"{':' * (row['outcome'] == 'failed')} {row['why']}" if row["why"] else ""
    return "; ".join(filter(None, (f"{row['outcome']}{why}", ap)))
