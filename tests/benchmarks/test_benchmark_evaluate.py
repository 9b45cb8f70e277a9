"""That the benchmark of scoring runs, on a case that takes no time, and that all agree on its AP."""

import runpy

import pytest
from repository import ROOT


def test_every_run_gives_the_same_ap():
    benchmark = runpy.run_path(str(ROOT / "benchmarks/evaluate.py"))
    case = benchmark["make_case"](20, 60, 200, 3)
    runs = ("by_score", "by_average_precision", "by_pycocotools", "by_everything", "by_everything_and_intervals")
    found = [benchmark[name](case) for name in runs]
    assert found[0] > 0
    assert found == pytest.approx([found[0]] * len(runs), abs=1e-9)
