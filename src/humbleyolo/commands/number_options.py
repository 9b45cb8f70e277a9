"""Numbers on the command lines: their limits, and the refusal of others by the option's name."""

import argparse
from math import inf
from typing import NamedTuple

from humbleyolo.errors import UserError
from humbleyolo.params.value_types import MOST_DETECTIONS

_MINUTES = 20.0
_MOST = 100_000
_MOST_SEED = 2**63 - 1


class _Limits(NamedTuple):
    """Numbers from `least`, itself allowed unless `above`, to `most`."""

    least: float
    most: float = inf
    above: bool = False

    def allow(self, value: float) -> bool:
        return self.least <= value <= self.most and not (self.above and value == self.least)  # not NaN

    def __str__(self) -> str:
        if self.above:
            return f"more than {self.least:g}" + (f", to {self.most:,}" if self.most < inf else "")
        return f"{self.least:g} " + (f"to {self.most:,}" if self.most < inf else "or more")


_LIMITS = {
    "threshold": _Limits(0, 1),
    "nms_iou": _Limits(0, 1),
    "max_detections": _Limits(1, MOST_DETECTIONS),
    "threads": _Limits(1),
    "tile": _Limits(16),
    "max_pixels": _Limits(1),
    "every": _Limits(1),
    "max_seconds": _Limits(0, above=True),
    "timeout": _Limits(0, 3600, above=True),
    "minutes": _Limits(0.1, _MOST),
    "epochs": _Limits(1, _MOST),
    "count": _Limits(1, _MOST),
    "trials": _Limits(1, _MOST),
    "seed": _Limits(0, _MOST_SEED),
    "jobs": _Limits(1, 1000),
    "stop_hopeless": _Limits(1, _MOST),
}


def add_length(parser: argparse.ArgumentParser, each: str) -> None:
    """Add the options of the length of several trainings; `each` is the word for what is trained."""
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=float, metavar="M", default=_MINUTES,
        help="longest training in all, by a step measured here; default: %(default)g, or train.epochs if less",
    )  # fmt: skip
    length.add_argument("--epochs", type=int, metavar="N", help=f"epochs for each {each}; nothing is measured then")


def check_options(parsed: argparse.Namespace, **more: tuple[float, float]) -> None:
    """Refuse numbers of the arguments beyond their limits; `more` are the least and most of others, by name.

    Raises:
        UserError: On the first.
    """
    for name, limits in (_LIMITS | {name: _Limits(*ends) for name, ends in more.items()}).items():
        value = getattr(parsed, name, None)
        if value is not None and not limits.allow(value):
            raise UserError(f"--{name.replace('_', '-')} {value} is not allowed; allowed: {limits}")
