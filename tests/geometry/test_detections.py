"""Detections are taken and joined row by row."""

import numpy as np

from humbleyolo.geometry.detections import Detections


def some(count: int) -> Detections:
    rng = np.random.default_rng(count)
    return Detections(rng.random((count, 4)), rng.random(count), rng.integers(0, 3, count))


def test_parts_join_to_the_whole_that_they_were_taken_from() -> None:
    whole = some(7)
    rows = np.arange(7)
    joined = Detections.join([whole.take(rows < 3), some(0), whole.take(rows[3:])])
    assert len(joined) == 7
    for name in ("boxes", "scores", "labels"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert Detections.join([some(0)]).boxes.shape == (0, 4)
