"""The training loop: epochs, their history, and the epoch that is kept."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.dataset.jpeg_images import Images
from humbleyolo.errors import UserError
from humbleyolo.metrics.detection_limits import VALIDATION_LIMIT, limit_warnings
from humbleyolo.metrics.history import Row, is_rising, late_rise
from humbleyolo.models.artifact import Weights
from humbleyolo.params.sections import Train
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Floats, Floats32
from humbleyolo.training.checkpoint import Arrays, Checkpoint, Progress, State
from humbleyolo.training.schedule import FEW_STEPS, learning_rate
from humbleyolo.training.trainer import LOWER_RATE, Trainer
from humbleyolo.training.validation import ValidationScore

_BEST = "best/"  # before the names of the best epoch's weights, in a checkpoint


@dataclass(frozen=True)
class Trained:
    """The outcome of a run.

    Attributes:
        weights: Weights of the epoch that was kept, by name.
        best_epoch: Number of that epoch, counted from 1.
        history: One row per epoch.
        why: Reason for keeping it, in words.
    """

    weights: Weights
    best_epoch: int
    history: list[Row]
    why: str


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

    Of equal epochs the first is kept, but of those that find nothing the last. The last is kept if val has no
    objects, so that there is no AP, or is trained on too.

    Args:
        trainer: The network in training.
        val: The split that decides.
        train: Section of params.yaml, the trainer's own.
        on_step: Called after each step with the epoch (from 0) and the mean of each loss term.
        on_epoch: Called with each row of the history.
        checkpoint: File that the run is kept in and resumes from; None: none. Signals end a run once it is kept. The
            caller removes the file once the outcome is safe.
        on_continue: Called with the epoch and the step in it (from 0) from which the run resumes.

    Raises:
        UserError: A loss term or the weights are not finite.
        KeyboardInterrupt: The checkpoint was asked to stop; the run is kept in it.
    """
    run = _Run(trainer, val, train, checkpoint)
    with checkpoint.stop_when_kept() if checkpoint else nullcontext():
        start = run.resume()
        if start.epoch or start.step:
            on_continue(start.epoch, start.step)
        for epoch in range(start.epoch, train.epochs):
            place, sums = 0, np.zeros(1)
            if epoch == start.epoch and start.step:
                place, sums = start.step, np.array(start.sums)
            for step_means in trainer.run_epoch(epoch, place):
                sums = sums + step_means.astype(np.float64)
                place += 1
                on_step(epoch, dict(zip(trainer.term_names, step_means.tolist(), strict=True)))
                if place < trainer.steps_an_epoch:
                    run.keep(epoch, place, sums)
            on_epoch(run.end_epoch(epoch, sums / trainer.steps_an_epoch))
            run.choose(epoch)
            if train.patience and epoch + 1 - run.best_epoch >= train.patience and not run.found_nothing:
                break
            if epoch + 1 < train.epochs:
                run.keep(epoch + 1, 0, np.zeros(1))
    return run.outcome()


