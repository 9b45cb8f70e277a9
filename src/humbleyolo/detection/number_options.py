"""Numbers on the command lines of what detects: their limits, and the refusal of others by the option's name."""

import argparse
from math import inf
from typing import NamedTuple

from humbleyolo.errors import UserError
from humbleyolo.params.value_types import MOST_DETECTIONS


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
}


def check_options(parsed: argparse.Namespace, **more: tuple[float, float]) -> None:
    """Refuse numbers of the arguments beyond their limits; `more` are the least and most of others, by name.

    Raises:
        UserError: On the first.
    """
    for name, limits in (_LIMITS | {name: _Limits(*ends) for name, ends in more.items()}).items():
        value = getattr(parsed, name, None)
        if value is not None and not limits.allow(value):
            raise UserError(f"--{name.replace('_', '-')} {value} is not allowed; allowed: {limits}")
