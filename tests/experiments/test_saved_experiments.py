"""Experiments written by git alone: their reference, their files, and a working tree that stays as it is."""

import os
import shutil
import tarfile
from pathlib import Path

import pytest
from tiny_project import Project

from humbleyolo.errors import UserError
from humbleyolo.experiments.saved_experiments import Snapshot

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def repository(tmp_path: Path) -> Project:
    """A repository whose project lies in a folder."""
    project = Project(tmp_path)
    (tmp_path / "inside").mkdir()
    for name in ("outside.txt", "inside/params.yaml", "inside/gone.txt", "inside/code.py"):
        (tmp_path / name).write_text(name)
    project.git("init", "--quiet")
    project.git("config", "user.name", "Test")
    project.git("config", "user.email", "test@example.org")
    project.commit("Begin")
    return project


def test_an_experiment_is_the_snapshot_and_what_a_trial_wrote(repository: Project, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "code.py").write_text("edited")
    (inside / "new.py").write_text("added")
    (inside / "untracked.py").touch()
    (inside / "gone.txt").unlink()
    repository.git("add", "inside/new.py")
    before = repository.git("status", "--porcelain")
    snapshot = Snapshot.take(inside)
    assert not snapshot.has("search-1")
    snapshot.save("search-1", {"params.yaml": b"seed: 2\n", "data/headline.json": b"{}"}, "A trial")
    assert snapshot.has("search-1")
    assert not snapshot.has("search")

    head = repository.git("rev-parse", "HEAD").strip()
    reference = f"refs/exps/{head[:2]}/{head[2:]}/search-1"  # as DVC writes it
    assert repository.git("rev-parse", f"{reference}^").strip() == head
    listed = repository.git("ls-tree", "-r", "--name-only", reference).split()
    assert listed == [
        "inside/code.py", "inside/data/headline.json", "inside/new.py", "inside/params.yaml", "outside.txt",
    ]  # fmt: skip
    assert repository.git("show", f"{reference}:inside/code.py") == "edited"
    assert repository.git("show", f"{reference}:inside/params.yaml") == "seed: 2\n"
    assert repository.git("status", "--porcelain") == before
    assert repository.git("stash", "list") == ""


@pytest.mark.skipif(not hasattr(tarfile, "FilterError"), reason="unpacks by filters of Python 3.11.4")
def test_the_archive_holds_the_project_s_folder(repository: Project, tmp_path: Path) -> None:
    Snapshot.take(tmp_path / "inside").write_archive(tmp_path / "sources.tar")
    shutil.unpack_archive(tmp_path / "sources.tar", tmp_path / "there", filter="data")
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"params.yaml", "gone.txt", "code.py"}


def test_without_a_commit_there_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="git rev-parse"):
        Snapshot.take(tmp_path)


def test_without_a_name_to_commit_under_there_is_no_snapshot(
    repository: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    repository.git("config", "--unset", "user.email")
    repository.git("config", "user.useConfigOnly", "true")
    with pytest.raises(UserError, match=r"git var: .*\n(.*\n)*.*git config --global user.email"):
        Snapshot.take(tmp_path / "inside")
