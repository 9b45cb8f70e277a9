"""The progress of training on standard error: a bar on a terminal, one line per epoch elsewhere."""

import re
import sys
import time
from typing import NamedTuple, Self

from tqdm import tqdm

from humbleyolo.metrics.history import Row
from humbleyolo.process.terminal import COLUMNS, printable

_SCORED = "epoch {}/{}: {} AP {:.3f}"
_SCORED_LINE = re.compile(r"epoch (\d+)/(\d+): val AP (\d\.\d{3});")
_BAR = "{desc} {remaining} left, {rate_noinv_fmt}{postfix}"  # fits 80 columns


class ToldEpoch(NamedTuple):
    """An epoch as the line of a training tells it: its number from 1, the largest number, and AP on val."""

    number: int
    epochs: int
    ap: float


def read_epoch(line: str) -> ToldEpoch | None:
    """Return what a line of `TrainingProgress` tells of an epoch that ended; None for another, or one without AP."""
    told = _SCORED_LINE.match(line)
    return ToldEpoch(int(told[1]), int(told[2]), float(told[3])) if told else None


class TrainingProgress:
    """A bar with epochs (at most so many), loss terms and images/s.

    `batch` is the images per step, `scored` the name of the images that an epoch is scored on.
    """

    def __init__(self, epochs: int, steps_an_epoch: int, batch: int, scored: str = "val") -> None:
        self._epochs, self._batch, self._scored = epochs, batch, scored
        self._images_an_epoch = steps_an_epoch * batch
        self._bar = tqdm(
            total=epochs * self._images_an_epoch, bar_format=_BAR, unit=" images", unit_scale=True, disable=None,
            leave=False, mininterval=0.2,
        )  # fmt: skip
        self._started = time.monotonic()
        self._before = 0  # images of the run before it was resumed

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar off the terminal."""
        self._bar.close()

    def step(self, epoch: int, terms: dict[str, float]) -> None:
        """Move on by one batch of an `epoch` counted from 0, with the mean of each loss term."""
        shown = " ".join(f"{name} {value:.2g}" for name, value in terms.items())
        self._bar.set_description_str(f"epoch {epoch + 1}/{self._epochs}", refresh=False)
        self._bar.set_postfix_str(shown, refresh=False)
        self._bar.update(self._batch)

    def go_on(self, epoch: int, step: int) -> None:
        """Tell that the run resumes at an epoch and its next step, both counted from 0."""
        steps = self._images_an_epoch // self._batch
        line = f"continues from epoch {epoch + 1}/{self._epochs}, step {step + 1} of {steps}"
        self._bar.write(printable(line), file=sys.stderr)
        self._before = epoch * self._images_an_epoch + step * self._batch
        self._bar.update(self._before)
        self._bar.unpause()

    def epoch(self, row: Row) -> None:
        """Tell the score and the loss of an epoch that ended."""
        number = int(row["epoch"] or 0)
        speed = (number * self._images_an_epoch - self._before) / (time.monotonic() - self._started)
        terms = " ".join(
            f"{name.removeprefix('train_')} {_in_four_places(value)}"
            for name, value in row.items()
            if name.startswith("train_") and name != "train_total" and value is not None
        )
        ap = row["val_ap"]
        unscored = f"epoch {number}/{self._epochs}: no {self._scored} object"
        line = f"{unscored if ap is None else _SCORED.format(number, self._epochs, self._scored, ap)}; {terms}"
        rate = f"; {speed:.{1 if speed < 0.95 else 0}f} img/s"
        self._bar.write(printable(line + rate * (len(line + rate) <= COLUMNS)), file=sys.stderr)


def _in_four_places(value: float) -> str:
    """Return a loss as text of four characters at most."""
    if value < 9.995:
        return f"{value:.2f}"
    if value < 9999.5:
        return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
    return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
