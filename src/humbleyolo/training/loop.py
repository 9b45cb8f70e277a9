"""The step loop: order, learning rate, weights and their moving average, and which epoch is kept.

Everything is a function of the seed and the step. The order of the images is drawn from (seed, epoch), the
learning rate from the step, so that a run gives the same weights however it is watched or cut into pieces.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.geometry.grid import encode_boxes
from humbleyolo.metrics.coco import average_precision
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.models.artifact import Weights
from humbleyolo.models.build import build_model
from humbleyolo.models.network import select_detections
from humbleyolo.models.selection import Selection
from humbleyolo.models.tensorflow_setup import computing_in
from humbleyolo.params.sections import Loss, Model, Runtime, Train, Validation
from humbleyolo.storage.array_types import Floats32, Ints, Uint8s
from humbleyolo.storage.atomic import atomic_write
from humbleyolo.training.augment import change_images, changes_anything, draw_plan, move_boxes
from humbleyolo.training.checkpoint import Arrays, Checkpoint, Progress, State
from humbleyolo.training.losses import Terms, WeightedLoss

_VALIDATION_BATCH = 250

Row = dict[str, float | int | None]  # one epoch's line of history.csv


@dataclass(frozen=True)
class Trained:
    """The outcome of a run.

    Attributes:
        weights: Of the epoch that was kept, by name.
        best_epoch: Which that is, counted from 1.
        history: One row an epoch.
        why: Why that one, in words.
    """

    weights: Weights
    best_epoch: int
    history: list[Row]
    why: str


def epoch_order(seed: int, epoch: int, images: int) -> Ints:
    """Return the (N,) image indices of one epoch, shuffled by (seed, epoch) alone."""
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return generator.permutation(images)


def learning_rate(step: int, steps_an_epoch: int, train: Train) -> float:
    """Return the learning rate of one step: a linear warm-up, then the schedule.

    `cosine` is half a cosine down to the final rate (Loshchilov & Hutter 2017, equation 5). `inverse_time` divides
    the highest rate by 1 + decay x steps, as Keras' optimizers did when the article was written.

    Args:
        step: Counted from 0 over the whole run.
        steps_an_epoch: Steps in one epoch.
        train: The schedule, its rates and lengths.
    """
    warmup = train.warmup_epochs * steps_an_epoch
    if step < warmup:
        return train.learning_rate * (step + 1) / (warmup + 1)
    if train.schedule == "inverse_time":
        return train.learning_rate / (1 + train.inverse_time_decay * (step - warmup))
    gone = (step - warmup) / (train.epochs * steps_an_epoch - warmup)  # 0 .. 1
    half_cosine = (1 + math.cos(math.pi * gone)) / 2
    return train.final_learning_rate + (train.learning_rate - train.final_learning_rate) * half_cosine


class Trainer:
    """A network in training.

    Args:
        network: (N, H, W, 3) -> (N, R, S, K).
        average: The same network once more; it holds the moving average of the first one's weights.
        data: What it is trained on.
        loss: Which loss, and its weights.
        train: How.
        seed: Of the order.

    Raises:
        UserError: Where the loss has a weight for a class that the data does not have.
    """

    def __init__(
        self,
        network: keras.Model,
        average: keras.Model,
        data: EncodedSplit,
        loss: Loss,
        train: Train,
        seed: int,
    ) -> None:
        self._network, self._average, self._data = network, average, data
        self._train, self._seed = train, seed
        self.loss = WeightedLoss(loss, data.categories, data.grid)
        self.steps_an_epoch = len(data) // train.batch
        self.term_names: list[str] = []
        self._optimizer = keras.optimizers.AdamW(
            train.learning_rate, weight_decay=train.weight_decay, global_clipnorm=train.clip_norm or None
        )
        self._optimizer.exclude_from_weight_decay(
            [variable for variable in network.trainable_variables if len(variable.shape) < 2]
        )
        self._optimizer.build(network.trainable_variables)
        slow_by_name = {variable.path: variable for variable in average.weights}
        self._pairs = [(variable, slow_by_name[variable.path]) for variable in network.weights]
        for variable, slow in self._pairs:
            slow.assign(variable)
        height, width = data.grid.height, data.grid.width
        self._augments = changes_anything(train.augment)
        layers = 4 if train.augment.mosaic else 1
        plan = [tf.TensorSpec((train.batch, layers, numbers), tf.float32) for numbers in (2, 2, 4)]
        self._step = tf.function(
            self._augmented_step if self._augments else self._one_step,
            input_signature=[
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((train.batch, *data.grid.shape), tf.float32),
                *(
                    [
                        tf.TensorSpec((train.batch, layers, height, width, 3), tf.uint8),
                        *plan,
                        tf.TensorSpec((train.batch, 4), tf.float32),
                    ]
                    if self._augments
                    else [tf.TensorSpec((train.batch, height, width, 3), tf.uint8)]
                ),
            ],
        )
        self._predict = tf.function(
            lambda images: average(images, training=False),
            input_signature=[tf.TensorSpec((None, height, width, 3), tf.uint8)],
        )

    def run_epoch(self, epoch: int, first: int = 0) -> Iterator[Floats32]:
        """Train on every image once, but for the last ones that do not fill a batch.

        Args:
            epoch: Counted from 0.
            first: The step of this epoch to begin with, counted from 0.

        Yields:
            (T,) the weighted mean of each loss term, after each step, in the order of `term_names`.

        Raises:
            UserError: Where a term is not finite: names the step, the term and the images.
        """
        order = epoch_order(self._seed, epoch, len(self._data))
        for place in range(first, self.steps_an_epoch):
            step = epoch * self.steps_an_epoch + place
            chosen = np.sort(order[place * self._train.batch : (place + 1) * self._train.batch])
            terms = self.step(step, self.inputs(epoch, chosen))
            self._check_finite(terms, chosen, step)
            yield terms.mean(axis=1)

    def step(self, step: int, inputs: list[tf.Tensor]) -> Floats32:
        """Train on one batch.

        Args:
            step: Counted from 0 over the whole run.
            inputs: As `inputs` gives them.

        Returns:
            (T, N) each loss term of each image, weighted, in the order of `term_names`.
        """
        rate = learning_rate(step, self.steps_an_epoch, self._train)
        decay = min(self._train.ema_decay, (1 + step) / (10 + step))
        terms = self._step(tf.constant(rate, tf.float32), tf.constant(decay, tf.float32), *inputs)
        return np.asarray(terms)

    def inputs(self, epoch: int, chosen: Ints) -> list[tf.Tensor]:
        """Return the targets and images of a batch, and where there is augmentation what happens to them.

        Args:
            epoch: Counted from 0.
            chosen: (N,) which images of the data, N as many as a batch.
        """
        data = self._data
        if not self._augments:
            return [tf.constant(data.targets[chosen]), tf.constant(data.images[chosen])]
        size = (data.grid.height, data.grid.width)
        plan = draw_plan(self._seed, epoch, chosen, len(data), size, self._train.augment)
        moved = move_boxes(plan, data.boxes, data.labels, data.offsets, self._train.augment.min_visible)
        targets = encode_boxes(*moved, len(chosen), data.grid).targets
        geometry = [
            tf.constant(part, tf.float32) for part in (plan.scale, plan.shift, plan.window, plan.colour)
        ]
        return [tf.constant(targets), tf.constant(data.images[plan.sources]), *geometry]

    def _augmented_step(
        self, rate: tf.Tensor, decay: tf.Tensor, targets: tf.Tensor, images: tf.Tensor, *plan: tf.Tensor
    ) -> tf.Tensor:
        return self._one_step(rate, decay, targets, change_images(images, self._data.fill, *plan))

    def _one_step(
        self, rate: tf.Tensor, decay: tf.Tensor, targets: tf.Tensor, images: tf.Tensor
    ) -> tf.Tensor:
        self._optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            predictions = tf.cast(self._network(images, training=True), tf.float32)
            terms = self.loss(targets, predictions)
            total = tf.add_n([tf.reduce_mean(term) for term in terms.values()])
        self.term_names = list(terms)
        variables = self._network.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
        for variable, slow in self._pairs:
            slow.assign_sub((1 - decay) * (slow - variable))
        return tf.stack(list(terms.values()))  # (T, N)

    def _check_finite(self, terms: Floats32, chosen: Ints, step: int) -> None:
        if np.isfinite(terms).all():
            return
        wrong = [
            f"{name} on images {', '.join(map(str, chosen[bad][:8]))}" + (" ..." if bad.sum() > 8 else "")
            for name, bad in zip(self.term_names, ~np.isfinite(terms), strict=True)
            if bad.any()
        ]
        raise UserError(
            f"training stopped at step {step + 1} (epoch {step // self.steps_an_epoch + 1}): the loss is not "
            f"finite in {'; '.join(wrong)} (counted from 0); lower train.learning_rate, or set a lower "
            "train.clip_norm (0 is none)"
        )

    def predict(self, images: Uint8s) -> Floats32:
        """Return (N, R, S, K) predictions of the averaged weights, batch by batch."""
        batches = [
            self._predict(tf.constant(images[start : start + _VALIDATION_BATCH])).numpy()
            for start in range(0, len(images), _VALIDATION_BATCH)
        ]
        return np.concatenate(batches)

    def weights(self) -> Weights:
        """Return a copy of the averaged weights."""
        return {variable.path: np.asarray(variable).copy() for variable in self._average.weights}

    def state(self) -> Arrays:
        """Return all that the next step depends on: what the network, the optimizer and the average hold.

        Among them are the statistics of normalization, the state of dropout's seeds and the optimizer's count of
        steps. The names are places, since Keras numbers what it names.
        """
        return {name: np.asarray(variable) for name, variable in self._variables()}

    def restore(self, state: Arrays) -> None:
        """Set all that the next step depends on to what `state` returned once."""
        for name, variable in self._variables():
            variable.assign(state[name])

    def _variables(self) -> Iterator[tuple[str, Any]]:
        parts = {"network": self._network, "optimizer": self._optimizer, "average": self._average}
        for part, holder in parts.items():
            for place, variable in enumerate(holder.variables):
                yield f"{part}/{place}", variable


def build_trainer(
    seed: int, runtime: Runtime, model: Model, loss: Loss, train: Train, data: EncodedSplit
) -> Trainer:
    """Return a network for the data's grid, at its start, and all that trains it.

    Raises:
        UserError: Where the network does not fit the grid, a batch is more than the data, or the loss has a weight
            for a class that the data does not have.
    """
    if train.batch > len(data):
        raise UserError(f"train.batch {train.batch} is more than the {len(data)} images of the train split")
    try:
        with computing_in(runtime.precision):
            network = build_model(model, data.grid, seed)
        average = build_model(model, data.grid, seed)
    except ValueError as error:
        raise UserError(f"model.name {model.name} cannot be built for this grid: {error}") from None
    return Trainer(network, average, data, loss, train, seed)


class ValidationScore:
    """The score of predictions on a split.

    Args:
        split: Images and ground truth.
        validation: The boxes that count; `evaluate` has thresholds of its own, which do not touch the model.
    """

    def __init__(self, split: EncodedSplit, validation: Validation) -> None:
        self._split, self._selection = split, Selection.from_section(validation)
        self._truths = TruthTable(
            len(split),
            split.image_index,
            xyxy_to_ltwh(np.asarray(split.boxes)),
            split.labels.astype(np.int64),
            np.zeros(len(split.labels), bool),
        )

    def score(self, predictions: Floats32) -> tuple[float | None, float | None]:
        """Return AP and AP50 of (N, R, S, K) predictions; None where the split has no objects."""
        found = select_detections(predictions, self._split.grid, self._selection)
        detections = DetectionTable.from_detections(found)
        return average_precision(self._truths, detections, self._split.grid.classes)

    def terms(self, predictions: Floats32, loss: Callable[..., Terms]) -> dict[str, float]:
        """Return the weighted mean of each loss term, computed batch by batch."""
        sums: dict[str, float] = {}
        for start in range(0, len(predictions), _VALIDATION_BATCH):
            part = slice(start, start + _VALIDATION_BATCH)
            terms = loss(tf.constant(np.asarray(self._split.targets[part])), tf.constant(predictions[part]))
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + float(np.asarray(term, np.float64).sum())
        return {name: total / len(predictions) for name, total in sums.items()}


_BEST = "best/"  # before the names of the best epoch's weights, in a checkpoint


def train_network(
    trainer: Trainer,
    val: EncodedSplit,
    train: Train,
    on_step: Callable[[int, dict[str, float]], Any],
    on_epoch: Callable[[Row], Any],
    checkpoint: Checkpoint | None = None,
    on_continue: Callable[[int, int], Any] = lambda *_: None,
) -> Trained:
    """Train for the epochs asked for and keep the one with the highest AP on val.

    Of equal epochs the first is kept. The last is kept where val cannot tell: it has no objects, so that there is no
    AP, or the network is trained on it too.

    Args:
        trainer: The network in training.
        val: The split that decides.
        train: As the trainer's.
        on_step: Called after each step with the epoch (from 0) and the mean of each loss term.
        on_epoch: Called with each row of the history.
        checkpoint: Where the run is kept, and goes on from where it was stopped before; None: nowhere. The caller
            removes it once the outcome is safe.
        on_continue: Called with the epoch and the step in it (from 0), where the run goes on from there.

    Raises:
        UserError: Where a loss term or the weights are not finite.
        KeyboardInterrupt: Where the checkpoint was asked to stop; the run is kept in it.
    """
    validation = ValidationScore(val, train.validation)
    progress, best = Progress(), Weights()
    kept = checkpoint.read(trainer.state() | _prefix_best(trainer.weights()), _BEST) if checkpoint else None
    if kept:
        progress = kept.progress
        best = {
            name.removeprefix(_BEST): values for name, values in kept.arrays.items() if name.startswith(_BEST)
        }
        trainer.restore(kept.arrays)
        trainer.term_names = list(progress.term_names)
        on_continue(progress.epoch, progress.step)
    history: list[Row] = list(progress.history)
    best_ap, best_epoch = progress.best_ap, progress.best_epoch

    def keep(epoch: int, step: int, sums: Any) -> None:
        if checkpoint is None or not checkpoint.due:
            return
        now = Progress(
            epoch=epoch, step=step, sums=tuple(np.atleast_1d(sums).tolist()), best_ap=best_ap,
            term_names=tuple(trainer.term_names), history=tuple(history), best_epoch=best_epoch,
        )  # fmt: skip
        checkpoint.write(lambda: State(now, trainer.state() | _prefix_best(best)))

    for epoch in range(progress.epoch, train.epochs):
        place, sums = 0, np.zeros(1)
        if epoch == progress.epoch and progress.step:
            place, sums = progress.step, np.array(progress.sums)
        for step_means in trainer.run_epoch(epoch, place):
            sums = sums + step_means.astype(np.float64)
            place += 1
            on_step(epoch, dict(zip(trainer.term_names, step_means.tolist(), strict=True)))
            if place < trainer.steps_an_epoch:
                keep(epoch, place, sums)
        predictions = trainer.predict(val.images)
        if not np.isfinite(predictions).all():
            raise UserError(
                f"training stopped after epoch {epoch + 1}: the weights are not finite any more; "
                "lower train.learning_rate, or set a lower train.clip_norm (0 is none)"
            )
        ap, ap50 = validation.score(predictions)
        means = dict(zip(trainer.term_names, (sums / trainer.steps_an_epoch).tolist(), strict=True))
        terms = {"train": means, "val": validation.terms(predictions, trainer.loss)}
        if endless := sorted(name for name, value in terms["val"].items() if not math.isfinite(value)):
            raise UserError(
                f"training stopped after epoch {epoch + 1}: the loss on val is not finite in {', '.join(endless)}; "
                "lower train.learning_rate, or set a lower train.clip_norm (0 is none)"
            )
        last_step = (epoch + 1) * trainer.steps_an_epoch - 1
        row: Row = {
            "epoch": epoch + 1,
            "learning_rate": learning_rate(last_step, trainer.steps_an_epoch, train),
            "val_ap": ap,
            "val_ap50": ap50,
        }
        for split, values in terms.items():
            row[f"{split}_total"] = math.fsum(values.values())
            row |= {f"{split}_{name}": value for name, value in values.items()}
        history.append(row)
        on_epoch(row)
        if ap is None or train.include_val or ap > best_ap:
            best_ap, best_epoch, best = best_ap if ap is None else ap, epoch + 1, trainer.weights()
        if train.patience and epoch + 1 - best_epoch >= train.patience:
            break
        if epoch + 1 < train.epochs:
            keep(epoch + 1, 0, 0.0)
    if ap is None or train.include_val:
        why = f"the last: {'val has no objects' if ap is None else 'val was trained on'}"
    else:
        why = f"the best: AP {best_ap:.3f} on val"
    return Trained(best, best_epoch, history, why)


def _prefix_best(weights: Weights) -> Arrays:
    return {f"{_BEST}{name}": values for name, values in weights.items()}


def write_history(path: Path, history: list[Row]) -> None:
    """Write a run's epochs as CSV, a line each."""
    with atomic_write(path) as file:
        pd.DataFrame(history).to_csv(file, index=False, lineterminator="\n")
