"""A file appears whole or not at all."""

import contextlib
import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from small_disk import SmallDisk, small_disk

from humbleyolo.errors import UserError
from humbleyolo.storage import partial_files
from humbleyolo.storage.atomic import atomic_write, make_folder, partial_folder, require_space, write_output
from humbleyolo.storage.partial_files import finished_path, partial_path, remove_former


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


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12),
    locks=st.sampled_from(["locks", "a disk without locks", "Windows"]),
)
def test_writers_of_one_file_do_not_disturb_each_other(steps: list[tuple[str, bool]], locks: str) -> None:
    """Each begins when it is named first, and ends when it is named again, well or not; the last good one stays."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        lock_as(locks, patched)
        path, expected = Path(folder, "a.bin"), None
        running: dict[str, tuple[contextlib.ExitStack, bytes]] = {}
        for number, (name, well) in enumerate([*steps, *((name, True) for name in "abc")]):
            if name not in running:
                stack = contextlib.ExitStack()
                content = str(number).encode() * 9
                stack.enter_context(atomic_write(path)).write(content)
                running[name] = stack, content
                continue
            stack, content = running.pop(name)
            with contextlib.suppress(KeyError), stack:
                if not well:
                    raise KeyError
            expected = content if well else expected
            assert (path.read_bytes() if path.exists() else None) == expected
            assert len([*Path(folder).iterdir()]) == len(running) + (expected is not None)
        for stack, _ in running.values():
            stack.close()
        assert [one.name for one in Path(folder).iterdir()] in ([], ["a.bin"])


def test_very_many_writers_of_one_file_all_end_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are those of open files, so that threads are to each other as processes are."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # time in which nobody else is disturbed
    switched = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: write(tmp_path / "a", bytes([number % 256]) * 9), range(1_000)))
    finally:
        sys.setswitchinterval(switched)
    assert [*tmp_path.iterdir()] == [tmp_path / "a"]
    assert len({*(tmp_path / "a").read_bytes()}) == 1


def lock_as(what: str, patched: pytest.MonkeyPatch) -> None:
    """Have locks as on another system; Windows is known by a removal that fails while a file is open."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.exists() and any(one.exists() and one.samefile(path) for one in Path("/proc/self/fd").iterdir()):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        original(path, missing_ok)

    original = Path.unlink
    if what == "a disk without locks":
        patched.setattr("fcntl.flock", no_locks)
    elif what == "Windows":
        patched.setattr(partial_files, "fcntl", None)
        patched.setattr(Path, "unlink", unlink)


KILLED = """
import os, sys; from pathlib import Path; from humbleyolo.storage.atomic import atomic_write, partial_folder
with {writer}(Path(sys.argv[1])) as opened:
    {write}
    print("begun", flush=True)
    sys.stdin.read(1) or os.kill(os.getpid(), 9)
"""
WRITERS = {
    "atomic_write": "opened.write(bytes(1 << 20)); opened.flush()",
    "partial_folder": "(opened / 'half').write_bytes(b'half')",
}


