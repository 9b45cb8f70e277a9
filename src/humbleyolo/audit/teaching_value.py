"""The images whose labels would teach a detector most: uncertain detections of rare classes, no two alike.

A detection is uncertain as far as its score is near the threshold, which is taken for even odds. This is the margin
of Settles 2009, "Active learning literature survey". An image is worth the sum over its detections. Each is weighted
by how rare its class is among the labels. Both are in Brust et al. 2019, "Active learning for deep object detection".
Images are chosen one by one. The objects expected on each count as labelled for the next, and of near-duplicates one
is chosen.

    N images, D detections, C classes
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.array_types import Bools, Floats, Ints

_COUNTED = 0.5  # least score of a detection that counts, in thresholds; lower ones are background, and many


class Choice(NamedTuple):
    """An image that was chosen: its index, its value then, and if it resembles one that is labelled or chosen."""

    image: int
    value: float
    alike: bool


def likelihood(scores: Floats, threshold: float) -> Floats:
    """Return the likelihood (D,) that detections are objects: linear in the score, one half at the threshold."""
    low = scores / max(2 * threshold, 1e-9)
    high = 1 - (1 - scores) / max(2 * (1 - threshold), 1e-9)
    return np.asarray(np.clip(np.where(scores < threshold, low, high), 0, 1))


def choose(
    detections: DetectionTable, threshold: float, labelled: Ints, groups: Ints, taken: Bools, count: int
) -> list[Choice]:
    """Choose images, the one that teaches most first.

    Args:
        detections: Detections on the N images, down to low scores.
        threshold: Score of a detection that is as likely right as wrong.
        labelled: (C,) boxes of each class that are labelled already.
        groups: (N,) number of the group of similar images that an image is in.
        taken: (N,) images of which a similar one is labelled already.
        count: Number of images; all N if there are fewer.
    """
    uncertain, expected = _by_image(detections, threshold, len(labelled))
    highest = np.zeros(detections.image_count)
    np.maximum.at(highest, detections.images, detections.scores)
    known = labelled.astype(np.float64)
    left, alike = np.ones(detections.image_count, bool), taken.copy()
    chosen: list[Choice] = []
    while left.any() and len(chosen) < count:
        weights = (known.sum() + len(known)) / (known + 1)  # (C,)
        values = uncertain @ (weights / weights.mean())  # (N,)
        order = np.lexsort((np.arange(len(values)), -highest, -values, alike, ~left))
        best = int(order[0])
        chosen.append(Choice(best, float(values[best]), bool(alike[best])))
        known = known + expected[best]
        left[best] = False
        alike |= groups == groups[best]
    return chosen


def _by_image(detections: DetectionTable, threshold: float, classes: int) -> tuple[Floats, Floats]:
    """Return the uncertainty, and the objects to be expected, of each class on each image, (N, C) both."""
    counted = detections.take(detections.scores >= _COUNTED * threshold)
    likely = likelihood(counted.scores, threshold)
    margin = 1 - np.abs(2 * likely - 1)
    cell = counted.images * classes + counted.labels
    sums = [np.bincount(cell, values, detections.image_count * classes) for values in (margin, likely)]
    uncertain, expected = np.asarray(sums, np.float64).reshape(2, -1, classes)
    return uncertain, expected


def group_of(images: int, groups: Sequence[Sequence[int]]) -> Ints:
    """Return the number of each image's group, (N,); one that is in none is a group by itself."""
    found = np.arange(images)
    for members in groups:
        found[list(members)] = members[0]
    return found
