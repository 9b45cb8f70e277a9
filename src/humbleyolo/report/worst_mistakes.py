"""The examples of the galleries that take an evaluation: the worst mistakes, and what the network made of cells."""

from collections.abc import Sequence

import numpy as np

from humbleyolo.dataset.archive import Archive
from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.drawing.galleries import Example, Mistakes, SeenImage
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.grid import split_parts
from humbleyolo.geometry.letterbox import decode
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.report.contents import MistakeKind
from humbleyolo.report.evaluation_files import Evaluation
from humbleyolo.report.number_format import cut, gain
from humbleyolo.storage.array_types import Ints

_LONGEST_NAME = 24  # in a caption, so that it has room for the numbers


def worst_of_each_kind(
    archive: Archive, truths: TruthTable, evaluation: Evaluation, kinds: Sequence[MistakeKind], count: int
) -> list[Mistakes]:
    """Return the worst mistakes of each kind.

    The worst detection is the surest; the worst miss is that of the largest object.

    Args:
        archive: The images.
        truths: Of the archive.
        evaluation: Of the archive's images.
        kinds: In the order of the result.
        count: Of mistakes of one kind, at most.

    Raises:
        UserError: Where an image is damaged.
    """
    judged, found = evaluation.judgements, evaluation.detections
    result = []
    for kind in kinds:
        rows = np.flatnonzero(judged.kinds == kind.kind)
        if kind.kind == "missed":
            badness = truths.boxes_ltwh[judged.truths[rows], 2:].prod(axis=1)
        else:
            badness = found.scores[judged.detections[rows]]
        worst = rows[np.argsort(-badness, kind="stable")][:count]
        shown = f", the worst {len(worst)}" if len(worst) < len(rows) else ""
        cost = f"repair wins back AP {gain(kind.ap_gain)}"
        examples = [_example(archive, truths, evaluation, int(row)) for row in worst]
        result.append(
            Mistakes(f"{kind.kind}: {kind.meaning}; {len(rows):,} of them{shown}; {cost}", examples)
        )
    return result


def _example(archive: Archive, truths: TruthTable, evaluation: Evaluation, row: int) -> Example:
    judged, found = evaluation.judgements, evaluation.detections
    image, detection, truth = (int(rows[row]) for rows in (judged.images, judged.detections, judged.truths))
    record = next(archive.images(image, image + 1))
    names = [cut(name, _LONGEST_NAME) for name in archive.categories]
    caption, pixels = record.file_name, decode(record.image_bytes, f"{archive.path}: {record.file_name}")
    if detection < 0:
        missed = truths.labels[[truth]]
        return Example(
            f"{names[missed[0]]} missed  ({caption})", pixels, record.boxes_ltwh, record.labels,
            truths.boxes_ltwh[[truth]], missed, None,
        )  # fmt: skip
    words = f"{names[found.labels[detection]]} {found.scores[detection]:.2f}"
    if truth >= 0:
        words += f", IoU {judged.ious[row]:.2f} with {names[truths.labels[truth]]}"
    return Example(
        f"{words}  ({caption})", pixels, record.boxes_ltwh, record.labels,
        found.boxes_ltwh[[detection]], found.labels[[detection]], found.scores[[detection]],
    )  # fmt: skip


def first_seen(
    archive: Archive, split: EncodedSplit, evaluation: Evaluation, count: int, min_score: float
) -> list[SeenImage]:
    """Return the first images as the network sees them.

    Args:
        archive: The images' names.
        split: The archive, encoded.
        evaluation: Of the archive's images.
        count: Of images, at most.
        min_score: Detections with a lower confidence are left out.
    """
    found = evaluation.detections
    found = found.take((found.scores >= min_score) & (found.images < count))
    seen = []
    for image, truth in enumerate(archive.truths(0, count)):
        rows = np.flatnonzero(found.images == image)
        own = slice(int(split.offsets[image]), int(split.offsets[image + 1]))
        targets = split_parts(split.targets[image], split.grid.classes).confidence  # (R, S, B)
        seen.append(
            SeenImage(
                truth.file_name,
                np.asarray(split.images[image]),
                evaluation.confidence[image].max(axis=-1),
                targets.max(axis=-1) > 0,
                np.asarray(split.boxes[own]),
                np.asarray(split.labels[own], np.int64),
                _boxes_seen(found, rows, split, image),
                found.labels[rows],
                found.scores[rows],
            )
        )
    return seen


def _boxes_seen(found: DetectionTable, rows: Ints, split: EncodedSplit, image: int) -> np.ndarray:
    """Return (D, 4) xyxy pixels of the letterboxed image."""
    return split.letterbox(image).boxes_in(ltwh_to_xyxy(found.boxes_ltwh[rows]))