@contextlib.contextmanager
def other_process(writer: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has begun to write; a byte lets it end, and the end of its input kills it."""
    code = KILLED.format(writer=writer, write=WRITERS[writer])
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        yield process


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("writer", WRITERS)
def test_what_killed_writers_left_goes_with_the_next_one(writer: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with other_process(writer, path) as first, other_process(writer, path) as second:
        for process in (second, first):
            process.communicate(b"")
            assert process.returncode == -signal.SIGKILL
    assert not path.exists()
    left_behind = {*tmp_path.iterdir()}
    assert len(left_behind) == (4 if writer == "partial_folder" else 2)
    others = {partial_path(tmp_path / name) for name in ("b.bin", "a", "a.bin.txt", "A.bin", "[a].bin", "?.bin")}
    for other in others:
        other.touch()
    write(path, b"whole")
    assert {*tmp_path.iterdir()} == {path, *others}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_another_process_writes_is_left_alone(writer: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with other_process(writer, path) as other:
        began = {one: one.stat().st_ino for one in tmp_path.iterdir()}
        write(path, b"whole")
        with partial_folder(path) as folder:
            assert [*folder.iterdir()] == []
        assert {one: one.stat().st_ino for one in tmp_path.iterdir() if one != path} == began
        other.communicate(b"1")
        assert other.returncode == 0
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == (bytes(1 << 20) if writer == "atomic_write" else b"whole")


@pytest.mark.parametrize("numbers", [[2], [16], [1, 3, 4, 9, 20]])
def test_a_gap_in_the_numbers_of_unfinished_files_keeps_none(numbers: list[int], tmp_path: Path) -> None:
    """Writers that were at work beside one that was killed have ended well."""
    for number in numbers:
        partial_path(tmp_path / "a", number).touch()
    write(tmp_path / "a", b"whole")
    assert [*tmp_path.iterdir()] == [tmp_path / "a"]


def test_no_write_looks_through_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take as long as the folder is: 43 ms with 30,000 files."""

    def look(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        for name in ("scandir", "listdir"):
            patched.setattr(os, name, look)
        write(tmp_path / "a", b"whole")
        partial_path(tmp_path / "a").write_bytes(b"half")
        write(tmp_path / "a", b"whole")
    assert [*tmp_path.iterdir()] == [tmp_path / "a"]


def test_a_disk_on_which_an_open_file_is_never_that_of_its_path_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def number_of_its_own(descriptor: int) -> os.stat_result:
        there = original(descriptor)
        if not stat.S_ISREG(there.st_mode):  # `rmtree` compares folders
            return there
        return os.stat_result((there.st_mode, there.st_ino + 1, *there[2:]))

    original = os.fstat
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", number_of_its_own)
        with atomic_write(tmp_path / "a") as file:
            file.write(b"whole")
            assert len([*tmp_path.iterdir()]) == 1
        with contextlib.suppress(KeyError), atomic_write(tmp_path / "a") as file:
            raise KeyError
        with partial_folder(tmp_path / "a") as folder:
            (folder / "half").touch()
    assert [*tmp_path.iterdir()] == [tmp_path / "a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_an_unfinished_file_that_somebody_else_removed_is_said(tmp_path: Path) -> None:
    removed = pytest.raises(UserError, match=r"a: cannot be written: its unfinished file or its folder was removed")
    with removed, atomic_write(tmp_path / "a"):
        partial_path(tmp_path / "a").unlink()


def test_a_link_in_the_place_of_an_unfinished_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    partial_path(tmp_path / "a").symlink_to(tmp_path / "mine")
    write(tmp_path / "a", b"whole")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "mine").read_bytes()) == (b"whole", b"mine")
    assert {*tmp_path.iterdir()} == {tmp_path / "a", tmp_path / "mine", partial_path(tmp_path / "a")}


@given(
    name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40),
    number=st.integers(1, 20),
)
@example(name="a.partial", number=1)
@example(name="a.partial2", number=2)
def test_the_name_of_an_unfinished_file_tells_that_of_the_whole_one(name: str, number: int) -> None:
    assume(name not in {".", ".."} and not re.fullmatch(r".+\.[0-9a-f]{8}", name, re.DOTALL))
    path = Path("/folder") / name
    partial = partial_path(path, number)
    assert (partial.parent, finished_path(partial)) == (path.parent, path)
    assert partial.name.startswith(".")
    assert partial != partial_path(path, number + 1)
    assert finished_path(partial.with_name(partial.name.removeprefix("."))) != path
    assert finished_path(partial.with_name(f"{partial.name}.tar.gz")) is None


def test_what_former_versions_left_is_known_and_removed(tmp_path: Path) -> None:
    """They put eight digits of chance before `.partial`, and locked nothing."""
    left = tmp_path / ".a.npz.0a1b2c3d.partial"
    assert finished_path(left) == tmp_path / "a.npz"
    others = {".b.npz.0a1b2c3d.partial", ".a.npz.0a1b2c3.partial", ".a.npz.partial", "a.npz.0a1b2c3d.partial"}
    for name in (left.name, *others):
        (tmp_path / name).touch()
    with atomic_write(tmp_path / "c.01234567"):
        others.add(".c.01234567.partial")  # this version's, and held
        remove_former(tmp_path, {"a.npz", "c"})
        assert {one.name for one in tmp_path.iterdir()} == others
    remove_former(tmp_path / "none", {"a.npz"})


def test_a_folder_is_removed_whatever_ends_the_block(tmp_path: Path) -> None:
    with contextlib.suppress(KeyError), partial_folder(tmp_path / "a") as folder:
        (folder / "half").touch()
        with partial_folder(tmp_path / "a") as second:
            assert second != folder
        raise KeyError
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(UserError, match="b: cannot be written: no such folder"), partial_folder(tmp_path / "no/b"):
        pass


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
