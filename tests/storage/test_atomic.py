"""A file appears whole or not at all."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from small_disk import SmallDisk, small_disk

from humbleyolo.errors import UserError
from humbleyolo.storage.atomic import (
    atomic_write,
    finished_path,
    make_folder,
    partial_folder,
    partial_path,
    partials_of,
    require_space,
    write_output,
)  # fmt: skip


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """A disk of one mebibyte."""
    with small_disk() as mounted:
        yield mounted


def write(path: Path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)


def test_the_file_holds_what_was_written_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.txt") as file:
        file.write(b"whole")
        assert not (tmp_path / "a.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"whole"


def test_an_output_whose_name_cannot_be_looked_at_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, said in (("a" * 300, "the name is too long; choose a shorter one"), ("loop", "a link leads to itself")):
        message = rf"^{tmp_path}/{name}: cannot be written: {said}$"
        with pytest.raises(UserError, match=message), write_output(tmp_path / name):
            pass

    def closed(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:  # as root may look everywhere
        patched.setattr(Path, "stat", closed)
        with pytest.raises(UserError, match="no permission to write there"), write_output(tmp_path / "a"):
            pass


def test_an_output_goes_through_links_pipes_and_devices(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link, pipe = tmp_path / "link.csv", tmp_path / "pipe"
    link.symlink_to(tmp_path / "far/target.csv")
    for content in (b"new", b"newer"):
        with write_output(link) as file:
            file.write(content)
        assert link.is_symlink()
        assert (tmp_path / "far/target.csv").read_bytes() == content
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with write_output(pipe) as file:
        file.write(b"piped")
    assert os.read(reader, 9) == b"piped"
    os.close(reader)
    assert pipe.is_fifo()
    with write_output(Path(os.devnull)) as file:
        file.write(b"gone")
    assert Path(os.devnull).is_char_device()
    with write_output(tmp_path / "plain") as file:
        file.write(b"whole")
        assert not (tmp_path / "plain").exists()
    with pytest.raises(UserError, match="a folder stands where the file is needed"), write_output(tmp_path / "far"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "link.csv", "pipe", "plain"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with contextlib.suppress(KeyError), atomic_write(path) as file:
        file.write(b"ne")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_says_so_and_leaves_nothing(disk: SmallDisk) -> None:
    path = disk.path / "a.bin"
    with pytest.raises(UserError, match=r"a\.bin: cannot be written: the disk is full"):
        write(path, bytes(4 << 20))
    assert list(disk.path.iterdir()) == []


def test_a_full_disk_is_noticed_where_only_the_last_flush_meets_it(disk: SmallDisk) -> None:
    (disk.path / "filler").write_bytes(bytes((1 << 20) - 4096))
    with pytest.raises(UserError, match="the disk is full"):
        write(disk.path / "a.bin", bytes(8000))  # fewer than the buffer holds
    assert [path.name for path in disk.path.iterdir()] == ["filler"]


def test_a_read_only_folder_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("root may write everywhere")
        with pytest.raises(UserError, match="no permission"), atomic_write(tmp_path / "a"):
            pass
    finally:
        tmp_path.chmod(0o755)


def test_a_read_only_disk_says_so(disk: SmallDisk) -> None:
    disk.remount("ro")
    with pytest.raises(UserError, match="a: cannot be written: the disk is read-only"):
        write(disk.path / "a", b"")


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="b: cannot be written: no such folder"):
        write(tmp_path / "missing" / "b", b"")


def test_errors_of_the_body_are_not_taken_for_errors_of_writing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()
    with pytest.raises(UserError, match="input/output"), atomic_write(tmp_path / "a"):
        raise OSError(errno.EIO, "Input/output error")


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a"):
        pass
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_kill_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from humbleyolo.storage.atomic import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as file:\n"
        "    file.write(bytes(1 << 20)); file.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.bin")], check=False)
    assert done.returncode == -signal.SIGKILL
    (left_behind,) = tmp_path.iterdir()
    assert partials_of(tmp_path / "a.bin") == [left_behind]
    others = {partial_path(tmp_path / name) for name in ("b.bin", "a", "a.bin.txt", "A.bin", "[a].bin", "?.bin")}
    for other in others:
        other.touch()
    write(tmp_path / "a.bin", b"whole")
    assert {*tmp_path.iterdir()} == {tmp_path / "a.bin", *others}


@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
@example(name="a.1a2b3c4d.partial")
def test_the_name_of_an_unfinished_file_tells_that_of_the_whole_one(name: str) -> None:
    assume(name not in {".", ".."})
    path = Path("/folder") / name
    partial = partial_path(path)
    assert (partial.parent, finished_path(partial)) == (path.parent, path)
    assert partial.name.startswith(".")
    assert partial != partial_path(path)
    assert finished_path(partial.with_name(partial.name.removeprefix("."))) != path
    assert finished_path(partial_path(path, ".mp4")) == path
    assert finished_path(partial.with_name(f"{partial.name}.tar.gz")) is None


@given(name=st.sampled_from(["a.bin", "[a].bin", "a.bin.1a2b3c4d.partial"]), left=st.integers(0, 3))
def test_files_that_were_left_behind_are_found_by_their_whole_name(name: str, left: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for other in ("a", "a.bin.txt", "b.bin"):
            partial_path(Path(folder, other)).touch()
        mine = {partial_path(Path(folder, name)) for _ in range(left)}
        for one in mine:
            one.touch()
        assert {*partials_of(Path(folder, name))} == mine


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_folder_that_a_kill_left_behind_goes_with_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from humbleyolo.storage.atomic import partial_folder\n"
        "with partial_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False)
    assert done.returncode == -signal.SIGKILL
    (left_behind,) = tmp_path.iterdir()
    (linked := partial_path(tmp_path / "a", ".mp4")).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (other := partial_path(tmp_path / "b")).mkdir()
    assert {*partials_of(tmp_path / "a")} == {left_behind, linked}
    with partial_folder(tmp_path / "a") as folder:
        assert [*folder.iterdir()] == []
        assert {*tmp_path.iterdir()} == {folder, other, tmp_path / "elsewhere"}
    assert {*tmp_path.iterdir()} == {other, tmp_path / "elsewhere"}


def test_a_folder_is_made_and_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        make_folder(tmp_path / "file")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        make_folder(tmp_path / "file" / "below")
    shutil.rmtree(tmp_path / "a")


def test_room_is_counted_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = SimpleNamespace(free=20_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    require_space(tmp_path, 20_000_000_000)
    with pytest.raises(UserError, match=rf"^{tmp_path}: the work needs 74\.0 GB, and 20\.0 GB are free .* free some"):
        require_space(tmp_path, 74_000_000_000)
