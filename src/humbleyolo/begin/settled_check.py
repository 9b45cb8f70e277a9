"""The check of a folder that `init` begins with, under the reading that its labels settle.

That is the side of images that EXIF rotates, if nobody said it, and the treatment of mistakes. Both follow from what
is wrong with the boxes. So images are decoded once, the labels read again, and the check is made of the last reading.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from humbleyolo.check.folder_check import Checked, judge
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.image_info import ImageInfo
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions, UncheckedImage
from humbleyolo.labels.validate import Inspected, inspected_images
from humbleyolo.recipe.left_out import policy_of
from humbleyolo.recipe.rotated_images import Side, settle_side
from humbleyolo.splits.split_in_force import SplitInForce


def settled_check(folder: Path, options: ReadOptions, split: SplitInForce) -> tuple[Side, Checked]:
    """Return the options with the side of rotated images, and the check, without contact sheets.

    `options` are the facts that the person stated; their treatment of mistakes is not looked at.

    Raises:
        UserError: If the folder or archive cannot be read at all.
    """
    inspect = _InspectOnce()
    with open_source(folder) as source:

        def read(options: ReadOptions) -> LabelledSet:
            return collect(source, options, Ledger(options.on_problem), inspect)

        side = Side(replace(options, on_problem="skip"))
        labelled = read(side.options)
        side = settle_side(labelled, side.options)
        if side.reason:
            labelled = read(side.options)
        if (policy := policy_of(labelled)) != "skip":
            labelled = read(replace(side.options, on_problem=policy))
        return side, judge(labelled, source, policy, split, sheets=0)


class _InspectOnce:
    """The facts about image files, found when they are first asked for."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ImageInfo | BadInput] = {}

    def __call__(self, source: Source, images: list[UncheckedImage]) -> Iterator[Inspected]:
        new = [one for one in images if (source.name, one.path) not in self._known]
        with closing(inspected_images(source, new)) as found:
            for one in images:
                key = source.name, one.path
                if key not in self._known:
                    _, self._known[key] = next(found)
                yield one, self._known[key]
