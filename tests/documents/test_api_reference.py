"""The API reference can be built from the docstrings, by pdoc."""

import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

MODULES = [
    "humbleyolo.detection.detector",
    "humbleyolo.detection.result",
    "humbleyolo.geometry.detections",
    "humbleyolo.errors",
]


def test_the_command_is_in_the_docs() -> None:
    assert f"pdoc {' '.join(MODULES)}" in (ROOT / "docs/use.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_pdoc_writes_pages_of_what_users_call(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pdoc", "--docformat", "google", *MODULES, "--output-directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warn" not in done.stderr
    pages = tmp_path / "humbleyolo"
    for name, module in (
        ("Detector.load", "detection/detector"),
        ("Detector.stream", "detection/detector"),
        ("Result.to_pandas", "detection/result"),
        ("Detections.boxes", "geometry/detections"),
    ):
        assert f'id="{name}"' in (pages / f"{module}.html").read_text(encoding="utf-8")
    assert "a git repository of this kind" in (pages / "detection/detector.html").read_text(encoding="utf-8")
