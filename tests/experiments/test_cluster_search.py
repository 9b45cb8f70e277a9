"""Trials on a cluster: the experiments that DVC makes here, hopeless ones stopped, and workers that die.

The chain is a stand-in that needs no TensorFlow: what is sent, run and saved is the same for any.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cluster import LoopbackCluster, loopback_cluster, worker_processes
from repository import ROOT
from tiny_project import Project

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.experiments import cluster_search
from humbleyolo.experiments.cluster_search import _Planner, _rows_told
from humbleyolo.experiments.saved_experiments import Snapshot
from humbleyolo.experiments.trial_run import SOURCES
from humbleyolo.process.cluster_address import VARIABLE

pytestmark = pytest.mark.skipif(not hasattr(tarfile, "FilterError"), reason="unpacks by filters of Python 3.11.4")

PIPELINE = """
stages:
  generate:
    cmd: python chain.py generate
    deps: [chain.py]
    params: [dataset]
    outs: [data/train.zip]
  encode:
    cmd: python chain.py encode
    deps: [chain.py, data/train.zip]
    params: [encode]
    outs: [data/grid]
  train:
    cmd: python chain.py train
    deps: [chain.py, data/grid]
    params: [train]
    outs: [data/model/weights.npz]
  evaluate:
    cmd: python chain.py evaluate
    deps: [data/model/weights.npz]
    params: [evaluate]
    outs: [data/evaluation/detections.json]
    metrics:
    - data/evaluation/headline.json:
        cache: false
"""
# A rate below 0.001 is hopeless, and trains until it is stopped; both wait until the test lets them go on.
CHAIN = """
import sys, time
from pathlib import Path
from ruamel.yaml import YAML
from humbleyolo.process.parent_watch import end_with_parents

def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)

end_with_parents()
params = YAML(typ="safe").load(Path("params.yaml"))
rate = params["train"]["learning_rate"]
if sys.argv[1] == "generate":
    write("data/train.zip", "images")
elif sys.argv[1] == "encode":
    write("data/grid/images.npy", "pixels")
elif sys.argv[1] == "train":
    assert Path("data/grid/images.npy").read_text() == "pixels"
    for epoch in range(1, 4):
        print(f"epoch {epoch}/3: val AP {rate * 10 * epoch:.3f}; total 1.00", file=sys.stderr, flush=True)
        if epoch == 1:
            (Path(FOLDER) / f"started-{rate}").touch()
        while epoch == 1 and 0.05 < rate < 1 and not Path(FOLDER, "go").exists():
            time.sleep(0.05)
    if rate == 1.0:
        sys.exit("no such rate")
    write("data/model/weights.npz", str(rate))
else:
    write("data/evaluation/detections.json", "[]")
    write("data/evaluation/headline.json", '{"ap": %s}' % Path("data/model/weights.npz").read_text())
"""


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signals")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, signals: Path) -> Project:
    """A project whose chain has run and is committed; copy it, do not change it."""
    path = tmp_path_factory.mktemp("first") / "project"
    path.mkdir()
    project = Project(path)
    shutil.copyfile(ROOT / "params.yaml", path / "params.yaml")
    shutil.copytree(ROOT / "data/fonts", path / "data/fonts")
    (path / "dvc.yaml").write_text(PIPELINE)
    (path / "chain.py").write_text(CHAIN.replace("FOLDER", repr(str(signals))))
    (path / ".gitignore").write_text("/.humbleyolo/\n/search.csv\n")
    project.git("init", "--quiet")
    project.git("config", "user.name", "Test")
    project.git("config", "user.email", "test@example.org")
    project.dvc("init", "--quiet")
    project.dvc("repro")
    project.commit("Run it")
    return project


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that workers cannot see into."""
    return tmp_path_factory.mktemp("hidden")


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, hidden: Path) -> Iterator[LoopbackCluster]:
    with loopback_cluster(tmp_path_factory.mktemp("cluster"), 2, hidden) as started:
        yield started


class Search:
    """A search that runs, and its lines."""

    def __init__(self, project: Project, workers: LoopbackCluster, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "humbleyolo", "search", *arguments],
            cwd=project.path, env={**os.environ, VARIABLE: workers.address}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> tuple[list[str], str, int]:
        out, error = self._process.communicate(timeout=300)
        return out.splitlines(), error, self._process.returncode


