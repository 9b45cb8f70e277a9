"""Where a training runs, with the reason; `tests/chain/test_cluster_training.py` has the processes."""

import inspect
import platform
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from small_training import PLAIN

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.process.cluster_address import VARIABLE
from humbleyolo.process.shard_runner import Refused
from humbleyolo.training import channel, member_process, team
from humbleyolo.training.member_process import run_member
from humbleyolo.training.team import Team, form_team


@pytest.mark.parametrize(
    ("address", "parts", "reason"),
    [
        ("", 4, ""),
        ("tcp://127.0.0.1:1", 1, "train.micro_batches is 1"),
        ("tls://10.0.0.1:8786", 4, "TensorFlow's processes would talk without the encryption of tls://10.0.0.1:8786"),
    ],
)
def test_this_process_trains_alone_and_says_why(
    address: str, parts: int, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, address)
    monkeypatch.setattr("humbleyolo.process.cluster_address._configurations", list)
    with form_team((), PLAIN.model_copy(update={"micro_batches": parts})) as alone:
        assert alone is None
    assert capsys.readouterr().err == (f"training runs on this machine: {reason}\n" if reason else "")


def test_an_address_without_a_scheme_is_one_of_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask takes it so; here its cluster has lost its workers."""
    monkeypatch.setenv(VARIABLE, "10.0.0.1:8786")
    empty: Any = Pretended([], "pending", None)
    monkeypatch.setattr(team, "find_cluster", lambda: empty)
    train = PLAIN.model_copy(update={"micro_batches": 4})
    with pytest.raises(UserError, match="no worker is left; start some with"), form_team((), train):
        pass


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "tcp://127.0.0.1:{}"])
def test_the_processes_have_addresses_of_their_own(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        cluster: Any = Pretended(BOTH, "pending", None)
        cluster.address = address.format(scheduler.getsockname()[1])
        found = team._addresses(cluster, {"": 7, "tcp://a:9": 1, "tcp://[fe80::1]:9": 2})
    assert found == ["127.0.0.1:7", "a:1", "[fe80::1]:2"]


def test_workers_without_other_work_come_first() -> None:
    cluster: Any = Pretended(["tcp://b", "tcp://a"], "pending", None)
    assert team._idle_first(cluster, ["tcp://b", "tcp://a"]) == ["tcp://a", "tcp://b"]


@pytest.fixture(autouse=True)
def no_other_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "_gathering_alone", nullcontext)


def test_workers_that_would_take_one_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for name, visible in (("tcp://a:1", "2,3"), ("tcp://a:2", "3"), ("tcp://a:3", "2"), ("tcp://a:4", None)):
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        found[name] = member_process.visible_gpu()
    apart = {name: found[name] for name in ("tcp://a:1", "tcp://a:2", "tcp://a:4")}
    team._refuse_shared_gpus("tcp://s:1", apart)
    with pytest.raises(ProblemsError, match="several workers have one GPU; start each with CUDA_VISIBLE") as caught:
        team._refuse_shared_gpus("tcp://s:1", found)
    assert caught.value.problems == (f"{platform.node()}, GPU 2: tcp://a:1, tcp://a:3",)


def test_gpus_are_compared_before_a_training_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    in_force = team.runtime_in_force()._replace(gpus=("H100",))
    monkeypatch.setattr(team, "runtime_in_force", lambda: in_force)
    cluster: Any = Pretended(BOTH, "pending", None)
    cluster.run = lambda work, **_: dict.fromkeys(BOTH, "a, GPU 0")
    with pytest.raises(ProblemsError, match="several workers have one GPU"):
        Team(cluster, BOTH, [{"key": "1"}], {})


BOTH = ["tcp://a", "tcp://b"]


class Future:
    """A member's future of Dask."""

    def __init__(self, status: str, end: object) -> None:
        self.key, self.status, self._end = "member", status, end

    def result(self, **_: object) -> object:
        return self._end

    exception = result


class Pretended:
    """A cluster of two workers, one of which cannot take part."""

    address = "tcp://10.0.0.1:8786"

    def __init__(self, present: list[str], status: str, end: Refused | Exception | None) -> None:
        self.client, self._present, self.status, self._future = self, present, "running", Future(status, end)
        # Status of the client once the scheduler died, and the error of what it is asked.
        self.dies: tuple[str, Exception | None] | None = None

    def names(self) -> list[str]:
        return self._present

    def start_each(self, names: list[str], *_: object) -> list["Future"]:
        return [self._future for _ in names]

    def run(self, work: Any, *_: object, workers: list[str], **__: object) -> dict[str, Any]:
        if self.dies:
            self.status, error = self.dies
            if error:
                raise error
        return {name: 1 if name == "tcp://a" else None for name in workers}

    def nthreads(self) -> dict[str, int]:
        if self.dies and self.dies[1]:
            raise self.dies[1]
        return dict.fromkeys(self._present, 1)

    def processing(self) -> dict[str, list[str]]:
        """Return the work of each worker: `b` has a member to run, and that of a member of another training."""
        return {name: ["member", *(["other"] if name == "tcp://b" else [])] for name in BOTH}


