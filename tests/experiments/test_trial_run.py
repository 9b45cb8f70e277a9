"""A trial where it runs: what the worker must compute with, and the lines of training that a search reads."""

import shutil
import tarfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from distributed import KilledWorker

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.experiments import trial_run
from humbleyolo.experiments.cluster_search import _hopelessness, _refuse_unlike, _Trials, search_on_cluster
from humbleyolo.experiments.trial_run import TrialOutcome, TrialTask, _Report, describe_computing, run_trial
from humbleyolo.process.cluster import Cluster
from humbleyolo.process.shard_runner import Refused, hold
from humbleyolo.training.progress_bar import TrainingProgress


def test_a_trial_s_ap_is_read_from_what_train_says(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(12, 10, 4) as progress:
        progress.go_on(0, 1)
        progress.epoch({"epoch": 1, "val_ap": None, "train_total": 2.0, "train_obj": 1.0})
        progress.epoch({"epoch": 11, "val_ap": 0.1254, "train_total": 2.0, "train_obj": 1.0})
    report = _Report(None)
    for line in [*capsys.readouterr().err.splitlines(), "epoch 12/12: val AP", ""]:
        report.take(line)
    assert report.aps == {11: 0.125}
    assert report.hopeless == ""


class PretendedClient:
    """A client whose workers have returned something already."""

    status = "running"

    def __init__(self, found: dict[str, object]) -> None:
        self._found = found

    def run(self, work: object, *, workers: None, on_error: str) -> dict[str, object]:
        return self._found


def test_workers_that_compute_otherwise_are_refused_by_name() -> None:
    here = describe_computing()
    found = {"tcp://b:1": here | {"GPU": "H100"}, "tcp://a:1": here, "tcp://c:1": here | {"instructions": "neon"}}
    _refuse_unlike(Cluster("tcp://s:1", PretendedClient({"tcp://a:1": here}), None, ""))
    with pytest.raises(ProblemsError, match="workers that compute otherwise than this machine") as caught:
        _refuse_unlike(Cluster("tcp://s:1", PretendedClient(found), None, ""))
    assert caught.value.problems == (
        f"worker tcp://b:1 has GPU H100 (here {here['GPU']})",
        f"worker tcp://c:1 has instructions neon (here {here['instructions']})",
    )


def test_a_worker_that_comes_later_and_computes_otherwise_runs_no_trial(tmp_path: Path) -> None:
    task = TrialTask("", describe_computing() | {"instructions": "neon"}, {})
    with pytest.raises(UserError, match=r"came later, and has instructions .* \(here neon\); take machines"):
        run_trial(tmp_path, task)


def test_a_search_is_refused_on_a_python_that_cannot_filter_what_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "FilterError", raising=False)
    with pytest.raises(UserError, match=r"needs Python 3\.11\.4 or newer, .* this is 3\."):
        search_on_cluster(Cluster("tcp://s:1", PretendedClient({}), None, ""), [], None)


@pytest.mark.skipif(not hasattr(tarfile, "FilterError"), reason="unpacks by filters of Python 3.11.4")
def test_outputs_that_are_too_large_do_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project/.dvc").mkdir(parents=True)
    shutil.make_archive(str(tmp_path / "sources"), "tar", tmp_path / "project")

    def write(project: Path, *_: object) -> int:
        (project.parent / "cache").mkdir()
        (project.parent / "cache/weights").write_bytes(b"12345678")
        return 0

    monkeypatch.setattr(trial_run, "_run_chain", write)
    monkeypatch.setattr(trial_run, "kept_by_git", lambda _: ["params.yaml", "gone.json"])
    task = TrialTask("ab", describe_computing(), {})
    fine = TrialOutcome("finished", "", {}, {"params.yaml": b"ab"}, {"weights": b"12345678"})
    monkeypatch.setattr(trial_run, "MOST_SENT", 10)
    assert run_trial(tmp_path, task) == fine
    monkeypatch.setattr(trial_run, "MOST_SENT", 9)
    for seen in (None, tmp_path):  # a cache that the worker reads itself does not help
        outcome = run_trial(tmp_path, replace(task, cache=seen))
        assert (outcome.state, outcome.cached) == ("failed", {})
        assert outcome.why == "its outputs are 0.0 GB, and at most 0.0 GB are sent back; search without the cluster"


def test_a_gpu_is_asked_of_tensorflow_where_there_is_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_run, "_GPUS", ("/",))
    for program, said in (
        ("print('H100')", "H100"),
        ("raise SystemExit('no memory')", "unknown, since TensorFlow does not start: no memory"),
    ):
        describe_computing.cache_clear()
        monkeypatch.setattr(trial_run, "_TELL_GPU", program)
        assert describe_computing()["GPU"] == said
    describe_computing.cache_clear()


