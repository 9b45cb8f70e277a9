"""The epoch that is kept, and a network that learns a small split."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sections import model_section
from small_training import IOU, PLAIN, start

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.training.loop import Trained, doubts, train_network
from humbleyolo.training.weighted_loss import WeightedLoss


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

    def outputs(self, images: np.ndarray) -> np.ndarray:
        np.testing.assert_array_equal(images, self._split.images)  # they are so few that they come at once
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


def test_a_run_that_is_stopped_says_so(tiny: EncodedSplit) -> None:
    assert "stopped: no better AP on val for 3 epochs" in pretend(tiny, [3, 9, 4, 5, 9, 10], patience=3)[0].why
    assert "stopped" not in pretend(tiny, [3, 9, 4, 5, 9, 10], patience=6)[0].why


def test_of_epochs_that_find_nothing_the_last_is_kept_and_patience_waits(tiny: EncodedSplit) -> None:
    trained, _, _ = pretend(tiny, [0, 0, 0, 0], patience=2)
    assert (trained.best_epoch, len(trained.history)) == (4, 4)
    assert trained.why == "the last: it finds nothing on val yet"
    assert pretend(tiny, [0, 0, 0, 3], patience=2)[0].best_epoch == 4


@pytest.mark.parametrize(
    ("found", "steps", "told"),
    [
        ([9, 9, 9], 10, ["30 steps in all are too few"]),
        ([0, 0, 0], 100, ["finds nothing on val yet; train longer"]),
        ([3, 6, 9], 100, ["still rising at the last epoch; raise train.epochs"]),
        ([3, 9, 9], 100, []),
        ([9, 3, 6], 100, []),
    ],
)
def test_a_run_that_was_too_short_is_doubted(
    tiny: EncodedSplit, found: list[int], steps: int, told: list[str]
) -> None:
    train = PLAIN.model_copy(update={"epochs": len(found)})
    texts = doubts(pretend(tiny, found)[0], steps, train, 1)
    assert len(texts) == len(told)
    assert all(part in text for part, text in zip(told, texts, strict=True))
    many = doubts(pretend(tiny, found)[0], steps, train, most := train.validation.max_detections + 1)
    assert f"val: an image has {most} objects, but train.validation.max_detections is {most - 1}" in many[0]
    assert many[1:] == texts
    learned = train.model_copy(update={"include_val": True})  # AP may rise as images of val are memorised
    assert doubts(pretend(tiny, found)[0], steps, learned, 1) == [text for text in texts if "rising" not in text]


@pytest.mark.parametrize(("last", "told"), [(0.29, 1), (0.2899, 0)])
def test_a_rise_of_a_hundredth_is_one(tiny: EncodedSplit, last: float, told: int) -> None:
    """As to the advice of `evaluate`."""
    trained = dataclasses.replace(pretend(tiny, [3, 9])[0], history=[{"val_ap": 0.28}, {"val_ap": last}])
    assert len(doubts(trained, 10_000, PLAIN, 1)) == told


def test_where_val_has_no_objects_the_last_epoch_is_kept(tiny: EncodedSplit) -> None:
    empty = dataclasses.replace(
        tiny, targets=np.zeros_like(tiny.targets), boxes=np.zeros((0, 4)), labels=np.zeros(0, np.int32),
        offsets=np.zeros(len(tiny) + 1, np.int64),
    )  # fmt: skip
    trained, _, _ = pretend(empty, [0, 0, 0], patience=1)
    assert (trained.best_epoch, trained.weights["epoch"]) == (3, 3)
    assert trained.history[2]["val_ap"] is None
    assert trained.why == "the last: val has no objects"


def test_where_val_is_trained_on_the_last_epoch_is_kept(tiny: EncodedSplit) -> None:
    trained, _, _ = pretend(tiny, [3, 9, 4], include_val=True)
    assert (trained.best_epoch, trained.weights["epoch"]) == (3, 3)
    assert trained.why == "the last: val was trained on"
    assert pretend(tiny, [3, 9, 4])[0].why.startswith("the best: AP ")


class EnoughError(Exception):
    """Ends a run from outside, as Ctrl-C does."""


@pytest.mark.slow
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
