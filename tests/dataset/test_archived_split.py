"""A split of several archives, read as one sequence of images."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.dataset.archive import Archive, ArchivedImage, ArchiveWriter
from humbleyolo.dataset.archived_split import ArchivedSplit, begin_split
from humbleyolo.errors import UserError
from humbleyolo.storage.partial_files import partial_path

COUNTS = {"00": 3, "01": 0, "10": 1, "11": 4}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("split") / "train", COUNTS)


def write(folder: Path, counts: dict[str, int], categories: tuple[str, ...] = ("cat", "dog")) -> Path:
    """Write archives of so many images, whose names and boxes tell their place."""
    begin_split(folder)
    for name, count in counts.items():
        with ArchiveWriter(folder / f"{name}.zip", categories) as archive:
            for number in range(count):
                archive.add(
                    f"{name}-{number}.png", f"{name} {number}".encode(), 10, 20, [[1 + number, 1, 2, 3]] * number,
                    [number % 2] * number,
                )  # fmt: skip
    return folder


def facts(images: list[ArchivedImage]) -> list[tuple[str, bytes, list[float], list[int]]]:
    return [(one.file_name, one.image_bytes, one.boxes_ltwh.tolist(), one.labels.tolist()) for one in images]


def test_it_is_the_images_of_its_archives_one_after_the_other(split: Path) -> None:
    expected = []
    for name in COUNTS:
        with Archive(split / f"{name}.zip") as archive:
            expected += facts(list(archive))
    with ArchivedSplit(split) as found:
        assert (len(found), found.categories, found.path) == (8, ("cat", "dog"), split)
        assert [path.name for path in found.paths] == [f"{name}.zip" for name in COUNTS]
        assert facts(list(found)) == expected
        assert [image.image_id for image in found] == [*range(1, 9)]
        assert [truth.image_id for truth in found.truths()] == [*range(1, 9)]


@given(start=st.integers(0, 9), stop=st.none() | st.integers(0, 10))
def test_a_range_is_that_of_a_list(split: Path, start: int, stop: int | None) -> None:
    with ArchivedSplit(split) as found:
        every = [(image.image_id, image.file_name) for image in found]
        assert [(one.image_id, one.file_name) for one in found.images(start, stop)] == every[start:stop]
        assert [(one.image_id, one.file_name) for one in found.truths(start, stop)] == every[start:stop]


def test_two_may_read_other_archives_at_once(split: Path) -> None:
    with ArchivedSplit(split) as found:
        first, last = found.images(), found.images(4)
        pairs = [(next(first).file_name, next(last).file_name) for _ in range(4)]
    assert pairs == [("00-0.png", "11-0.png"), ("00-1.png", "11-1.png"), ("00-2.png", "11-2.png"),
                     ("10-0.png", "11-3.png")]  # fmt: skip


@pytest.mark.parametrize("name", ["mine.zip", "corrections", "corrections.zip", "1.jpg", "labels.json"])
def test_what_would_be_left_out_is_refused(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "train", COUNTS)
    for other in (".DS_Store", ".0.zip.partial", "Thumbs.db", name):
        ArchivedSplit(folder).close()
        (folder / other).write_bytes(b"")
    for read in (ArchivedSplit, begin_split):
        with pytest.raises(UserError, match=rf"train/{name}: is no archive of this split, and would be left out"):
            read(folder)
    assert {path.name for path in folder.glob("[01]*.zip")} >= {f"{one}.zip" for one in COUNTS}


def test_each_archive_alone_is_coco_with_ids_from_1(split: Path) -> None:
    for name, count in COUNTS.items():
        with zipfile.ZipFile(split / f"{name}.zip") as file:
            found = json.loads(file.read("annotations.json"))
        assert [image["id"] for image in found["images"]] == [*range(1, count + 1)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted on Linux")
def test_one_archive_is_open_at_a_time(split: Path) -> None:

    def opened() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = opened()
    with ArchivedSplit(split) as found:
        most = max(opened() for _ in found)
    assert most <= before + 2  # also the one that was open before, for whoever still reads it
    assert opened() == before


def test_a_missing_archive_is_named_with_what_to_run(tmp_path: Path) -> None:
    folder = write(tmp_path / "val", COUNTS)
    (folder / "10.zip").unlink()
    with pytest.raises(UserError, match=r"val: 10\.zip is missing.*run `dvc repro generate`.*`dvc pull`"):
        ArchivedSplit(folder)
    with pytest.raises(UserError, match=r"nowhere: no such folder; run `dvc repro generate`"):
        ArchivedSplit(tmp_path / "nowhere")


def test_a_damaged_archive_is_named_with_what_to_run(tmp_path: Path) -> None:
    folder = write(tmp_path / "val", COUNTS)
    path = folder / "11.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"val/11\.zip: is cut short.*run `dvc repro generate`"):
        ArchivedSplit(folder)
    path.write_bytes(whole.replace(b"11 2", b"11 x"))
    with ArchivedSplit(folder) as found, pytest.raises(UserError, match=r"val/11\.zip: has a damaged images/11-2"):
        list(found)


def test_archives_of_other_classes_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "val", {"0": 2, "1": 2})
    with ArchiveWriter(folder / "1.zip", ("cat", "cow")) as archive:
        archive.add("x.png", b"", 1, 1, np.zeros((0, 4)), [])
    with pytest.raises(UserError, match=r"val/1\.zip: has other classes than 0\.zip; run `dvc repro generate`"):
        ArchivedSplit(folder)


def test_a_split_of_no_images_is_empty(tmp_path: Path) -> None:
    with ArchivedSplit(write(tmp_path / "val", {"all": 0})) as found:
        assert (len(found), list(found), list(found.truths())) == (0, [], [])


def test_archives_of_an_earlier_run_are_taken_away_and_nothing_else(tmp_path: Path) -> None:
    folder = write(tmp_path / "val", COUNTS)
    (folder / ".mine.zip").write_bytes(b"")
    (folder / ".0").mkdir()
    partial_path(folder / "10.zip").touch()  # of a writer that was killed
    (folder / ".1.zip.0a1b2c3d.partial").touch()  # as former versions named them
    (mine := partial_path(folder / "mine.zip")).touch()
    begin_split(folder)
    assert {path.name for path in folder.iterdir()} == {".0", ".mine.zip", mine.name}
