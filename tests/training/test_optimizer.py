"""AdamW over a network: Keras' own without a backbone; with one, a rate, a decay and a rest of its own."""

from collections.abc import Sequence

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_training import PLAIN

from humbleyolo.params.sections import Train
from humbleyolo.training.optimizer import Optimizer

STEPS = 6
PLACES = {"backbone_stem": [0, 1], "backbone_3_expand": [2, 3], "head_conv": [4, 5]}


def build() -> keras.Model:
    """Two layers of a backbone and one behind it, with a kernel and a bias each."""
    x = inputs = keras.Input((3,))
    for number, name in enumerate(PLACES):
        start = keras.initializers.GlorotUniform(seed=number)
        x = keras.layers.Dense(4, kernel_initializer=start, bias_initializer="ones", name=name)(x)
    return keras.Model(inputs, x)


def section(start: str, decay: float = 0.3, clip: float = 0.5, **backbone: float) -> Train:
    own = {"rate": 0.1, "frozen_part": 0.5, "weight_decay": 0.0, **backbone}
    update = {"start": start, "weight_decay": decay, "clip_norm": clip}
    return PLAIN.model_copy(update={**update, "backbone": PLAIN.backbone.model_copy(update=own)})


def draw(network: keras.Model, step: int, scale: float = 1.0) -> list[tf.Tensor]:
    rng = np.random.default_rng(step)
    shapes = [variable.shape for variable in network.trainable_variables]
    return [tf.constant(scale * rng.normal(size=shape), tf.float32) for shape in shapes]


def values(network: keras.Model) -> list[np.ndarray]:
    return [np.asarray(variable).copy() for variable in network.trainable_variables]


def train(network: keras.Model, optimizer: Optimizer, steps: Sequence[int], scale: float = 1.0) -> None:
    apply = tf.function(optimizer.apply, autograph=False)
    for step in steps:
        rates = optimizer.rates(0.01 * (step + 1), step)
        apply(draw(network, step, scale), tf.constant(rates, tf.float32))


def by_keras(network: keras.Model, places: list[int], rates: list[float], decay: float, scale: float = 1.0) -> None:
    """Train some of the variables with Keras' optimizer alone."""
    own = [network.trainable_variables[place] for place in places]
    adam = keras.optimizers.AdamW(0.01, weight_decay=decay, global_clipnorm=0.5)
    adam.exclude_from_weight_decay([variable for variable in own if len(variable.shape) < 2])
    adam.build(own)
    apply = tf.function(lambda gradients: adam.apply_gradients(zip(gradients, own, strict=True)), autograph=False)
    for step, rate in enumerate(rates):
        adam.learning_rate.assign(rate)
        gradients = draw(network, step, scale)
        apply([gradients[place] for place in places])


@pytest.mark.parametrize("scale", [0.01, 1.0])  # of gradients: clipped or not
def test_without_a_backbone_it_is_keras_own_bit_for_bit(scale: float) -> None:
    network, other = build(), build()
    optimizer = Optimizer(network, section("scratch"), STEPS)
    assert optimizer.rates(0.01, 0) == [0.01]
    train(network, optimizer, range(STEPS), scale)
    by_keras(other, list(range(6)), [0.01 * (step + 1) for step in range(STEPS)], decay=0.3, scale=scale)
    for found, expected, before in zip(values(network), values(other), values(build()), strict=True):
        assert found.tobytes() == expected.tobytes()
        assert (found != before).any()


@pytest.mark.usefixtures("eagerly")
def test_a_backbone_rests_and_then_learns_at_its_own_rate() -> None:
    network, other = build(), build()
    optimizer = Optimizer(network, section("pretrained"), STEPS)
    start = values(network)
    assert [optimizer.rates(1.0, step) for step in range(4)] == [[1.0, 0.0]] * 3 + [[1.0, 0.1]]
    train(network, optimizer, range(3))
    for place, (now, before) in enumerate(zip(values(network), start, strict=True)):
        assert (now == before).all() == (place < 4)
    train(network, optimizer, range(3, STEPS))
    full = [0.01 * (step + 1) for step in range(STEPS)]
    by_keras(other, [4, 5], full, decay=0.3)
    by_keras(other, [0, 1, 2, 3], [rate * 0.1 * (step >= 3) for step, rate in enumerate(full)], decay=0.0)
    for found, expected in zip(values(network), values(other), strict=True):
        assert found.tobytes() == expected.tobytes()


@pytest.mark.usefixtures("eagerly")
def test_matrices_decay_with_their_group_and_vectors_never() -> None:
    for backbone in (0.0, 0.2):
        network = build()
        start = values(network)
        optimizer = Optimizer(network, section("pretrained", frozen_part=0.0, weight_decay=backbone), STEPS)
        optimizer.apply([0 * one for one in draw(network, 0)], tf.constant([0.5, 0.05]))
        for place, (now, before) in enumerate(zip(values(network), start, strict=True)):
            decay = 0.0 if place % 2 else 0.05 * backbone if place < 4 else 0.5 * 0.3
            np.testing.assert_allclose(now, before * (1 - decay), rtol=1e-6)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("start", ["scratch", "pretrained", pytest.param("own", marks=pytest.mark.slow)])
def test_its_variables_are_all_that_the_next_step_depends_on(start: str) -> None:
    first, second = build(), build()
    one, other = (Optimizer(network, section(start), STEPS) for network in (first, second))
    train(first, one, range(4))
    second.set_weights(first.get_weights())
    for variable, kept in zip(other.variables, [np.asarray(kept) for kept in one.variables], strict=True):
        variable.assign(kept)
    for network, optimizer in ((first, one), (second, other)):
        train(network, optimizer, range(4, STEPS))
    for found, expected in zip(values(second), values(first), strict=True):
        assert found.tobytes() == expected.tobytes()


@pytest.mark.usefixtures("eagerly")
def test_a_backbone_frozen_as_a_whole_leaves_one_group() -> None:
    network = build()
    for name in list(PLACES)[:2]:
        network.get_layer(name).trainable = False
    optimizer = Optimizer(network, section("pretrained"), STEPS)
    assert optimizer.rates(0.01, 5) == [0.01]
    train(network, optimizer, range(2))
    changed = [
        (now != before).any() for now, before in zip(network.get_weights(), build().get_weights(), strict=True)
    ]
    assert changed == [False] * 4 + [True] * 2
