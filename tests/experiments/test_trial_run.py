"""The lines of training that a search reads, as `train` writes them."""

import pytest

from humbleyolo.experiments.trial_run import _Report
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
