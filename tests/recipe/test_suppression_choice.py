"""Suppression that follows from the boxes of a folder."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from repository import ROOT

from humbleyolo.params.overlay import example_values
from humbleyolo.recipe.suppression_choice import Suppression, choose_suppression, count_suppressed

SIZE = (320, 320)
VALUES = {
    name: {one.key: (one.text, "") for one in example_values((ROOT / f"examples/{name}.yaml").read_text(), name)}
    for name in ("photographs", "bccd")
}
NMS, VOTE = ("evaluate", "nms_iou"), ("evaluate", "vote_iou")
ALIKE = [("train", "validation", name) for name in ("nms_iou", "vote_iou")]


def image(boxes: Any, labels: Any, width: int = 320, height: int = 320) -> Any:
    return Mock(height=height, width=width, boxes=np.array(boxes, float).reshape(-1, 4), labels=labels)


def pair(iou: float, left: float = 0.0, classes: str = "aa") -> Any:
    """An image with two boxes of 80 x 80 pixels that overlap by this IoU."""
    shift = 80 * (1 - iou) / (1 + iou)
    return image([[left, 0, left + 80, 80], [left + shift, 0, left + shift + 80, 80]], list(classes))


def choose(records: list[Any], recipe: str = "photographs", most: int = 2) -> Suppression:
    return choose_suppression(records, Mock(height=320, width=320), most, VALUES[recipe])


def iou(one: Any, other: Any) -> float:
    across, down = (min(one[n + 2], other[n + 2]) - max(one[n], other[n]) for n in (0, 1))
    shared = max(across, 0) * max(down, 0)
    return float(shared / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.integers(0, 12), st.integers(4, 12), st.integers(4, 12), st.sampled_from("ab")
        ),
        max_size=9,
    )
)
def test_counts_are_those_of_taking_each_box_that_no_taken_one_of_its_class_overlaps(rows: list[Any]) -> None:
    boxes, labels = [(x, y, x + w, y + h) for x, y, w, h, _ in rows], [row[-1] for row in rows]
    expected = {}
    for limit in (0.5, 0.6, 0.7):
        taken: list[int] = []
        for place, (box, label) in enumerate(zip(boxes, labels, strict=True)):
            if all(labels[other] != label or iou(boxes[other], box) <= limit + 1e-12 for other in taken):
                taken.append(place)
        expected[limit] = len(boxes) - len(taken)
    # 24 x 24 pixels become 48 x 48: every overlap stays
    assert count_suppressed([image(boxes, labels, 24, 24)], (48, 48), (0.5, 0.6, 0.7)) == expected


@pytest.mark.parametrize(
    ("overlaps", "alone", "limit", "lost"),
    [
        ([0.48] * 50, 0, 0.5, (0, 0)),
        ([0.55] * 2, 196, 0.5, (2, 2)),  # 1 % of 200 boxes
        ([0.55] * 3, 194, 0.6, (0, 3)),
        ([0.65] * 3, 194, 0.7, (0, 3)),
        ([0.65] * 2 + [0.55], 194, 0.6, (2, 3)),
        ([0.95] * 10, 180, 0.5, (10, 10)),  # labelled twice: no suppression keeps them
        ([0.95] * 10 + [0.55] * 2, 176, 0.5, (12, 12)),
        ([0.95] * 10 + [0.55] * 3, 174, 0.6, (10, 13)),
    ],
)
def test_the_smallest_limit_is_taken_that_loses_one_box_in_a_hundred_at_most(
    overlaps: list[float], alone: int, limit: float, lost: tuple[int, int]
) -> None:
    records = [pair(one, float(place)) for place, one in enumerate(overlaps)]
    records += [image([[1, 1, 90, 90]], ["a"]) for _ in range(alone)]
    found = choose(records)
    assert found.values[ALIKE[0]][0] == f"{limit:g}"
    if limit == 0.5:
        assert (found.told, found.values.keys()) == ((), {ALIKE[0]})
        return
    vote = f"{limit + 0.1:.1f}"
    assert found.told == (f"nms_iou {limit}, vote_iou {vote}: loses {lost[0]} of 200 objects, {lost[1]} at 0.5",)
    assert [found.values[key][0] for key in (NMS, VOTE, ALIKE[1])] == [str(limit), vote, vote]
    assert "suppression loses" in found.values[NMS][1]


def test_objects_of_two_classes_do_not_suppress_each_other() -> None:
    assert choose([pair(0.8, classes="ab")] * 20).told == ()


def test_where_one_cell_answers_there_are_no_votes_and_the_recipe_is_the_least() -> None:
    recipe = "bccd"
    assert float(VALUES[recipe][NMS][0]) == 0.65
    same = choose([pair(0.6)] * 20, recipe)
    assert (same.told, same.values) == ((), {ALIKE[0]: ("0.65", same.values[ALIKE[0]][1])})
    more = choose([pair(0.68)] * 20, recipe)
    assert more.told == ("nms_iou 0.7: loses 0 of 40 objects, 20 at 0.65",)
    assert more.values.keys() == {NMS, ALIKE[0]}


def test_a_line_holds_the_counts_of_a_large_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {0.5: 123_456, 0.6: 98_765, 0.7: 12_345}
    monkeypatch.setattr("humbleyolo.recipe.suppression_choice.count_suppressed", lambda *_: counts)
    (line,) = choose([Mock(labels=range(1_234_567))]).told
    assert "12,345 of 1,234,567" in line
    assert len(line) <= 78


@pytest.mark.parametrize(("most", "limits"), [(100, 0), (101, 2)])
def test_more_objects_than_usual_are_let_be_found(most: int, limits: int) -> None:
    values = choose([pair(0.1)], most=most).values
    assert [key[-1] for key in values].count("max_detections") == limits
