"""A trial where it runs: what the worker must compute with, and the lines of training that a search reads."""

from pathlib import Path

import pytest

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.experiments import trial_run
from humbleyolo.experiments.cluster_search import _refuse_unlike
from humbleyolo.experiments.trial_run import TrialTask, _Report, describe_computing, run_trial
from humbleyolo.process.cluster import Cluster
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

    def __init__(self, found: dict[str, object]) -> None:
        self._found = found

    def run(self, work: object, *, on_error: str) -> dict[str, object]:
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
