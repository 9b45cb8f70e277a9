"""A detector run over a split, and what it found put beside what is there."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from humbleyolo.archive import Archive
from humbleyolo.boxes import xyxy_to_ltwh
from humbleyolo.detector import Detector, Selection
from humbleyolo.encoded import EncodedSplit
from humbleyolo.errors import ProblemsError

_BATCH = 128  # images that the network sees at a time, and all that is held of them

# Left, top, width, height in pixels of the image as it was before the letterbox; labels; scores.
FoundOnImage = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]


def check_match(detector: Detector, split: EncodedSplit, archive: Archive) -> None:
    """Make sure that a detector, an encoded split and an archive are of one dataset.

    Raises:
        ProblemsError: With each thing that differs, and what to run.
    """
    info = detector.info
    problems = []
    if info.categories != split.categories:
        problems.append(
            f"the model knows {_listed(info.categories)}, the encoded split has {_listed(split.categories)}; "
            "run `dvc repro train`"
        )
    if info.grid != split.grid:
        problems.append(f"the model's grid is {info.grid}, the split's {split.grid}; run `dvc repro train`")
    if split.categories != archive.categories:
        problems.append(
            f"the encoded split has {_listed(split.categories)}, the archive {_listed(archive.categories)}; "
            "run `dvc repro encode`"
        )
    if len(split) != len(archive):
        problems.append(
            f"the encoded split has {len(split)} images, the archive {len(archive)}; run `dvc repro encode`"
        )
    if problems:
        raise ProblemsError(f"{archive.path}: the model and the data do not belong together", problems)


def detect(detector: Detector, split: EncodedSplit, selection: Selection) -> Iterator[FoundOnImage]:
    """Yield what a detector finds on each image of a split, batch by batch.

    Boxes are taken back through the letterbox and clipped to the original image; what lies on the
    letterbox's bars alone is dropped.
    """
    for start in range(0, len(split), _BATCH):
        batch = np.asarray(split.images[start : start + _BATCH])
        for image, found in enumerate(detector.detect_batch(batch, selection), start):
            height, width = split.sizes[image].tolist()
            inside = np.array([width, height, width, height], np.float64)
            boxes: npt.NDArray[np.float64] = np.clip(split.letterbox(image).boxes_out(found.boxes), 0, inside)
            solid = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
            yield xyxy_to_ltwh(boxes[solid]).astype(np.float64), found.labels[solid], found.scores[solid]


def _listed(categories: tuple[str, ...]) -> str:
    few = ", ".join(repr(name) for name in categories[:10])
    return few if len(categories) <= 10 else f"{few} ... ({len(categories)} classes)"
