"""A step in micro-batches: the sum over parts that anybody may compute, with a meaning for each layer's state."""

import numpy as np
import pytest
import tensorflow as tf
from sections import loss_section
from small_training import PLAIN, start, stateful

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.params.sections import Train
from humbleyolo.training.schedule import learning_rate
from humbleyolo.training.trainer import Trainer

AUGMENT = PLAIN.augment.model_copy(update={"flip": 0.5, "brightness": 0.2, "mosaic": 0.3})
TRAIN = PLAIN.model_copy(update={"micro_batches": 2, "augment": AUGMENT})


def begin(split: EncodedSplit, train: Train = TRAIN) -> Trainer:
    """A network with batch normalization and dropout."""
    return Trainer(stateful(), stateful(), split, loss_section("yolov1"), train, 1)


def state_of(trainer: Trainer) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in trainer.state().items()}


@pytest.mark.usefixtures("eagerly")
def test_a_step_is_one_along_the_mean_gradient_of_its_parts_in_turn(tiny: EncodedSplit) -> None:
    """By Keras' own layers, called part by part: they update moving statistics and count dropout's draws."""
    trainer, other = begin(tiny), begin(tiny)
    network, chosen = other._network, np.arange(4)
    for step in range(2):
        gradients = []
        for part in np.split(chosen, 2):
            targets, images, *plan = other.inputs(0, part)
            with tf.GradientTape() as tape:
                terms = other.loss(targets, network(other._changed(images, plan), training=True))
                total = tf.add_n([tf.reduce_mean(term) for term in terms.values()])
            gradients.append(tape.gradient(total, network.trainable_variables))
        means = [(one + two) / 2 for one, two in zip(*gradients, strict=True)]
        other._optimizer.apply(means, other._optimizer.rates(learning_rate(step, other.steps_an_epoch, TRAIN), step))
        trainer.step(step, trainer.parts(0, chosen))
        for mine, its in zip(trainer._network.weights, network.weights, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6, err_msg=mine.path)
            if "moving" in mine.path:
                np.testing.assert_array_equal(mine, its)
    assert trainer.term_names == ["xy", "wh", "obj", "noobj", "class"]


@pytest.mark.usefixtures("eagerly")
def test_whoever_computes_a_part_and_when_the_bytes_are_the_same(tiny: EncodedSplit) -> None:
    here, there, helper = begin(tiny), begin(tiny), begin(tiny)
    for step in range(2):
        chosen = np.arange(4) + 4 * step
        here.step(step, here.parts(0, chosen))
        helper.restore(there.state())
        before = state_of(helper)
        numbered = list(enumerate(helper.parts(0, chosen), 2 * step))
        late = {number: helper._part(tf.constant(number, tf.int64), *inputs) for number, inputs in numbered[::-1]}
        assert state_of(helper) == before
        for part in late.values():
            assert np.abs(part.gradient).sum() > 0
        rows = [helper.micro.pack(late[number]) for number, _ in numbered]
        assert {len(row) for row in rows} == {there.micro.row_length}
        there.share(range(0), lambda *_: map(there.micro.unpack, rows))  # noqa: B023
        there.step(step, there.parts(0, chosen))
        assert here.term_names == there.term_names
        assert state_of(here) == state_of(there)


@pytest.mark.usefixtures("eagerly")
def test_without_normalization_parts_are_the_whole_batch_but_for_rounding(tiny: EncodedSplit) -> None:
    losses, weights = [], []
    for parts in (1, 4):
        trainer = start(tiny, train=PLAIN.model_copy(update={"micro_batches": parts}))
        losses.append(list(trainer.run_epoch(0)))
        weights.append(trainer.weights())
        np.testing.assert_allclose(losses[-1], losses[0], rtol=1e-3)
    for name, values in weights[0].items():
        np.testing.assert_allclose(weights[1][name], values, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("graph", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_run_that_goes_on_draws_as_if_it_had_not_stopped(graph: bool, eagerly: None, tiny: EncodedSplit) -> None:
    tf.config.run_functions_eagerly(not graph)
    first, second = begin(tiny), begin(tiny)
    list(first.run_epoch(0))
    second.restore(first.state())
    assert [terms.tobytes() for terms in second.run_epoch(1)] == [terms.tobytes() for terms in first.run_epoch(1)]
    assert state_of(first) == state_of(second)
