"""Boxes drawn blindly, against a slow computation box by box, and what the floor must never see."""

from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from scoring_cases import table_of_detections, table_of_truths

from humbleyolo.metrics.coco_metrics import score
from humbleyolo.metrics.floor import NO_FLOOR, Floor, measure_floor, median_boxes
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.storage.array_types import Ints32

Labels = tuple[TruthTable, Ints32]


def random_labels(seed: int, classes: int = 3, images: int = 9) -> Labels:
    """Return objects that lie much alike on images of several shapes, some of them crowds, and the images' sizes."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(20, 200, (images, 2)).astype(np.int32)
    rows = []
    for image, (height, width) in enumerate(sizes.tolist()):
        for label in range(classes):
            for _ in range(rng.integers(0, 3)):
                x, y, w, h = np.array([0.2, 0.3, 0.4, 0.3]) + 0.1 * label + rng.normal(0, 0.03, 4)
                rows.append((image, [x * width, y * height, w * width, h * height], label, rng.random() < 0.1))
    return table_of_truths(images, rows), sizes


def slow_box(labels: Labels, label: int | None) -> list[float] | None:
    """Return the median left, top, right, bottom as parts of the image, box by box in plain Python."""
    truths, sizes = labels
    rows = []
    for image, (left, top, width, height), own, crowd in zip(
        truths.images, truths.boxes_ltwh.tolist(), truths.labels, truths.crowd, strict=True
    ):
        if not crowd and label in (None, own):
            high, wide = sizes[image].tolist()
            rows.append(((left + width / 2) / wide, (top + height / 2) / high, width / wide, height / high))
    if not rows:
        return None
    x, y, w, h = (median(column) for column in zip(*rows, strict=True))
    return [max(x - w / 2, 0.0), max(y - h / 2, 0.0), min(x + w / 2, 1.0), min(y + h / 2, 1.0)]


def slow_floor(known: Labels, asked: Labels, classes: int, match_iou: float) -> Floor:
    """Score all boxes of all classes in one table by all of COCO's numbers; count matches image by image."""
    truths, sizes = asked
    counts = [sum(not c and own == label for own, c in zip(known[0].labels, known[0].crowd, strict=True))
              for label in range(classes)]  # fmt: skip
    names = [str(label) for label in range(classes)]

    def drawn(box: list[float] | None, label: int) -> list[tuple[int, list[float], int, float]]:
        if box is None:
            return []
        left, top, right, bottom = box
        return [
            (image, [left * w, top * h, (right - left) * w, (bottom - top) * h], label, counts[label] / sum(counts))
            for image, (h, w) in enumerate(sizes.tolist())
        ]

    one = drawn(slow_box(known, None), counts.index(max(counts)))
    each = [row for label in range(classes) for row in drawn(slow_box(known, label), label)]
    by_class, by_one = (score(truths, table_of_detections(len(sizes), rows), names) for rows in (each, one))
    right = taken = 0
    for image, (left, top, width, height), _, _ in one:
        ious, in_crowd = [0.0], False
        for own, (l2, t2, w2, h2), crowd in zip(truths.images, truths.boxes_ltwh.tolist(), truths.crowd, strict=True):
            if own == image:
                both = max(min(left + width, l2 + w2) - max(left, l2), 0) * max(
                    min(top + height, t2 + h2) - max(top, t2), 0
                )
                if crowd:
                    in_crowd |= both / (width * height) >= match_iou
                else:
                    ious.append(both / (width * height + w2 * h2 - both))
        right += max(ious) >= match_iou
        taken += max(ious) >= match_iou or not in_crowd
    objects = int((~truths.crowd).sum())
    return Floor(
        by_class["ap"], by_class["ap50"], by_one["ap"], by_one["ap50"],
        right / taken, right / objects, 2 * right / (taken + objects),
    )  # fmt: skip


def values(floor: Floor) -> list[float | None]:
    return [getattr(floor, name) for name in Floor.__dataclass_fields__]


