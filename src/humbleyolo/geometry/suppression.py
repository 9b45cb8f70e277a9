"""Suppression of boxes that overlap, class by class (Felzenszwalb et al. 2010), and their vote on those that stay."""

from collections.abc import Callable
from typing import Any

import numpy as np

from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.storage.array_types import Bools, Floats, Ints

_PAIRS = 2**15  # of boxes that are compared at a time, which bounds the memory


def suppress(
    boxes: Floats,
    labels: Ints,
    order: Ints,
    limit: float,
    overlap: Callable[..., Any] = pairwise_iou,
    sources: Ints | None = None,
) -> Ints:
    """Keep, of boxes of one class that overlap by more than `limit`, the one that comes first in `order`.

    Args:
        boxes: (D, 4) xyxy.
        labels: (D,) class indices.
        order: (D,) indices of all boxes, the one to keep first.
        limit: Highest overlap that two kept boxes of one class may have, 0 to 1.
        overlap: Measure of overlap: boxes (M, 4) and (D, 4) -> (M, D).
        sources: (D,) numbers: boxes of one source leave each other alone; None: all are of sources of their own.

    Returns:
        Indices of the boxes kept, in `order`.
    """
    boxes, labels = boxes[order], labels[order]
    sources = np.arange(len(order)) if sources is None else sources[order]
    alive = np.ones(len(order), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        alive[own] = _stay(boxes[own], sources[own], limit, overlap)
    return order[alive]


def _stay(boxes: Floats, sources: Ints, limit: float, overlap: Callable[..., Any]) -> Bools:
    """Return which boxes of one class stay, (D,), the one to keep first at the top."""
    alive = np.ones(len(boxes), bool)
    rows = max(1, _PAIRS // len(boxes))
    for start in range(0, len(boxes), rows):
        places = start + np.flatnonzero(alive[start : start + rows])
        hidden = ~(overlap(boxes[places], boxes[start:]) <= limit)  # (m, D - start)
        hidden &= sources[places, None] != sources[start:]
        for place, hides in zip(places, hidden, strict=True):  # each decision depends on those before it
            if alive[place]:
                alive[place + 1 :] &= ~hides[place + 1 - start :]
    return alive


def nms(boxes: Floats, scores: Floats, labels: Ints, limit: float) -> Ints:
    """Suppress boxes that overlap one of their class with a higher score by an IoU of more than `limit`.

    Args:
        boxes: (D, 4) xyxy.
        scores: (D,); of equal ones the earlier index wins.
        labels: (D,) class indices.
        limit: Highest IoU that two kept boxes of one class may have, 0 to 1.

    Returns:
        Indices of the boxes kept, best score first.
    """
    return suppress(boxes, labels, np.argsort(-scores, kind="stable"), limit)


def vote(boxes: Floats, scores: Floats, labels: Ints, kept: Ints, least: float) -> Floats:
    """Return each kept box as the mean of the boxes that answer for the same object, weighed by score.

    "Box voting" of Gidaris & Komodakis 2015, "Object detection via a multi-region & semantic segmentation-aware CNN
    model". It takes errors of single boxes off, which suppression leaves in.

    Args:
        boxes: (D, 4) xyxy, before suppression.
        scores: (D,), above 0.
        labels: (D,) class indices.
        kept: (M,) indices of the boxes kept.
        least: Least IoU with a kept box of its class that gives a box a vote, 0 to 1; at 1 the kept boxes stay.

    Returns:
        (M, 4) xyxy.
    """
    means = boxes[kept]
    if least >= 1 or not len(kept):
        return means
    rows = max(1, _PAIRS // len(boxes))
    for start in range(0, len(kept), rows):
        own = kept[start : start + rows]
        voters = (labels == labels[own, None]) & (pairwise_iou(boxes[own], boxes) >= least)  # (m, D)
        voters[np.arange(len(own)), own] = True
        for place, votes in enumerate(voters, start):
            weights = scores[votes, None]
            means[place] = (boxes[votes] * weights).sum(axis=0) / weights.sum(axis=0)
    return means
