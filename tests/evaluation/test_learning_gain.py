"""The worth of more images: a line over the logarithm of their number, with the interval of paired draws."""

import math

import numpy as np
import pytest
from repository import ROOT

from humbleyolo.errors import UserError
from humbleyolo.evaluation.learning_gain import LearningGain, Point, half_of, measure_gain
from humbleyolo.metrics.coco_metrics import score
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.loader import load_params
from humbleyolo.report.curve_page import curve_chart

EVALUATE = load_params(ROOT / "params.yaml", "evaluate")[0].model_copy(update={"resamples": 300})
IMAGES = 200
LONG = 1000  # steps


def truths(images: int = IMAGES) -> TruthTable:
    boxes = np.tile([10.0, 10.0, 40.0, 40.0], (images, 1))
    return TruthTable(images, np.arange(images), boxes, np.zeros(images, np.int64), np.zeros(images, bool))


def finding(part: float, images: int = IMAGES) -> DetectionTable:
    """Detections, all right, on the first part of the images."""
    all_of = truths(images)
    rows = np.arange(round(part * images))
    return DetectionTable(images, rows, all_of.boxes_ltwh[rows], all_of.labels[rows], np.full(len(rows), 0.9))


def test_the_gain_is_that_of_the_line_through_the_last_two_points() -> None:
    found = [(30, finding(0.1)), (60, finding(0.5)), (120, finding(0.6))]
    gain = measure_gain(truths(), found, 1, EVALUATE, LONG)
    expected = [score(truths(), one, ["a"])["ap"] for _, one in found]
    assert [one.ap for one in gain.points] == pytest.approx(expected)
    assert [one.images for one in gain.points] == [30, 60, 120]
    assert gain.more == 60
    assert gain.gain == pytest.approx((expected[2] - expected[1]) * math.log2(180 / 120))
    assert gain.low is not None
    assert gain.high is not None
    assert 0 < gain.low < gain.gain < gain.high
    assert gain.promises
    assert str(gain) == f"60 more images are worth about 0.06 AP ({gain.low:.2f} to {gain.high:.2f})"


def test_draws_are_paired_so_that_hard_images_alone_widen_nothing() -> None:
    """A network that finds the same as another gains exactly nothing on every draw."""
    gain = measure_gain(truths(), [(60, finding(0.5)), (120, finding(0.5))], 1, EVALUATE, LONG)
    assert (gain.gain, gain.low, gain.high) == (0, 0, 0)
    assert not gain.promises
    assert "(0.00 to 0.00): more images of the same kind may gain nothing" in str(gain)
    low, high = gain.points[-1].low, gain.points[-1].high
    assert low is not None
    assert high is not None
    assert high - low > 0.05


def test_nothing_is_promised_beyond_an_ap_of_1() -> None:
    gain = measure_gain(truths(), [(60, finding(0.2)), (120, finding(0.98))], 1, EVALUATE, LONG)
    assert gain.points[-1].ap + gain.gain <= 1
    assert gain.high is not None
    assert gain.high < 0.06


def test_without_an_interval_nothing_is_promised() -> None:
    gain = measure_gain(truths(1), [(60, finding(1, 1)), (120, finding(1, 1))], 1, EVALUATE, LONG)
    assert gain.low is None
    assert "(no interval)" in str(gain)
    assert not gain.promises


def test_networks_that_learned_nothing_say_nothing() -> None:
    with pytest.raises(UserError, match=r"nothing can be told: AP on val is 0.000 with all images.*--minutes"):
        measure_gain(truths(), [(60, finding(0)), (120, finding(0))], 1, EVALUATE, LONG)


def test_networks_under_the_floor_say_nothing_either() -> None:
    found = [(60, finding(0.2)), (120, finding(0.3))]
    assert measure_gain(truths(), found, 1, EVALUATE, LONG, floor=0.25).promises
    with pytest.raises(UserError, match=r"AP on val is 0.3\d\d with all images, and boxes drawn .* have 0.400; give"):
        measure_gain(truths(), found, 1, EVALUATE, LONG, floor=0.4)


@pytest.mark.parametrize(
    ("images", "half"), [(1, 1), (4, 2), (53, 25), (120, 60), (687, 300), (1000, 500), (2990, 1500), (10_001, 5000)]
)
def test_half_of_the_images_is_a_round_number(images: int, half: int) -> None:
    assert half_of(images) == half


def gain_of(gain: float, low: float, high: float, steps: int, trained: float = 1.0) -> LearningGain:
    points = Point(60, 0.5, 0.4, 0.6), Point(120, 0.5 + gain, 0.4, 0.6)
    return LearningGain(points, 60, gain, low, high, steps, trained)


@pytest.mark.parametrize(
    ("gain", "told", "longer"),
    [
        (gain_of(-0.06, -0.09, -0.02, LONG), "cannot be told: AP falls with more images, as it does where the", 2),
        (gain_of(-0.06, -0.09, -0.02, LONG, 0.8), "cannot be told: AP falls with more images", 1.25),
        (
            gain_of(-0.06, -0.09, 0.01, LONG),
            "about -0.06 AP (-0.09 to 0.01): more images of the same kind may gain",
            0,
        ),
        (gain_of(-0.04, -0.06, -0.01, 42), "cannot be told: 42 steps are too few to learn much from", 200 / 42),
        (gain_of(0.04, 0.02, 0.06, 199, 0.1), "cannot be told: 199 steps are too few to learn much from", 10),
        (gain_of(0.04, 0.02, 0.06, 200, 0.1), "60 more images are worth about 0.04 AP (0.02 to 0.06)", 0),
    ],
)
def test_too_short_a_training_tells_nothing_and_how_long_it_takes(
    gain: LearningGain, told: str, longer: float
) -> None:
    """A length of 0 stands for a training that was long enough."""
    assert told in str(gain)
    assert gain.too_short == (longer > 0)
    assert not longer or gain.longer == pytest.approx(longer)
    drawn = str(curve_chart(gain))
    assert ("promised" in drawn) == (longer == 0)


@pytest.mark.parametrize(
    ("trained", "told"), [(0.125, "12% of train.epochs is too short"), (0.5, "may gain nothing")]
)
def test_of_too_short_trainings_a_curve_that_does_not_rise_says_nothing(trained: float, told: str) -> None:
    found = [(60, finding(0.5)), (120, finding(0.5))]
    assert told in str(measure_gain(truths(), found, 1, EVALUATE, LONG, trained))
    rising = measure_gain(truths(), [(60, finding(0.4)), (120, finding(0.5))], 1, EVALUATE, LONG, trained)
    assert not rising.too_short
