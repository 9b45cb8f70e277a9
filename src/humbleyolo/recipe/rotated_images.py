"""Images that EXIF rotates, and the side of them that boxes refer to, if nobody said it: as the labels settle it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from humbleyolo.errors import UserError
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions
from humbleyolo.labels.validate import ROTATED
from humbleyolo.params.value_types import Exif
from humbleyolo.process.terminal import counted

_SIDES: tuple[Exif, ...] = ("displayed", "stored")


class Side(NamedTuple):
    """The options with the side, and the reason for it; no reason if the labels settle nothing."""

    options: ReadOptions
    reason: str = ""


def settle_side(labelled: LabelledSet, options: ReadOptions) -> Side:
    """Return the side that labels fit alone, if those of half of the rotated images do, and none fit the other."""
    found = _sides(labelled)
    fitting = Counter(filter(None, found))
    for side in _SIDES:
        if [*fitting] == [side] and 2 * fitting[side] >= len(found):
            of_all = f"of {fitting[side]} of {counted(len(found), 'image')} that EXIF rotates"
            return Side(replace(options, exif=side), f"the labels {of_all} fit {side} alone")
    return Side(options)


def require_side(labelled: LabelledSet, folder: Path) -> None:
    """Stop if images are rotated by EXIF and their boxes may refer to either side. They would all be left out.

    Raises:
        UserError: If so, with the options, and with what the labels themselves say.
    """
    sides = _sides(labelled)
    if not sides:
        return
    verb = "is" if len(sides) == 1 else "are"
    fitting = Counter(filter(None, sides))
    settled = [f"; the labels of {count} fit only the image as {side}" for side, count in fitting.items()]
    found = f"{len(sides)} of {counted(labelled.images_seen, 'photograph')} {verb} rotated by EXIF, and the labels"
    asked = "do not say which image they refer to: give `--exif displayed` (most tools) or `--exif stored`"
    raise UserError(f"{folder}: {found} {asked}" + (settled[0] if len(settled) == 1 else ""))


def _sides(labelled: LabelledSet) -> list[str]:
    """Return the side that each rotated image's labels fit alone; empty for one whose labels fit both."""
    return [row.cause for row in labelled.ledger.errors if row.kind == ROTATED]
