import importlib.util
import json
import re
import subprocess
import sys

import pytest
from repository import ROOT

SCRIPT = ROOT / ".ci/compare_metrics.py"
COMMITTED = {"images": 10, "objects": 20, "ap": 0.9, "ap50": 0.99, "ap75": 0.95, "ar100": 0.92, "mean_iou": None}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("compare_metrics", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("changes", "different"),
    [
        ({}, []),
        ({"ap": 0.88, "ap50": 0.985, "detections": 7}, []),
        ({"ap": 0.929}, []),
        ({"ap": 0.869}, ["ap"]),
        ({"ap": 0.931}, ["ap"]),  # better is another result too
        ({"ap50": 0.97, "ar100": 0.5}, ["ap50", "ar100"]),
        ({"images": 9}, ["images"]),
        ({"ap": None}, ["ap"]),
        ({"mean_iou": 0.9}, ["mean_iou"]),
    ],
)
def test_metrics_are_compared_within_the_tolerance(changes, different, script):
    found = script.differences(COMMITTED, COMMITTED | changes)
    assert [line.split(":")[0] for line in found] == different


def test_a_difference_ends_with_1(tmp_path):
    for name, ap in (("old", 0.9), ("new", 0.5)):
        (tmp_path / name).write_text(json.dumps(COMMITTED | {"ap": ap}))
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "old", tmp_path / "new"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ap: 0.5, committed 0.9; allowed: 0.03 more or less" in done.stderr


def test_the_readme_states_the_tolerance(script):
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "allow 0.03 for AP, AP75, AR100 and mean IoU, and 0.01 for AP50" in text
    assert {script.TOLERANCE[name] for name in ("ap", "ap75", "ar100", "mean_iou")} == {0.03}
    assert script.TOLERANCE["ap50"] == 0.01


def test_the_page_of_score_shows_a_run_within_the_tolerance(script):
    committed = json.loads((ROOT / "data/evaluation/metrics.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/score.md").read_text(encoding="utf-8")
    shown = {name: float(value) for name, value in re.findall(r"^(\w+) +(\d\.\d{4})  ", page, re.MULTILINE)}
    images, objects = re.search(r"^labels: ([\d,]+) images, ([\d,]+) objects", page, re.MULTILINE).groups()
    shown |= {"images": int(images.replace(",", "")), "objects": int(objects.replace(",", ""))}
    assert script.differences(committed, shown) == []


def test_ci_is_a_program():
    first, *_ = (ROOT / ".ci/run").read_text().splitlines()
    assert first == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in (ROOT / ".ci/run").read_text()
    listed = subprocess.run(["git", "ls-files", "--stage", ".ci/run"], cwd=ROOT, capture_output=True, text=True)
    assert listed.returncode or listed.stdout.startswith("100755")
