"""Servers on this machine, as long as a test needs them: S3, SSH, and files over HTTP."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    """Run a server until the block ends; it has begun when its port answers."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            until = time.monotonic() + 120
            while not _answers(port):
                assert process.poll() is None, log.read_text(errors="replace")
                assert time.monotonic() < until, log.read_text(errors="replace")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(60)


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class Bucket:
    """A bucket of an S3 server, seen without any library."""

    def __init__(self, server: str, name: str) -> None:
        self.server, self.url = server, f"{server}/{name}"
        self._ask("PUT", "")

    def keys(self) -> list[str]:
        """Return the names of the objects, at most 1,000."""
        return re.findall("<Key>(.*?)</Key>", self._ask("GET", "?list-type=2").decode())

    def read(self, key: str) -> bytes:
        """Return an object."""
        return self._ask("GET", f"/{key}")

    def write(self, key: str, data: bytes) -> None:
        """Put an object in the place of one."""
        self._ask("PUT", f"/{key}", data)

    def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        # The server refuses to read to nobody, and does not look at the signature.
        scope = "test/20200101/us-east-1/s3/aws4_request"
        headers = {"Content-Type": "application/octet-stream"}
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Yield the URL of an S3 server that keeps its objects in memory."""
    pytest.importorskip("moto", reason="needs moto's S3 server")
    pytest.importorskip("dvc_s3", reason="needs the extra s3")
    port = free_port()
    with serving([sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], port, log):
        yield f"http://{HOST}:{port}"


@contextmanager
def http_server(folder: Path, log: Path) -> Iterator[str]:
    """Yield the URL of a web server over a folder, which nobody can write to."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", HOST, "--directory", str(folder), str(port)]
    with serving(command, port, log):
        yield f"http://{HOST}:{port}"


@contextmanager
def ssh_server(folder: Path, home: Path, name: str) -> Iterator[Path]:
    """Run an SSH server that `home` can log in to under a name, and yield the file of the server's known keys."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if program is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs sshd (apt-get install openssh-server)")
    pytest.importorskip("dvc_ssh", reason="needs the extra ssh")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where root's sshd locks strangers in
    settings, port = home / ".ssh", free_port()
    settings.mkdir(mode=0o700)
    for key in (folder / "host", settings / "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    known = settings / "known_hosts"
    known.write_text(f"[{HOST}]:{port} {(folder / 'host.pub').read_text()}")
    (settings / "config").write_text(
        f"Host {name}\n  HostName {HOST}\n  Port {port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {settings / 'id'}\n  UserKnownHostsFile {known}\n"
    )
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {folder / 'host'}\nAuthorizedKeysFile {settings / 'id.pub'}\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    )
    with serving([program, "-D", "-e", "-f", str(folder / "sshd_config")], port, folder / "sshd.log"):
        yield known