@pytest.mark.parametrize("seed", range(12))
def test_a_slow_computation_gives_the_same(seed: int) -> None:
    known, asked = random_labels(seed), random_labels(seed + 100)
    found = measure_floor(*known, *asked, 3, 0.4)
    assert values(found) == pytest.approx(values(slow_floor(known, asked, 3, 0.4)), abs=1e-9)
    assert 0 < (found.ap or 0) < 1


def test_objects_that_are_all_the_same_box_have_a_floor_of_1() -> None:
    sizes = np.array([[40, 60], [100, 30], [64, 64]], np.int32)
    same = table_of_truths(3, [(n, [0.1 * w, 0.2 * h, 0.5 * w, 0.6 * h], 0, False) for n, (h, w) in enumerate(sizes)])
    assert measure_floor(same, sizes, same, sizes, 1, 0.5) == Floor(*[1.0] * 7)


def test_each_class_has_its_own_box_and_the_one_box_the_most_frequent_class() -> None:
    sizes = np.full((4, 2), 100, np.int32)
    rows = [(image, [50.0 * label, 10, 30, 40], label, False) for image in range(4) for label in (0, 1)]
    asked = table_of_truths(4, rows)
    known = table_of_truths(4, [*rows, (0, [50, 10, 30, 40], 1, False), (1, [50, 10, 30, 40], 1, False)])
    assert measure_floor(known, sizes, asked, sizes, 2, 0.5) == Floor(
        1.0, 1.0, 0.5, 0.5, 1.0, 0.5, pytest.approx(2 / 3)
    )


def test_the_boxes_never_see_the_labels_that_they_are_scored_on() -> None:
    known, (truths, sizes) = random_labels(1), random_labels(2)
    before = measure_floor(*known, truths, sizes, 3, 0.5)
    mixed = truths.take(np.random.default_rng(0).permutation(len(truths)))
    assert measure_floor(*known, mixed, sizes, 3, 0.5) == before  # the order of rows is no matter
    # One object of the known split's median box is found, and one of the scored split's is not.
    for of, recall in ((known, 1.0), ((replace(truths, boxes_ltwh=truths.boxes_ltwh * 0.5), sizes), 0.0)):
        left, top, right, bottom = (median_boxes(*of, 3)[0][-1] * 100).tolist()
        one = table_of_truths(1, [(0, [left, top, right - left, bottom - top], 0, False)])
        assert measure_floor(*known, one, np.full((1, 2), 100, np.int32), 3, 0.9).recall == recall


def test_a_box_that_reaches_over_the_border_is_cut_there() -> None:
    sizes = np.full((2, 2), 10, np.int32)
    wide_and_left = table_of_truths(2, [(0, [0, 0, 8, 10], 0, False), (1, [0, 0, 2, 10], 0, False)])
    boxes, _ = median_boxes(wide_and_left, sizes, 1)
    assert boxes[0] == pytest.approx([0, 0, 0.5, 1])
    high = replace(wide_and_left, boxes_ltwh=wide_and_left.boxes_ltwh - [3, 0, 0, 0])
    assert median_boxes(high, sizes, 1)[0][0] == pytest.approx([0, 0, 0.2, 1])


def test_without_labels_on_either_side_there_is_no_floor() -> None:
    labels, nothing = random_labels(3), (table_of_truths(2, []), np.full((2, 2), 10, np.int32))
    crowd = table_of_truths(2, [(0, [0, 0, 5, 5], 0, True)])
    for known, asked in ((nothing, labels), (labels, nothing), (labels, (crowd, nothing[1])), (nothing, nothing)):
        assert measure_floor(*known, *asked, 3, 0.5) == NO_FLOOR


def test_a_class_that_one_side_lacks_is_found_by_no_box_or_not_asked_for() -> None:
    (truths, sizes), asked = random_labels(4), random_labels(5)
    without = measure_floor(truths.take(truths.labels != 2), sizes, *asked, 3, 0.5)
    whole = measure_floor(truths, sizes, *asked, 3, 0.5)
    assert 0 < (without.ap or 0) < (whole.ap or 0)
    two = asked[0].take(asked[0].labels != 2)
    assert measure_floor(truths, sizes, two, asked[1], 3, 0.5).ap == pytest.approx((without.ap or 0) * 3 / 2)
