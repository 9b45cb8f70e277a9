"""Folders and archives, opened read-only."""

import os
import zipfile
from pathlib import Path

import pytest
from folders import Maker, picture, voc, zipped

from humbleyolo.errors import UserError
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="zip"):
        open_source(tmp_path / "a.zip")


def test_links_and_devices(make: Maker, tmp_path: Path) -> None:
    """Links to files are followed, as DVC makes them; links to folders and pipes are not opened."""
    root = make.folder({"a.xml": voc("a.png")})
    (tmp_path / "a.png").write_bytes(picture())
    (root / "a.png").symlink_to(tmp_path / "a.png")
    (root / "up").symlink_to(tmp_path)
    (root / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(root / "pipe.png")
    data = make.open(root)
    assert [record.path for record in data.images] == ["a.png"]
    assert {row.file for row in data.ledger.rows} == {"up", "pipe.png", "gone"}
    assert {row.severity for row in data.ledger.rows} == {"note"}


def test_names_that_leave_the_archive(make: Maker) -> None:
    bad = dict.fromkeys(("../up.png", "/etc/x.png", "C:/x.png"), b"x")
    path = make.archive({"a.png": picture(), "a.xml": voc("a.png")} | bad)
    data = make.open(path)
    assert len(data.images) == 1
    assert len(data.ledger.rows) == 3
    assert all("leaves the folder" in row.why for row in data.ledger.rows)


def test_backslashes_between_folders(make: Maker) -> None:
    """Some programs of Windows write them. A name that leaves the archive by them is refused as any other."""
    bad = {"..\\up.png": b"x", "C:\\x.png": b"x"}
    data = make.open(make.archive({"a\\b\\a.png": picture(), "a\\b\\a.xml": voc("a.png"), "a\\c\\": b""} | bad))
    assert [image.path for image in data.images] == ["a/b/a.png"]
    assert [row.kind for row in data.ledger.rows] == ["not-read"] * 2


@pytest.mark.parametrize("space", ["\u202f", "\u00a0", "\u200c"])
def test_spaces_and_joiners_in_names(make: Maker, space: str) -> None:
    """Screenshots of macOS have U+202F before AM, Czech texts U+00A0, Persian words U+200C."""
    name = f"10.12{space}AM"
    files = {f"{name}.png": picture(), f"{name}.xml": voc(f"{name}.png", "X 1 2 3 4").replace(">X<", f">5{space}kg<")}
    for path in (make.folder(files), make.archive(files)):
        data = make.open(path)
        assert [image.path for image in data.images] == [f"{name}.png"]
        assert data.classes == (f"5{space}kg",)
        assert not data.ledger.rows


def test_an_archive_of_which_nothing_is_read_says_why(make: Maker) -> None:
    path = make.archive({"../a.png": picture(), "../a.xml": voc("a.png")})
    with pytest.raises(UserError, match=r"among 0 files, images: 0 \(2 more are not read, such as .*with / are"):
        make.open(path)


def test_a_folder_of_which_nothing_is_read_says_why(make: Maker) -> None:
    with pytest.raises(UserError, match=r"holds no files that are read \('a\\nb\.png': a name with .*; it "):
        open_source(make.folder({"a\nb.png": picture()}))


def test_an_archive_is_not_unpacked_beyond_its_limit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.txt", b"0" * 10**7)
    with open_source(tmp_path / "a.zip") as source, pytest.raises(BadInput, match="too-large"):
        source.read("bomb.txt", 1000)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_member(make: Maker, method: int) -> None:
    path = make.archive({"a.png": picture(), "a.xml": voc("a.png")})
    with zipfile.ZipFile(path, "a", method) as file:
        file.writestr("b.png", picture(1))
        file.writestr("b.xml", voc("b.png"))
        start = file.getinfo("b.png").header_offset + 60
    data = bytearray(path.read_bytes())
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    read = make.open(path, on_problem="skip")
    assert [(row.kind, row.file) for row in read.ledger.rows] == [("unreadable", "b.png")]


def test_archives_side_by_side_are_one_source(make: Maker) -> None:
    root = make.folder({"x.txt": ""})
    (root / "x.txt").unlink()
    for n, split in enumerate(("train", "val")):
        make.archive({"images/a.png": picture(n), "a.xml": voc("a.png")}).rename(root / f"{split}.zip")
    assert [record.path for record in make.open(root).images] == ["train/images/a.png", "val/images/a.png"]


def test_nothing_is_written(make: Maker) -> None:
    root = make.folder({"a.png": picture(), "a.xml": voc("a.png")})
    before = {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}
    root.chmod(0o555)
    make.open(root)
    assert before == {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}


@pytest.mark.parametrize(("content", "words"), [(b"PK broken", "cannot be read as a zip"), ({}, "holds no images")])
def test_an_archive_without_use_is_named_with_the_fix(make: Maker, content: object, words: str) -> None:
    root = make.folder({"day1/a.png": picture(), "day1/a.xml": voc("a.png")})
    if isinstance(content, bytes):
        (root / "b.zip").write_bytes(content)
    else:
        zipped(root, "b.zip", {})
    with pytest.raises(UserError, match=rf"b\.zip: {words}.*export it again, or take it away"):
        make.open(root)


def test_a_folder_of_links_alone_names_them_all(make: Maker, tmp_path: Path) -> None:
    root = make.folder({})
    (root / "broken.jpg").symlink_to("/nowhere.jpg")
    for name in ("self", "day1"):
        (root / name).symlink_to(tmp_path)
    with pytest.raises(UserError) as error:
        open_source(root)
    link = "a link to a folder, which is not followed"
    said = f"that are read (day1: {link}; self: {link}; broken.jpg: cannot be looked at: No such file or directory)"
    assert said in str(error.value)
    for number in range(5):
        (root / f"{number}").symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"4: a link.*; and 3 more\)"):
        open_source(root)
