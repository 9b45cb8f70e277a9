"""The report of `encode`: what is written is read, and damage is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from humbleyolo.errors import UserError
from humbleyolo.metrics.grid_ceiling import Ceiling
from humbleyolo.metrics.grid_report import GridReport, read_report, write_report

NAMES = ("chat", "rat")


def ceiling(ap: float | None) -> Ceiling:
    return Ceiling(2, 2, 5, 0, 0, ap, ap, ap, ap)


@pytest.mark.parametrize("ap", [0.75, 0, None])
def test_the_grid_in_use_and_the_objects_of_train_are_read_again(tmp_path: Path, ap: float | None) -> None:
    ceilings = {"train": [ceiling(0.1)], "test": [ceiling(ap), ceiling(1.0)]}
    write_report(tmp_path, ceilings, NAMES, np.array([0, 0, 0]))
    assert read_report(tmp_path, NAMES) == GridReport(ap, (3, 0))
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["train_objects"] == {"chat": 3, "rat": 0}
    assert [*content["test"][0]] == ["rows", "cols", "objects", "shared", "lost", "ap", "ap50", "recall"]


def test_a_class_that_the_report_does_not_know_is_told(tmp_path: Path) -> None:
    write_report(tmp_path, {"test": [ceiling(1.0)]}, NAMES, np.array([1]))
    with pytest.raises(UserError, match=r"KeyError.*dog.*run `dvc repro encode`"):
        read_report(tmp_path, ("chat", "dog"))


KNOWN = {"train_objects": {"chat": 1, "rat": 1}}
TEST = {"test": [{"ap": 0.5}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ({"test": []} | KNOWN, "tells no ceiling of test"),
        ({"val": [{"ap": 1}]} | KNOWN, "tells no ceiling of test"),
        (TEST, "is damaged, or tells .*train_objects"),
        ({"test": [{"ap": "0.5"}]} | KNOWN, "the AP of test is '0.5'; allowed: 0 to 1, or null; run"),
        ('{"test": [{"ap": NaN}]}', "is damaged, .*NaN: JSON has finite numbers only"),
        ({"test": [{"ap": True}]} | KNOWN, "the AP of test is True; allowed"),
        (TEST | {"train_objects": {"chat": -1, "rat": 1}}, "train_objects are .*-1.*; allowed: 0 or more"),
        (TEST | {"train_objects": {"chat": True, "rat": 1}}, "train_objects are .*True.*; allowed: 0 or more"),
    ],
)
def test_a_damaged_report_is_told(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "report.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UserError, match=message):
        read_report(tmp_path, NAMES)


def test_a_missing_report_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; run `dvc repro encode`"):
        read_report(tmp_path, NAMES)
