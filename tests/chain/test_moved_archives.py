"""A photograph more under DVC: of a split of several archives it sends one, and one set of arrays."""

import shutil
from pathlib import Path

import pytest
from tiny_project import TINY_LABELLED, Project, label_images

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("git") is None, reason="needs git")]

FULL = 3  # images of an archive at most


def test_a_photograph_more_sends_one_archive_and_its_arrays(tmp_path: Path) -> None:
    project, remote = Project.create(tmp_path / "project"), tmp_path / "remote"
    project.lay_over("bccd")
    for key, value in (TINY_LABELLED | {"dataset.archive_images": FULL}).items():
        project.set(key, value)
    project.dvc("remote", "add", "--default", "store", str(remote))

    def send(photographs: int) -> tuple[dict[str, bytes], set[bytes]]:
        """Run the data stages; return what they wrote, and the contents that the push sent."""
        label_images(project.path / "data/labelled/bccd", photographs)
        before = {path for path in remote.rglob("*") if path.is_file()}
        project.dvc("repro", "encode")
        project.dvc("push")
        sent = {path.read_bytes() for path in remote.rglob("*") if path.is_file() and path not in before}
        return project.outputs(), sent

    old, first = send(20)
    new, sent = send(21)  # its number is a multiple of 4: it is in train
    archives = {name for name in old if name.startswith("data/dataset/train/")}
    assert len(archives) > 3
    assert {old[name] for name in archives} <= first

    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    gone = archives & changed
    assert len(gone) == 1
    own = gone.pop().removeprefix("data/dataset/train/").removesuffix(".zip")
    overviews = {
        "data/dataset/preview.png", "data/dataset/summary.json", "data/dataset/ledger.csv", "data/grid/report.json"
    }  # fmt: skip
    places = (f"data/dataset/train/{own}", f"data/grid/train/{own}")
    assert all(name.startswith(places) or name in overviews for name in changed)
    listings = {content for content in sent if content.startswith(b"[{")}  # DVC's own, of the folders
    assert sent - listings == {*new.values()} - {*old.values()}
    assert len(listings) == 2
