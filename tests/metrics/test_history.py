"""The epochs of a run, written and read, and the rise at their end."""

from pathlib import Path

import pytest

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.metrics.history import is_rising, late_rise, read_history, write_history


def rise(*aps: float | None) -> float:
    return late_rise([{"val_ap": ap} for ap in aps])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "val_ap": None, "val_ap50": 0.25, "train_total": 1 / 3, "val_total": 2.0, "train_box": 1.0}]
    write_history(tmp_path / "history.csv", rows)
    assert b"\r" not in (tmp_path / "history.csv").read_bytes()
    assert read_history(tmp_path / "history.csv") == [{key: rows[0][key] for key in rows[0] if key != "train_box"}]


def test_a_file_of_no_run_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"history.csv: no such file; run `dvc repro train`"):
        read_history(tmp_path / "history.csv")
    (tmp_path / "history.csv").write_text("epoch,val_ap\n1,0.5\n")
    with pytest.raises(ProblemsError, match="column train_total is missing"):
        read_history(tmp_path / "history.csv")


def test_the_rise_is_over_the_best_before_the_last_tenth() -> None:
    assert rise(*[0.5] * 17, 0.7, 0.8, 0.9) == pytest.approx(0.2)  # 2 of 20: over 0.7
    assert rise(0.1, 0.4, 0.3, 0.5) == pytest.approx(0.1)
    assert rise(0.3) == 0.3


def test_a_run_whose_last_epoch_is_not_its_best_did_not_rise() -> None:
    assert rise(*[0.1] * 18, 0.9, 0.8) == rise(None, None) == rise() == rise(0.0, 0.0) == 0


@pytest.mark.parametrize(
    ("before", "last", "rising"), [(0.50, 0.51, True), (0.28, 0.29, True), (0.50, 0.5099, False)]
)
def test_a_run_rises_from_a_hundredth_on(before: float, last: float, rising: bool) -> None:
    """Of 0.29 - 0.28 too, which is 0.00999... in binary."""
    assert is_rising(rise(before, last)) == rising
