"""The share of boxes whose class the classifier tells, by which a recipe is chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.check.wrong_labels import _told_apart


@given(st.integers(2, 5), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_each_class_counts_alike_however_many_boxes_it_has(classes: int, boxes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(boxes, classes)).astype(np.float32), rng.integers(0, classes, boxes)
    shares = []
    for label in set(labels.tolist()):
        own = scores[labels == label]
        shares.append(sum(int(row.argmax()) == label for row in own) / len(own))
    assert _told_apart(scores, labels) == pytest.approx(sum(shares) / len(shares))


def test_of_one_class_nothing_can_be_told() -> None:
    assert _told_apart(np.ones((9, 1), np.float32), np.zeros(9, np.int64)) is None