class PretendedFuture:
    """A future of Dask that has ended, with a result or an error."""

    def __init__(self, end: object) -> None:
        self._end = end
        self.status = "error" if isinstance(end, Exception) else "finished"

    def done(self) -> bool:
        return True

    def exception(self) -> object:
        return self._end

    def result(self) -> object:
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


def test_an_error_of_one_trial_is_its_outcome_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fine = TrialOutcome("finished", "", {1: 0.5})
    ends = [
        fine, KilledWorker("a", None, 1), Refused(UserError("has numpy 1")), OSError("disk"), KeyError("x"), fine,
    ]  # fmt: skip
    client = PretendedClient({})
    client.nthreads, client.as_current = dict, nullcontext
    files = PretendedFuture({})
    client.submit = lambda work, *_, **__: files if work is hold else PretendedFuture(ends.pop(0))
    monkeypatch.setattr("distributed.wait", lambda *_, **__: None)
    ended = _Trials("tcp://s:1", client, None, "").map_as_they_end(run_trial, range(6), tmp_path, [])
    outcomes = [outcome for _, outcome in sorted(ended, key=lambda one: one[0])]
    assert [outcomes[0], outcomes[5]] == [fine, fine]
    assert [(one.state, one.why.removeprefix("tcp://s:1: ")[:40]) for one in outcomes[1:5]] == [
        ("failed", "2 workers died at one shard, as they do "),
        ("failed", "has numpy 1"),
        ("failed", "a worker failed 3 times at one shard: di"),
        ("failed", "KeyError: 'x'"),
    ]


@pytest.fixture
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.ThresholdPruner(lower=0.1, n_warmup_steps=2)
    return optuna.create_study(direction="maximize", pruner=pruner)


def test_a_trial_that_was_stopped_before_its_worker_died_is_not_run_again(
    study: optuna.Study, tmp_path: Path
) -> None:
    number = study.ask()._trial_id
    report = _Report((study, number))
    report.take("epoch 1/9: val AP 0.010; total 1.00")
    assert not report.hopeless
    report.take("epoch 2/9: val AP 0.020; total 1.00")
    stopped = report.outcome("stopped", report.hopeless)
    again = _Report((study, number))
    assert again.outcome("stopped", again.hopeless) == stopped
    assert stopped == TrialOutcome("stopped", "at epoch 2: hopeless", {1: 0.01, 2: 0.02})


@pytest.mark.parametrize("state", ["finished", "failed"])
def test_a_trial_that_had_ended_before_its_worker_died_runs_again_and_tells_nothing(
    study: optuna.Study, state: str
) -> None:
    number = study.ask()._trial_id
    for _ in range(2):
        report = _Report((study, number))
        for epoch in (1, 2, 3):
            report.take(f"epoch {epoch}/9: val AP 0.300; total 1.00")
        assert report.outcome(state, "") == TrialOutcome(state, "", dict.fromkeys((1, 2, 3), 0.3))
    assert study.trials[0].state.is_finished()


def test_a_trial_that_nobody_wants_for_now_may_run_elsewhere(study: optuna.Study) -> None:
    number = study.ask()._trial_id
    _Report((study, number)).outcome("stopped", "the search ended")
    assert not study.trials[0].state.is_finished()


@pytest.mark.parametrize(
    ("finished", "ap", "hopeless"),
    [
        ([0.1, 0.2, 0.3, 0.4], 0.174, True),  # below the 25th percentile, 0.175
        ([0.1, 0.2, 0.3, 0.4], 0.176, False),
        ([0.1, 0.2, 0.3], 0.0, False),  # too few to be compared with
        ([0.1, 0.2, 0.3, None], 0.0, False),  # one of four has no AP at this epoch
    ],
)
def test_a_trial_is_hopeless_below_the_25th_percentile_of_four(
    finished: list[float | None], ap: float, hopeless: bool
) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", pruner=_hopelessness(2))
    for one in finished:
        report = _Report((study, study.ask()._trial_id))
        report.take("epoch 1/9: val AP 0.900; total 1.00")
        if one is not None:
            report.take(f"epoch 2/9: val AP {one:.3f}; total 1.00")
        report.outcome("finished", "")
    report = _Report((study, study.ask()._trial_id))
    report.take("epoch 1/9: val AP 0.000; total 1.00")
    report.take(f"epoch 2/9: val AP {ap:.3f}; total 1.00")
    assert bool(report.hopeless) == hopeless
