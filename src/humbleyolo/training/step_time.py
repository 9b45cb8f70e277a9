"""The time that a training step takes on this machine, measured on random pixels."""

import os
import time
from typing import NamedTuple

from humbleyolo.models.tensorflow_setup import start_runtime  # before all else that imports TensorFlow

# isort: split
import numpy as np
import tensorflow as tf

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.geometry.grid import Grid, encode_boxes
from humbleyolo.params.sections import Loss, Model, Runtime, Train
from humbleyolo.training.trainer import build_trainer

_STEPS = 4
_EXACT = 1.000001  # times the minutes that were asked for
_BUSY = 1.5  # times the seconds of an idle step


class StepTime(NamedTuple):
    """Seconds on an idle machine: of a step, of an image of val, of the start; and those of a step by the clock."""

    step: float
    image: float
    start: float
    clock: float

    @property
    def busy(self) -> bool:
        """True if others use the machine, so that a step takes much longer by the clock."""
        return self.clock > _BUSY * self.step

    def told(self, minutes: float, needed: float, limit: str = "") -> str:
        """Return the reason for a number of epochs that need some of the minutes, or for one that needs more.

        `limit` is the reason why there are no more epochs though time is left.
        """
        busy = f" for an idle machine (it is busy: {_plain(self.clock)} s)" if self.busy else ""
        return f"{self._length(minutes, needed, limit)}, as measured here{busy}"

    def told_briefly(self, minutes: float, needed: float, limit: str = "") -> str:
        """Return the same in one line of a terminal."""
        where = f"if idle (busy: {_plain(self.clock)} s)" if self.busy else "as measured here"
        return f"{self._length(minutes, needed, limit)}, {where}"

    def _length(self, minutes: float, needed: float, limit: str) -> str:
        if needed > minutes * _EXACT:
            length = f"even one epoch takes {_minutes(needed, 3)}, not {_plain(minutes, 6)},"
        else:
            length = f"{limit}; {_plain(needed)} of {_minutes(minutes, 3)}" if limit else _minutes(minutes, 3)
        return f"{length} at {_plain(self.step)} s a step"


def _minutes(number: float, figures: int) -> str:
    text = _plain(number, figures)
    return f"{text} minute" if text == "1" else f"{text} minutes"


def _plain(number: float, figures: int = 2) -> str:
    """Return a number of so many figures, and without an exponent: `110`, not `1.1e+02`."""
    rounded = float(f"{number:.{figures}g}")
    if rounded >= 10 ** (figures - 1):
        return f"{number:,.0f}"
    return f"{rounded:.9f}".rstrip("0").rstrip(".") or "0"


def measure_step(runtime: Runtime, model: Model, loss: Loss, train: Train, grid: Grid) -> StepTime:
    """Train for some steps on random pixels, and return the median time.

    A processor that others use too is slow by the clock. So the seconds that it computed are counted, shared out to
    the threads of `runtime`, if they are fewer. On a GPU the clock counts.

    Raises:
        UserError: If the network does not fit the grid.
    """
    start_runtime(runtime)
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    begun, computed = time.perf_counter(), time.process_time()
    trainer = build_trainer(1, runtime, model, loss, train, _random_split(grid, train.batch))
    chosen = np.arange(train.batch)
    times, clocks = [], []
    threads = min(runtime.intra_op_threads, os.cpu_count() or 1)
    trainer.step(0, trainer.parts(0, chosen))  # compiles
    start = time.perf_counter() - begun if on_gpu else (time.process_time() - computed) / threads
    for step in range(1, 1 + _STEPS):
        begun, computed = time.perf_counter(), time.process_time()
        trainer.step(step, trainer.parts(0, chosen))
        clocks.append(time.perf_counter() - begun)
        times.append((time.process_time() - computed) / threads)
    images = np.zeros((train.batch, grid.height, grid.width, 3), np.uint8)
    trainer.predict(images)  # compiles
    begun = time.perf_counter()
    trainer.predict(images)
    image = (time.perf_counter() - begun) / train.batch
    clock = float(np.median(clocks))
    idle = clock if on_gpu else min(clock, float(np.median(times)))
    return StepTime(idle, image * idle / clock, start, clock)


def _random_split(grid: Grid, images: int) -> EncodedSplit:
    """Return images of random pixels, each with an object of some class."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (images, grid.height, grid.width, 3), np.uint8)
    centre, half = np.array([grid.width, grid.height]) / 2, np.array([grid.width, grid.height]) / 4
    boxes = np.tile(np.concatenate([centre - half, centre + half]), (images, 1))
    labels = np.arange(images, dtype=np.int32) % grid.classes
    targets = encode_boxes(boxes, labels, np.arange(images), images, grid).targets
    sizes = np.tile(np.array([[grid.height, grid.width]], np.int32), (images, 1))
    names = tuple(str(number) for number in range(grid.classes))
    return EncodedSplit(names, grid, 114, pixels, targets, boxes, labels, np.arange(images + 1), sizes)
