"""Splits that networks are trained on in no time."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import tensorflow as tf
from small_training import ODD, TINY, draw_split, stateful

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.params.sections import Loss, Model, Runtime, Train
from humbleyolo.training import planned_runs
from humbleyolo.training.trainer import Trainer


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("odd"), ODD, 16)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("tiny"), TINY, 10, objects=1)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that TensorFlow has in this process, which it cannot change once it has computed."""
    monkeypatch.setattr(planned_runs, "start_runtime", lambda _: None)


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Steps without a graph, which takes longer to make than some steps of a tiny network last."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def all_eagerly() -> Iterator[None]:
    """Every step of a module's tests without a graph, and of what they share."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> list[EncodedSplit]:
    return [draw_split(tmp_path_factory.mktemp("split"), TINY, images, objects=1) for images in (11, 7)]


@pytest.fixture
def a_network_that_stays(a_small_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes its batches, but learns nothing of them."""

    def step(trainer: Trainer, _: int, parts: Iterable[object]) -> np.ndarray:
        list(parts)
        return np.zeros((len(trainer.term_names), 4), np.float32)

    monkeypatch.setattr(Trainer, "step", step)


@pytest.fixture
def a_small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of few layers in planned runs, of which the tests ask only who learns what and when."""

    def build(seed: int, _runtime: Runtime, _model: Model, loss: Loss, train: Train, split: EncodedSplit) -> Trainer:
        return Trainer(stateful(), stateful(), split, loss, train, seed)

    monkeypatch.setattr(planned_runs, "build_trainer", build)
