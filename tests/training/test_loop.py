"""The step loop: its order, its rates, its average, what it keeps, what stops it, and that it learns."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT
from sections import loss_section, model_section

from humbleyolo.dataset.archive import ArchiveWriter
from humbleyolo.dataset.encoded_split import EncodedSplit, open_encoded
from humbleyolo.dataset.encoding import encode_archive
from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.build import build_model
from humbleyolo.models.tensorflow_setup import computing_in
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Model, Train
from humbleyolo.storage.png import encode_png
from humbleyolo.training import loop
from humbleyolo.training.loop import (
    Trained,
    Trainer,
    ValidationScore,
    epoch_order,
    learning_rate,
    train_network,
)
from humbleyolo.training.losses import WeightedLoss

ODD = Grid(height=48, width=80, rows=3, cols=5, boxes=1, classes=2)
TINY = Grid(height=16, width=24, rows=1, cols=2, boxes=1, classes=2)  # `humble` trains on it in no time
PLAIN = load_params(ROOT / "params.yaml", "train")[0].model_copy(
    update={"epochs": 3, "batch": 4, "learning_rate": 0.01, "final_learning_rate": 0.0005,
            "warmup_epochs": 1.0, "weight_decay": 0.0, "clip_norm": 10.0, "ema_decay": 0.5, "patience": 0}
)  # fmt: skip
IOU = loss_section("iou")
HUMBLE = model_section("humble")


def draw_split(folder: Path, grid: Grid, images: int, objects: int = 2) -> EncodedSplit:
    """Bright rectangles on black, wide ones of class 0 and high ones of class 1, each in a cell of its own."""
    rng = np.random.default_rng(images)
    down, across = grid.height // grid.rows, grid.width // grid.cols
    with ArchiveWriter(folder / "split.zip", ["wide", "high"]) as archive:
        for number in range(images):
            pixels = np.zeros((grid.height, grid.width, 3), np.uint8)
            boxes, labels = [], []
            for cell in rng.choice(grid.rows * grid.cols, objects, replace=False).tolist():
                label = int(rng.integers(2))
                height, width = (across // 4, across // 2)[:: 1 if label == 0 else -1]
                top = cell // grid.cols * down + int(rng.integers(down - height))
                left = cell % grid.cols * across + int(rng.integers(across - width))
                pixels[top : top + height, left : left + width] = 255
                boxes.append([left, top, width, height])
                labels.append(label)
            archive.add(f"{number:03}.png", encode_png(pixels), grid.height, grid.width, boxes, labels)
    list(encode_archive(folder / "split.zip", grid, 0, folder / "grid"))
    return open_encoded(folder / "grid")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("odd"), ODD, 16)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("tiny"), TINY, 10, objects=1)


def start(split: EncodedSplit, model: Model = HUMBLE, train: Train = PLAIN, seed: int = 1) -> Trainer:
    network, average = (build_model(model, split.grid, seed) for _ in range(2))
    return Trainer(network, average, split, IOU, train, seed)


# -- order and rate


@given(st.integers(0, 2**63 - 1), st.integers(0, 10_000), st.integers(1, 300))
def test_the_order_is_a_permutation_that_seed_and_epoch_decide(seed: int, epoch: int, images: int) -> None:
    order = epoch_order(seed, epoch, images)
    np.random.seed(0)  # noqa: NPY002 - nobody's global state matters
    np.testing.assert_array_equal(np.sort(order), np.arange(images))
    np.testing.assert_array_equal(order, epoch_order(seed, epoch, images))


def test_no_two_epochs_or_seeds_have_the_same_order() -> None:
    orders = {epoch_order(seed, epoch, 50).tobytes() for seed in (0, 1, 2, 2**40) for epoch in range(10)}
    assert len(orders) == 40


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_the_rate_rises_to_its_highest_and_falls_to_its_final(
    epochs: int, steps: int, warmup: float, final: float
) -> None:
    train = PLAIN.model_copy(
        update={"epochs": epochs, "warmup_epochs": warmup * (epochs - 1), "final_learning_rate": final * 0.01}
    )
    rates = np.array([learning_rate(step, steps, train) for step in range(epochs * steps)])
    top = int(np.argmax(rates))
    assert abs(top - train.warmup_epochs * steps) <= 1
    assert (rates > 0).all() or final == 0
    assert (rates <= 0.01 * (1 + 1e-12)).all()
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) <= 1e-15).all()
    assert (rates[top:] >= train.final_learning_rate - 1e-15).all()


def test_the_rate_of_the_article_is_divided_by_the_steps() -> None:
    train = PLAIN.model_copy(
        update={"schedule": "inverse_time", "inverse_time_decay": 0.01, "warmup_epochs": 0.0}
    )
    assert [learning_rate(step, 10, train) for step in (0, 100, 900)] == pytest.approx([0.01, 0.005, 0.001])


def test_the_rate_at_the_ends() -> None:
    train = PLAIN.model_copy(update={"epochs": 101, "warmup_epochs": 1.0})
    assert learning_rate(0, 4, train) == pytest.approx(0.01 / 5)
    assert learning_rate(4, 4, train) == pytest.approx(0.01)
    assert learning_rate(4 + 200, 4, train) == pytest.approx((0.01 + 0.0005) / 2)  # half way down the cosine
    assert learning_rate(403, 4, train) == pytest.approx(0.0005, rel=0.01)
    at_once = PLAIN.model_copy(update={"warmup_epochs": 0.0})
    assert learning_rate(0, 4, at_once) == 0.01


# -- what is kept: a trainer that only pretends


class Pretender:
    """Answers epoch after epoch with as many of the truths as it is told."""

    def __init__(self, split: EncodedSplit, found: list[int]) -> None:
        self.steps_an_epoch, self.term_names = 2, ["box", "obj"]
        self.loss = WeightedLoss(IOU, split.categories, split.grid)
        self._split, self._found, self.epochs = split, found, 0

    def run_epoch(self, epoch: int, first: int) -> Iterator[np.ndarray]:
        assert (epoch, first) == (self.epochs, 0)
        self.epochs += 1
        yield np.array([epoch, 1.0], np.float32)
        yield np.array([epoch + 1, 2.0], np.float32)

    def predict(self, images: np.ndarray) -> np.ndarray:
        assert images is self._split.images
        return (
            np.array(self._split.targets)
            * (np.arange(len(images)) < self._found[self.epochs - 1])[:, None, None, None]
        )

    def weights(self) -> dict[str, np.ndarray]:
        return {"epoch": np.array(self.epochs, np.float32)}


def pretend(
    split: EncodedSplit, found: list[int], patience: int = 0, include_val: bool = False
) -> tuple[Trained, list[Any], list[Any]]:
    steps: list[Any] = []
    epochs: list[Any] = []
    train = PLAIN.model_copy(update={"epochs": len(found), "patience": patience, "include_val": include_val})
    trained = train_network(
        Pretender(split, found),
        split,
        train,
        lambda *step: steps.append(step),
        epochs.append,  # type: ignore[arg-type]
    )
    return trained, steps, epochs


def test_the_epoch_with_the_highest_ap_is_kept_and_of_equals_the_first(tiny: EncodedSplit) -> None:
    trained, steps, epochs = pretend(tiny, [0, 3, 9, 4, 9, 2])
    assert trained.best_epoch == 3
    assert trained.weights["epoch"] == 3
    assert len(steps) == 12
    assert epochs == trained.history
    assert [row["epoch"] for row in trained.history] == [1, 2, 3, 4, 5, 6]
    aps = [row["val_ap"] for row in trained.history]
    assert aps[0] == 0
    assert aps[2] == aps[4] == max(aps)
    assert trained.history[3]["train_box"] == 3.5  # the mean over the epoch's steps
    assert trained.history[3]["train_obj"] == 1.5
    assert {"val_box", "val_obj", "val_noobj", "val_class", "val_ap50"} <= set(trained.history[0])


def test_patience_ends_a_run_that_gets_no_better(tiny: EncodedSplit) -> None:
    trained, _, _ = pretend(tiny, [3, 9, 4, 5, 9, 10], patience=3)
    assert len(trained.history) == 5
    assert trained.best_epoch == 2


def test_where_val_has_no_objects_the_last_epoch_is_kept(tiny: EncodedSplit) -> None:
    empty = dataclasses.replace(
        tiny, targets=np.zeros_like(tiny.targets), boxes=np.zeros((0, 4)), labels=np.zeros(0, np.int32),
        offsets=np.zeros(len(tiny) + 1, np.int64),
    )  # fmt: skip
    trained, _, _ = pretend(empty, [0, 0, 0], patience=1)
    assert (trained.best_epoch, trained.weights["epoch"]) == (3, 3)
    assert trained.history[2]["val_ap"] is None


def test_where_val_is_trained_on_the_last_epoch_is_kept(tiny: EncodedSplit) -> None:
    trained, _, _ = pretend(tiny, [3, 9, 4], include_val=True)
    assert (trained.best_epoch, trained.weights["epoch"]) == (3, 3)


def test_the_truth_scores_1_and_costs_nothing(odd: EncodedSplit) -> None:
    validation = ValidationScore(odd, PLAIN.validation)
    targets = np.asarray(odd.targets)
    assert validation.score(targets) == (1, 1)
    assert validation.score(np.zeros_like(targets)) == (0, 0)
    assert max(validation.terms(targets, WeightedLoss(IOU, odd.categories, odd.grid)).values()) < 1e-3


# -- steps


def test_the_average_follows_the_weights(tiny: EncodedSplit) -> None:
    train = PLAIN.model_copy(update={"ema_decay": 0.15})
    trainer = start(tiny, train=train)
    network, expected = trainer._network, trainer.weights()
    for step, terms in enumerate(trainer.run_epoch(0)):
        assert terms.shape == (4,)
        decay = min(0.15, (1 + step) / (10 + step))
        for weight in network.weights:
            now = np.asarray(weight)
            expected[weight.path] = decay * expected[weight.path] + (1 - decay) * now
    assert trainer.term_names == ["box", "obj", "noobj", "class"]
    assert step == 1  # 10 images make two batches of 4
    for name, values in trainer.weights().items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-7)


def test_without_an_average_the_weights_themselves_are_kept(tiny: EncodedSplit) -> None:
    trainer = start(tiny, train=PLAIN.model_copy(update={"ema_decay": 0.0}))
    before = trainer.weights()
    list(trainer.run_epoch(0))
    after = trainer.weights()
    for weight in trainer._network.weights:
        np.testing.assert_array_equal(after[weight.path], weight)
    assert any((before[name] != after[name]).any() for name in before)


def test_a_loss_that_is_no_number_stops_with_step_term_and_image(tiny: EncodedSplit) -> None:
    image = 7
    targets = np.array(tiny.targets)
    row, col = np.argwhere(targets[image, ..., -1])[0]
    targets[image, row, col, TINY.classes] = np.nan
    # The epoch in which the image comes in the second batch: it is dropped in none of the first three.
    places = {epoch: int(np.flatnonzero(epoch_order(1, epoch, 10) == image)[0]) for epoch in range(20)}
    epoch = next(epoch for epoch, place in places.items() if 4 <= place < 8)
    trainer = start(dataclasses.replace(tiny, targets=targets))
    steps = trainer.run_epoch(epoch)
    next(steps)
    with pytest.raises(UserError) as caught:
        next(steps)
    text = str(caught.value)
    assert f"training stopped at step {epoch * 2 + 2} (epoch {epoch + 1})" in text
    assert f"box on images {image}" in text
    assert "class" not in text
    assert "lower train.learning_rate" in text
    with pytest.raises(
        UserError, match=r"box on images \d+, \d+, \d+, \d+; obj on"
    ):  # the weights are lost now
        next(trainer.run_epoch(0))


def test_images_are_answered_in_batches_as_at_once(
    tiny: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = start(tiny)
    whole = trainer.predict(tiny.images)
    assert whole.shape == (10, *TINY.shape)
    monkeypatch.setattr("humbleyolo.training.loop._VALIDATION_BATCH", 3)
    np.testing.assert_allclose(trainer.predict(tiny.images), whole, rtol=1e-5, atol=1e-7)


class EnoughError(Exception):
    """Ends a run from outside, as Ctrl-C does."""


def test_compact_learns_sixteen_images_and_twice_the_same(odd: EncodedSplit) -> None:
    train = PLAIN.model_copy(update={"epochs": 30, "batch": 8, "ema_decay": 0.6})
    model = model_section("compact", width=0.15, depth=0.5, stride=4)
    seen: list[dict[str, bytes]] = []

    def run(epochs: int) -> tuple[list[Any], Trained | None]:
        trainer, rows = start(odd, model, train), []

        def on_epoch(row: Any) -> None:
            rows.append(row)
            if len(rows) == 2:
                seen.append({name: values.tobytes() for name, values in trainer.weights().items()})
            if len(rows) == epochs:
                raise EnoughError

        with contextlib.suppress(EnoughError):
            return rows, train_network(trainer, odd, train, lambda *_: None, on_epoch)
        return rows, None

    history, trained = run(31)
    assert trained is not None
    best = history[trained.best_epoch - 1]
    assert best["val_ap50"] >= 0.9, best
    assert history[0]["train_box"] > 2 * history[-1]["train_box"]
    again, _ = run(2)
    assert again == history[:2]
    assert seen[0] == seen[1]


def test_computing_in_bfloat16_trains_float32_weights(tiny: EncodedSplit) -> None:
    """Eight bits of precision change the numbers a little and the course of training hardly."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        with computing_in(precision):
            network = build_model(HUMBLE, tiny.grid, 1)
        average = build_model(HUMBLE, tiny.grid, 1)
        assert {variable.dtype for variable in network.weights} == {"float32"}
        assert network.get_layer("conv2").compute_dtype == precision
        trainer = Trainer(network, average, tiny, IOU, PLAIN, 1)
        losses[precision] = np.concatenate([step for epoch in range(3) for step in trainer.run_epoch(epoch)])
        assert average.get_layer("conv2").compute_dtype == "float32"
    assert not np.array_equal(losses["float32"], losses["bfloat16"])
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.1, atol=0.05)


