"""Settings of all tests, and the project in miniature that the slow ones run DVC in."""

import gc
import json
import os
import shutil
import signal
from dataclasses import asdict
from pathlib import Path

# Two processes of tests share two cores: further threads of NumPy would spin there while they wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from tiny_project import Project, Ran

# How long one example takes says nothing on a machine that others use too, nor how long it takes to draw one.
# Each run draws other examples, so that few are enough; the profile `ci` has a hundred.
settings.register_profile("humbleyolo", max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("humbleyolo")

# Imports and graphs make millions of objects that stay: looking through them again and again is a fifth of all time.
gc.set_threshold(50_000, 20, 100)

# A shell that starts the tests in the background has them ignore Ctrl-C, and with them all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Collect garbage once, before pytest looks for errors in it five times."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Project, Ran]:
    """A tiny project in which the whole chain has run once, and what DVC said; copy it, do not change it.

    All processes of pytest-xdist have one: it costs as much as three trainings.
    """
    if shutil.which("git") is None:
        pytest.skip("needs git")
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    path, said = shared / "tiny", shared / "tiny.json"  # what DVC said, once all is done
    with FileLock(shared / "tiny.lock"):
        if not said.exists():
            shutil.rmtree(path, ignore_errors=True)
            project = Project.create(path)
            ran = project.repro()
            project.commit("Run it")
            said.write_text(json.dumps(asdict(ran)))
    return Project(path), Ran(**json.loads(said.read_text()))


@pytest.fixture
def project(first_run: tuple[Project, Ran], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project in which the whole chain has run and is committed."""
    return first_run[0].copy(tmp_path_factory.mktemp("copy") / "project")


@pytest.fixture(scope="session")
def evaluated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that `render` reads, of twelve images; copy it, do not change it."""
    from evaluated_project import make_project

    return make_project(tmp_path_factory.mktemp("evaluated"))


@pytest.fixture
def evaluated(evaluated_once: Path, tmp_path: Path) -> Path:
    """All that `render` reads, of twelve images."""
    shutil.copytree(evaluated_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network of random weights; do not change it."""
    from stub_models import save_network  # imports TensorFlow

    return save_network(tmp_path_factory.mktemp("network") / "data/model")