class _Run:
    """A run so far: its history, and the best epoch with its weights."""

    def __init__(self, trainer: Trainer, val: EncodedSplit, train: Train, checkpoint: Checkpoint | None) -> None:
        self._trainer, self._val, self._train, self._checkpoint = trainer, val, train, checkpoint
        self._validation = ValidationScore(val, train.validation)
        self._history: list[Row] = []
        self._best_ap, self.best_epoch, self._best = -1.0, 0, Weights()

    def resume(self) -> Progress:
        """Resume the checkpoint's run and return its progress; without one, return the start."""
        if self._checkpoint is None:
            return Progress()
        expected = self._trainer.state() | _prefix_best(self._trainer.weights())
        kept = self._checkpoint.read(expected, _BEST)
        if kept is None:
            return Progress()
        progress = kept.progress
        best = ((name, values) for name, values in kept.arrays.items() if name.startswith(_BEST))
        self._best = {name.removeprefix(_BEST): values for name, values in best}
        self._trainer.restore(kept.arrays)
        self._history = list(progress.history)
        self._best_ap, self.best_epoch = progress.best_ap, progress.best_epoch
        return progress

    def keep(self, epoch: int, step: int, sums: Floats) -> None:
        """Write the checkpoint if it is due; `epoch` and `step` come next."""
        if self._checkpoint is None or not self._checkpoint.due:
            return
        now = Progress(
            epoch=epoch, step=step, sums=tuple(sums.tolist()), best_ap=self._best_ap,
            history=tuple(self._history), best_epoch=self.best_epoch,
        )  # fmt: skip
        self._checkpoint.write(lambda: State(now, self._trainer.state() | _prefix_best(self._best)))

    def end_epoch(self, epoch: int, means: Floats) -> Row:
        """Score val, and return the epoch's row of the history; `means` are those of the loss terms (T,)."""
        trainer = self._trainer
        stopped = f"training stopped after epoch {epoch + 1}"

        def outputs_of(images: Images) -> Floats32:
            outputs = trainer.outputs(images)
            if not np.isfinite(outputs).all():
                raise UserError(f"{stopped}: the weights are not finite any more; {LOWER_RATE}")
            return outputs

        val = self._validation.measure(outputs_of, trainer.loss)
        terms = {"train": dict(zip(trainer.term_names, means.tolist(), strict=True)), "val": val.terms}
        if endless := sorted(name for name, value in terms["val"].items() if not math.isfinite(value)):
            raise UserError(f"{stopped}: the loss on val is not finite in {', '.join(endless)}; {LOWER_RATE}")
        rate = learning_rate((epoch + 1) * trainer.steps_an_epoch - 1, trainer.steps_an_epoch, self._train)
        row: Row = {"epoch": epoch + 1, "learning_rate": rate, "val_ap": val.ap, "val_ap50": val.ap50}
        for split, values in terms.items():
            row[f"{split}_total"] = math.fsum(values.values())
            row |= {f"{split}_{name}": value for name, value in values.items()}
        self._history.append(row)
        return row

    def choose(self, epoch: int) -> None:
        """Take the weights of the epoch that ended, if it is the one to keep so far."""
        ap = self._history[-1]["val_ap"]
        if ap is None or self._train.include_val or ap > self._best_ap or ap == 0 == self._best_ap:
            self._best_ap = self._best_ap if ap is None else ap
            self.best_epoch, self._best = epoch + 1, self._trainer.weights()

    @property
    def found_nothing(self) -> bool:
        """True while no epoch has found an object of val."""
        return self._best_ap == 0

    def outcome(self) -> Trained:
        """Return the epoch that is kept, with the reason."""
        return Trained(self._best, self.best_epoch, self._history, self._why())

    def _why(self) -> str:
        if self._history[-1]["val_ap"] is None:
            return "the last: val has no objects"
        if self._train.include_val:
            return "the last: val was trained on"
        best = f"the best: AP {self._best_ap:.3f} on val"
        if len(self._history) < self._train.epochs:
            return f"{best}; stopped: no better AP on val for {counted(self._train.patience, 'epoch')}"
        return "the last: it finds nothing on val yet" if self.found_nothing else best


def doubts(trained: Trained, steps_an_epoch: int, train: Train, most_objects: int) -> list[str]:
    """Return warnings about a run that was too short, or cannot find all of the `most_objects` of an image of val.

    A rise of AP on a val that is trained on is none: its images may be memorised.
    """
    found = limit_warnings("val", most_objects, {VALIDATION_LIMIT: train.validation.max_detections})
    if (steps := len(trained.history) * steps_an_epoch) < FEW_STEPS:
        few = f"{counted(steps, 'step')} in all are too few to learn much from"
        found.append(f"{few}; raise train.epochs, or lower train.batch")
    if trained.history[-1]["val_ap"] is None:
        return found
    if not any(row["val_ap"] for row in trained.history):
        found.append("the network finds nothing on val yet; train longer: raise train.epochs")
    elif not train.include_val and is_rising(late_rise(trained.history)):
        found.append("AP on val was still rising at the last epoch; raise train.epochs")
    return found


def _prefix_best(weights: Weights) -> Arrays:
    return {f"{_BEST}{name}": values for name, values in weights.items()}
