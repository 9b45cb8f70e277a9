"""Doubts about detections that were joined to labels: classes in another order, boxes in another form."""

from collections.abc import Iterator

import numpy as np

from humbleyolo.experiments.detection_files import DetectionFile, is_number
from humbleyolo.experiments.detection_hits import HIT_IOU, LEAST_HITS, surest
from humbleyolo.experiments.number_readings import Reading
from humbleyolo.experiments.scored_labels import ScoredLabels
from humbleyolo.labels.ledger import shorten
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.process.terminal import first_few

_SHOWN = 3  # classes in a line
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
