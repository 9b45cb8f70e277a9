"""Networks trained one after the other: resumed where they stopped, with the epochs that fit into the time."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import PLAIN, RUN

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.training import planned_runs
from humbleyolo.training.planned_runs import Length, PlannedNetwork, PlannedRun, RunSettings, plan_run
from humbleyolo.training.step_time import StepTime

NETWORKS = [
    PlannedNetwork("part-1", np.arange(12), np.arange(12, 18)),
    PlannedNetwork("part-2", np.arange(12), np.arange(12, 18)),
    PlannedNetwork("part-3", np.arange(6, 18), np.arange(6)),
]
ONE = Length(1.0, 1)

pytestmark = pytest.mark.usefixtures("threads", "eagerly", "a_small_network")


def plan(splits: list[EncodedSplit], folder: Path, settings: RunSettings = RUN, length: Length = ONE) -> PlannedRun:
    return plan_run(settings, splits, NETWORKS, length, folder, "audit")


def detections(run: PlannedRun) -> list[bytes]:
    return [
        b"".join(column.tobytes() for column in (found.images, found.labels, found.scores, found.boxes_ltwh))
        for found in run.detect()
    ]


def test_a_run_that_was_stopped_ends_with_the_same_bytes(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = planned_runs.train_and_detect, tmp_path / "stopped"

    def watched(*given: Any) -> Any:
        if given[4].name == "part-3":
            shutil.copytree(given[5], folder)  # all that a kill at this moment would leave
        return run(*given)

    with monkeypatch.context() as patched:
        patched.setattr(planned_runs, "train_and_detect", watched)
        whole = detections(plan(splits, tmp_path / "whole"))
    assert any(whole)
    assert whole[0] == whole[1]  # of the same images
    assert sorted(path.name for path in folder.iterdir()) == ["part-1.npy", "part-2.npy", "plan.json"]
    assert "network 3 of 3: 12 images to learn from, 6 held out, 6 scored" in capsys.readouterr().err
    assert detections(plan(splits, folder)) == whole
    assert "network 2" not in capsys.readouterr().err
    monkeypatch.setattr(planned_runs, "train_and_detect", None)  # nothing is trained any more
    assert detections(plan(splits, folder)) == whole
    for torn in (b"torn", (folder / "plan.json").read_bytes()):
        (folder / "part-2.npy").write_bytes(torn)
        with pytest.raises(TypeError):
            plan(splits, folder).detect()
        assert "part-2.npy: cannot be used" in capsys.readouterr().err


def test_another_run_in_the_folder_starts_anew_and_says_so(
    splits: list[EncodedSplit], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(splits, tmp_path)
    other = replace(RUN, train=PLAIN.model_copy(update={"learning_rate": 0.02}))
    for settings, data, differ in (
        (RUN, splits, "arguments"),
        (other, splits, "parameters"),
        (other, splits[::-1], "data"),
    ):
        for name in ("part-1.npy", "part-9.checkpoint", "mine.npy"):
            (tmp_path / name).touch()
        plan(data, tmp_path, settings, Length(1.0, 2))
        said = capsys.readouterr().err
        assert f"plan.json: is of a run with other {differ}; the audit starts anew" in said
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.npy", "plan.json"]
    (tmp_path / "plan.json").write_text("{}")
    plan(splits[::-1], tmp_path, other, Length(1.0, 2))
    assert "plan.json: is damaged; the audit starts anew" in capsys.readouterr().err


def test_a_model_of_one_s_own_is_no_start(capsys: pytest.CaptureFixture[str]) -> None:
    own = replace(RUN, train=PLAIN.model_copy(update={"start": "own"}))
    assert own.begin_unseeing("audit").train.start == "scratch"
    assert "a model that may have seen the images; the audit begins scratch" in capsys.readouterr().err
    assert RUN.begin_unseeing("audit") is RUN


def test_minutes_become_epochs_that_are_written_down(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_runs, "measure_step", lambda *_: StepTime(1.0, 0.0, 0.0, 1.0))
    # 12 images are three steps, and there are three networks: 9 s an epoch of all.
    run = plan(splits, tmp_path, length=Length(0.31, None))
    assert (run.epochs, run.why) == (2, "0.31 minutes at 1 s a step, as measured here")
    monkeypatch.setattr(planned_runs, "measure_step", None)
    assert plan(splits, tmp_path, length=Length(0.31, None)).epochs == 2
    monkeypatch.setattr(planned_runs, "measure_step", lambda *_: StepTime(1.0, 0.0, 0.0, 1.0))
    assert plan(splits, tmp_path, length=Length(100.0, None)).epochs == PLAIN.epochs
    short = plan(splits, tmp_path, length=Length(0.1, None))
    assert (short.epochs, short.why[:46]) == (1, "even one epoch takes 0.15 minutes, not 0.1, at")
