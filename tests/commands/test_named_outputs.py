"""The files that commands write by name, where something else than a file stands already."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from folders import Maker, picture
from stub_models import RedFinder

from humbleyolo.cli import main

NULL, FULL = 3, 7  # minor numbers of devices of Linux
OUTPUTS = ["predict --output", "check --html", "check --ledger", "convert --ledger"]


class Command:
    """A command that writes one file; the other outputs go to new places."""

    def __init__(self, words: str, source: Path, scratch: Path) -> None:
        self._words, self._source, self._scratch, self._runs = words.split(), source, scratch, 0

    def run(self, output: Path | str) -> int:
        """Return the exit code, without that of findings."""
        self._runs += 1
        given = {
            "predict": ["--model", "red", "--format", "csv"],
            "check": [],
            "convert": [str(self._scratch / str(self._runs)), "--to", "voc", "--on-problem", "skip_box"],
        }
        command, option = self._words
        with pytest.raises(SystemExit) as ended:
            main([command, str(self._source), *given[command], option, str(output)])
        return 0 if ended.value.code == 1 and command == "check" else int(ended.value.code or 0)


@pytest.fixture(params=OUTPUTS)
def command(request: pytest.FixtureRequest, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command on a folder with a finding."""
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: RedFinder())
    rows = "image,label,xmin,ymin,xmax,ymax\na.png,cat,1,1,30,15\na.png,cat,5,5,5,9\n"
    return Command(request.param, make.folder({"a.png": picture(), "l.csv": rows}), tmp_path)


@pytest.fixture
def expected(command: Command, tmp_path: Path) -> bytes:
    """The bytes of an ordinary file."""
    assert command.run(tmp_path / "plain") == 0
    data = (tmp_path / "plain").read_bytes()
    (tmp_path / "plain").unlink()
    assert data
    return data


@contextmanager
def all_that_is_piped(pipe: Path) -> Iterator[list[bytes]]:
    os.mkfifo(pipe)
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()), daemon=True)
    reader.start()
    yield came
    reader.join(60)


def device(path: Path, minor: int) -> Path:
    """Make a device like /dev/null; without root that of the machine, which only root could replace."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.write_bytes(b"")
    except PermissionError:
        path.unlink(missing_ok=True)
        return Path(os.devnull if minor == NULL else "/dev/full")
    return path


def test_an_output_is_written_through_what_stands_there(command: Command, expected: bytes, tmp_path: Path) -> None:
    pipe, null = tmp_path / "pipe", device(tmp_path / "null", NULL)
    with all_that_is_piped(pipe) as came:
        assert command.run(pipe) == 0
    assert came == [expected]
    assert pipe.is_fifo()
    assert command.run(null) == 0
    assert null.is_char_device()
    (tmp_path / "far").mkdir()
    (tmp_path / "far/there").write_bytes(b"old")
    for name, target in (("to_file", "far/there"), ("dangling", "far/new"), ("to_link", "dangling")):
        link = tmp_path / name
        link.symlink_to(target)
        assert command.run(link) == 0
        assert link.is_symlink()
        assert link.read_bytes() == expected
    assert not (tmp_path / "far/new").is_symlink()
    (tmp_path / "to_null").symlink_to(null)
    assert command.run(tmp_path / "to_null") == 0
    assert (tmp_path / "to_null").is_symlink()
    assert null.is_char_device()


def test_an_output_that_is_an_open_file_goes_on_in_it(
    command: Command, expected: bytes, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with (tmp_path / "open").open("w+b", buffering=0) as file:
        file.write(b"before,")
        (tmp_path / "link").symlink_to(f"/proc/self/fd/{file.fileno()}")
        names = [f"/proc/self/fd/{file.fileno()}", f"/dev/fd/{file.fileno()}", tmp_path / "link"]
        for name in names:
            assert command.run(name) == 0
        assert os.fstat(file.fileno()).st_nlink == 1  # it has its name still
        assert (tmp_path / "open").read_bytes() == b"before," + 3 * expected
    with all_that_is_piped(tmp_path / "pipe") as came, (tmp_path / "pipe").open("wb") as file:
        assert command.run(f"/proc/self/fd/{file.fileno()}") == 0
    assert came == [expected]
    capfdbinary.readouterr()
    assert command.run("/dev/stdout") == 0
    assert expected in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["check", "{none}", "--html", "{output}"], ["check", "{none}", "--ledger", "{output}"],
     ["check", "{none}", "--sheets", "{output}"],
     ["convert", "{none}", "{new}", "--to", "voc", "--ledger", "{output}"]],
)  # fmt: skip
def test_an_output_that_cannot_be_written_is_said_before_the_work(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Work on a folder that is not there would fail for that."""
    (tmp_path / "file").write_bytes(b"kept")
    output = tmp_path / "file/below"
    places = {"none": tmp_path / "none", "new": tmp_path / "new", "output": output}
    with pytest.raises(SystemExit) as ended:
        main([word.format(**places) for word in words])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {output}: cannot be written: a file stands where a folder is needed\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(SystemExit):
        main([word.format(**places | {"output": tmp_path / "file"}) for word in words])
    assert (tmp_path / "file").read_bytes() == b"kept"  # nothing came of it


def test_a_ledger_can_lie_in_the_folder_that_is_made(make: Maker, tmp_path: Path) -> None:
    rows = "image,label,xmin,ymin,xmax,ymax\na.png,cat,1,1,30,15\n"
    folder, target = make.folder({"a.png": picture(), "l.csv": rows}), tmp_path / "new"
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(folder), str(target), "--to", "voc", "--ledger", str(target / "ledger.csv")])
    assert ended.value.code == 0
    assert (target / "ledger.csv").is_file()


def test_an_output_that_cannot_be_written_is_said(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "astray").symlink_to("no/such")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "read").write_bytes(b"kept")
    unread, pipe = os.pipe()
    os.close(unread)
    with (tmp_path / "read").open("rb") as file, os.fdopen(pipe):
        expected = {
            tmp_path / "astray": "no such folder",
            tmp_path / "loop": "a link leads to itself",
            tmp_path: "a folder stands where the file is needed",
            device(tmp_path / "full", FULL): "the disk is full; free some space",
            Path(f"/proc/self/fd/{file.fileno()}"): "it is not open for writing",
            Path("/proc/self/fd/987"): "it is not open for writing",
            Path(f"/proc/self/fd/{pipe}"): "its reader has gone",
        }
        for output, reason in expected.items():
            assert command.run(output) == 2
            named = tmp_path / "no/such" if output.name == "astray" else output
            *_, last = capsys.readouterr().err.splitlines()
            assert last == f"error: {named}: cannot be written: {reason}"
    assert (tmp_path / "read").read_bytes() == b"kept"