def commit_of(project: Project, experiment: str) -> str:
    return project.git("for-each-ref", "--format=%(objectname)", f"refs/exps/**/{experiment}").strip()


@pytest.mark.slow
def test_trials_become_the_experiments_that_dvc_makes_here(
    workers: LoopbackCluster, hidden: Path, first: Project
) -> None:
    project = first.copy(hidden / "project")
    search = Search(project, workers, "train.learning_rate=0.02,0.03,1.0", "--stop-hopeless", "2")
    lines, error, code = search.end()
    assert code == 1, error
    assert "2 workers; what they read is sent to them\n" in error
    lines[:3] = sorted(lines[:3])  # they come as they end
    names = [line.split()[1].rstrip(":") for line in lines[:3]]
    assert lines[:2] == [
        f"1/3 {names[0]}: train.learning_rate=0.02: finished; AP on val 0.600",
        f"2/3 {names[1]}: train.learning_rate=0.03: finished; AP on val 0.900",
    ]
    assert lines[2].startswith(f"3/3 {names[2]}: train.learning_rate=1.0: failed: ")
    assert "no such rate | ERROR: failed to reproduce 'train'" in lines[2]
    assert lines[3] == "2 finished, 1 failed; search.csv lists them"
    with (project.path / "search.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["outcome"] for row in rows] == ["finished", "finished", "failed"]

    assert project.git("status", "--porcelain") == ""
    project.dvc("exp", "run", "--temp", "--name", "here", "--set-param", "train.learning_rate=0.02")
    here, there = (project.git("rev-parse", f"{commit_of(project, name)}^{{tree}}") for name in ("here", names[0]))
    assert here == there
    shown = project.dvc("exp", "show", "--csv").stdout
    listed = {row["Experiment"]: row["ap"] for row in csv.DictReader(shown.splitlines())}
    assert (listed[names[0]], listed["here"], listed[names[1]]) == ("0.02", "0.02", "0.03")
    assert names[2] not in listed
    project.dvc("exp", "apply", names[1])
    assert "didn't change, skipping" in project.dvc("repro", "--dry").stdout
    assert (project.path / "data/model/weights.npz").read_text() == "0.03"


@pytest.mark.slow
def test_a_trial_whose_worker_dies_runs_again_and_known_ones_do_not(
    workers: LoopbackCluster, signals: Path, first: Project, tmp_path: Path
) -> None:
    (signals / "go").unlink(missing_ok=True)
    project = first.copy(tmp_path / "project")
    project.set("train.epochs", 21)  # a change that is not committed is in the trials
    project.set("dataset.synthetic.images.val", 7)  # `generate` runs, and `encode` is skipped
    search = Search(project, workers, "train.learning_rate=0.06")
    running = trainings(signals / "started-0.06", workers)
    for process in (process for nanny in workers.workers for process in worker_processes(nanny)):
        if process in running[0].parents():
            process.send_signal(signal.SIGKILL)
    assert not psutil.wait_procs(running, timeout=60)[1]  # a trial ends with its worker
    (signals / "go").touch()
    lines, error, code = search.end()
    assert code == 0, error
    assert "they share the project's folder" in error
    assert lines[0].endswith("train.learning_rate=0.06: finished; AP on val 1.800")
    name = lines[0].split()[1].rstrip(":")
    assert "epochs: 21" in project.git("show", f"{commit_of(project, name)}:params.yaml")
    table = (project.path / "search.csv").read_text()
    lines, error, code = Search(project, workers, "train.learning_rate=0.06").end()
    assert code == 0, error
    assert lines[0] == f"1/1 {name}: train.learning_rate=0.06: finished in an earlier search; AP on val 1.800"
    assert (project.path / "search.csv").read_text() == table.replace("finished,", "finished,in an earlier search")

    (signals / "go").unlink()
    search = Search(project, workers, "train.learning_rate=0.07,0.04")
    running = trainings(signals / "started-0.07", workers)
    until = time.monotonic() + 120
    while "0.04" not in (project.path / "search.csv").read_text():  # saved while the first trial goes on
        assert time.monotonic() < until
        time.sleep(0.05)
    search.kill()
    assert not psutil.wait_procs(running, timeout=60)[1]  # and with the search
    _, _, code = Search(project, workers, "train.learning_rate=0.04").end()
    assert code == 0


def command_of(process: psutil.Process) -> str:
    """Return the command line of a process; nothing of one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie
        return ""


def trainings(started: Path, workers: LoopbackCluster) -> list[psutil.Process]:
    """Wait until a trial trains, and return its processes on the workers."""
    until = time.monotonic() + 120
    while not started.exists():
        assert time.monotonic() < until, started
        time.sleep(0.05)
    below = [child for nanny in workers.workers for child in psutil.Process(nanny.pid).children(recursive=True)]
    return [process for process in below if "chain.py train" in command_of(process)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC's own imports
def test_the_data_that_the_stages_to_run_read_are_planned(
    first: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = first.copy(tmp_path / "project")
    monkeypatch.chdir(project.path)
    Snapshot.take(project.path).write_archive(tmp_path / SOURCES)
    outs = {path: digest for stage in _Planner(tmp_path).lock.values() for path, digest in stage["outs"].items()}
    names = {path: [f"files/md5/{digest[:2]}/{digest[2:]}"] for path, digest in outs.items()}
    [image] = json.loads((project.path / ".dvc/cache" / names["data/grid"][0]).read_text())
    names["data/grid"].append(f"files/md5/{image['md5'][:2]}/{image['md5'][2:]}")
    planner = _Planner(tmp_path)
    for trial, read in (
        ({"train.learning_rate": 0.5}, ["data/grid"]),
        ({"evaluate.nms_iou": 0.7}, ["data/model/weights.npz"]),
        ({"encode.rows": 3}, ["data/train.zip"]),
        ({"dataset.synthetic.height": 32}, []),
        ({"seed": 2}, []),  # no stage depends on it
        # `encode` is skipped if the archive comes out as it was; `train` runs nevertheless.
        ({"dataset.synthetic.height": 32, "train.learning_rate": 0.5}, ["data/grid"]),
        ({"dataset.synthetic.height": 32, "evaluate.nms_iou": 0.7}, ["data/model/weights.npz"]),
    ):
        assert planner.plan(trial, None).cached == {path: names[path] for path in read}, trial
    task = planner.plan({"train.learning_rate": 0.5}, None)
    assert set(planner.lay_out([task])) == {f"cache/{name}" for name in names["data/grid"]}
    monkeypatch.setattr(cluster_search, "MOST_SENT", 10)
    with pytest.raises(UserError, match=r"the trials read .* GB, and at most"):
        planner.lay_out([task])
    project.edit("dvc.yaml", lambda text: text.replace("[chain.py, data/grid]", "[chain.py, data/grid, ../photos]"))
    Snapshot.take(project.path).write_archive(tmp_path / SOURCES)
    with pytest.raises(ProblemsError) as caught:
        _Planner(tmp_path).plan({"train.learning_rate": 0.5}, None)
    assert caught.value.problems == ("../photos: is not in git, and not in DVC",)
    project.git("checkout", "dvc.yaml")
    Snapshot.take(project.path).write_archive(tmp_path / SOURCES)
    shutil.rmtree(project.path / ".dvc/cache")
    with pytest.raises(ProblemsError, match="`dvc pull`") as caught:
        _Planner(tmp_path).plan({"train.learning_rate": 0.5}, None)
    assert caught.value.problems == ("data/grid: is not in DVC's cache",)


def test_a_link_out_of_the_project_is_told_in_words(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / SOURCES, "w") as sources:
        link = tarfile.TarInfo("photos")
        link.type, link.linkname = tarfile.SYMTYPE, "/data/photos"
        sources.addfile(link)
    with pytest.raises(UserError, match="photos: leads out of the project"):
        _Planner(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("experiment,outcome,why,epochs,val_ap,seed\na,finished,,9,0.25,1\nb,failed,no,,,2\n", {"a": (9, 0.25)}),
        ("experiment,name\na,b\n", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_epochs_and_ap_of_earlier_trials_stay_in_the_table(
    text: str | None, told: dict[str, tuple[int, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("search.csv").write_text(text)
    assert {name: (row["epochs"], row["val_ap"]) for name, row in _rows_told().items()} == told
