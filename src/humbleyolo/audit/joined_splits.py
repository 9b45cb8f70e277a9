"""The splits of a dataset joined, of an audit or a learning curve: arrays beside the archives that they are of.

Images are counted through all splits, in their order.
"""

import bisect
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Self

import numpy as np

from humbleyolo.dataset.archive import ArchivedImage
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import EncodedSplit, open_encoded
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.inputs.image_info import bombs_refused, inspect_image
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.inputs.near_duplicates import find_near_duplicates
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.params.sections import Encode


class JoinedSplits:
    """The splits `names` of a dataset, in the folder `grid` as arrays and in `dataset` as archives.

    A context manager: the archives are open inside.

    Attributes:
        splits: The encoded splits.
        truths: Labels of all images, in pixels of the images before the letterbox.
        categories: Class names.

    Raises:
        UserError: If a file is missing or damaged.
        ProblemsError: If arrays, archives and parameters do not belong together.
    """

    def __init__(self, grid: Path, dataset: Path, names: Sequence[str], encode: Encode) -> None:
        self._names = names
        with ExitStack() as stack:
            self.splits = [open_encoded(grid / name) for name in names]
            self._archives = [stack.enter_context(ArchivedSplit(dataset / name)) for name in names]
            self.truths = TruthTable.join([TruthTable.from_archive(one) for one in self._archives])
            self.categories = self._archives[0].categories
            self._ends = list(accumulate(map(len, self._archives)))
            self._check(encode)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the archives."""
        self._stack.close()

    def _check(self, encode: Encode) -> None:
        problems = []
        for name, split, archive in zip(self._names, self.splits, self._archives, strict=True):
            if (split.categories, len(split)) != (archive.categories, len(archive)):
                problems.append(f"{archive.path} and the encoded {name} are not of the same images and classes")
            elif not _same_shapes(split, archive):
                problems.append(f"{archive.path} and the encoded {name} differ in images or boxes")
            problems += [
                f"params.yaml: encode.{key} is {wanted}, the encoded {name} has {found}"
                for key in ("height", "width", "rows", "cols", "boxes")
                if (wanted := getattr(encode, key)) != (found := getattr(split.grid, key))
            ]
        if problems:
            raise ProblemsError("the data is not up to date; run `dvc repro encode`", problems)

    def look_alikes(self) -> list[list[int]]:
        """Return the groups of images that look alike, by index, as `generate` keeps them in one split.

        Raises:
            UserError: If an image is damaged.
        """
        with bombs_refused():
            try:
                found = [inspect_image(one.image_bytes) for part in self._archives for one in part.images()]
            except BadInput as error:
                why = f"an image is damaged ({error.what}); run `dvc repro generate`"
                raise UserError(f"{self._archives[0].path.parent}: {why}") from None
        return find_near_duplicates(found)

    def place(self, image: int) -> tuple[str, str]:
        """Return the split and the file name of an image."""
        part, inside = self._inside(image)
        return self._names[part], next(self._archives[part].truths(inside, inside + 1)).file_name

    def read(self, image: int) -> tuple[str, ArchivedImage]:
        """Return the split of an image, and the image."""
        part, inside = self._inside(image)
        return self._names[part], next(self._archives[part].images(inside, inside + 1))

    def _inside(self, image: int) -> tuple[int, int]:
        part = bisect.bisect_right(self._ends, image)
        return part, image - (self._ends[part - 1] if part else 0)


def _same_shapes(split: EncodedSplit, archive: ArchivedSplit) -> bool:
    """Tell if an encoded split has the sizes and the numbers of boxes of its archive, image by image."""
    known = [(one.height, one.width, len(one.labels)) for one in archive.truths()]
    own = np.column_stack([split.sizes, np.diff(split.offsets)])
    return bool(np.array_equal(own, np.array(known).reshape(-1, 3)))
