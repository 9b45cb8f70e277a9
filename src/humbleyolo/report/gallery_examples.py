"""The images that the PNG galleries show: the first of the test split, and the worst mistakes of each kind."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from humbleyolo.dataset.archive import ArchivedImage
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.report.evaluation_reader import Evaluation
from humbleyolo.report.number_format import cut, gain
from humbleyolo.report.page_contents import MistakeKind
from humbleyolo.storage.array_types import Bools, Floats, Floats32, Ints, Uint8s

_LONGEST_NAME = 24  # in a caption, so that it has room for the numbers


class Example(NamedTuple):
    """One image with its ground truth and detections.

    Attributes:
        caption: Text over the pictures.
        image: (H, W, 3) uint8 RGB.
        truth_boxes: (M, 4) ground truth, xyxy pixels of `image`.
        truth_labels: (M,) class indices.
        boxes: (D, 4) detections, xyxy pixels of `image`.
        labels: (D,) class indices.
        scores: (D,) confidences; None if the boxes are missed ground truth.
    """

    caption: str
    image: Uint8s
    truth_boxes: Floats
    truth_labels: Ints
    boxes: Floats
    labels: Ints
    scores: Floats | None


class Mistakes(NamedTuple):
    """The mistakes of one kind that are drawn.

    Attributes:
        title: The kind, its count, and its cost.
        examples: The worst first; each holds the ground truth of its image, and the mistake alone.
        total: All mistakes of the kind.
    """

    title: str
    examples: Sequence[Example]
    total: int

    def heading(self, drawn: int) -> str:
        """Return the title over so many drawn examples: it says so if there are more."""
        return self.title if drawn == self.total else f"{self.title}; here the worst {drawn:,}"


class Cells(NamedTuple):
    """One letterboxed image as the network sees it, and its grid.

    Attributes:
        example: The image, ground truth and detections, all in letterboxed pixels.
        confidence: (R, S), the highest of each cell's boxes.
        responsible: (R, S) bool, True for cells that hold the centre of an object.
    """

    example: Example
    confidence: Floats32
    responsible: Bools


def first_examples(archive: ArchivedSplit, detections: DetectionTable, count: int, min_score: float) -> list[Example]:
    """Return the first `count` images of an archive, or all if it has fewer.

    Detections with a confidence below `min_score` are left out.

    Raises:
        UserError: If an image is damaged.
    """
    found = detections.take((detections.scores >= min_score) & (detections.images < count))
    result = []
    for record in archive.images(0, count):
        own = found.images == record.image_id - 1
        boxes = ltwh_to_xyxy(found.boxes_ltwh[own])
        result.append(_example(archive, record, record.file_name, boxes, found.labels[own], found.scores[own]))
    return result


def first_cells(
    archive: ArchivedSplit, split: EncodedSplit, evaluation: Evaluation, count: int, min_score: float
) -> list[Cells]:
    """Return the first images as the network sees them.

    Detections with a confidence below `min_score` are left out.
    """
    found, result = evaluation.detections, list[Cells]()
    if evaluation.confidence is None:
        return result
    found = found.take((found.scores >= min_score) & (found.images < count))
    for image, truth in enumerate(archive.truths(0, count)):
        rows = np.flatnonzero(found.images == image)
        own = slice(int(split.offsets[image]), int(split.offsets[image + 1]))
        example = Example(
            truth.file_name,
            np.asarray(split.images[image]),
            np.asarray(split.boxes[own]),
            np.asarray(split.labels[own], np.int64),
            split.letterbox(image).boxes_in(ltwh_to_xyxy(found.boxes_ltwh[rows])),
            found.labels[rows],
            found.scores[rows],
        )
        confidence = evaluation.confidence[image].max(axis=-1)  # (R, S)
        result.append(Cells(example, confidence, split.responsible(image)))
    return result


def worst_of_each_kind(
    archive: ArchivedSplit, truths: TruthTable, evaluation: Evaluation, kinds: Sequence[MistakeKind], count: int
) -> list[Mistakes]:
    """Return the worst mistakes of each kind.

    The worst detection is that of the highest confidence; the worst miss is that of the largest object.

    Raises:
        UserError: If an image is damaged.
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
        cost = f"they cost {gain(kind.ap_cost)} AP, {gain(kind.ap_gain)} at the IoU of a match"
        title = f"{kind.kind}: {kind.meaning}; {len(rows):,} of them; {cost}"
        examples = [_mistake(archive, truths, evaluation, int(row)) for row in worst]
        result.append(Mistakes(title, examples, len(rows)))
    return result


def _mistake(archive: ArchivedSplit, truths: TruthTable, evaluation: Evaluation, row: int) -> Example:
    judged, found = evaluation.judgements, evaluation.detections
    image, detection, truth = (int(rows[row]) for rows in (judged.images, judged.detections, judged.truths))
    record = next(archive.images(image, image + 1))
    names = [cut(name, _LONGEST_NAME) for name in archive.categories]
    if detection < 0:
        boxes, labels, scores = truths.boxes_ltwh[[truth]], truths.labels[[truth]], None
        words = f"{names[labels[0]]} missed"
    else:
        boxes, labels = found.boxes_ltwh[[detection]], found.labels[[detection]]
        scores = found.scores[[detection]]
        words = f"{names[labels[0]]} {scores[0]:.2f}"
        if truth >= 0:
            words += f", IoU {judged.ious[row]:.2f} with {names[truths.labels[truth]]}"
    return _example(archive, record, f"{words}  ({record.file_name})", ltwh_to_xyxy(boxes), labels, scores)


def _example(
    archive: ArchivedSplit, record: ArchivedImage, caption: str, boxes: Floats, labels: Ints, scores: Floats | None
) -> Example:
    """Return an image of an archive with its ground truth, beside these boxes."""
    image = decode_rgb(record.image_bytes, f"{archive.path}: {record.file_name}")
    return Example(caption, image, ltwh_to_xyxy(record.boxes_ltwh), record.labels, boxes, labels, scores)
