"""Work on a Dask cluster: found by Dask's convention, refused if it differs, in order, and with deaths survived.

Workers run functions of Python and of the package alone: they do not see the tests.
"""

import filecmp
import gc
import importlib.util
import math
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import dask
import psutil
import pytest
from cluster import LoopbackCluster, kill_tree, loopback_cluster, worker_processes
from distributed.comm import CommClosedError

from humbleyolo.detection.image_input import read_file
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.process import cluster, cluster_calls
from humbleyolo.process import cluster_address as cluster_address_module
from humbleyolo.process.cluster import Cluster, find_cluster
from humbleyolo.process.cluster_address import VARIABLE, cluster_address
from humbleyolo.process.cluster_calls import ask_workers, reaches, send_files
from humbleyolo.process.shard_runner import Refused, differences, run_shard, sent_folder
from humbleyolo.process.workers import map_in_order


@pytest.fixture
def no_dask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing on this machine name a cluster."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path / "none"))
    monkeypatch.setattr(cluster_address_module, "_CONFIGURED", ())


@pytest.mark.slow
def test_without_an_address_work_stays_here_and_dask_is_not_imported(no_dask: None) -> None:
    assert cluster_address() is None
    code = (
        "import sys; from humbleyolo.process import cluster_address as cluster; cluster._CONFIGURED = ()\n"
        "assert cluster.cluster_address() is None and 'dask' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_extra_is_said(no_dask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "tcp://10.0.0.1:8786")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"tcp://10.0.0.1:8786, .* missing; unset .* `uv sync --extra cluster`"):
        list(map_in_order(math.sqrt, [1, 2]))


def test_versions_that_differ_are_named() -> None:
    here = {"numpy": "2.1", "pillow": "12.0"}
    assert differences(here, here) == ""
    assert differences(here, {"numpy": "2.0"}) == "numpy 2.0 (here 2.1), pillow none (here 12.0)"


def test_machines_of_other_versions_are_refused_together() -> None:
    there = cluster.describe_installation() | {"numpy": "1.0"}
    found = {"worker b": there, "worker a": ModuleNotFoundError("No module named 'humbleyolo'"), "worker c": here()}
    with pytest.raises(ProblemsError) as caught:
        cluster._refuse_others("tcp://10.0.0.1:8786", found)
    first, second = caught.value.problems
    cluster._refuse_others(
        "tcp://10.0.0.1:8786", {"the scheduler": here() | {"machine": "abacus", "variables": "A=1"}}
    )
    assert first.startswith("worker a cannot run this package: No module named 'humbleyolo'; install")
    assert second.startswith(f"worker b has numpy 1.0 (here {here()['numpy']}); install")


def test_a_worker_that_dies_while_it_is_asked_is_not_taken_for_another_version() -> None:
    found = {"worker b": CommClosedError("in <TCP>: Stream is closed"), "worker c": here()}
    with pytest.raises(
        ProblemsError, match="machines that do not answer; start them again, then the stage"
    ) as caught:
        cluster._refuse_others("tcp://10.0.0.1:8786", found)
    assert caught.value.problems == ("worker b: in <TCP>: Stream is closed",)


def test_a_worker_that_comes_later_must_be_as_the_others(tmp_path: Path) -> None:
    work, task = pickle.dumps(math.sqrt), pickle.dumps(4)
    (tmp_path / "token").touch()
    assert run_shard(work, task, (here(), None)) == run_shard(work, task, (here(), str(tmp_path / "token"))) == 2
    for there, text in (
        ((here(), str(tmp_path)), rf"no file {tmp_path}, as those have that share the project's folder"),
        ((here() | {"numpy": "1.0"}, None), rf"numpy {here()['numpy']} \(here 1\.0\)"),
    ):
        refused = run_shard(work, task, there)
        assert isinstance(refused, Refused)
        assert re.search(rf"a worker on .* came later, and has {text}; start all alike", str(refused.error))


def refuse(problems: list[str]) -> None:
    raise ProblemsError("a.yaml", problems, "see all.csv", "mend them")


def test_the_error_of_a_shard_keeps_its_kind_and_its_facts() -> None:
    problems = [f"line {number}" for number in range(20)]
    given = pickle.dumps(refuse), pickle.dumps(problems), (here(), None)
    refused = pickle.loads(pickle.dumps(run_shard(*given)))
    expected = ProblemsError("a.yaml", problems, "see all.csv", "mend them")
    assert type(refused.error) is ProblemsError
    assert (str(refused.error), refused.error.problems) == (str(expected), tuple(problems))


def here() -> dict[str, str]:
    return cluster.describe_installation()


@pytest.mark.slow
def test_dask_s_configuration_names_a_cluster_too(
    no_dask: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none/a.yaml").write_text("scheduler-address: tcp://10.0.0.7:8786\n")
    code = "from humbleyolo.process.cluster_address import cluster_address; print(cluster_address())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "tcp://10.0.0.7:8786\n"
    (tmp_path / "none/a.yaml").write_text("scheduler-address: tcp://127.0.0.1:9\n")
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)
    named = r"^scheduler-address of Dask's configuration is tcp://127\.0\.0\.1:9, .*, or unset scheduler-address"
    with dask.config.set({"scheduler-address": "tcp://127.0.0.1:9"}), pytest.raises(UserError, match=named):
        find_cluster()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "named", "said"),
    [
        ("a: [\n", "", r"none/a\.yaml.* is malformed"),
        ("a: [\n", "tcp://127.0.0.1:9", r"none/a\.yaml.* is malformed"),
        ("distributed: {admin: {tick: {limit: 5 ells}}}\n", "tcp://127.0.0.1:9", "Invalid time unit: ells"),
    ],
)
def test_a_configuration_that_dask_cannot_read_is_said(
    text: str, named: str, said: str, no_dask: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none/a.yaml").write_text(text)
    monkeypatch.setenv(VARIABLE, named)
    code = (
        "from humbleyolo.process.cluster import find_cluster; from humbleyolo.process.exits import exit_with\n"
        "exit_with(find_cluster)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(rf"error: {tmp_path}/none.*: Dask cannot read its .*{said}.*; mend .*\n", done.stderr)


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_said(no_dask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "tcp://127.0.0.1:9")
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9, but no scheduler answers there .*start it .* or unset"):
        list(map_in_order(math.sqrt, [1, 2]))


@pytest.mark.slow
def test_an_address_with_tls_needs_certificates(no_dask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "tls://127.0.0.1:9")
    with pytest.raises(UserError, match=r"no scheduler answers there \(Dask's .* no certificates under distributed"):
        list(map_in_order(math.sqrt, [1, 2]))


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9"])
def test_an_address_without_tls_is_refused_where_encryption_is_required(
    address: str, no_dask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import distributed

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("of Dask itself")

    monkeypatch.setenv(VARIABLE, address)
    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(UserError, match=r"no scheduler answers there \(of Dask itself\)"):
        find_cluster()
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(UserError, match=rf"{address}, but .*require-encryption.* is true; .* tls://127\.0\.0\.1:9"),
    ):
        find_cluster()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackCluster]:
    with loopback_cluster(tmp_path_factory.mktemp("cluster"), 2) as started:
        yield started


@pytest.fixture
def connected(
    two_workers: LoopbackCluster, no_dask: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Cluster:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, two_workers.address)
    found = find_cluster()
    assert found is not None
    return found


@pytest.mark.slow
def test_the_start_says_where_work_runs(
    connected: Cluster, two_workers: LoopbackCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster._connect.cache_clear()
    anew = find_cluster()
    assert anew is not None
    expected = f"work runs on the cluster {two_workers.address}: 2 workers; they share the project's folder\n"
    assert capsys.readouterr().err == expected
    assert anew.shared in set(Path(".humbleyolo").resolve().iterdir())
    work, task = pickle.dumps(math.sqrt), pickle.dumps(4)
    assert run_shard(work, task, (here(), str(anew.shared))) == 2


def test_whether_a_worker_is_reached_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as worker:
        address = f"tcp://127.0.0.1:{worker.getsockname()[1]}"
        assert reaches(address)
    assert not reaches(address)
    assert not reaches("inproc://a/1")


@pytest.mark.slow
def test_results_of_workers_that_are_not_reached_come_through_the_scheduler(
    connected: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert connected.client.direct_to_workers
    cluster._connect.cache_clear()
    monkeypatch.setattr(cluster, "reaches", lambda worker: False)
    anew = find_cluster()
    assert anew is not None
    assert not anew.client.direct_to_workers
    said = f"note: this machine does not reach {anew.names()[0]}; results come through the scheduler"
    assert said in capsys.readouterr().err
    assert list(anew.map_in_order(math.sqrt, range(9))) == [math.sqrt(number) for number in range(9)]


@pytest.mark.slow
def test_a_worker_with_another_folder_at_the_same_path_is_refused(connected: Cluster) -> None:
    assert connected.shared is not None
    aside = connected.shared.with_name("aside")
    connected.shared.rename(aside)  # as in an older clone on a node's own disk
    try:
        with pytest.raises(UserError, match=r"came later, and has no file .*/shared-.*, as those have that share"):
            list(connected.map_in_order(math.sqrt, [1]))
    finally:
        aside.rename(connected.shared)


@pytest.mark.slow
def test_the_file_of_a_shared_folder_is_gone_when_the_process_ends(
    connected: Cluster, two_workers: LoopbackCluster, tmp_path: Path
) -> None:
    code = "from humbleyolo.process.cluster import find_cluster; print(find_cluster().shared.is_file())"
    there = tmp_path / "project"
    there.mkdir()
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=there, capture_output=True, check=True).stdout == b"True\n"
    )
    assert list(there.iterdir()) == []


@pytest.mark.slow
def test_results_come_in_order_and_tasks_are_taken_as_they_are_needed(connected: Cluster) -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(200):
            taken.append(number)
            yield number

    results = connected.map_in_order(math.factorial, tasks())
    for number in range(3):
        assert next(results) == math.factorial(number)
        assert len(taken) <= 3 + 6
    results.close()
    assert list(map_in_order(math.sqrt, range(40))) == [math.sqrt(number) for number in range(40)]


@pytest.mark.slow
def test_the_error_of_a_shard_arrives_as_it_is(connected: Cluster, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}/none.png: no such file$"):
        list(map_in_order(read_file, [tmp_path / "none.png"]))


@pytest.mark.slow
def test_files_are_sent_along(connected: Cluster, two_workers: LoopbackCluster, tmp_path: Path) -> None:
    """They lie in the worker's own folder, which its nanny removes also after a kill."""
    (tmp_path / "a.txt").write_text("12")
    copies = list(map_in_order(os.path.join, ["a.txt"] * 3, folder=tmp_path, names=["a.txt"]))
    for copy in map(Path, copies):
        assert copy.parent != tmp_path
        assert copy.read_text() == "12"
        assert copy.is_relative_to(two_workers.folder)
    for nanny in two_workers.workers:
        for process in worker_processes(nanny):
            process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 120
    while connected.workers() < 2 or any(Path(copy).exists() for copy in copies):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_large_files_reach_each_worker_s_disk_and_nobody_s_memory(
    connected: Cluster, two_workers: LoopbackCluster, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(os.urandom(1 << 20) * 400)
    (tmp_path / "empty").write_bytes(b"")
    files = {"a/large": tmp_path / "large", "empty": tmp_path / "empty"}
    workers = [process for nanny in two_workers.workers for process in worker_processes(nanny)]
    processes = [psutil.Process(two_workers.scheduler.pid), *workers]
    before = [peak_of(process) for process in processes]
    send_files(connected.address, connected.client, connected.names(), "7", files)
    grown = [peak_of(process) - was for process, was in zip(processes, before, strict=True)]
    assert max(grown) < 200 << 20, grown
    folders = [future.result() for future in connected.start_each(connected.names(), sent_folder, ["7", "7"])]
    assert len(set(folders)) == 2
    for folder in folders:
        assert filecmp.cmp(folder / "a/large", tmp_path / "large", shallow=False)
        assert (folder / "empty").read_bytes() == b""
        shutil.rmtree(folder)
    with pytest.raises(UserError, match=r"cannot be sent: worker tcp://.*directory"):
        send_files(connected.address, connected.client, connected.names(), "7", {"/proc/none/a": tmp_path / "empty"})


def peak_of(process: psutil.Process) -> int:
    """Return the most memory that a process has had, in bytes."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) << 10


@pytest.mark.slow
def test_other_versions_stop_the_start(connected: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    other = here() | {"numpy": "1.0"}
    monkeypatch.setattr(cluster, "describe_installation", lambda: other)
    cluster._connect.cache_clear()
    with pytest.raises(ProblemsError) as caught:
        find_cluster()
    told = sorted(problem.split(" has ")[0].split(" tcp")[0] for problem in caught.value.problems)
    assert told == ["the scheduler", "worker", "worker"]
    with pytest.raises(UserError, match=r"a worker on .* came later, and has numpy .* \(here 1\.0\)"):
        list(connected.map_in_order(math.sqrt, [1]))


@pytest.mark.slow
def test_workers_of_several_threads_are_refused_at_the_start_and_later(
    no_dask: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with loopback_cluster(tmp_path / "cluster", 1) as started:
        monkeypatch.setenv(VARIABLE, started.address)
        before = find_cluster()
        assert before is not None
        started.add_worker(("--nthreads", "2", "--no-nanny"))
        [later] = (name for name, count in before.client.nthreads().items() if count > 1)
        [future] = before.start_each([later], math.fsum, [[1]])
        assert re.search(
            r"came later, and has 2 threads, not 1 \(`--nthreads 1`\); start", str(future.result().error)
        )
        cluster._connect.cache_clear()
        with pytest.raises(ProblemsError, match="start one process per core, with `--nthreads 1`") as caught:
            find_cluster()
        assert caught.value.problems == (f"worker {later} has 2 threads",)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_results_are_the_same(
    connected: Cluster, two_workers: LoopbackCluster
) -> None:
    expected = [math.factorial(number) for number in range(2000, 2060)]
    results = connected.map_in_order(math.factorial, range(2000, 2060))
    found = [next(results)]
    [victim] = worker_processes(two_workers.workers[0])
    victim.send_signal(signal.SIGKILL)
    assert found + list(results) == expected
    until = time.monotonic() + 120
    while not (anew := worker_processes(two_workers.workers[0])) or anew[0].pid == victim.pid:
        assert time.monotonic() < until
        time.sleep(0.05)
    while connected.workers() < 2:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_a_worker_that_is_stopped_is_named(
    connected: Cluster, two_workers: LoopbackCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_calls, "_ANSWER_S", 8.0)
    [process] = worker_processes(two_workers.workers[0])
    [(stopped, _)] = (one for one in connected.client.run(os.getpid).items() if one[1] == process.pid)
    process.suspend()
    try:
        with pytest.raises(UserError, match=f"{stopped} has not answered for 8 s, as if stopped; let it go on, or"):
            ask_workers(connected.address, connected.client, os.getpid)
    finally:
        process.resume()
    assert len(ask_workers(connected.address, connected.client, os.getpid)) == 2


def test_of_many_workers_that_are_stopped_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_calls, "_ANSWER_S", 0.01)
    over = threading.Event()
    workers = {f"tcp://worker-{number:02}": {"last_seen": 0.0} for number in range(13)}
    client = SimpleNamespace(
        run=lambda *_, **__: over.wait(60),
        run_on_scheduler=lambda _: 100.0,
        scheduler_info=lambda **_: {"workers": workers},
    )
    with pytest.raises(UserError, match=r"worker-08, tcp://worker-09 and 3 more have not answered for 0 s, .* them"):
        cluster_calls.run_on_workers("tcp://s", client, os.getpid, workers=None)
    over.set()


@pytest.mark.slow
def test_a_shard_that_kills_its_workers_is_said(connected: Cluster) -> None:
    with pytest.raises(UserError, match=r"2 workers died at one shard, .* memory .*--memory-limit"):
        list(map_in_order(signal.raise_signal, [signal.SIGKILL]))


@pytest.mark.slow
def test_a_cluster_that_ends_is_told(
    no_dask: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "_NO_WORKER_S", 1.0)
    with loopback_cluster(tmp_path / "cluster", 0) as started:
        monkeypatch.setenv(VARIABLE, started.address)
        with pytest.raises(
            UserError, match=r"no worker came in 1 s; start some with `dask worker tcp://\S+ --nthreads 1`"
        ):
            find_cluster()
        started.add_worker(("--nthreads", "1", "--no-nanny"))
        results = map_in_order(time.sleep, [0, 60, 60])
        assert next(results) is None
        kill_tree(started.workers[0].pid)
        with pytest.raises(UserError, match="no worker came in 1 s"):
            next(results)
        gc.collect()  # with the error goes the lost shard, which the next worker would compute first, for a minute
        results, results_later = map_in_order(time.sleep, [0, 60, 60]), map_in_order(time.sleep, [0, 60, 60])
        started.add_worker(("--nthreads", "1", "--no-nanny"))
        assert next(results_later) is None
        kill_tree(started.scheduler.pid)
        with pytest.raises(UserError, match=r"the scheduler is gone, .* start it again, or unset .* goes on"):
            next(results)
        known = find_cluster()
        assert known is not None
        until = time.monotonic() + 120
        while known.client.status != "closed":  # it has given up meanwhile, while this machine does something else
            assert time.monotonic() < until
            time.sleep(0.05)
        asking: list[Callable[[], object]] = [
            lambda: next(results_later),
            lambda: list(map_in_order(math.sqrt, [1])),
            known.workers,
            known.names,
            lambda: known.start_each(["a"], math.sqrt, [1]),
            lambda: ask_workers(known.address, known.client, os.getpid),
        ]
        for ask in asking:
            with pytest.raises(UserError, match="the scheduler is gone"):
                ask()
    assert "distributed" not in capfd.readouterr().err
    assert not psutil.pid_exists(started.scheduler.pid)
