"""The order of the images in an epoch, and the learning rate of a step."""

import math
from functools import lru_cache

import numpy as np

from humbleyolo.params.sections import Train
from humbleyolo.storage.array_types import Ints

FEW_STEPS = 200  # in all; a training of fewer is told to be short


@lru_cache(maxsize=2)  # each step asks for it
def epoch_order(seed: int, epoch: int, images: int) -> Ints:
    """Return the (N,) image indices of one epoch, shuffled by (seed, epoch) alone; they cannot be written to."""
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    order = generator.permutation(images)
    order.flags.writeable = False
    return order


def learning_rate(step: int, steps_an_epoch: int, train: Train) -> float:
    """Return the learning rate of one step: a linear warm-up, then the schedule.

    `cosine` is half a cosine down to the final rate (Loshchilov & Hutter 2017, equation 5). `inverse_time` divides
    the highest rate by 1 + decay x steps, as Keras' optimizers did when the article was written. `step` is counted
    from 0 over the whole run.
    """
    warmup = train.warmup_epochs * steps_an_epoch
    if step < warmup:
        return train.learning_rate * (step + 1) / (warmup + 1)
    if train.schedule == "inverse_time":
        return train.learning_rate / (1 + train.inverse_time_decay * (step - warmup))
    gone = (step - warmup) / (train.epochs * steps_an_epoch - warmup)  # 0 .. 1
    half_cosine = (1 + math.cos(math.pi * gone)) / 2
    return train.final_learning_rate + (train.learning_rate - train.final_learning_rate) * half_cosine
