"""Training on a cluster: the bytes of one process with any number of workers, and a word if one of them dies."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cluster import LoopbackCluster, loopback_cluster
from repository import ROOT
from small_training import encode_noise, write_params
from split_writer import cut_split

from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid
from humbleyolo.process.cluster_address import VARIABLE

pytestmark = pytest.mark.slow

GRID = Grid(height=32, width=48, rows=2, cols=3, boxes=1, classes=2)
STAGE = ["--checkpoint", "kept", "train", "val"]

# The stage, with a checkpoint after every step; before the fifth, the processes of its arguments are killed, with
# those below them: a member that only notices that its worker is gone may be through before. Some of them, such as
# the member of a training before, may have ended meanwhile.
SCRIPT = """
import os, runpy, signal, sys, psutil
from contextlib import suppress
import stages
from humbleyolo.training import checkpoint, team
checkpoint.SHORTEST_S, checkpoint.SHARE = 0.0, 1e9
victims, real = [], team.Channel.send_step
for one in sys.argv[1].split():
    with suppress(psutil.NoSuchProcess):
        victims.append(psutil.Process(int(one)))
def send_step(self, step):
    for victim in victims if step == 4 else []:
        for process in [*victim.children(recursive=True), victim] if victim.is_running() else []:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    return real(self, step)
team.Channel.send_step = send_step
sys.argv[1:] = sys.argv[2:]
runpy.run_module("stages.train", run_name="__main__")
"""

# The stage, which says soon what it waits for: a member takes seconds to be ready, and these trainings are short.
SAYING = """
import runpy
import stages
from humbleyolo.training import team
team._SAY_S = 0.5
runpy.run_module("stages.train", run_name="__main__")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of three steps an epoch, train in three archives; `alone` is the model of one process."""
    folder = tmp_path_factory.mktemp("training")
    encode_noise(folder / "whole", GRID, 26)
    cut_split(folder / "whole-archives", folder / "train-archives", {"0": 9, "10": 0, "11": 17})
    list(encode_split(folder / "train-archives", GRID, 7, folder / "train", 0))
    encode_noise(folder / "val", GRID, 4)
    augment = {"flip": 0.5, "scale": 0.2, "mosaic": 0.3, "min_visible": 0.4}
    others = dict.fromkeys(
        ("flip_vertical", "translate", "crop", "brightness", "contrast", "saturation", "hue", "cutout"), 0.0
    )
    write_params(
        folder, train__epochs=2, train__batch=8, train__micro_batches=4, train__warmup_epochs=0.0,
        train__augment={**augment, **others}, model__width=0.25,
    )  # fmt: skip
    done = train(folder, folder, "alone", "-m", "stages.train")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackCluster]:
    """A cluster to which each test adds the workers that it lacks: of the one before, they are there already."""
    with loopback_cluster(tmp_path_factory.mktemp("cluster"), 0) as started:
        yield started


def workers_of(cluster: LoopbackCluster, count: int) -> list[subprocess.Popen[bytes]]:
    """Return the workers that live, once there are so many."""
    while len(alive := [one for one in cluster.workers if one.poll() is None]) < count:
        cluster.add_worker()
    assert len(alive) == count
    return alive


def test_trainings_that_start_together_run_one_after_the_other(folder: Path, cluster: LoopbackCluster) -> None:
    workers_of(cluster, 2)
    with ThreadPoolExecutor() as pool:
        both = [
            pool.submit(train, folder, folder, out, "-c", SAYING, address=cluster.address)
            for out in ("first", "second")
        ]
        for one in both:
            assert one.result().returncode == 0, one.result().stderr
            assert "training runs on 2 of 2 workers" in one.result().stderr
        assert any("training waits for" in one.result().stderr for one in both)
    assert weights(folder, "first") == weights(folder, "second") == weights(folder, "alone")


def train(place: Path, data: Path, out: str, *command: str, address: str = "") -> subprocess.CompletedProcess[str]:
    for name in ("train", "val", "params.yaml"):
        if place != data and not (place / name).exists():
            (place / name).symlink_to(data / name)
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {"PYTHONPATH": str(ROOT)} | ({VARIABLE: address} if address else {})
    stage = [f"kept-{out}" if word == "kept" else word for word in STAGE]
    return subprocess.run(
        [sys.executable, *command, *stage, out],
        cwd=place, env=environment, capture_output=True, text=True, timeout=500,
    )  # fmt: skip


def weights(folder: Path, out: str) -> list[bytes]:
    return [(folder / out / name).read_bytes() for name in ("weights.npz", "history.csv", "augmented.png")]


def test_a_worker_that_dies_ends_the_run_which_goes_on_with_those_that_are_left(
    folder: Path, cluster: LoopbackCluster
) -> None:
    """One is left, which sees the data; the bytes are those of a run in one process that nobody stopped."""
    victims = " ".join(str(pid) for pid in tree(workers_of(cluster, 2)[-1].pid))
    killed = train(folder, folder, "parted", "-c", SCRIPT, victims, address=cluster.address)
    assert killed.returncode == 2, killed.stderr
    told = killed.stderr.splitlines()
    assert "training runs on 2 of 2 workers, which share 4 micro-batches" in told
    gone = r"is gone; training stopped at step ([56]); `dvc repro` goes on from its checkpoint"  # seen soon
    stopped = re.search(gone, told[-1])
    assert stopped, killed.stderr
    assert "Traceback" not in killed.stderr
    assert not (folder / "parted/weights.npz").exists()
    went_on = train(folder, folder, "parted", "-c", SCRIPT, "", address=cluster.address)
    assert went_on.returncode == 0, went_on.stderr
    assert "training runs on 1 of 1 worker, which share 4 micro-batches" in went_on.stderr
    assert f"step {int(stopped[1]) - 3}" in went_on.stderr  # of the second epoch
    assert weights(folder, "parted") == weights(folder, "alone")


def test_four_workers_that_do_not_see_the_data_give_the_same_bytes(
    folder: Path, cluster: LoopbackCluster, tmp_path: Path
) -> None:
    """Links lead out of the project's folder, so that the data are sent; a fifth worker has nothing to do."""
    workers_of(cluster, 5)
    done = train(tmp_path, folder, "out", "-m", "stages.train", address=cluster.address)
    assert done.returncode == 0, done.stderr
    assert "training runs on 4 of 5 workers, which share 4 micro-batches" in done.stderr
    assert weights(tmp_path, "out") == weights(folder, "alone")


def tree(pid: int) -> Iterator[int]:
    import psutil

    yield from (pid, *(child.pid for child in psutil.Process(pid).children(recursive=True)))
