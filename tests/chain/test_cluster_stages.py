"""The stages on a cluster: the bytes of the process pool, whatever its workers see, and whoever dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import LoopbackCluster, loopback_cluster, worker_processes
from repository import ROOT
from tiny_project import TINY, TINY_LABELLED, Project, label_images, lay_example

from humbleyolo.params.loader import load_params
from humbleyolo.process import cluster
from humbleyolo.process.cluster_address import VARIABLE
from stages.encode import encode
from stages.generate import generate

pytestmark = pytest.mark.slow

# A module's command, in which the process of the first argument is killed while the first result is waited for.
SCRIPT = """
import os, runpy, signal, stages, sys
from humbleyolo.process import cluster
real, victims = cluster.Cluster._result, [int(sys.argv[1])]
def killing(self, future):
    while victims:
        os.kill(victims.pop(), signal.SIGKILL)
    return real(self, future)
cluster.Cluster._result = killing
module, sys.argv[1:] = sys.argv[2], sys.argv[3:]
runpy.run_module(module, run_name="__main__")
"""


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that workers cannot see into."""
    return tmp_path_factory.mktemp("hidden")


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, hidden: Path) -> Iterator[LoopbackCluster]:
    """A cluster with one worker, to which a test adds another."""
    with loopback_cluster(tmp_path_factory.mktemp("cluster"), 1, hidden) as started:
        yield started


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(VARIABLE, raising=False)
    cluster._connect.cache_clear()
    yield
    cluster._connect.cache_clear()


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def make_data(
    folder: Path, source: str, monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None] = str
) -> dict[str, bytes]:
    """Run `generate` and `encode` in a new folder, and return what they wrote; `before` is told of each."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    project = Project(folder)
    if source == "labelled":
        lay_example("bccd", folder / "params.yaml")
        project.set("encode.jpeg_quality", 90)
    for key, value in (TINY_LABELLED if source == "labelled" else TINY).items():
        project.set(key, value)
    project.set("dataset.archive_images", 3 if source == "labelled" else 100)
    inputs = label_images(folder / "labelled") if source == "labelled" else ROOT / "data/fonts"
    if source == "synthetic":
        project.set("dataset.synthetic.images", {"train": 600, "val": 20, "test": 20})
    seed, dataset, settings = load_params(folder / "params.yaml", "seed", "dataset", "encode")
    before("generate")
    generate(seed, dataset, inputs, folder / "dataset")
    before("encode")
    encode(settings, "one", folder / "dataset", folder / "grid")
    return contents(folder / "dataset") | contents(folder / "grid")


@pytest.mark.parametrize("source", ["synthetic", "labelled"])
def test_bytes_do_not_depend_on_where_the_data_stages_run(
    source: str,
    workers: LoopbackCluster,
    hidden: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = make_data(tmp_path / "here", source, monkeypatch)
    assert len([name for name in here if name.startswith("train/") and name.endswith(".zip")]) > 2
    monkeypatch.setenv(VARIABLE, workers.address)
    capsys.readouterr()
    assert make_data(hidden / source, source, monkeypatch) == here
    count = len(workers.workers)
    said = f"{count} worker{'s' * (count > 1)}; what they read is sent to them\n"
    assert capsys.readouterr().err.endswith(said)
    if count < 2:
        workers.add_worker()
    cluster._connect.cache_clear()
    killed = kill_in_each(monkeypatch, workers.workers[0])
    assert make_data(tmp_path / "seen", source, monkeypatch, killed.append) == here
    assert [type(one) for one in killed] == [str, int] * 2, killed
    assert "2 workers; they share the project's folder\n" in capsys.readouterr().err


def kill_in_each(monkeypatch: pytest.MonkeyPatch, nanny: subprocess.Popen[bytes]) -> list[str | int]:
    """Kill a nanny's worker while the first result is waited for after each name that is appended to the list.

    The list returned gets the worker's number behind the name.
    """
    real, seen = cluster.Cluster._result, list[str | int]()

    def killing(self: cluster.Cluster, future: object) -> object:
        if isinstance(seen[-1], str):
            seen.append(kill_worker(nanny))
        return real(self, future)

    monkeypatch.setattr(cluster.Cluster, "_result", killing)
    return seen


def kill_worker(nanny: subprocess.Popen[bytes]) -> int:
    """Kill a nanny's worker, once there is one, and return its number."""
    until = time.monotonic() + 120
    while not (found := worker_processes(nanny)):
        assert time.monotonic() < until
        time.sleep(0.05)
    found[0].send_signal(signal.SIGKILL)
    return found[0].pid


def test_under_dvc_stages_use_the_cluster_and_make_the_same_bytes(
    project: Project, workers: LoopbackCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = project.outputs()
    monkeypatch.setenv(VARIABLE, workers.address)
    ran = project.dvc("repro", "--force", "--no-run-cache", "--single-item", "generate", "encode")
    assert ran.stderr.count(f"work runs on the cluster {workers.address}: ") == 2
    assert project.outputs() == before


def run_with_a_death(
    project: Project, workers: LoopbackCluster, module: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a module's command on the cluster, of which a worker is killed meanwhile."""
    until = time.monotonic() + 120
    while not (found := worker_processes(workers.workers[0])):
        assert time.monotonic() < until
        time.sleep(0.05)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(found[0].pid), module, *arguments],
        cwd=project.path, env={**os.environ, VARIABLE: workers.address}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert "work runs on the cluster" in ran.stderr
    assert not found[0].is_running(), ran.stderr
    return ran


def test_evaluation_with_a_worker_that_dies_has_the_same_bytes(project: Project, workers: LoopbackCluster) -> None:
    before = project.outputs()
    paths = ["data/model", "data/grid", "data/dataset", "data/evaluation"]
    ran = run_with_a_death(project, workers, "stages.evaluate", *paths)
    assert ran.returncode == 0, ran.stderr
    assert project.outputs() == before


def test_check_with_a_worker_that_dies_says_the_same(project: Project, workers: LoopbackCluster) -> None:
    labelled = label_images(project.path / "labelled")
    (labelled / "JPEGImages/3.jpg").write_bytes(b"no picture")
    command = ["check", "labelled", "--ledger"]
    here = project.command("humbleyolo", *command, "here.csv")
    there = run_with_a_death(project, workers, "humbleyolo", *command, "there.csv")
    assert (here.returncode, here.stdout) == (there.returncode, there.stdout.replace("there.csv", "here.csv"))
    assert here.returncode == 1
    assert (project.path / "there.csv").read_bytes() == (project.path / "here.csv").read_bytes()


def test_predict_with_a_worker_that_dies_has_the_same_bytes(project: Project, workers: LoopbackCluster) -> None:
    (project.path / "missing.png").write_bytes(b"no picture")
    (project.path / "list.txt").write_text("data/render/gallery.png\n")
    command = ["predict", "data/dataset/test", "missing.png", "--list", "list.txt", "--threshold", "0.01"]
    assert project.command("humbleyolo", *command, "--output", "here.json").returncode == 1
    assert run_with_a_death(project, workers, "humbleyolo", *command, "--output", "there.json").returncode == 1
    here, there = ((project.path / name).read_bytes() for name in ("here.json", "there.json"))
    assert here == there
    assert here.count(b'"score"') > 5
