"""A split of several archives, and a dataset of such splits, read as one labelled folder."""

from pathlib import Path

import pytest
from folders import Maker, picture, voc, zipped

from humbleyolo.dataset.archive import ArchiveWriter
from humbleyolo.dataset.archived_split import begin_split
from humbleyolo.errors import UserError
from humbleyolo.inputs.folder import FolderSource, ZipSource
from humbleyolo.inputs.joined_source import open_source

PARTS = {"0": 2, "10": 0, "11": 3}


def write(folder: Path, counts: dict[str, int], first: int = 0) -> Path:
    begin_split(folder)
    for name, count in counts.items():
        with ArchiveWriter(folder / f"{name}.zip", ["cat", "dog"]) as archive:
            for number in range(first, first + count):
                archive.add(f"{number}.png", picture(number, width=20 + number), 20, 20 + number, [[1, 2, 3, 4]], [1])
            first += count
    return folder


def test_the_archives_of_a_split_are_one_set(make: Maker, tmp_path: Path) -> None:
    folder = write(tmp_path / "test", PARTS)
    read = make.open(folder)
    assert [one.path for one in read.images] == [
        "0/images/0.png", "0/images/1.png", "11/images/2.png", "11/images/3.png", "11/images/4.png",
    ]  # fmt: skip
    assert (read.format, read.ledger.rows) == ("coco", [])
    with open_source(folder) as source:
        assert source.ids_continue


def test_a_split_of_one_archive_is_that_archive(tmp_path: Path) -> None:
    folder = write(tmp_path / "test", {"all": 2})
    with open_source(folder) as source, open_source(folder / "all.zip") as alone:
        assert isinstance(source, ZipSource)
        assert source.names == alone.names


def test_the_splits_of_a_dataset_are_lists_of_one_set(make: Maker, tmp_path: Path) -> None:
    write(tmp_path / "data/train", PARTS)
    write(tmp_path / "data/val", {"all": 1}, 7)
    write(tmp_path / "data/test", {"0": 1, "1": 1}, 8)
    (tmp_path / "data/ledger.csv").write_text("file,where\n")
    (tmp_path / "data/preview.png").write_bytes(picture(40))
    images = make.open(tmp_path / "data").images
    assert [one.splits for one in images] == [("test",)] * 2 + [("train",)] * 5 + [("val",)]
    assert images[0].path == "test/0/images/8.png"


def test_corrections_beside_the_splits_are_read(make: Maker, tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        write(tmp_path / "data" / split, {"all": 2}, 2 * place)
    better = voc("0.png", "cat 2 2 9 9", width=20, height=20)
    zipped(tmp_path / "data", "corrections.zip", {"0.png": picture(0, width=20), "0.xml": better})
    images = {one.path: one for one in make.open(tmp_path / "data").images}
    assert images["train/all/images/0.png"].labels == ("cat",)


@pytest.mark.parametrize("names", [("1",), ("0", "10"), ("all", "2"), ("day1", "day2")])
def test_other_archives_are_parts_by_themselves(make: Maker, tmp_path: Path, names: tuple[str, ...]) -> None:
    """Also the rest of a split of which an archive is missing: its ids would be those of other images."""
    root = make.folder({"README.md": ""})
    for place, name in enumerate(names):
        zipped(root, f"{name}.zip", {"a.png": picture(place), "a.xml": voc("a.png")})
    with open_source(root) as source:
        assert not source.ids_continue
    assert [one.path for one in make.open(root).images] == sorted(f"{name}.zip/a.png" for name in names)


def test_images_and_archives_of_splits_in_one_folder_are_no_dataset_of_these(make: Maker, tmp_path: Path) -> None:
    write(tmp_path / "train", {"all": 2})
    (tmp_path / "a.png").write_bytes(picture(9))
    (tmp_path / "a.xml").write_text(voc("a.png"))
    with pytest.raises(UserError, match=r"train/all\.zip: an archive with labels: an archive inside a set of labels"):
        make.open(tmp_path)


def test_a_split_without_one_of_its_archives_is_told(make: Maker, tmp_path: Path) -> None:
    folder = write(tmp_path / "data/test", PARTS)
    (folder / "10.zip").unlink()
    for path in (folder, folder.parent):
        with pytest.raises(UserError, match=r"test: 10\.zip is missing, .*; copy the folder again, or run"):
            open_source(path)


def test_archives_of_an_earlier_version_beside_those_of_today_are_told(tmp_path: Path) -> None:
    write(tmp_path / "train", {"all": 2})
    with ArchiveWriter(tmp_path / "train.zip", ["cat"]) as archive:
        archive.add("0.png", picture(0), 20, 20, [[1, 2, 3, 4]], [0])
    with pytest.raises(UserError, match=r"holds both train\.zip and train/all\.zip; remove train\.zip, which"):
        open_source(tmp_path)


def test_a_folder_without_archives_is_a_folder(make: Maker) -> None:
    with open_source(make.folder({"a.png": picture(), "a.xml": voc("a.png")})) as source:
        assert isinstance(source, FolderSource)
