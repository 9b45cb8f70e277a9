"""The values of an experiment beside those of its commit, told where it runs."""

import os
import subprocess
from pathlib import Path

import pytest
from repository import ROOT

from humbleyolo.pipeline.experiment_values import experiment_notes

PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(params=["", "deep/project"])
def params(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed params.yaml, in the root of a repository or below, with DVC's variable set to the commit."""
    file = tmp_path / request.param / "params.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PARAMS)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "m")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", git(tmp_path, "rev-parse", "HEAD"))
    return file


def put(file: Path, key: str, value: str) -> None:
    """Change the value behind the first `key:` of a file, as `dvc exp run -S` does."""
    lines = file.read_text().splitlines()
    at = next(place for place, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
    lines[at] = lines[at].partition(":")[0] + f": {value}"
    file.write_text("\n".join(lines) + "\n")


def test_values_of_experiments_before_are_told_beside_the_new_one(params: Path) -> None:
    assert experiment_notes(params) == []
    put(params, "rows", "4")  # the first one of the file: dataset.synthetic.cells.rows
    (first,) = experiment_notes(params)
    assert "by 1 value: dataset.synthetic.cells.rows 4 (there 2); all of them stay" in first
    put(params, "learning_rate", "0.003")
    put(params, "name", "lite")
    (second,) = experiment_notes(params)
    assert f"from commit {os.environ['DVC_EXP_BASELINE_REV'][:7]} by 3 values: " in second
    for told in ("cells.rows 4 (there 2)", "train.learning_rate 0.003 (there 0.015)", "'lite' (there 'compact')"):
        assert told in second


def test_many_values_are_counted(params: Path) -> None:
    for key in ("height", "width", "rows", "cols", "epochs", "batch", "columns", "bins", "mistakes", "report_px"):
        put(params, key, "9")
    (line,) = experiment_notes(params)
    assert "by 10 values: " in line
    assert line.count("(there") == 8
    assert "2 more (`git diff params.yaml`)" in line


@pytest.mark.parametrize("text", ["", "[1, 2", "a: 1\na: 2\n", None])
def test_a_file_that_cannot_be_read_is_told_elsewhere(text: str | None, params: Path) -> None:
    params.unlink() if text is None else params.write_text(text)
    assert len(experiment_notes(params)) <= 1


def test_outside_an_experiment_or_its_repository_nothing_is_told(
    params: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(params, "rows", "4")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0" * 40)
    assert experiment_notes(params) == []
    monkeypatch.delenv("DVC_EXP_BASELINE_REV")
    assert experiment_notes(params) == []
