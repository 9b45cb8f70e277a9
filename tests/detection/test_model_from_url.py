"""A model of a stranger's repository, whose remotes are anywhere or nowhere."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from humbleyolo.detection.detector import Detector
from humbleyolo.detection.model_from_url import _fetch, fetch_model
from humbleyolo.errors import UserError

CLOSED = "http://127.0.0.1:1"
FILES = ("data/model/model.json", "data/model/weights.npz")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a model that DVC keeps."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "data/model").mkdir(parents=True)
    for file in FILES:
        (folder / file).write_text(file)
    make_repository(folder)
    return folder


def make_repository(folder: Path) -> None:
    for command in (("git", "init", "--quiet"), ("dvc", "init", "--quiet"), ("dvc", "add", "--quiet", *FILES)):
        program = command[:1] if command[0] == "git" else (sys.executable, "-m", "dvc")
        subprocess.run([*program, *command[1:]], cwd=folder, check=True, capture_output=True)


def commit(repository: Path) -> None:
    who = ("-c", "user.email=a@b.c", "-c", "user.name=A")
    for command in (("add", "."), ("commit", "--quiet", "-m", "A model")):
        subprocess.run(["git", *who, *command], cwd=repository, check=True)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all temporary files, of this process and of others, and of what DVC notes."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for name in ("TMPDIR", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, str(folder))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("remote", "says"),
    [
        ("ssh://127.0.0.1:{port}/srv", "names 127.0.0.1 for its data, over SSH, and no key of yours is"),
        (f"s3://bucket/models\n    endpointurl = {CLOSED}", f"cannot be fetched: .* connect to .*{CLOSED}/bucket"),
        ("gs://bucket/models", "its remote needs the package dvc-gs, which is not installed"),
        ("/nowhere/to/be/found", "has no data/model/model.json that can be fetched"),
    ],
)
def test_a_remote_that_cannot_be_used_is_told_in_words(
    repository: Path, remote: str, says: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if remote.startswith("ssh"):
        pytest.importorskip("dvc_ssh", reason="needs the extra ssh")
    if remote.startswith("s3"):
        pytest.importorskip("dvc_s3", reason="needs the extra s3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_MAX_ATTEMPTS"):
        monkeypatch.setenv(name, "1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = remote.format(port=listener.getsockname()[1])
        (repository / ".dvc/config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {address}\n")
        commit(repository)
        with pytest.raises(UserError, match=says):
            Detector.load(f"file://{repository}")
        assert not called(listener)
    assert not list(temporary.iterdir())


def called(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["import", "import by an own program", "import-url"])
def test_no_key_is_offered_where_an_imported_file_comes_from(
    kind: str, repository: Path, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SSH program that a person has chosen (GIT_SSH_COMMAND) is not run either."""
    if kind == "import-url":
        pytest.importorskip("dvc_ssh", reason="needs the extra ssh")
    if kind == "import by an own program":
        monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/ran")
    theirs = tmp_path / "theirs"
    shutil.copytree(repository, theirs)
    (theirs / ".dvc/config").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = f"ssh://git@127.0.0.1:{listener.getsockname()[1]}/srv"
        for file in FILES:
            note = theirs / f"{file}.dvc"
            kept, name = note.read_text(), Path(file).name
            if kind == "import-url":
                note.write_text(f"frozen: true\ndeps:\n- path: {there}/{file}\nouts:\n- path: {name}\n  hash: md5\n")
            else:
                repo = f"  repo:\n    url: {there}.git\n    rev_lock: {'a' * 40}\n"
                note.write_text(f"frozen: true\ndeps:\n- path: {file}\n{repo}{kept}")
        commit(theirs)
        with pytest.raises(UserError, match="over SSH, and no key of yours is offered"):
            Detector.load(f"file://{theirs}")
        assert not called(listener)
    assert not (tmp_path / "ran").exists()
    assert not list(temporary.iterdir())


COMMANDS = """
import sys, tempfile
from pathlib import Path
from humbleyolo import Detector
from humbleyolo.cli import main

url, picture = sys.argv[1:]
Detector.load(url, threads=2)(picture)
left = list(Path(tempfile.gettempdir()).glob("humbleyolo-*"))
for options in ([], ["--revision", "nowhere"], ["--threshold", "7"]):
    try:
        main(["predict", picture, "--model", url, "--output", "boxes.json", *options])
    except SystemExit as ended:
        left += Path(tempfile.gettempdir()).glob("humbleyolo-*")
        print(ended.code, *left)
"""


@pytest.mark.slow
def test_nothing_stays_of_a_model_that_was_fetched(network_folder: Path, temporary: Path, tmp_path: Path) -> None:
    theirs, picture = tmp_path / "theirs", tmp_path / "a.png"
    shutil.copytree(network_folder, theirs / "data/model")
    make_repository(theirs)
    (theirs / ".dvc/config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {tmp_path}/storage\n")
    commit(theirs)
    subprocess.run([sys.executable, "-m", "dvc", "push", "--quiet"], cwd=theirs, check=True)
    shutil.rmtree(temporary / "repo")  # what DVC notes of this repository
    Image.new("RGB", (80, 48)).save(picture)
    command = [sys.executable, "-c", COMMANDS, f"file://{theirs}", str(picture)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["0", "2", "2"], done.stderr
    assert (tmp_path / "boxes.json").is_file()
    left = [path.relative_to(temporary).as_posix() for path in temporary.rglob("*")]
    assert not [name for name in left if re.search("dvc|repo|git|model|humbleyolo", name)]  # TensorFlow leaves others


@pytest.mark.parametrize(
    ("failure", "says"), [(FileNotFoundError(), ""), (PermissionError("403"), "theirs: cannot be fetched: 403")]
)
def test_a_selection_that_is_there_but_cannot_be_had_is_no_default(
    failure: OSError, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_file(source: str, to: str) -> None:
        if source.endswith("selection.json"):
            raise failure
        Path(to).write_text(source)

    system = SimpleNamespace(repo=None, get_file=get_file, close=lambda: None)
    monkeypatch.setitem(sys.modules, "dvc.api", SimpleNamespace(DVCFileSystem=lambda *_, **__: system))
    (tmp_path / "theirs").mkdir()
    if says:
        with pytest.raises(UserError, match=says):
            _fetch(str(tmp_path / "theirs"), "", tmp_path)
    else:
        _fetch(str(tmp_path / "theirs"), "", tmp_path)
    assert [path.name for path in sorted((tmp_path / "model").iterdir())] == ["model.json", "weights.npz"]


def test_a_token_in_the_url_is_told_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://me:TOKEN@host/x.git"
    for told in (f"error: {url}: no such {url}", f"a trace\nOSError: {url}"):
        done = SimpleNamespace(returncode=2, stderr=told.encode())
        monkeypatch.setattr(subprocess, "run", lambda *_, done=done, **__: done)
        with pytest.raises(UserError, match=r"https://me:\*\*\*@host/x\.git: ") as error:
            fetch_model(url, None, tmp_path)
        assert "TOKEN" not in str(error.value)
