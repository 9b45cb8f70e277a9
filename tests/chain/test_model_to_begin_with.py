"""The commands of docs/photographs.md that put a model into data/start and track it, beside a stage that reads it."""

from pathlib import Path

import pytest
from documents import blocks
from repository import ROOT
from tiny_project import Project

TEXT = (ROOT / "docs/photographs.md").read_text()
COPY, GET, ADD = (
    next(block for block in blocks(TEXT) if sign in block).replace("uv run ", "")
    for sign in ("cp -r data/model", "dvc get", "dvc add")
)
TRAIN = """
stages:
  train:
    cmd: mkdir -p data/model && ls data/start > data/model/weights.npz && echo m > data/model/model.json
    deps: [data/start]
    outs: [data/model/weights.npz, data/model/model.json]
"""


@pytest.mark.slow
def test_a_model_is_fetched_and_tracked_before_training_and_stays_current(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for name in (".gitignore", ".dvcignore", "data/start/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "dvc.yaml").write_text(TRAIN)

    def shell(text: str) -> None:
        project.command("sh", "-ec", text, check=True)

    shell("git init -q && git config user.name Test && git config user.email test@example.org && dvc init -q")
    shell("dvc repro && git add --all && git commit -qm One && git tag model@v1.0.0")
    first = (tmp_path / "data/model/weights.npz").read_bytes()
    shell(GET)
    assert (tmp_path / "data/start/weights.npz").read_bytes() == first
    shell(COPY)
    shell(ADD)
    shell("dvc repro && git add --all && git commit -qm Two")
    assert (tmp_path / "data/model/weights.npz").read_bytes() != first
    assert "up to date" in project.dvc("status").stdout
    listed = project.git("ls-files", "data/start").split()
    assert {"data/start/weights.npz.dvc", "data/start/model.json.dvc"} <= set(listed)
    assert "data/start/weights.npz" not in listed
