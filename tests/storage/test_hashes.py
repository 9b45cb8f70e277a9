"""Hashes: the second opinion is FIPS 180, and of those in `dvc.lock` DVC, and the lock of this project."""

from pathlib import Path

import pytest
from dvc.repo import Repo
from repository import ROOT
from ruamel.yaml import YAML
from tiny_project import Project

from humbleyolo.storage.hashes import dvc_digest, sha256_of

LOCK = YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (1_000_000 * b"a", "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
)
def test_the_sha_256_of_a_file_is_that_of_the_standard(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == expected


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # within DVC
def test_a_file_and_a_folder_have_the_hash_that_dvc_gives_them(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for name in ("b", "a/z", "a/b/c", "a-b", "a.b", "ä", "Z", ".hidden", "a b", ".git/index", "a/b/.git"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        for name in ("file", "folder"):
            (stage,) = repo.add([str(tmp_path / name)])
            assert dvc_digest(tmp_path / name, tmp_path) == stage.outs[0].hash_info.value


def test_the_fonts_are_those_of_the_lock() -> None:
    (entry,) = [entry for entry in LOCK["generate"]["deps"] if entry["path"] == "data/fonts"]
    assert dvc_digest(ROOT / "data/fonts", ROOT) == entry["md5"]


@pytest.mark.slow
def test_outputs_have_the_hashes_of_the_lock(first_run: tuple[Project, object]) -> None:
    path = first_run[0].path
    for content in YAML(typ="safe").load(path / "dvc.lock")["stages"].values():
        for entry in content["outs"]:
            assert dvc_digest(path / entry["path"], path) == entry["md5"], entry["path"]
