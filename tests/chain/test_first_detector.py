"""The commands of docs/first-detector.md, one after the other, on a small folder and for one epoch."""

import re
from pathlib import Path

import pytest
from documents import blocks
from repository import ROOT
from tiny_project import Project, label_images

COMMANDS = [line for block in blocks((ROOT / "docs/first-detector.md").read_text()) for line in block.splitlines()]


@pytest.mark.slow
def test_each_command_works_as_written(tmp_path: Path) -> None:
    project = Project.create(tmp_path)
    label_images(tmp_path / "data/labelled/cards")
    said = {}
    for command in COMMANDS:
        short = re.sub(r"--minutes \S+", "--epochs 1", command.removeprefix("uv run "))
        said[short.split()[1]] = project.command(*short.split(), check=True).stdout
    assert list(said) == ["check", "init", "repro", "score"]
    assert "advised:" in said["check"]
    assert "Next: `uv run dvc repro`" in said["init"]
    assert "next: " in said["repro"]
    for made in ("cards.html", "data/model/augmented.png", "data/render/report.html"):
        assert (tmp_path / made).stat().st_size > 1000
    assert "# init: " in (tmp_path / "params.yaml").read_text()
