"""Tiles cover an image, and what is found on them is told once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.detection.tiles import join_tiles, tile_places
from humbleyolo.geometry.detections import Detections

lengths = st.integers(1, 400)


@given(lengths, lengths, st.integers(16, 120))
def test_every_pixel_and_every_small_object_is_whole_on_a_tile(height: int, width: int, side: int) -> None:
    places = tile_places(height, width, side)
    assert (places[:, 2] - places[:, 0] == min(side, width)).all()
    assert (places[:, 3] - places[:, 1] == min(side, height)).all()
    assert (places[:, :2] >= 0).all()
    assert (places[:, 2:] <= (width, height)).all()
    assert len(np.unique(places, axis=0)) == len(places)
    small = side // 4  # an object of that length, anywhere
    for low, high, length in ((0, 2, width), (1, 3, height)):
        starts = np.arange(max(1, length - small + 1))
        whole = (places[:, low] <= starts[:, None]) & (starts[:, None] + small <= places[:, high])
        assert whole.any(axis=1).all() or length < small


def test_an_image_no_longer_than_a_tile_is_one_tile() -> None:
    np.testing.assert_array_equal(tile_places(30, 64, 64), [[0, 0, 64, 30]])
    assert len(tile_places(30, 65, 64)) == 2


def one(*boxes: tuple[float, float, float, float], scores: list[float], labels: list[int]) -> Detections:
    return Detections(np.array(boxes, float).reshape(-1, 4), np.array(scores), np.array(labels, np.int64))


PLACES = np.array([[0, 0, 64, 64], [48, 0, 112, 64]])


def test_the_whole_box_wins_over_the_one_that_a_tile_cuts() -> None:
    left = one((40, 10, 64, 20), scores=[0.9], labels=[0])  # cut at x = 64
    right = one((49, 10, 75, 20), (100, 5, 112, 9), scores=[0.8, 0.7], labels=[0, 0])
    joined = join_tiles([left, right], PLACES, 64, 112, 0.5)
    # the second is near the inner edge at 48 as well, so the better score wins; at the image's edge is no cut
    np.testing.assert_array_equal(joined.boxes, [(40, 10, 64, 20), (100, 5, 112, 9)])
    right = one((52, 10, 75, 20), scores=[0.8], labels=[0])
    joined = join_tiles([left, right], PLACES, 64, 112, 0.4)
    np.testing.assert_array_equal(joined.boxes, [(52, 10, 75, 20)])


def test_other_classes_and_neighbours_are_kept_and_the_best_come_first() -> None:
    left = one((50, 10, 60, 20), (50, 30, 60, 40), scores=[0.3, 0.9], labels=[0, 1])
    right = one((51, 10, 61, 20), (50, 10, 60, 20), scores=[0.6, 0.5], labels=[0, 1])
    joined = join_tiles([left, right], PLACES, 64, 112, 0.5)
    assert joined.scores.tolist() == [0.9, 0.6, 0.5]
    assert joined.labels.tolist() == [1, 0, 1]


def test_nothing_found_is_nothing() -> None:
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    assert len(join_tiles([nothing, nothing], PLACES, 64, 112, 0.5).scores) == 0
