"""Distribution focal loss against the paper's formula, and the head's numbers against their inverse."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sections import loss_section, model_section
from small_training import ODD, PLAIN, draw_split

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.geometry.grid import Grid, box_edges, boxes_in_cells, split_parts
from humbleyolo.models.build import build_model, with_choices
from humbleyolo.models.layers import DetectionHead, EdgesHead
from humbleyolo.models.tensorflow_setup import computing_in
from humbleyolo.params.sections import Train
from humbleyolo.training.distribution_loss import Choices
from humbleyolo.training.trainer import Trainer
from humbleyolo.training.validation import ValidationScore
from humbleyolo.training.weighted_loss import WeightedLoss

GRID = Grid(height=64, width=96, rows=4, cols=6, boxes=1, classes=3)
HEADS = [DetectionHead(3, 1, 9), EdgesHead(3, 1, 9)]
TAUGHT = loss_section("iou", lambda_distribution=1.0)
COMPACT = model_section("compact", width=0.25, depth=0.3, stride=8)


def slow_loss(logits: np.ndarray, values: np.ndarray, sought: float) -> float:
    """Equation 6 of Li et al. 2020, for one number."""
    probs = np.exp(logits - logits.max())
    probs /= probs.sum()
    sought = min(max(sought, values[0]), values[-1])
    below = max(index for index in range(len(values) - 1) if values[index] <= sought)
    low, high = values[below], values[below + 1]
    return float(-((high - sought) * np.log(probs[below]) + (sought - low) * np.log(probs[below + 1])) / (high - low))


@pytest.mark.parametrize("head", HEADS)
@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_it_is_the_papers_formula(head: DetectionHead, seed: int) -> None:
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0, 2, (2, 4, 6, GRID.shape[-1] + 4 * 9)).astype(np.float32)
    boxes = rng.uniform(-0.2, 1.2, (2, 4, 6, 1, 4)).astype(np.float32)
    found = Choices(head, GRID).loss(tf.constant(outputs), tf.constant(boxes)).numpy()
    sought, values = head.means_of(tf.constant(boxes)).numpy(), head.values()
    logits = outputs[..., GRID.shape[-1] :].reshape(2, 4, 6, 1, 4, 9)
    for place in np.ndindex(2, 4, 6, 1):
        each = [slow_loss(logits[(*place, number)], values[number], sought[(*place, number)]) for number in range(4)]
        assert found[place] == pytest.approx(np.mean(each), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("head", HEADS)
def test_means_give_the_boxes_that_they_were_made_from(head: DetectionHead) -> None:
    rng = np.random.default_rng(0)
    boxes = tf.constant(rng.uniform(0.1, 0.9, (2, 4, 6, 1, 4)), tf.float32)
    np.testing.assert_allclose(head._boxes_of(head.means_of(boxes)), boxes, atol=1e-5)


def test_boxes_in_cells_undo_their_edges() -> None:
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.uniform(0, 64, (2, 24, 2, 2)), axis=2).reshape(2, 24, 4)
    tensor = np.zeros((2, *GRID.shape))
    tensor[..., GRID.classes : GRID.classes + 4] = boxes_in_cells(boxes, GRID)
    edges = np.stack(box_edges(split_parts(tensor, GRID.classes), GRID), axis=-1).reshape(2, 24, 4)
    np.testing.assert_allclose(edges, boxes, atol=1e-9)


@pytest.mark.parametrize(("name", "changes"), [("lite", {}), ("compact", {"stride": 8})])
def test_the_choices_lie_behind_predictions_that_stay(name: str, changes: dict[str, int]) -> None:
    network = build_model(model_section(name, **changes), GRID, seed=1)
    wider = with_choices(network)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype(np.float32)
    outputs, predictions = (model(images, training=False).numpy() for model in (wider, network))
    head, numbers = network.get_layer("head"), GRID.shape[-1]
    np.testing.assert_allclose(outputs[..., :numbers], predictions, atol=1e-6)
    chosen = tf.nn.softmax(outputs[..., numbers:].reshape(2, 4, 6, 4, head.bins)).numpy()
    means = (chosen * np.stack(head.values())).sum(axis=-1)[..., None, :]
    boxes = predictions[..., GRID.classes : GRID.classes + 4].reshape(2, 4, 6, 1, 4)
    np.testing.assert_allclose(head._boxes_of(tf.constant(means)), boxes, atol=1e-5)
    assert [one.path for one in wider.weights] == [one.path for one in network.weights]


@pytest.mark.parametrize("name", ["iou", "aligned"])
def test_both_losses_learn_the_choice_at_their_objects_alone(name: str) -> None:
    head = HEADS[name == "aligned"]
    loss = WeightedLoss(loss_section(name, lambda_distribution=2.0), "abc", GRID, head)
    assert loss.term_names()[-1] == "distribution"
    boxes, none = np.array([[20.0, 10, 60, 50]]), np.zeros(0, np.int64)
    with_object = loss.targets(boxes, np.array([1]), np.array([0]), 1)
    without = loss.targets(np.zeros((0, 4)), none, none, 1)
    outputs = np.random.default_rng(0).normal(0.3, 0.05, (1, 4, 6, GRID.shape[-1] + 36)).astype(np.float32)
    for targets, cells in ((with_object, 1), (without, 0)):
        logits = tf.constant(outputs)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            term = loss(tf.constant(targets), logits)["distribution"]
        assert (float(term[0]) > 0) == bool(cells)
        taught = np.abs(tape.gradient(term, logits).numpy()[..., GRID.shape[-1] :]).sum(axis=-1) > 1e-9
        assert taught.any() == bool(cells)
        assert name == "aligned" or taught.sum() == cells


def test_the_loss_is_least_where_two_neighbours_share_the_truth() -> None:
    head, sought = HEADS[0], 0.3
    values = head.values()[0]
    right = np.clip(np.minimum((sought - values + 0.125) / 0.125, (values + 0.125 - sought) / 0.125), 1e-6, 1)
    boxes = tf.fill((1, 4, 6, 1, 4), sought)

    def value(logits: np.ndarray) -> float:
        outputs = np.zeros((1, 4, 6, GRID.shape[-1] + 36), np.float32)
        outputs[..., GRID.shape[-1] : GRID.shape[-1] + 9] = logits  # of x alone
        return float(tf.reduce_mean(Choices(head, GRID).loss(tf.constant(outputs), boxes)))

    best = value(np.log(right))
    low, high = np.argsort(right)[-2:]  # the two values next to the truth
    for other in set(range(9)) - {low, high}:
        for change in (0.5, 5.0):
            away = np.zeros(9)
            away[other], away[low] = 10 + change, change
            assert value(np.log(right) + away) > best + 1e-3
    for change in (-0.5, 0.5):
        tilt = np.zeros(9)
        tilt[low] = change
        assert value(np.log(right) + tilt) > best + 1e-3


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("boxes", "micro_batches", "precision"),
    [
        (1, 1, "float32"),
        pytest.param(2, 2, "float32", marks=pytest.mark.slow),
        pytest.param(1, 1, "bfloat16", marks=pytest.mark.slow),
    ],
)
def test_a_training_is_taught_the_choice_and_predicts_as_wide_as_the_grid(
    boxes: int, micro_batches: int, precision: Literal["float32", "bfloat16"], tmp_path: Path
) -> None:
    split = draw_split(tmp_path, replace(ODD, boxes=boxes), 8)
    train = PLAIN.model_copy(update={"micro_batches": micro_batches})
    first, second = (begin(split, train, precision) for _ in range(2))
    steps = list(first.run_epoch(0))
    assert first.term_names == ["box", "obj", "noobj", "class", "distribution"]
    assert 0 < steps[-1][-1] < steps[0][-1]
    second.restore(first.state())
    for trainer in (first, second):
        list(trainer.run_epoch(1))
    for name, values in first.weights().items():
        np.testing.assert_array_equal(second.weights()[name], values)
    assert first.predict(split.images).shape == (8, *split.grid.shape)
    outputs = first.outputs(split.images)
    np.testing.assert_array_equal(outputs[..., : split.grid.shape[-1]], first.predict(split.images))
    assert set(ValidationScore(split, train.validation).measure(first.outputs, first.loss).terms) == set(
        first.term_names
    )


def begin(split: EncodedSplit, train: Train, precision: Literal["float32", "bfloat16"]) -> Trainer:
    with computing_in(precision):
        network = build_model(COMPACT, split.grid, 1)
    return Trainer(network, build_model(COMPACT, split.grid, 1), split, TAUGHT, train, 1)
