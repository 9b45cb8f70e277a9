"""A network in training: one step at a time, with the moving average of its weights.

Everything is a function of the seed and the step, so that a run gives the same weights in however many pieces.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.dataset.jpeg_images import Images
from humbleyolo.errors import UserError
from humbleyolo.models.artifact import ModelInfo, Weights
from humbleyolo.models.build import build_model, with_choices
from humbleyolo.models.tensorflow_setup import computing_in
from humbleyolo.models.trained_network import images_at_a_time
from humbleyolo.params.sections import Loss, Model, Runtime, Train
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.storage.array_types import Floats32, Ints, Uint8s
from humbleyolo.training.augment import Moved, change_images, changes_anything, draw_plan, move_boxes
from humbleyolo.training.checkpoint import Arrays
from humbleyolo.training.micro_batches import MicroBatches, Part
from humbleyolo.training.optimizer import Optimizer
from humbleyolo.training.read_ahead import one_ahead
from humbleyolo.training.schedule import epoch_order, learning_rate
from humbleyolo.training.warm_start import begin
from humbleyolo.training.weighted_loss import WeightedLoss

LOWER_RATE = "lower train.learning_rate, or set a lower train.clip_norm (0 is none)"

Gather = Callable[[int, Iterable[Part]], Iterable[Part]]
"""Function of a step and the parts that were computed here -> all parts of the step, in order."""

_EXAMPLES = 12  # images that are shown before training


class Trainer:
    """A network in training.

    `network` is (N, H, W, 3) -> (N, R, S, K). `average` is the same network once more; it holds the moving average
    of the first one's weights. `seed` is that of the order and the augmentation; `start` says in words which weights
    the network begins with.

    Raises:
        UserError: The loss has a weight for a class that the data does not have.
    """

    def __init__(
        self, network: keras.Model, average: keras.Model, data: EncodedSplit, loss: Loss, train: Train, seed: int,
        start: str = "scratch",
    ) -> None:  # fmt: skip
        head = None
        if loss.lambda_distribution:
            head, network, average = network.get_layer("head"), with_choices(network), with_choices(average)
        self._network, self._average, self._data = network, average, data
        self._train, self._seed, self.start = train, seed, start
        self.loss = WeightedLoss(loss, data.categories, data.grid, head)
        self.steps_an_epoch = len(data) // train.batch
        self.term_names = self.loss.term_names()
        self.micro = MicroBatches(network, self.loss, train)
        self._own_parts = range(train.micro_batches)
        self._gather: Gather = lambda _, own: own
        self._optimizer = Optimizer(network, train, train.epochs * self.steps_an_epoch)
        slow_by_name = {variable.path: variable for variable in average.weights}
        self._pairs = [(variable, slow_by_name[variable.path]) for variable in network.weights]
        for variable, slow in self._pairs:
            slow.assign(variable)
        height, width = data.grid.height, data.grid.width
        self._augments = changes_anything(train.augment)
        layers = 4 if train.augment.mosaic else 1
        cut = [(4,)] if train.augment.cutout else []
        plan = [(layers, 2), (layers, 2), (layers, 4), (4,), *cut] if self._augments else []
        pixels = (layers, height, width, 3) if self._augments else (height, width, 3)
        shapes = (self.loss.target_shape, *plan)
        images = train.batch // train.micro_batches  # of a part
        targets, *changes = (tf.TensorSpec((images, *shape), tf.float32) for shape in shapes)
        inputs = [targets, tf.TensorSpec((images, *pixels), tf.uint8), *changes]
        rates = [tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.float32)]
        # No branch depends on a tensor; for autograph to look for one takes a fifth of the start.
        self._whole_step = tf.function(self._one_step, input_signature=[*rates, *inputs], autograph=False)
        number = tf.TensorSpec((), tf.int64)
        self._part = tf.function(self._one_part, input_signature=[number, *inputs], autograph=False)
        self._finish = tf.function(self._take_step, autograph=False)
        self._predict = tf.function(
            lambda images: average(images, training=False),
            input_signature=[tf.TensorSpec((None, height, width, 3), tf.uint8)],
            autograph=False,
        )

    def run_epoch(self, epoch: int, first: int = 0) -> Iterator[Floats32]:
        """Train on every image once, but for the last ones that do not fill a batch.

        It begins with step `first` of the epoch; both are counted from 0.

        Yields:
            (T,) the weighted mean of each loss term, after each step, in the order of `term_names`.

        Raises:
            UserError: A term is not finite; names the step, the term and the images.
        """
        batches = [self.chosen(epoch, place) for place in range(first, self.steps_an_epoch)]
        made = (inputs for chosen in batches for inputs in self.parts(epoch, chosen))
        with closing(one_ahead(made)) as parts:
            for place, chosen in enumerate(batches, first):
                step = epoch * self.steps_an_epoch + place
                terms = self.step(step, islice(parts, len(self._own_parts)))
                self._check_finite(terms, chosen, step)
                yield terms.mean(axis=1)

    def step(self, step: int, parts: Iterable[Sequence[tf.Tensor]]) -> Floats32:
        """Train on one batch, the inputs of its `parts`, in a `step` counted from 0 over the whole run.

        Returns:
            (T, N) each loss term of each image, weighted, in the order of `term_names`.
        """
        decay = tf.constant(min(self._train.ema_decay, (1 + step) / (10 + step)), tf.float32)
        rate = learning_rate(step, self.steps_an_epoch, self._train)
        rates = tf.constant(self._optimizer.rates(rate, step), tf.float32)
        if self._train.micro_batches == 1:
            (inputs,) = parts
            return np.asarray(self._whole_step(rates, decay, *inputs))
        numbers = (step * self._train.micro_batches + place for place in self._own_parts)
        own = (self._part(tf.constant(one, tf.int64), *inputs) for one, inputs in zip(numbers, parts, strict=True))
        total = self.micro.sum(self._gather(step, own))
        self._finish(rates, decay, total)
        return np.asarray(total.terms)

    def parts(self, epoch: int, chosen: Ints) -> Iterator[list[tf.Tensor]]:
        """Yield the inputs of each micro-batch of this process; `chosen` are the (N,) indices of a batch's images."""
        parts = np.split(chosen, self._train.micro_batches)
        for place in self._own_parts:
            yield self.inputs(epoch, parts[place])

    def share(self, own_parts: range, gather: Gather) -> None:
        """Compute some micro-batches of each step alone; `gather(step, own)` returns those of all, in order."""
        self._own_parts, self._gather = own_parts, gather

    def chosen(self, epoch: int, place: int) -> Ints:
        """Return the (N,) indices of the images of a batch, rising."""
        order = epoch_order(self._seed, epoch, len(self._data))
        return np.sort(order[place * self._train.batch : (place + 1) * self._train.batch])

    def inputs(self, epoch: int, chosen: Ints) -> list[tf.Tensor]:
        """Return the targets and images of a micro-batch, and the plan of its augmentation if there is any.

        `epoch` is counted from 0; `chosen` are the (n,) indices of the images, as many as a micro-batch has.
        """
        data = self._data
        if not self._augments:
            return [tf.constant(self.loss.targets_of(data, chosen)), tf.constant(data.images[chosen])]
        images, changes, moved = self._augment(epoch, chosen)
        return [tf.constant(self.loss.targets(*moved, len(chosen))), images, *changes]

    def _augment(self, epoch: int, chosen: Ints) -> tuple[tf.Tensor, list[tf.Tensor], Moved]:
        """Return the images that a plan begins from, the plan, and the objects where it moves them."""
        data, augment = self._data, self._train.augment
        plan = draw_plan(self._seed, epoch, chosen, len(data), (data.grid.height, data.grid.width), augment)
        moved = move_boxes(plan, data.boxes, data.labels, data.offsets, augment.min_visible)
        parts = (plan.scale, plan.shift, plan.window, plan.colour, *([plan.cut] if augment.cutout else []))
        changes = [tf.constant(part, tf.float32) for part in parts]
        return tf.constant(data.images[plan.sources]), changes, moved

    def examples(self) -> tuple[Uint8s, Moved]:
        """Return (N, H, W, 3) images of the first epoch as the network sees them, 12 at most, and their objects."""
        chosen = np.sort(epoch_order(self._seed, 0, len(self._data))[:_EXAMPLES])
        images, changes, moved = self._augment(0, chosen)
        seen = change_images(images, self._data.fill, *changes)
        return np.round(seen.numpy()).astype(np.uint8), moved

    def _changed(self, images: tf.Tensor, plan: Sequence[tf.Tensor]) -> tf.Tensor:
        return change_images(images, self._data.fill, *plan) if plan else images

    def _one_step(
        self, rates: tf.Tensor, decay: tf.Tensor, targets: tf.Tensor, images: tf.Tensor, *plan: tf.Tensor
    ) -> tf.Tensor:
        images = self._changed(images, plan)
        with tf.GradientTape() as tape:
            predictions = tf.cast(self._network(images, training=True), tf.float32)
            terms = self.loss(targets, predictions)
            total = tf.add_n([tf.reduce_mean(term) for term in terms.values()])
        self._apply(tape.gradient(total, self._network.trainable_variables), rates, decay)
        return tf.stack(list(terms.values()))  # (T, N)

    def _one_part(self, number: tf.Tensor, targets: tf.Tensor, images: tf.Tensor, *plan: tf.Tensor) -> Part:
        return self.micro.compute(number, targets, self._changed(images, plan))

    def _take_step(self, rates: tf.Tensor, decay: tf.Tensor, total: Part) -> None:
        self._apply(self.micro.take(total), rates, decay)

    def _apply(self, gradients: Sequence[tf.Tensor], rates: tf.Tensor, decay: tf.Tensor) -> None:
        self._optimizer.apply(gradients, rates)
        for variable, slow in self._pairs:
            slow.assign_sub((1 - decay) * (slow - variable))

    def _check_finite(self, terms: Floats32, chosen: Ints, step: int) -> None:
        if np.isfinite(terms).all():
            return
        wrong = [
            f"{name} on images {first_few([*map(str, chosen[bad])], 8)}"
            for name, bad in zip(self.term_names, ~np.isfinite(terms), strict=True)
            if bad.any()
        ]
        raise UserError(
            f"training stopped at step {step + 1} (epoch {step // self.steps_an_epoch + 1}): the loss is not "
            f"finite in {'; '.join(wrong)} (counted from 0); {LOWER_RATE}"
        )

    def predict(self, images: Images) -> Floats32:
        """Return (N, R, S, K) predictions of the averaged weights."""
        return self.outputs(images)[..., : self._data.grid.shape[-1]]

    def outputs(self, images: Images) -> Floats32:
        """Return what the loss takes of the averaged weights, batch by batch: (N, R, S, K), or more with choices."""
        most = images_at_a_time(self._data.grid)
        batches = [
            self._predict(tf.constant(images[start : start + most])).numpy() for start in range(0, len(images), most)
        ]
        return np.concatenate(batches)

    def weights(self) -> Weights:
        """Return a copy of the averaged weights."""
        return {variable.path: np.asarray(variable).copy() for variable in self._average.weights}

    def state(self) -> Arrays:
        """Return all that the next step depends on: the variables of the network, the optimizer and the average.

        Among them are the statistics of normalization, the state of dropout's seeds and the optimizer's count of
        steps. The names are positions, since Keras' own names carry a running number.
        """
        return {name: np.asarray(variable) for name, variable in self._variables()}

    def restore(self, state: Arrays) -> None:
        """Set all that the next step depends on to an earlier `state`."""
        for name, variable in self._variables():
            variable.assign(state[name])

    def _variables(self) -> Iterator[tuple[str, Any]]:
        parts = {"network": self._network, "optimizer": self._optimizer, "average": self._average}
        for part, holder in parts.items():
            for place, variable in enumerate(holder.variables):
                yield f"{part}/{place}", variable


def build_trainer(
    seed: int, runtime: Runtime, model: Model, loss: Loss, train: Train, data: EncodedSplit, start: Path | None = None
) -> Trainer:
    """Build a network for the data's grid, with the weights that it begins with, and its trainer.

    `start` is the folder of the model that `train.start: own` takes over.

    Raises:
        UserError: The network does not fit the grid, the data fills no batch, the loss weighs an unknown class, or
            the start is missing.
    """
    if train.batch > len(data):
        images = counted(len(data), "image")
        raise UserError(f"train.batch {train.batch} is more than the {images} of the train split")
    try:
        with computing_in(runtime.precision):
            network = build_model(model, data.grid, seed)
        average = build_model(model, data.grid, seed)
    except ValueError as error:
        raise UserError(f"model.name {model.name} cannot be built for this grid: {error}") from None
    info = ModelInfo(model, data.grid, data.categories, data.fill, "")
    return Trainer(network, average, data, loss, train, seed, begin(network, info, train, start))
