"""The images that teach most: uncertain ones, of rare classes, no two alike."""

import numpy as np
import pytest

from humbleyolo.audit.teaching_value import choose, group_of, likelihood
from humbleyolo.metrics.tables import DetectionTable

NONE = np.zeros(2, np.int64)


def table(*rows: tuple[int, int, float], images: int) -> DetectionTable:
    """Detections of (image, class, score)."""
    columns = np.array(rows).reshape(-1, 3)
    boxes = np.tile([1.0, 1.0, 5.0, 5.0], (len(rows), 1))
    return DetectionTable(
        images, columns[:, 0].astype(np.int64), boxes, columns[:, 1].astype(np.int64), columns[:, 2].copy()
    )


def chosen(found: DetectionTable, count: int, labelled: np.ndarray = NONE, **given: np.ndarray) -> list[int]:
    groups = given.get("groups", np.arange(found.image_count))
    taken = given.get("taken", np.zeros(found.image_count, bool))
    return [one.image for one in choose(found, 0.4, labelled, groups, taken, count)]


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.4, 1.0])
def test_a_score_at_the_threshold_has_even_odds_and_the_odds_never_fall(threshold: float) -> None:
    scores = np.linspace(0, 1, 101)
    found = likelihood(scores, threshold)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()
    if 0 < threshold < 1:
        assert likelihood(np.array([threshold]), threshold).tolist() == pytest.approx([0.5])


def test_what_is_nearest_to_the_threshold_comes_first_and_background_counts_for_nothing() -> None:
    noise = [(0, 0, 0.19)] * 50
    found = table(*noise, (1, 0, 0.95), (2, 0, 0.41), (3, 0, 0.3), images=5)
    assert chosen(found, 5) == [2, 3, 1, 0, 4]
    assert chosen(found, 2) == [2, 3]
    assert len(chosen(found, 99)) == 5


def test_a_rare_class_counts_more_until_it_is_chosen() -> None:
    found = table((0, 0, 0.4), (1, 1, 0.45), (2, 1, 0.45), images=3)
    assert chosen(found, 1) == [0]
    assert chosen(found, 1, np.array([100, 3])) == [1]
    assert chosen(found, 3, np.array([1, 1])) == [0, 1, 2]
    even = table((0, 0, 0.4), (1, 0, 0.4), (2, 1, 0.41), images=3)
    assert chosen(even, 2) == [0, 2]  # the class of the first is expected on it, and no longer rare


def test_of_similar_images_one_is_chosen_until_no_others_are_left() -> None:
    found = table((0, 0, 0.4), (1, 0, 0.4), (2, 0, 0.9), (3, 0, 0.4), images=4)
    given = {"groups": np.array([0, 0, 2, 3]), "taken": np.array([False, False, False, True])}
    choices = choose(found, 0.4, NONE, given["groups"], given["taken"], 4)
    assert [one.image for one in choices] == [0, 2, 1, 3]
    assert [one.alike for one in choices] == [False, False, True, True]


def test_an_image_is_a_group_by_itself_unless_it_is_in_one() -> None:
    assert group_of(5, [[1, 4]]).tolist() == [0, 1, 2, 3, 1]
