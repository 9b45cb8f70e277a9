"""A model of a stranger's repository, whose remotes are anywhere or nowhere."""

import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

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
    for command in (("git", "init", "--quiet"), ("dvc", "init", "--quiet"), ("dvc", "add", "--quiet", *FILES)):
        program = command[:1] if command[0] == "git" else (sys.executable, "-m", "dvc")
        subprocess.run([*program, *command[1:]], cwd=folder, check=True, capture_output=True)
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
    repository: Path, remote: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if remote.startswith("ssh"):
        pytest.importorskip("dvc_ssh", reason="needs the extra ssh")
    if remote.startswith("s3"):
        pytest.importorskip("dvc_s3", reason="needs the extra s3")
    temporary, fetched = tmp_path / "temporary", tmp_path / "fetched"
    temporary.mkdir()
    fetched.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_MAX_ATTEMPTS"):
        monkeypatch.setenv(name, "1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = remote.format(port=listener.getsockname()[1])
        (repository / ".dvc/config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {address}\n")
        who = ("-c", "user.email=a@b.c", "-c", "user.name=A")
        for command in (("add", "."), ("commit", "--quiet", "-m", "A model")):
            subprocess.run(["git", *who, *command], cwd=repository, check=True)
        with pytest.raises(UserError, match=says):
            fetch_model(f"file://{repository}", None, fetched)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has called
            listener.accept()
    assert not list(temporary.iterdir())  # its clones lie in the folder that open_model removes


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
