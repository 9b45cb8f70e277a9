"""Doubts about detections that were joined to labels: classes in another order, boxes in another form, copies."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from humbleyolo.inputs.ledger import shorten
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.scoring.detection_hits import HIT_IOU, LEAST_HITS, SUREST, count_hits, joined_rows, on_images, surest
from humbleyolo.scoring.detection_rows import DetectionFile, is_number
from humbleyolo.scoring.number_readings import Reading, image_readings
from humbleyolo.scoring.scored_labels import ScoredLabels
from humbleyolo.storage.array_types import Floats

_SHOWN = 3  # classes in a line
_FAR = 0.25
_SURE = 0.05  # a lowest score above this says that low scores were left out
_LISTED = 12  # names in an option that is proposed


def exchanged_classes(found: DetectionFile, labels: ScoredLabels, images: Reading, classes: Reading) -> Iterator[str]:
    """Yield a line about classes whose surest detections lie on objects of another class, far more than of their own.

    Each class gets the one that it hits most, the largest counts first, so that two never get the same.
    """
    detections = surest(found, labels, images, classes)
    near = nearest_truths(labels.truths, detections)
    hit = np.maximum(near.own_iou, near.other_iou) >= HIT_IOU
    truths = np.where(near.other_iou > near.own_iou, near.other, near.own)[hit]
    pairs, counts = np.unique(
        np.stack([detections.labels[hit], labels.truths.labels[truths]], axis=1), axis=0, return_counts=True
    )
    count_of = {(int(one), int(other)): int(count) for (one, other), count in zip(pairs, counts, strict=True)}
    taken: dict[int, int] = {}
    for one, other in sorted(count_of, key=lambda pair: (-count_of[pair], pair[0] != pair[1])):
        if one not in taken and other not in taken.values():
            taken[one] = other
    wrong = {
        one: other
        for one, other in taken.items()
        if one != other and count_of[one, other] >= max(LEAST_HITS, 2 * count_of.get((one, one), 0) + 1)
    }
    if wrong:
        name = [shorten(one) for one in labels.classes]
        told = [
            f"{count_of[one, other]:,} {name[one]} lie on {name[other]}, {count_of.get((one, one), 0):,} on their own"
            for one, other in wrong.items()
        ]
        yield f"classes look exchanged: {first_few(told, _SHOWN, '; ')}; {_remedy(found, labels, classes, wrong)}"


def _remedy(found: DetectionFile, labels: ScoredLabels, classes: Reading, wrong: dict[int, int]) -> str:
    """Return advice on exchanged classes: the list of names, if the numbers are those of a list."""
    if not all(is_number(str(key)) for key in found.classes) or classes.option == "names":
        return "are their names exchanged?"
    names = {
        int(key): labels.classes[wrong.get(label, label)]
        for key, label in zip(found.classes, classes.index.tolist(), strict=True)
        if label >= 0
    }
    first = min(names)
    whole = first in (0, 1) and sorted(names) == [*range(first, first + len(found.classes))] and len(names) <= _LISTED
    if not whole or len({*names.values()}) < len(names) or any("," in one for one in names.values()):
        return "is the list of classes in another order? give its names in order: --categories A,B,C"
    return f"try --categories {first}:{','.join(names[number] for number in sorted(names))}"


def far_boxes(found: DetectionFile, labels: ScoredLabels, images: Reading, classes: Reading) -> Iterator[str]:
    """Yield a line about boxes that end outside their image by more than a quarter of its width or height."""
    rows = np.flatnonzero(joined_rows(found, images, classes))
    boxes = on_images(found, labels, images, classes, rows)
    sizes = np.array([[one.width, one.height] for one in labels.items], np.float64)[boxes.images]  # (D, 2)
    ends = boxes.boxes_ltwh[:, :2] + boxes.boxes_ltwh[:, 2:]
    far = ((boxes.boxes_ltwh[:, :2] < -_FAR * sizes) | (ends > (1 + _FAR) * sizes)).any(axis=1)
    if count := int(np.count_nonzero(far)):
        of = counted(len(rows), "box ends", "boxes end")
        yield f"{count:,} of {of} far outside their image (by over a quarter of its size)"


def better_form(
    found: DetectionFile, labels: ScoredLabels, readings: Sequence[tuple[Reading, Reading]], hits: int
) -> Iterator[str]:
    """Yield a line if another form of boxes, or other ids, hit far more by one of the readings than `hits`, the most.

    The readings are of images and classes.
    """
    rows = max(int(np.count_nonzero(joined_rows(found, *pair))) for pair in readings)
    if 2 * hits >= min(rows, SUREST, len(labels.truths)):
        return
    best, words = max(hits * 2, LEAST_HITS - 1), ""
    for images, classes in readings:
        so = f", {classes.words}" if len(readings) > 1 else ""
        for form, boxes in _other_forms(found):
            if (count := count_hits(replace(found, boxes=boxes), labels, images, classes)) > best:
                best, words = count, f"as {form}{so}"
        for added, one in _other_ids(found, labels, images):
            if (count := count_hits(found, labels, one, classes)) > best:
                best, words = count, f"with {added:+} at each image_id{so}"
    if words:
        better = f"{best:,} of the surest lie on an object of their class, in place of {hits:,}"
        yield f"read {words}, {better}: mend the file"


def _other_forms(found: DetectionFile) -> Iterator[tuple[str, Floats]]:
    """Yield other meanings of the four numbers of each box: words, and (D, 4) boxes of the file's own form."""
    a, b, c, d = found.boxes.T
    if found.relative:  # centre x, y, width, height
        forms = {
            "corners, x1 y1 x2 y2": ((a + c) / 2, (b + d) / 2, c - a, d - b),
            "left, top, width, height": (a + c / 2, b + d / 2, c, d),
            "class score x y width height": (b, c, d, found.scores),
        }
    else:  # left, top, width, height
        forms = {
            "corners, x1 y1 x2 y2": (a, b, c - a, d - b),
            "corners, y1 x1 y2 x2": (b, a, d - b, c - a),
            "centre x, centre y, width, height": (a - c / 2, b - d / 2, c, d),
        }
    for words, (x, y, width, height) in forms.items():
        yield words, np.stack([x, y, np.maximum(width, 0), np.maximum(height, 0)], axis=1)


def _other_ids(found: DetectionFile, labels: ScoredLabels, images: Reading) -> Iterator[tuple[int, Reading]]:
    """Yield readings of image numbers that count from one more or one less."""
    if images.option:
        for added in (1, -1):
            yield from ((added, one) for one in image_readings(found, labels, images.option, added))


def copies(detections: DetectionTable) -> Iterator[str]:
    """Yield a line about detections that are there twice: the same image, class, box and score."""
    columns = (*detections.boxes_ltwh.T, detections.labels, detections.scores, detections.images)
    rows = np.lexsort(columns)
    equal = np.ones(max(len(rows) - 1, 0), np.bool_)
    for column in columns:
        equal &= column[rows[1:]] == column[rows[:-1]]
    if count := int(np.count_nonzero(equal)):
        yield f"{count:,} of {len(rows):,} detections are copies of others (the same image, class, box and score)"


def missing_low_scores(detections: DetectionTable) -> Iterator[str]:
    """Yield a line if low scores were left out."""
    lowest = float(detections.scores.min(initial=1))
    if lowest > _SURE:
        yield f"no score is below {lowest:.2f}; AP counts lower ones too: let the detector write them"
