"""`report.json` of `encode`: the ceilings of each split under each grid, and the objects of each class in `train`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.metrics.grid_ceiling import Ceiling
from humbleyolo.pipeline.remedies import ENCODE_AGAIN
from humbleyolo.storage.array_types import AnyInts
from humbleyolo.storage.json import read_json, write_json

NAME = "report.json"
_LEARNED = "train_objects"


class GridReport(NamedTuple):
    """The part of the report that an evaluation needs.

    Attributes:
        ceiling_ap: AP that the grid in use holds of the test split; None if undefined.
        learned: C numbers of objects that train has of each class; empty if they are not known.
    """

    ceiling_ap: float | None
    learned: tuple[int, ...]


NO_REPORT = GridReport(None, ())


def write_report(
    folder: Path, ceilings: Mapping[str, Sequence[Ceiling]], categories: Sequence[str], learned: AnyInts
) -> None:
    """Write the report; `learned` are the classes, (M,), of the objects of train.

    Raises:
        UserError: If it cannot be written.
    """
    report: dict[str, Any] = {split: [*map(asdict, found)] for split, found in ceilings.items()}
    for one in chain.from_iterable(report.values()):
        del one["kept_ap"]  # for advice alone
    counts = np.bincount(learned, minlength=len(categories)).tolist()
    write_json(folder / NAME, report | {_LEARNED: dict(zip(categories, counts, strict=True))})


def read_report(folder: Path, categories: Sequence[str]) -> GridReport:
    """Read it; `categories` are the C classes of the model.

    Raises:
        UserError: If the report is missing or damaged, or of other classes.
    """
    path = folder / NAME
    try:
        content = read_json(path)
        ap, counts = content["test"][0]["ap"], content[_LEARNED]
        learned = tuple(counts[name] for name in categories)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {ENCODE_AGAIN}") from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: is damaged, or tells no ceiling of test ({error!r}); {ENCODE_AGAIN}") from None
    if ap is not None and not (type(ap) in (int, float) and 0 <= ap <= 1):
        raise UserError(f"{path}: the AP of test is {ap!r}; allowed: 0 to 1, or null; {ENCODE_AGAIN}")
    if not all(type(count) is int and count >= 0 for count in learned):
        raise UserError(f"{path}: {_LEARNED} are {counts!r}; allowed: 0 or more of each class; {ENCODE_AGAIN}")
    return GridReport(None if ap is None else float(ap), learned)
