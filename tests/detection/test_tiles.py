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


@given(st.data(), st.integers(65, 200), st.integers(65, 200))
def test_what_one_tile_shows_whole_stays_whatever_is_nested(data: st.DataObject, height: int, width: int) -> None:
    places = tile_places(height, width, 64)
    tile = data.draw(st.integers(0, len(places) - 1))
    left, top = places[tile, :2].tolist()
    corner = st.integers(2, 62)  # farther from an edge than what is cut there
    box = st.tuples(corner, corner, corner, corner).filter(lambda sides: sides[0] < sides[2] and sides[1] < sides[3])
    inside = data.draw(st.lists(box, max_size=6))
    scores = data.draw(st.permutations([0.9, 0.8, 0.7, 0.6, 0.5, 0.4][: len(inside)]))
    moved = (np.add(sides, (left, top, left, top)) for sides in inside)
    found = one(*moved, scores=scores, labels=[0] * len(inside))
    nothing = one(scores=[], labels=[])
    tiles = [found if number == tile else nothing for number in range(len(places))]
    joined = join_tiles(tiles, places, height, width, 0.5)
    order = np.argsort(-np.array(scores))
    np.testing.assert_array_equal(joined.boxes, found.boxes[order])


def test_an_object_in_front_of_another_is_told_once_where_both_are_on_two_tiles() -> None:
    big, small = (50, 2, 62, 60), (52, 20, 58, 26)
    left = one(big, small, scores=[0.9, 0.8], labels=[0, 0])
    right = one(big, small, scores=[0.7, 0.85], labels=[0, 0])
    joined = join_tiles([left, right], np.array([[0, 0, 64, 64], [40, 0, 104, 64]]), 64, 104, 0.5)
    np.testing.assert_array_equal(joined.boxes, [big, small])
    assert joined.scores.tolist() == [0.9, 0.8]
