"""Suppression and box voting against slow ones written from their rules."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_boxes import scored_boxes

from humbleyolo.geometry import suppression
from humbleyolo.geometry.iou import pairwise_iou, pairwise_share
from humbleyolo.geometry.suppression import nms, suppress, vote
from humbleyolo.storage.array_types import Floats, Ints


def slow_nms(boxes: Floats, scores: Floats, labels: Ints, iou: float) -> list[int]:
    waiting = sorted(range(len(boxes)), key=lambda index: (-scores[index], index))
    kept: list[int] = []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [
            other
            for other in waiting
            if labels[other] != labels[best] or pairwise_iou(boxes[[best]], boxes[[other]]).item() <= iou
        ]
    return kept


@given(scored_boxes(), st.sampled_from([0.0, 1 / 3, 0.5, 1.0]))
def test_nms_is_the_greedy_rule(case: tuple[Floats, Floats, Ints], iou: float) -> None:
    assert nms(*case, iou).tolist() == slow_nms(*case, iou)


@given(scored_boxes(), st.sampled_from([0.0, 1 / 3, 0.5]), st.sampled_from([1, 3, 8, 40]))
def test_it_does_not_matter_how_many_pairs_are_compared_at_a_time(
    case: tuple[Floats, Floats, Ints], iou: float, pairs: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suppression, "_PAIRS", pairs)
        assert nms(*case, iou).tolist() == slow_nms(*case, iou)


@given(scored_boxes(), st.sampled_from([0.0, 1 / 3, 0.5]), st.sampled_from([1, 3, 8, 40]))
def test_votes_do_not_depend_on_how_many_pairs_are_compared_at_a_time(
    case: tuple[Floats, Floats, Ints], least: float, pairs: int
) -> None:
    kept = nms(*case, 1.0)
    voted = vote(*case, kept, least)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suppression, "_PAIRS", pairs)
        assert np.array_equal(vote(*case, kept, least), voted)


@given(scored_boxes(), st.floats(0, 1), st.randoms(use_true_random=False))
def test_nms_keeps_the_same_boxes_in_any_order_where_scores_differ(
    case: tuple[Floats, Floats, Ints], iou: float, random: object
) -> None:
    boxes, _, labels = case
    scores = np.linspace(0.1, 0.9, len(boxes))
    order = np.array(sorted(range(len(boxes)), key=lambda _: random.random()), int)  # type: ignore[attr-defined]
    shuffled = order[nms(boxes[order], scores[order], labels[order], iou)]
    np.testing.assert_array_equal(shuffled, nms(boxes, scores, labels, iou))


@given(scored_boxes(), st.floats(0, 1))
def test_nms_leaves_no_overlap_and_takes_none_without_reason(case: tuple[Floats, Floats, Ints], iou: float) -> None:
    boxes, scores, labels = case
    kept = nms(*case, iou)
    clash = (pairwise_iou(boxes, boxes[kept]) > iou) & (labels[:, None] == labels[kept])
    assert not (clash[kept] & ~np.eye(len(kept), dtype=bool)).any()
    gone = np.setdiff1d(np.arange(len(boxes)), kept)
    assert (clash[gone] & (scores[kept] >= scores[gone, None])).any(axis=1).all()
    assert (np.diff(scores[kept]) <= 0).all()


def test_nms_keeps_overlapping_boxes_of_two_classes() -> None:
    boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4]])
    assert nms(boxes, np.array([0.5, 0.7, 0.7]), np.array([0, 0, 1]), 0.5).tolist() == [1, 2]


@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_a_box_that_is_kept_is_the_mean_of_its_voters(case: tuple[Floats, Floats, Ints], least: float) -> None:
    boxes, scores, labels = case
    kept = nms(*case, 0.5)
    for own, mean in zip(kept.tolist(), vote(*case, kept, least), strict=True):
        voters = [own] + [
            other
            for other in range(len(boxes))
            if other != own
            and labels[other] == labels[own]
            and pairwise_iou(boxes[[own]], boxes[[other]]).item() >= least
        ]
        total = sum(scores[voter] for voter in voters)
        expected = [sum(scores[voter] * boxes[voter][edge] for voter in voters) / total for edge in range(4)]
        np.testing.assert_allclose(mean, expected, atol=1e-9)


@given(scored_boxes())
def test_without_votes_the_boxes_stay_to_the_bit(case: tuple[Floats, Floats, Ints]) -> None:
    kept = nms(*case, 0.5)
    np.testing.assert_array_equal(vote(*case, kept, 1.0), case[0][kept])


def test_votes_take_most_of_the_noise_off_a_box() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([10.0, 20, 50, 80])
    boxes, scores = truth + rng.normal(0, 2, (10, 4)), rng.uniform(0.5, 1, 10)
    kept = nms(boxes, scores, np.zeros(10, np.int64), 0.5)
    (mean,) = vote(boxes, scores, np.zeros(10, np.int64), kept, 0.6)
    assert np.abs(mean - truth).mean() < 0.5 * np.abs(boxes[kept] - truth).mean()


@pytest.mark.parametrize("iou", [0.0, 1.0])
def test_nms_of_nothing_is_nothing(iou: float) -> None:
    assert nms(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), iou).tolist() == []


def test_nms_of_very_many_boxes_does_not_hold_every_pair() -> None:
    count = 2_000  # one matrix of their pairs would be 32 MB
    left = np.arange(count, dtype=np.float64)
    boxes = np.stack([left, left * 0, left + 2, left * 0 + 2], axis=1)  # neighbours overlap by a third
    tracemalloc.start()
    kept = nms(boxes, -left, np.zeros(count, np.int64), 0.3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
    np.testing.assert_array_equal(kept, np.arange(0, count, 2))


def test_the_order_and_the_measure_of_overlap_are_the_callers() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 5, 5], [20, 0, 30, 10]])  # the second lies inside the first
    labels, order = np.zeros(3, np.int64), np.array([2, 1, 0])
    assert suppress(boxes, labels, order, 0.5).tolist() == [2, 1, 0]
    assert suppress(boxes, labels, order, 0.5, pairwise_share).tolist() == [2, 1]
    assert suppress(boxes, labels, order[::-1], 0.5, pairwise_share).tolist() == [0, 2]
    assert suppress(boxes, labels, order, 0.5, pairwise_share, np.array([1, 1, 2])).tolist() == [2, 1, 0]
    assert suppress(boxes, labels, order, 0.5, pairwise_share, np.array([1, 2, 1])).tolist() == [2, 1]
