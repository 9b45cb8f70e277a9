"""The stages on a cluster: the bytes of the process pool, whatever its workers see, and whoever dies."""

import os
import signal
import subprocess
import sys
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

SCRIPT = """
import os, runpy, signal, stages, sys
from humbleyolo.process import cluster
real, victims = cluster.Cluster._result, [int(sys.argv[1])]
def killing(self, future):
    while victims:
        os.kill(victims.pop(), signal.SIGKILL)
    return real(self, future)
cluster.Cluster._result = killing
sys.argv[1:] = sys.argv[2:]
runpy.run_module("stages.evaluate", run_name="__main__")
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


def make_data(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Run `generate` and `encode` in a new folder, and return what they wrote."""
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
    generate(seed, dataset, inputs, folder / "dataset")
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
    kill_in_between(monkeypatch, lambda: worker_processes(workers.workers[0]))
    assert make_data(tmp_path / "seen", source, monkeypatch) == here
    assert "2 workers; they share the project's folder\n" in capsys.readouterr().err


def kill_in_between(monkeypatch: pytest.MonkeyPatch, victims: Callable[[], list]) -> None:
    """Kill workers while the first and the fourth result of the stages are waited for."""
    real, waits = cluster.Cluster._result, []

    def killing(self: cluster.Cluster, future: object) -> object:
        waits.append(future)
        if len(waits) in (1, 4):
            for victim in victims():
                victim.send_signal(signal.SIGKILL)
        return real(self, future)

    monkeypatch.setattr(cluster.Cluster, "_result", killing)


def test_under_dvc_stages_use_the_cluster_and_make_the_same_bytes(
    project: Project, workers: LoopbackCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = project.outputs()
    monkeypatch.setenv(VARIABLE, workers.address)
    ran = project.dvc("repro", "--force", "--no-run-cache", "--single-item", "generate", "encode")
    assert ran.stderr.count(f"work runs on the cluster {workers.address}: ") == 2
    assert project.outputs() == before


def test_evaluation_with_a_worker_that_dies_has_the_same_bytes(
    project: Project, workers: LoopbackCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = project.outputs()
    [victim] = worker_processes(workers.workers[0])
    environment = {**os.environ, VARIABLE: workers.address}
    paths = ["data/model", "data/grid", "data/dataset", "data/evaluation"]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(victim.pid), *paths],
        cwd=project.path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "work runs on the cluster" in ran.stderr
    assert not victim.is_running()
    assert project.outputs() == before


def test_predict_has_the_same_bytes(project: Project, workers: LoopbackCluster) -> None:
    script = """
import os, sys
from humbleyolo.cli import main
for out in ("here.json", "there.json"):
    try:
        options = ["--list", "list.txt", "--threshold", "0.01", "--output", out]
        main(["predict", "data/dataset/test", "missing.png", *options])
    except SystemExit as ended:
        assert ended.code == 1
    os.environ["DASK_SCHEDULER_ADDRESS"] = sys.argv[1]
"""
    (project.path / "missing.png").write_bytes(b"no picture")
    (project.path / "list.txt").write_text("data/render/gallery.png\n")
    said = project.command(sys.executable, "-c", script, workers.address, check=True).stderr
    assert said.count("work runs on the cluster") == 1
    here, there = ((project.path / name).read_bytes() for name in ("here.json", "there.json"))
    assert here == there
    assert here.count(b'"score"') > 5