def test_two_steps_are_adamw_s_with_clipped_gradients(tiny: EncodedSplit) -> None:
    """Loshchilov & Hutter 2019, algorithm 2; only kernels decay. In one step the length is no matter."""
    rate, decay, longest = 0.01, 0.5, 0.05
    train = PLAIN.model_copy(
        update={
            "warmup_epochs": 0.0, "learning_rate": rate, "final_learning_rate": rate, "weight_decay": decay,
            "clip_norm": longest,
        }
    )  # fmt: skip
    model = HUMBLE.model_copy(update={"humble": HUMBLE.humble.model_copy(update={"batch_norm": True})})
    trainer = start(tiny, model, train)
    variables = trainer._network.trainable_variables
    expected = [np.asarray(variable, np.float64) for variable in variables]
    first, second = ([np.zeros_like(values) for values in expected] for _ in range(2))
    lengths = []
    for step in range(2):
        inputs = trainer.inputs(0, np.arange(4 * step, 4 * step + 4))
        with tf.GradientTape() as tape:
            terms = trainer.loss(inputs[0], trainer._network(inputs[1], training=True))
            total = tf.add_n([tf.reduce_mean(term) for term in terms.values()])
        gradients = [np.asarray(gradient, np.float64) for gradient in tape.gradient(total, variables)]
        lengths.append(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
        for place, gradient in enumerate(gradients):
            gradient = gradient * min(1, longest / lengths[-1])
            first[place] = 0.9 * first[place] + 0.1 * gradient
            second[place] = 0.999 * second[place] + 0.001 * gradient**2
            if expected[place].ndim > 1:
                expected[place] -= rate * decay * expected[place]
            mean, spread = first[place] / (1 - 0.9 ** (step + 1)), second[place] / (1 - 0.999 ** (step + 1))
            expected[place] -= rate * mean / (np.sqrt(spread) + 1e-7 / np.sqrt(1 - 0.999 ** (step + 1)))
        trainer.step(step, inputs)
    assert min(lengths) > longest
    assert abs(lengths[0] / lengths[1] - 1) > 0.05
    assert {values.ndim for values in expected} > {1}
    for variable, values in zip(variables, expected, strict=True):
        np.testing.assert_allclose(np.asarray(variable), values, atol=1e-4, err_msg=variable.path)


def test_validation_s_terms_are_means_over_images_whatever_the_batch(
    tiny: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = start(tiny)
    predictions = trainer.predict(tiny.images)
    whole = trainer.loss(tf.constant(np.asarray(tiny.targets)), tf.constant(predictions))
    monkeypatch.setattr(loop, "_VALIDATION_BATCH", 3)
    found = ValidationScore(tiny, PLAIN.validation).terms(predictions, trainer.loss)
    assert found == pytest.approx({name: np.mean(term) for name, term in whole.items()}, rel=1e-5)
