"""Steps in micro-batches: equal parts of a batch, whose gradients are computed one by one and summed in their order.

A part is a function of the weights, its images and its number alone. So it does not matter who computes it, and
memory holds the activations of one part. Batch normalization uses each part's own statistics; the moving ones are
updated in the order of the parts. Dropout draws by the number of the part in the run.

    P numbers of all trainable variables    Q moving statistics    T loss terms    n images of a part
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from humbleyolo.params.sections import Train
from humbleyolo.storage.array_types import Floats32
from humbleyolo.training.weighted_loss import WeightedLoss


class Part(NamedTuple):
    """The share of a micro-batch in a step."""

    gradient: tf.Tensor  # (P,) of the part's mean loss, divided by the number of parts
    statistics: tf.Tensor  # (Q,) its own ones times 1 - momentum
    terms: tf.Tensor  # (T, n) each loss term of each image


class MicroBatches:
    """The parts of a network's steps."""

    def __init__(self, network: keras.Model, loss: WeightedLoss, train: Train) -> None:
        self._network, self._loss, self._count = network, loss, train.micro_batches
        self._images = train.batch // train.micro_batches
        norms = [one for one in network.layers if isinstance(one, keras.layers.BatchNormalization) and one.trainable]
        self._statistics = [one for layer in norms for one in (layer.moving_mean, layer.moving_variance)]
        momenta = (np.full(one.shape, layer.momentum) for layer in norms for one in 2 * [layer.moving_mean])
        self._momentum = tf.constant(np.concatenate([np.zeros(0), *momenta]), tf.float32)
        self._moving = {id(one) for one in self._statistics}
        self._weights = {id(one) for one in network.weights}

    def compute(self, number: tf.Tensor, targets: tf.Tensor, images: tf.Tensor) -> Part:
        """Return the share of one part, which has this `number` in the whole run. Nothing is changed."""
        network = self._network
        before = [self._begin(variable, number) for variable in network.non_trainable_variables]
        with tf.GradientTape() as tape:
            trained = [variable.value for variable in network.trainable_variables]
            predictions, after = network.stateless_call(trained, before, images, training=True)
            terms = self._loss(targets, tf.cast(predictions, tf.float32))
            total = tf.add_n([tf.reduce_mean(term) for term in terms.values()]) / self._count
        pairs = zip(network.non_trainable_variables, after, strict=True)
        moved = {id(variable): value for variable, value in pairs}
        statistics = [moved[id(variable)] for variable in self._statistics]
        gradients = tape.gradient(total, network.trainable_variables)
        return Part(_flat(gradients), _flat(statistics), tf.stack(list(terms.values())))

    def _begin(self, variable: keras.Variable, number: tf.Tensor) -> Any:
        """Return a variable's value at the start of a part."""
        if id(variable) in self._moving:
            return tf.zeros(variable.shape)
        if id(variable) in self._weights:
            return variable.value
        seed = tf.convert_to_tensor(variable.value)  # of dropout: a seed, and a count of draws
        return tf.stack([seed[0], tf.cast(number, seed.dtype)])

    def sum(self, parts: Iterable[Part]) -> Part:
        """Return the sum of a step's parts: its gradient, the moving statistics after it, the terms of all images.

        One operation after the other, outside of any graph, in which TensorFlow may choose another order.
        """
        gradient, statistics, terms = None, _flat(self._statistics), []
        for part in parts:
            gradient = part.gradient if gradient is None else gradient + part.gradient
            statistics = statistics * self._momentum + part.statistics
            terms.append(part.terms)
        return Part(gradient, statistics, tf.concat(terms, axis=1))

    def pack(self, part: Part) -> Floats32:
        """Return a part as one row (P + Q + T n,)."""
        return np.concatenate([np.asarray(one).ravel() for one in part])

    def unpack(self, row: Floats32) -> Part:
        """Return the part that a row holds."""
        ends = np.cumsum([sum(map(_length, self._network.trainable_variables)), len(self._momentum)])
        gradient, statistics, terms = map(tf.constant, np.split(row, ends))
        return Part(gradient, statistics, tf.reshape(terms, (-1, self._images)))

    @property
    def row_length(self) -> int:
        """Length of a row."""
        terms = len(self._loss.term_names()) * self._images
        return sum(map(_length, self._network.trainable_variables)) + len(self._momentum) + terms

    def take(self, total: Part) -> list[tf.Tensor]:
        """Take over the moving statistics of a step, and return its gradients, one per trainable variable."""
        for variable, value in zip(self._statistics, _shaped(total.statistics, self._statistics), strict=True):
            variable.assign(value)
        return _shaped(total.gradient, self._network.trainable_variables)


def _flat(values: list[Any]) -> tf.Tensor:
    return tf.concat([tf.zeros(0), *(tf.reshape(value, (-1,)) for value in values)], axis=0)


def _shaped(flat: tf.Tensor, like: list[Any]) -> list[tf.Tensor]:
    """Return the parts of a vector that have the shapes of variables."""
    parts = tf.split(flat, list(map(_length, like))) if like else []
    return [tf.reshape(part, variable.shape) for part, variable in zip(parts, like, strict=True)]


def _length(variable: Any) -> int:
    return int(np.prod(variable.shape))
