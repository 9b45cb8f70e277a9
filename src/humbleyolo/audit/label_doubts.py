"""Doubts about labels, from detections of networks that have not seen their images.

    missing      an object is found where no label is
    shifted      the object is found beside its label
    swapped      the object is found, as another class
    doubled      one object has two labels
    no object    nothing at all is found at a label, in a class whose objects are found as a rule

A detection is believed as far as others of its score lie on a label of their class. Overlooked and badly placed boxes
are told by confident predictions, as in Tkachenko et al. 2023, "ObjectLab"; the thresholds here are our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import area, edges_of, intersection, pairwise_iou
from humbleyolo.geometry.suppression import suppress
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Bools, Floats, Ints

KINDS = ("missing", "shifted", "swapped", "doubled", "no object")

BELIEVED = 0.8
"""Least belief in a detection that a doubt is based on."""

_GAIN = 0.6  # least difference of the beliefs in what is found and in what is labelled
_MATCH = 0.5  # IoU from which a detection confirms a label
_SHIFTED = 0.45  # IoU of a shifted label with its object, less than this
_TYPICAL = 0.05  # quantile of the IoU of believed detections with their labels; one of another class overlaps as well
_BESIDE = 0.1  # IoU from which one may be of the same object; under it, of none
_FREE = 0.3  # IoU of a missing object with any label, less than this
_TWICE = 0.6  # IoU of two labels of one object, at least
_IN_CROWD = 0.5  # part of a detection in a crowd region, from which it is not judged
_BIN = 50  # detections of like score whose precision is measured together
_FOUND, _OVERLOOKED = 0.95, 0.03  # of a class's labels: confirmed at least, and unseen at most, for "no object"
_FEWEST = 20  # labels of a class, for that


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubt about a label, or about a place without one.

    Attributes:
        kind: One of `KINDS`.
        image: Index of the image.
        label: Row of the ground truth; -1 if there is none.
        found: Row of the detection; -1 if there is none.
        iou: IoU of the two; 0 if there are not two.
        sure: Rank, 0 to 1: the belief in what is found, less that in the label. It is no probability.
    """

    kind: str
    image: int
    label: int
    found: int
    iou: float
    sure: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement of all labels.

    Attributes:
        doubts: The doubts, the surest first.
        boxes: Number of labels that were judged.
        confirmed: Number of these on which a believed detection of their class lies.
    """

    doubts: list[Doubt]
    boxes: int
    confirmed: int

    def counts(self) -> dict[str, int]:
        """Return the number of doubts of each kind that there is."""
        found = {kind: sum(doubt.kind == kind for doubt in self.doubts) for kind in KINDS}
        return {kind: count for kind, count in found.items() if count}


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """One image: rows of its labels (M,) and detections (D,), and what was measured between them."""

    number: int
    labels: Ints
    found: Ints
    overlaps: Floats  # (M, D) IoU
    same: Bools  # (M, D) of one class
    crowded: Bools  # (D,) in a crowd region


def judge_labels(truths: TruthTable, detections: DetectionTable, judged: Bools) -> Judged:
    """Doubt labels that detections contradict.

    Args:
        truths: M labels.
        detections: D detections on the same images, after suppression, down to low scores.
        judged: (M,) labels that may be doubted; crowd regions never are.
    """
    judged = np.asarray(judged & ~truths.crowd)
    boxes, found_boxes = ltwh_to_xyxy(truths.boxes_ltwh), ltwh_to_xyxy(detections.boxes_ltwh)
    images = _images(truths, detections, boxes, found_boxes)
    right, counted = np.zeros(len(detections), bool), np.ones(len(detections), bool)
    for one in images:
        right[one.found] = (one.same & (one.overlaps >= _MATCH)).any(axis=0)
        counted[one.found] = ~one.crowded
    belief = np.where(counted, _beliefs(detections.scores, right, counted), 0.0)
    typical = _typical_iou(images, belief)
    doubts: list[Doubt] = []
    support, unseen = np.zeros(len(truths)), np.zeros(len(truths), bool)
    for one in images:
        confirming = one.same & (one.overlaps >= _MATCH)
        own = np.where(confirming, belief[one.found], 0).max(axis=1, initial=0)  # (M,)
        support[one.labels] = own
        unseen[one.labels] = (one.overlaps < _BESIDE).all(axis=1)
        named = _about_labels(one, belief, own, judged, typical)
        named += _doubled(one, belief, boxes, judged)
        best = {}
        for doubt in sorted(named, key=lambda doubt: doubt.sure):
            best[doubt.label] = doubt
        doubts += best.values()
        doubts += _missing(one, belief, found_boxes, [doubt.found for doubt in best.values()])
    doubts += _without_object(truths, judged, support >= BELIEVED, unseen)
    ranked = sorted(doubts, key=lambda doubt: _rank(doubt, truths, detections))
    return Judged(
        [replace(doubt, sure=round(doubt.sure, 6)) for doubt in ranked],
        boxes=int(judged.sum()),
        confirmed=int((judged & (support >= BELIEVED)).sum()),
    )


def _images(truths: TruthTable, detections: DetectionTable, boxes: Floats, found_boxes: Floats) -> list[_Image]:
    images = []
    pairs = zip(truths.rows_by_image(), detections.rows_by_image(), strict=True)
    for number, (labels, found) in enumerate(pairs):
        overlaps = pairwise_iou(boxes[labels], found_boxes[found])
        same = truths.labels[labels][:, None] == detections.labels[found][None]
        crowds = edges_of(boxes[labels[truths.crowd[labels]]][:, None])
        shared = intersection(crowds, edges_of(found_boxes[found][None])).max(axis=0, initial=0)  # (D,)
        crowded = shared > _IN_CROWD * area(edges_of(found_boxes[found]))
        images.append(_Image(number, labels, found, overlaps, same, crowded))
    return images


def _beliefs(scores: Floats, right: Bools, counted: Bools) -> Floats:
    """Return the part of the detections of like score that are right, (D,); it never falls as the score rises.

    Precision in groups of 50, made monotone by pooling neighbours (isotonic regression), and linear between them.
    """
    order = np.argsort(scores[counted], kind="stable")
    ordered, hits = scores[counted][order], right[counted][order].astype(np.float64)
    # Equal scores share their hits, so that the order of the detections is no matter.
    _, tie = np.unique(ordered, return_inverse=True)
    hits = (np.bincount(tie, hits) / np.maximum(np.bincount(tie), 1))[tie] if len(tie) else hits
    pools: list[tuple[float, float, int]] = []  # sum of the scores, hits, detections
    for part in np.array_split(np.arange(len(order)), max(1, len(order) // _BIN)):
        pools.append((float(ordered[part].sum()), float(hits[part].sum()), len(part)))
        while len(pools) > 1 and pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]:
            low, high = pools[-2:]
            pools[-2:] = [(low[0] + high[0], low[1] + high[1], low[2] + high[2])]
    sums, totals, counts = (np.array(column, np.float64) for column in zip(*pools, strict=True))
    if not counts[0]:
        return np.zeros(len(scores))
    return np.interp(scores, sums / counts, (totals + 1) / (counts + 2))


def _typical_iou(images: Sequence[_Image], belief: Floats) -> float:
    """Return the IoU that 19 of 20 believed detections have with the label that they confirm; 0.5 if none do."""
    best = [
        np.where(one.same, one.overlaps, 0).max(axis=0, initial=0)[belief[one.found] >= BELIEVED] for one in images
    ]
    confirming = np.concatenate(best)
    confirming = confirming[confirming >= _MATCH]
    return float(np.quantile(confirming, _TYPICAL)) if len(confirming) else _MATCH


def _about_labels(one: _Image, belief: Floats, own: Floats, judged: Bools, typical: float) -> list[Doubt]:
    """Doubt labels whose object is found as another class, or beside them; `typical` is the IoU for the former."""
    explains = np.asarray(
        (one.same & (one.overlaps >= _MATCH)).any(axis=0)
    )  # (D,) detections that a label has already
    cases = {
        "swapped": ~one.same & (one.overlaps >= typical),
        "shifted": one.same & (one.overlaps >= _BESIDE) & (one.overlaps < _SHIFTED) & ~explains,
    }
    doubts = []
    for kind, fits in cases.items():
        believed = np.where(fits, belief[one.found], 0.0)
        best = believed.max(axis=1, initial=0)
        for place in np.flatnonzero((best >= BELIEVED) & (best - own >= _GAIN) & judged[one.labels]).tolist():
            candidates = np.flatnonzero(believed[place] == best[place])
            column = int(candidates[np.argmax(one.overlaps[place, candidates])])
            # Another label has this detection: the object is labelled twice, as two classes.
            what = "doubled" if kind == "swapped" and explains[column] else kind
            doubts.append(_doubt(one, what, place, column, float(best[place] - own[place])))
    return doubts


def _doubled(one: _Image, belief: Floats, boxes: Floats, judged: Bools) -> list[Doubt]:
    """Doubt the worse of two labels of one class that a single detection confirms."""
    confirming = one.same & (one.overlaps >= _MATCH) & (belief[one.found] >= BELIEVED)
    both: Bools = np.triu(pairwise_iou(boxes[one.labels], boxes[one.labels]) >= _TWICE, 1)
    doubts = []
    for pair in np.argwhere(both):
        shared = np.flatnonzero(confirming[pair].all(axis=0))
        if len(shared) == 1 and confirming[pair].any(axis=0).sum() == 1 and judged[one.labels[pair]].all():
            column = int(shared[0])
            # Of equal overlaps, the later by its corners: the order of the labels is no matter.
            worse = min(pair, key=lambda row: (one.overlaps[row, column], *-boxes[one.labels[row]]))
            doubts.append(_doubt(one, "doubled", int(worse), column, float(belief[one.found[column]])))
    return doubts


def _missing(one: _Image, belief: Floats, found_boxes: Floats, used: list[int]) -> list[Doubt]:
    """Name believed detections on which no label lies, and which no doubt about a label uses."""
    free = (one.overlaps < _FREE).all(axis=0) & (belief[one.found] >= BELIEVED)
    taken = np.isin(one.found, used)
    columns = np.flatnonzero(free & ~taken)
    order = sorted(columns.tolist(), key=lambda column: (-belief[one.found[column]], *found_boxes[one.found[column]]))
    first = [*np.flatnonzero(taken).tolist(), *order]
    kept = suppress(found_boxes[one.found], np.zeros(len(one.found), np.int64), np.array(first, np.int64), _MATCH)
    return [
        Doubt("missing", one.number, -1, int(one.found[column]), 0.0, float(belief[one.found[column]]))
        for column in kept.tolist()
        if not taken[column]
    ]


def _without_object(truths: TruthTable, judged: Bools, confirmed: Bools, unseen: Bools) -> list[Doubt]:
    """Doubt labels at which nothing is found, of classes whose labels are confirmed nearly always."""
    doubts = []
    for label in np.unique(truths.labels[judged]):
        own = judged & (truths.labels == label)
        count, sure = int(own.sum()), float(confirmed[own].mean())
        if count < _FEWEST or sure < _FOUND or float(unseen[own].mean()) > _OVERLOOKED:
            continue
        rows = np.flatnonzero(own & unseen).tolist()
        doubts += [Doubt("no object", int(truths.images[row]), row, -1, 0.0, sure * BELIEVED) for row in rows]
    return doubts


def _doubt(one: _Image, kind: str, place: int, column: int, sure: float) -> Doubt:
    row, found = int(one.labels[place]), int(one.found[column])
    return Doubt(kind, one.number, row, found, float(one.overlaps[place, column]), sure)


def _rank(doubt: Doubt, truths: TruthTable, detections: DetectionTable) -> tuple[float | str, ...]:
    """Return the key to sort by: the surest first, then by what is found and labelled, then by the image."""
    score = float(detections.scores[doubt.found]) if doubt.found >= 0 else 0.0
    box = (detections.boxes_ltwh[doubt.found] if doubt.found >= 0 else truths.boxes_ltwh[doubt.label]).tolist()
    return (-round(doubt.sure, 6), -score, doubt.kind, *box, doubt.image, doubt.label)
