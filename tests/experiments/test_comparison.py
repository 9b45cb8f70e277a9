"""Two runs beside each other."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.experiments.comparison import COMPARED, Run, compare, report_lines
from humbleyolo.metrics.tables import DetectionTable
from tests.evaluation.test_bootstrap import SETTINGS

IMAGES = 200
TRUTHS = table_of_truths(IMAGES, [(image, [0, 0, 10, 10], 0, False) for image in range(IMAGES)])
SURE = SETTINGS.model_copy(update={"resamples": 200})


def run_of(widths: np.ndarray, name: str = "run") -> Run:
    """A run that finds every truth, in boxes of these widths (10 is right)."""
    boxes = np.column_stack([np.zeros((IMAGES, 2)), widths, np.full(IMAGES, 10.0)])
    scores = np.linspace(0.9, 0.5, IMAGES)
    detections = DetectionTable(IMAGES, TRUTHS.images, boxes, TRUTHS.labels, scores)
    return Run(name, ("chat",), TRUTHS, detections, 0.4)


def noisy(seed: int, mean: float) -> Run:
    return run_of(np.random.default_rng(seed).uniform(mean - 1, mean + 1, IMAGES), f"seed {seed}")


def test_a_run_is_as_good_as_itself() -> None:
    one = noisy(1, 8.5)
    for name, found in compare(one, one, SURE).items():
        assert (found.difference, found.low, found.high) == (0, 0, 0), name
        assert not found.beyond_chance


def test_turned_round_the_difference_changes_its_sign() -> None:
    there, back = compare(noisy(1, 8.5), noisy(2, 9), SURE), compare(noisy(2, 9), noisy(1, 8.5), SURE)
    assert list(there) == list(COMPARED)
    for name in COMPARED:
        assert there[name].difference == pytest.approx(-back[name].difference, abs=1e-11)
        assert there[name].low == pytest.approx(-back[name].high, abs=1e-9)


@pytest.mark.slow
def test_tighter_boxes_are_better_beyond_chance_and_other_noise_is_not() -> None:
    better = compare(noisy(1, 8.0), noisy(2, 8.9), SURE)["ap"]
    assert better.difference is not None
    assert better.difference > 0.05
    assert better.beyond_chance
    assert better.low is not None
    assert better.high is not None
    assert better.low < better.difference < better.high
    false_alarms = sum(
        compare(noisy(seed, 8.5), noisy(seed + 50, 8.5), SURE)["ap"].beyond_chance for seed in range(10)
    )
    assert false_alarms <= 2  # one in 20 is what 95 % means


def test_pairing_sees_what_intervals_side_by_side_do_not() -> None:
    # Every image varies by far more than the step between the runs, but both runs vary together.
    widths = np.random.default_rng(5).uniform(5.5, 9.5, IMAGES)
    difference = compare(run_of(widths), run_of(widths + 0.1), SURE)["mean_iou"]
    assert difference.beyond_chance
    assert difference.difference == pytest.approx(0.01, abs=1e-9)
    side_by_side = compare(run_of(widths), run_of(np.random.default_rng(6).permutation(widths) + 0.1), SURE)
    assert not side_by_side["mean_iou"].beyond_chance


def test_other_images_or_classes_cannot_be_paired() -> None:
    one = noisy(1, 8.5)
    moved = replace(one, truths=replace(TRUTHS, boxes_ltwh=TRUTHS.boxes_ltwh * 2), name="moved")
    with pytest.raises(ProblemsError, match=r"seed 1 and moved.*(?s:.)*the objects in the test images differ"):
        compare(one, moved, SURE)
    crowded = replace(one, truths=replace(TRUTHS, crowd=~TRUTHS.crowd))
    with pytest.raises(ProblemsError, match="the objects in the test images differ"):
        compare(one, crowded, SURE)
    other = replace(one, categories=("chien",), truths=table_of_truths(3, []), detections=table_of_detections(3, []))
    with pytest.raises(ProblemsError) as caught:
        compare(one, other, SURE)
    assert caught.value.problems == ("classes: the first alone has chat, the second chien", "test images: 200, and 3")


@pytest.mark.parametrize(
    ("others", "told"),
    [
        (("a", "b", *map(str, range(79)), 99 * "x"), f"the first alone has 79, the second {37 * 'x'}..."),
        (("a", *map(str, range(80))), "the first alone has b, the second none"),
        (
            ("a", "b", *map(str, range(100, 180))),
            "the first alone has 0, 1, 2, 3, 4 and 75 more, the second 100, 101, 102, 103, 104 and 75 more",
        ),
    ],
)
def test_of_many_classes_those_that_differ_are_named(others: tuple[str, ...], told: str) -> None:
    one = replace(noisy(1, 8.5), categories=("a", "b", *map(str, range(80))))
    with pytest.raises(ProblemsError) as caught:
        compare(one, replace(one, categories=others), SURE)
    assert caught.value.problems == (f"classes: {told}",)


def test_the_same_classes_in_another_order_are_the_same() -> None:
    """As two label formats list them: one in its own order, one sorted."""
    one = replace(noisy(1, 8.5), categories=("a", "b"))
    truths = replace(one.truths, labels=1 - one.truths.labels)
    detections = replace(one.detections, labels=1 - one.detections.labels)
    other = replace(one, categories=("b", "a"), truths=truths, detections=detections)
    assert {name: found.difference for name, found in compare(one, other, SURE).items()}["ap"] == 0
    assert any("all are equal" in line for line in report_lines(one, other, compare(one, other, SURE), 100))
    with pytest.raises(ProblemsError, match="the objects in the test images differ"):
        compare(one, replace(other, truths=one.truths), SURE)


def test_boxes_may_differ_by_what_label_formats_round() -> None:
    one = noisy(1, 8.5)
    for shift, refused in ((0.004, False), (0.02, True)):
        other = replace(one, truths=replace(TRUTHS, boxes_ltwh=TRUTHS.boxes_ltwh + shift))
        with pytest.raises(ProblemsError, match="the objects") if refused else nullcontext():
            compare(one, other, SURE)


def test_without_resampling_chance_cannot_be_told() -> None:
    with pytest.raises(UserError, match=r"evaluate\.resamples is 0"):
        compare(noisy(1, 8), noisy(2, 8), SURE.model_copy(update={"resamples": 0}))


@pytest.mark.parametrize(
    ("mean", "said"),
    [
        (9.4, "AP of B is higher by more than chance."),
        (7.0, "AP of B is lower by more than chance."),
        (8.5, "The difference in AP is no more than chance."),
    ],
)
def test_what_is_said(mean: float, said: str) -> None:
    a, b = noisy(1, 8.5), noisy(2, mean)
    lines = list(report_lines(a, b, compare(a, b, SURE), SURE.resamples))
    assert lines[0] == "A: seed 1, B: seed 2; 200 test images, resampled 200 times"
    assert lines[-1] == said
    assert len(lines) == len(COMPARED) + 3
    assert all(len(line) <= 80 for line in lines)


def test_a_result_and_itself_are_told_to_be_the_same() -> None:
    one = noisy(1, 8.5)
    for other, same in ((one, True), (noisy(1, 8.5), True), (replace(one, threshold=None), False)):
        last = [*report_lines(one, other, compare(one, other, SURE), SURE.resamples)][-1]
        assert (last == "A and B are the same: 200 detections, and all are equal.") == same


@pytest.mark.parametrize("seed", range(10))
def test_any_case_compares(seed: int) -> None:
    truths, detections, names = random_case(seed)
    runs = [
        Run(name, tuple(names), truths, found, threshold)
        for name, found, threshold in (
            ("all", detections, 0.3),
            ("none", detections.take(np.zeros(len(detections), np.bool_)), None),
        )
    ]
    lines = list(report_lines(*runs, compare(*runs, SETTINGS), SETTINGS.resamples))
    assert "undefined" in "\n".join(lines)  # nothing found has no mean IoU
