"""AdamW over all of a network, or with a rate and a decay of its own for a backbone that has learned."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from humbleyolo.models.lite import backbone_block
from humbleyolo.params.sections import Train


class _Group(NamedTuple):
    """Places among the trainable variables, and the optimizer of those."""

    places: list[int]
    adam: keras.optimizers.Optimizer


class Optimizer:
    """AdamW (Loshchilov & Hutter 2019) for a network's trainable variables.

    Vectors are not decayed. Unless training starts from scratch, the backbone is a group of its own: its rate is
    multiplied by `backbone.rate`, and 0 in the first `backbone.frozen_part` of all steps.
    """

    def __init__(self, network: keras.Model, train: Train, steps: int) -> None:
        self._variables = network.trainable_variables
        self._train, self._frozen_steps = train, train.backbone.frozen_part * steps
        apart = train.start != "scratch"
        inside = [apart and backbone_block(one.path.split("/")[0]) is not None for one in self._variables]
        self._groups = [
            self._group([place for place, one in enumerate(inside) if one is backbone], decay)
            for backbone, decay in ((False, train.weight_decay), (True, train.backbone.weight_decay))
            if backbone in inside
        ]

    def _group(self, places: list[int], decay: float) -> _Group:
        adam = keras.optimizers.AdamW(
            self._train.learning_rate, weight_decay=decay, global_clipnorm=self._train.clip_norm or None
        )
        own = [self._variables[place] for place in places]
        adam.exclude_from_weight_decay([variable for variable in own if len(variable.shape) < 2])
        adam.build(own)
        return _Group(places, adam)

    def rates(self, rate: float, step: int) -> list[float]:
        """Return the learning rate of each group; `step` is counted from 0 over the whole run."""
        backbone = 0.0 if step < self._frozen_steps else rate * self._train.backbone.rate
        return [rate, backbone][: len(self._groups)]

    def apply(self, gradients: Sequence[tf.Tensor], rates: tf.Tensor) -> None:
        """Take a step along gradients, one per trainable variable, with rates (groups,)."""
        for number, (places, adam) in enumerate(self._groups):
            adam.learning_rate.assign(rates[number])
            adam.apply_gradients([(gradients[place], self._variables[place]) for place in places])

    @property
    def variables(self) -> Iterator[Any]:
        """All that the next step depends on: moments, and the count of steps."""
        return (variable for group in self._groups for variable in group.adam.variables)
