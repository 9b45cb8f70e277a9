"""The gain of AP by more images, from networks that learned from a quarter, half and all of them.

AP is taken as a line over the logarithm of the number of images, through the last two of these numbers. As curves of
learning bend down, the line promises rather too much than too little. The interval is that of the paired bootstrap
over the images of val. It knows nothing of another training, or of other images to learn from.

Of too short a training nothing is told. More images take longer to learn: in as many steps each is seen less often.
So AP that falls by more than chance is a sign of it too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.evaluation.bootstrap import Interval, Weighable, interval, resample
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.sections import Evaluate
from humbleyolo.process.terminal import counted
from humbleyolo.training.schedule import FEW_STEPS

_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)  # times a power of ten
_ENOUGH = 0.5  # of the real training's epochs, for a curve that does not rise to say anything
_LEAST_AP = 0.02  # of the network that learned from all images, for its curve to say anything


@dataclass(frozen=True, slots=True)
class Point:
    """AP on val of a network that learned from so many images, with its 95 % interval."""

    images: int
    ap: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LearningGain:
    """A learning curve and what it promises.

    Attributes:
        points: The measured points, the fewest images first.
        more: A round number of images, about half of those there are.
        gain: AP that so many more images are worth.
        low: Lower end of its 95 % interval.
        high: Upper end of this interval.
        steps: Steps of each network.
        trained: Part of the real training's epochs that the networks had.
    """

    points: tuple[Point, ...]
    more: int
    gain: float
    low: float | None
    high: float | None
    steps: int
    trained: float = 1.0

    @property
    def promises(self) -> bool:
        """True if the gain is more than chance."""
        return self.low is not None and self.low > 0

    @property
    def too_short(self) -> bool:
        """True after so short a training that a longer one may say otherwise."""
        return bool(self._why_short)

    @property
    def longer(self) -> float:
        """The length of a training that may say more, in lengths of this one: the real one, or twice this."""
        needed = max(1 / self.trained, FEW_STEPS / self.steps)
        return needed if needed > 1 else 2.0

    @property
    def _why_short(self) -> str:
        if self.steps < FEW_STEPS:
            return f"{counted(self.steps, 'step')} are too few to learn much from"
        if not self.promises and self.trained < _ENOUGH:
            return f"{self.trained:.0%} of train.epochs is too short a training"
        if self.high is not None and self.high < 0:
            return "AP falls with more images, as it does where the training was too short for them"
        return ""

    def __str__(self) -> str:
        if self.too_short:
            return f"what more images are worth cannot be told: {self._why_short}"
        ends = "no interval" if self.low is None or self.high is None else f"{self.low:.2f} to {self.high:.2f}"
        text = f"{self.more:,} more images are worth about {self.gain:.2f} AP ({ends})"
        return text if self.promises else f"{text}: more images of the same kind may gain nothing"


def measure_gain(
    truths: TruthTable,
    found: Sequence[tuple[int, DetectionTable]],
    class_count: int,
    settings: Evaluate,
    steps: int,
    trained: float = 1.0,
    floor: float = 0.0,
) -> LearningGain:
    """Measure AP of two or more networks on the same images, and the gain of about half as many images again.

    `found` are the images that each network learned, the fewest first, and its detections. `settings` must pass
    `require_resamples`. `steps` are those of each network, and `trained` is the part of the real training's epochs
    that it had. `floor` is the AP of boxes that are drawn blindly.

    Raises:
        UserError: If the networks learned too little, or no more than where objects lie.
    """
    runs = [Weighable.of_run(truths, detections, class_count, settings) for _, detections in found]
    once = np.ones((1, truths.image_count), np.int64)
    values = [float(run.measure(once)["ap"][0]) for run in runs]
    if not values[-1] >= max(_LEAST_AP, floor):  # NaN too
        least = f"boxes drawn without a look at it have {floor:.3f}" if floor > _LEAST_AP else f"it takes {_LEAST_AP}"
        raise UserError(
            f"nothing can be told: AP on val is {values[-1]:.3f} with all images, and {least}; give "
            "more --minutes or --epochs, or look at what `dvc repro` says of the model"
        )
    draws = [drawn["ap"] for drawn in resample(runs, settings.resamples, settings.bootstrap_seed)]
    sizes = [images for images, _ in found]
    more = half_of(sizes[-1])
    times = math.log(1 + more / sizes[-1]) / math.log(sizes[-1] / sizes[-2])
    gain = min(times * (values[-1] - values[-2]), 1 - values[-1])
    ends = interval(np.minimum(times * (draws[-1] - draws[-2]), 1 - draws[-1]), truths.image_count)
    limits = [interval(drawn, truths.image_count) for drawn in draws]
    points = tuple(_point(*one) for one in zip(sizes, values, limits, strict=True))
    return LearningGain(points, more, round(gain, 12), ends.low, ends.high, steps, trained)


def half_of(images: int) -> int:
    """Return the round number that is nearest to half of so many images, 1 at least: 60 of 120, 300 of 687."""
    half = max(images / 2, 1)
    power = int(10 ** math.floor(math.log10(half)))
    candidates = [round(factor * power) for factor in _ROUND if float(factor * power).is_integer()]
    return min(candidates, key=lambda number: (abs(number - half), number))


def _point(images: int, ap: float, ends: Interval) -> Point:
    return Point(images, round(ap, 12), ends.low, ends.high)
