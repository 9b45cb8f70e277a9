"""Losses and AP epoch by epoch: `history.csv`, which `train` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from humbleyolo.pipeline.remedies import make_again
from humbleyolo.storage.table_reader import number, number_or_none, read_table
from humbleyolo.storage.table_writer import write_table

Row = dict[str, Any]
"""One epoch's numbers by name; None if one does not exist."""

_RISING = 0.01  # least rise of AP on val over the last tenth of the epochs that tells of a run too short

_COLUMNS = {"epoch": number} | dict.fromkeys(("train_total", "val_total", "val_ap", "val_ap50"), number_or_none)


def write_history(path: Path, history: Sequence[Row]) -> None:
    """Write a run's epochs as CSV, one line per epoch."""
    write_table(path, pd.DataFrame(history))


def read_history(path: Path) -> list[Row]:
    """Read the epochs of a run: epoch, train_total, val_total, val_ap and val_ap50.

    Raises:
        UserError: If the file is missing or damaged; the text says what to run.
    """
    return read_table(path, _COLUMNS, make_again("train"))


def late_epochs(history: Sequence[Row]) -> int:
    """Return the number of epochs in the last tenth, rounded up."""
    return -(-len(history) // 10)


def late_rise(history: Sequence[Row]) -> float:
    """Return the rise of AP on val in the last tenth of the epochs; 0 if the last is not the best one."""
    aps = [float(row["val_ap"] or 0) for row in history]
    rise = aps[-1] - max(aps[: -late_epochs(history)], default=0.0) if aps and aps[-1] == max(aps) else 0.0
    return round(rise, 12)  # as AP itself


def is_rising(rise: float) -> bool:
    """Tell if a rise of AP, as `late_rise` returns it, is one of a run too short: 0.01 or more."""
    return rise >= _RISING