@pytest.mark.parametrize(
    ("present", "status", "end", "text"),
    [
        (["tcp://a"], "pending", None, "tcp://10.0.0.1:8786: worker tcp://b is gone"),
        (BOTH, "finished", Refused(UserError("computes with 2 threads")), "worker tcp://b: computes with 2"),
        (BOTH, "finished", None, "worker tcp://b: its process ended"),
        (BOTH, "error", OSError("no space left"), "worker tcp://b: no space left"),
        (BOTH, "cancelled", None, "worker tcp://b: its process was cancelled"),
    ],
)
def test_a_member_that_is_never_ready_is_told_before_tensorflow_waits_for_it(
    present: list[str], status: str, end: Refused | Exception | None, text: str
) -> None:
    cluster: Any = Pretended(present, status, end)
    with pytest.raises(UserError, match=text):
        Team(cluster, BOTH, [{"key": "1"}], {})


@pytest.mark.parametrize(
    "dies",
    [
        ("running", OSError("Timed out during handshake")),
        ("connecting", AttributeError("'NoneType' object has no attribute 'send_recv'")),
        ("closed", None),
    ],
)
def test_a_scheduler_that_dies_is_told(dies: tuple[str, Exception | None]) -> None:
    cluster: Any = Pretended(BOTH, "pending", None)
    cluster.dies = dies
    with pytest.raises(UserError, match=r"tcp://10\.0\.0\.1:8786: the scheduler is gone"):
        Team(cluster, BOTH, [{"key": "1"}], {})


def test_a_worker_that_has_other_work_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(team, "_SAY_S", 0.0)
    cluster: Any = Pretended(BOTH, "pending", None)
    looks = iter([None, None, ("closed", None)])

    def sleep(_: float) -> None:
        cluster.dies = next(looks)

    monkeypatch.setattr("humbleyolo.training.team.time.sleep", sleep)
    with pytest.raises(UserError, match="the scheduler is gone"):
        Team(cluster, BOTH, [{"key": "1"}], {})
    assert capsys.readouterr().err == "training waits for worker tcp://b, busy with other work\n"


def test_an_error_that_is_no_lost_scheduler_stays_one() -> None:
    cluster: Any = Pretended(BOTH, "pending", None)
    cluster.dies = ("running", AttributeError("a mistake"))
    with pytest.raises(AttributeError, match="a mistake"):
        Team(cluster, BOTH, [{"key": "1"}], {})


def test_splits_that_are_too_large_to_be_sent_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train/all").mkdir(parents=True)
    (tmp_path / "train/all/images.npy").write_bytes(b"123456")
    path = tmp_path / "train/all/images.npy"
    assert team._files_to_send([tmp_path / "train"]) == {"train/all/images.npy": path}
    monkeypatch.setattr(team, "_SENT_BYTES", 5)
    with pytest.raises(UserError, match="too much to be sent to each worker; let the workers see the project's fold"):
        team._files_to_send([tmp_path / "train"])


@pytest.mark.parametrize(("seconds", "code"), [(1, 1), (60, 0)])
def test_a_process_that_is_never_connected_ends_without_a_trace(seconds: int, code: int) -> None:
    """A sleep stands for TensorFlow, in whose calls Python's own threads and signals get no turn."""
    source = inspect.getsource(channel._limit)
    waits = "import ctypes; ctypes.PyDLL(None).usleep(600_000_000)" if code else "pass"
    script = (
        "import faulthandler, os\nfrom pathlib import Path\n"
        "from collections.abc import Iterator\nfrom contextlib import contextmanager\n"
        f"{source}\nwith _limit({seconds}):\n    {waits}"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_member_that_dies_early_is_told_by_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its task is more than a pipe holds, so that nobody reads it to the end."""
    monkeypatch.setattr(member_process, "_CODE", "import sys; sys.exit('error: no disk')")
    with pytest.raises(UserError, match=r"^no disk$"):
        run_member({"splits": [], "key": "1", "more": "x" * (1 << 20)})


def test_a_member_keeps_its_port_until_all_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the slowest takes: it has no limit of time before that."""
    code = """
import json, sys, time
from humbleyolo.training.member_process import READY, take_port
task = json.loads(sys.stdin.readline())
with take_port() as taken:
    print(READY, taken.getsockname()[1], flush=True)
    sys.exit("error: told " + " ".join(json.loads(sys.stdin.readline())))
"""
    monkeypatch.setattr(member_process, "_CODE", code)

    def connect() -> None:
        while (port := member_process.port_of_ready("1")) is None:
            time.sleep(0.05)
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(("", port))
        member_process.connect_member("1", ["a:1", f"b:{port}"])

    with ThreadPoolExecutor() as pool:
        connected = pool.submit(connect)
        with pytest.raises(UserError, match=r"^told a:1 b:\d+$"):
            run_member({"splits": [], "key": "1"})
        connected.result()
    assert member_process.port_of_ready("1") is None
