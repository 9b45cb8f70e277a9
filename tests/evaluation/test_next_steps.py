"""Advice from evidence that is made up: each mistake by itself, the order of costs, and the floor."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from repository import ROOT

from humbleyolo.evaluation.assessment import assess
from humbleyolo.evaluation.hidden_objects import Hidden, count_hidden
from humbleyolo.evaluation.next_steps import (
    WORTH,
    Advice,
    Cost,
    Training,
    advise,
    below_floor,
    find_costs,
    median_side,
    not_learned,
)
from humbleyolo.evaluation.thresholds import Thresholds
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.suppression import nms
from humbleyolo.metrics.floor import NO_FLOOR, Floor
from humbleyolo.metrics.grid_report import GridReport
from humbleyolo.metrics.history import Row
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params, Section
from tests.evaluation.test_bootstrap import SETTINGS

NAMES = ("chat", "rat")
IMAGES = 20
QUICK = SETTINGS.model_copy(update={"resamples": 0, "match_iou": 0.5, "background_iou": 0.1})


def objects() -> TruthTable:
    """Return an object of each class on each image, 40 pixels long."""
    images = np.repeat(np.arange(IMAGES), 2)
    labels = np.tile(np.arange(2), IMAGES)
    boxes = np.column_stack([200.0 * labels, 3.0 * images, np.full((2 * IMAGES, 2), 40.0)])
    return TruthTable(IMAGES, images, boxes, labels, np.zeros(2 * IMAGES, np.bool_))


TRUTHS = objects()


def found(shift: float = 0.0, missed: int = 0, wrong: int = 0, twice: int = 0, nowhere: int = 0) -> DetectionTable:
    """Return detections of all objects, boxes moved to the right by `shift` pixels, and so many with a mistake.

    Mistakes are among the most confident, since others cost no AP.
    """
    truths = objects()
    boxes = truths.boxes_ltwh + np.array([shift, 0, 0, 0])
    labels = truths.labels.copy()
    labels[:wrong] = 1 - labels[:wrong]
    scores = np.linspace(0.9, 0.5, len(boxes))
    extra = np.concatenate([np.arange(twice), np.arange(nowhere)])
    moved = np.concatenate([np.tile([1.0, 0, 0, 0], (twice, 1)), np.tile([500.0, 0, 0, 0], (nowhere, 1))])
    whole = DetectionTable(
        IMAGES,
        np.concatenate([truths.images, truths.images[extra]]),
        np.concatenate([boxes, truths.boxes_ltwh[extra] + moved]),
        np.concatenate([labels, truths.labels[extra]]),
        np.concatenate([scores, scores[extra] - 0.001]),
    )
    return whole.take(np.arange(len(whole)) >= missed)


def epochs(aps: Sequence[float], train: float = 1.0, val: float = 1.2) -> list[Row]:
    return [{"val_ap": ap, "train_total": train, "val_total": val} for ap in aps]


def costs(
    detections: DetectionTable,
    ceiling: float | None = 1.0,
    history: Sequence[Row] = (),
    learned: tuple[int, ...] = (),
    include_val: bool = False,
) -> dict[str, Cost]:
    done = assess(objects(), detections, NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK, GridReport(ceiling, learned))
    return {cost.what: cost for cost in find_costs(done.metrics, done.tables, Training(history, include_val))}


def advice(
    detections: DetectionTable,
    ceiling: float | None = 1.0,
    history: Sequence[Row] = (),
    floor: Floor = NO_FLOOR,
    include_val: bool = False,
) -> Advice:
    done = assess(objects(), detections, NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK, GridReport(ceiling, ()), floor)
    return advise(done.metrics, done.tables, Training(history, include_val))


@pytest.mark.parametrize(
    ("detections", "more", "words"),
    [
        (found(shift=8), {}, r"boxes that fit badly cost 0\.\d{3} AP: .*encode\.height, encode\.width"),
        (found(shift=20), {}, r"boxes that fit badly cost 1\.000 AP: "),
        (found(missed=8), {}, r"missed objects cost 0\.\d{3} AP: add images .*model\.width"),
        (found(missed=2 * IMAGES), {}, r"missed objects cost 1\.000 AP: train longer \(train\.epochs\)"),
        (
            found(wrong=6),
            {},
            r"wrong classes cost 0\.\d{3} AP \('chat' is taken for 'rat' 3 times\): .*loss\.lambda_class",
        ),
        (found(twice=15), {}, r"second boxes on one object cost 0\.\d{3} AP: lower evaluate\.nms_iou"),
        (found(nowhere=15), {}, r"detections where nothing is labelled cost 0\.\d{3} AP: .*`humbleyolo check`"),
        (found(missed=4), {"ceiling": 0.5}, r"objects that the grid loses cost 0\.500 AP \(its ceiling is 0\.500\)"),
        (
            found(missed=4),
            {"history": epochs([0.2] * 9 + [0.215])},
            r"too few epochs cost about 0\.075 AP \(AP on val rose by 0\.015 in .*\): .*train\.epochs",
        ),
        (
            found(missed=4),
            {"history": epochs([0.5] * 10, train=0.1, val=0.41)},
            r"too few images cost about 0\.\d{3} AP \(the loss on val is 4\.1 x train's\): .*train\.augment",
        ),
    ],
)
def test_each_cause_is_named_with_its_cost_and_its_remedy(
    detections: DetectionTable, more: dict[str, Any], words: str
) -> None:
    steps = advice(detections, **more).next_steps
    assert any(re.match(words, step) for step in steps), steps
    if not more:
        assert re.match(words, steps[0]), steps


@pytest.mark.parametrize(
    ("kind", "what", "numbers"),
    [
        ("shift", "boxes that fit badly", (0, 2, 4, 8, 12)),
        ("missed", "missed objects", (0, 2, 6, 12, 30)),
        ("wrong", "wrong classes", (0, 2, 6, 12)),
        ("twice", "second boxes on one object", (0, 2, 6, 12)),
        ("nowhere", "detections where nothing is labelled", (0, 2, 6, 12)),
    ],
)
def test_more_mistakes_of_a_kind_cost_more_and_leave_the_other_kinds_free(
    kind: str, what: str, numbers: tuple[int, ...]
) -> None:
    cases = [costs(found(**{kind: number})) for number in numbers]
    own = [case[what].ap for case in cases]
    assert own == sorted(own)
    assert own[0] == pytest.approx(0, abs=1e-9)
    assert own[-1] > own[1] > 0
    for case in cases:
        assert max(case, key=lambda name: case[name].ap) == what or case[what].ap == own[0]


def test_the_cost_of_boxes_is_what_boxes_that_fit_win() -> None:
    done, fitting = (
        assess(objects(), one, NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK).metrics["ap"]
        for one in (found(shift=12, missed=6), found(missed=6))
    )
    assert costs(found(shift=12, missed=6))["boxes that fit badly"].ap == pytest.approx(fitting - done, abs=1e-9)


def test_the_cost_of_missed_objects_is_in_the_currency_of_ap() -> None:
    """Found ones would be boxed as the others are: with boxes of IoU 0.6, AP is under a third of AP50."""
    fitting, shifted = costs(found(missed=8))["missed objects"], costs(found(missed=8, shift=10))["missed objects"]
    assert shifted.ap == pytest.approx(0.3 * fitting.ap, abs=0.02)  # 3 of the 10 IoUs are reached


def test_the_two_most_costly_come_first_and_no_more() -> None:
    detections, history = found(shift=8, missed=8, wrong=12, nowhere=15), epochs([0.5] * 10, train=0.1, val=0.5)
    ordered = sorted(costs(detections, 0.9, history).values(), key=lambda cost: -cost.ap)
    assert ordered[2].ap > WORTH
    assert advice(detections, 0.9, history).next_steps == [str(ordered[0]), str(ordered[1])]


def test_one_step_is_enough_if_nothing_else_costs_much() -> None:
    assert len(advice(found(missed=8)).next_steps) == 1


def test_a_good_model_is_said_to_be_good_and_what_limits_it() -> None:
    (good,) = advice(found(), ceiling=0.98).next_steps
    assert good == (
        "good: nothing costs more than 0.03 AP; the limit is set by objects that the grid loses (0.020 AP)"
    )
    (perfect,) = advice(found()).next_steps
    assert perfect.startswith("good: ")
    assert perfect.endswith("the test images: take harder ones")


def test_no_model_under_the_floor_is_said_to_be_good() -> None:
    (step,) = advice(found(shift=0.5), floor=Floor(precision=1.1, recall=1.1, f1=1.1)).next_steps
    assert step.startswith("nothing costs more than 0.03 AP; ")


def test_without_objects_nothing_can_be_told() -> None:
    nothing = objects().take(np.zeros(2 * IMAGES, np.bool_))
    done = assess(nothing, found(), NAMES, Thresholds(None, (None, None)), QUICK)
    assert advise(done.metrics, done.tables, Training()) == Advice(
        [], ["nothing can be told: no object is labelled in the test split (dataset)"]
    )


@pytest.mark.parametrize(
    ("aps", "ap", "words"),
    [
        (
            [0.0, 0.1, 0.11],
            0.015,
            "AP, how much cannot be told yet (AP on val rose by 0.010 in the last of 3 epochs)",
        ),
        ([0.1], 0.05, "AP, how much cannot be told yet (AP on val rose by 0.100 in the last of 1 epoch)"),
        (
            [0.0] * 8 + [0.186],
            0.1,
            "AP, how much cannot be told yet (AP on val rose by 0.186 in the last of 9 epochs)",
        ),
        (
            [0.0] * 9 + [0.1],
            0.1,
            "AP, how much cannot be told yet (AP on val rose by 0.100 in the last of 10 epochs)",
        ),
        ([0.5] * 9 + [0.51], 0.05, "about 0.050 AP (AP on val rose by 0.010 in the last of 10 epochs)"),
        ([0.5] * 9 + [0.51, 0.52], 0.055, "about 0.055 AP (AP on val rose by 0.020 in the last 2 of 11 epochs)"),
        ([0.5] * 18 + [0.51, 0.51], 0.05, "about 0.050 AP (AP on val rose by 0.010 in the last 2 of 20 epochs)"),
    ],
)
def test_a_rise_is_told_with_its_epochs_and_with_a_number_where_there_are_enough(
    aps: list[float], ap: float, words: str
) -> None:
    """AP lacks 0.1 on test."""
    cost = costs(found(missed=4), history=epochs(aps))["too few epochs"]
    assert cost.ap == pytest.approx(ap, abs=0.002)
    assert str(cost) == f"too few epochs cost {words}: train longer (train.epochs)"


def test_guesses_are_limited_by_what_ap_lacks() -> None:
    rising = costs(found(missed=4), 0.95, epochs([0.0] * 9 + [1.0]))["too few epochs"]
    lacking = 0.95 - assess(objects(), found(missed=4), NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK).metrics["ap"]
    assert rising.ap == pytest.approx(lacking)
    overfit = costs(found(missed=4), 0.95, epochs([0.5] * 9, train=1e-9, val=5.0))["too few images"]
    assert overfit.ap == pytest.approx(lacking)
    for usual in (epochs([0.5] * 9, train=1.0, val=1.9), epochs([0.5] * 9, train=0.0, val=1.0)):
        assert not costs(found(missed=4), 0.95, usual).keys() & {"too few images", "too few epochs"}


class TestValThatWasTrainedOn:
    """Its loss is as low as train's, and a rise of its AP may be memorised; AP 0.7 is reached on test."""

    DETECTIONS = found(missed=12)

    def costs(self, *aps: float | None, ceiling: float = 1.0) -> dict[str, Cost]:
        history: list[Row] = [{"val_ap": ap, "train_total": 1.0, "val_total": 1.0} for ap in aps]
        return costs(self.DETECTIONS, ceiling, history, include_val=True)

    def test_images_are_too_few_where_ap_is_much_better_on_it_than_on_test(self) -> None:
        cost = self.costs(0.2, 0.95)["too few images"]
        ap = assess(objects(), self.DETECTIONS, NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK).metrics["ap"]
        assert cost.ap == pytest.approx(0.95 - ap)
        assert str(cost).endswith(
            "(AP is 0.950 on val, which was trained on): add images, or augment more (train.augment)"
        )
        assert self.costs(1.0)["too few images"].ap == pytest.approx(1 - ap)
        assert self.costs(1.0, ceiling=0.9)["too few images"].ap == pytest.approx(0.9 - ap)

    def test_a_network_that_fits_both_alike_has_enough(self) -> None:
        for known in (0.84, 0.7, 0.3, None):  # 0.16 is lacking of val, and 0.30 of test: less than twice that
            assert "too few images" not in self.costs(known)

    def test_a_loss_as_low_as_train_s_is_no_evidence_and_a_rise_none(self) -> None:
        rising = epochs([0.05 * epoch for epoch in range(20)], train=0.1, val=0.9)
        assert {"too few epochs", "too few images"} <= costs(self.DETECTIONS, history=rising).keys()
        steps = advice(found(shift=8.0, missed=9), history=rising, include_val=True).next_steps
        assert "rose by" not in " ".join(steps)
        assert "train longer (train.epochs); a larger input may help too" in " ".join(steps)
        assert "x train's" not in " ".join(steps)

    def test_where_nothing_is_found_longer_training_helps_all_the_same(self) -> None:
        steps = advice(found(missed=2 * IMAGES), history=epochs([0.0] * 9), include_val=True).next_steps
        assert "train longer (train.epochs)" in steps[0]


def test_every_key_that_is_named_is_one_of_params_yaml() -> None:
    loaded = load_params(ROOT / "params.yaml", *Params.model_fields)
    sections = dict(zip(Params.model_fields, loaded, strict=True))
    history = epochs([0.0] * 9 + [1.0], train=1.0, val=9.0)
    cases = (costs(found(), 0.5, history), costs(found(missed=40)), costs(found(missed=9), 1.0, history, (), True))
    texts = [str(cost) for case in cases for cost in case.values()]
    keys = {key for text in texts for key in re.findall(r"\b[a-z]+\.[a-z_]+\b", text) if not key.endswith(".png")}
    assert len(keys) >= 9
    for key in keys:
        section, name = key.split(".")
        value = sections[section]
        assert isinstance(value, Section)
        assert name in type(value).model_fields, key


def test_a_hostile_class_name_stays_in_its_line() -> None:
    names = ("\x1b[2J\n\ud800", "x" * 300)
    done = assess(objects(), found(wrong=6), names, Thresholds(0.1, (0.1, 0.1)), QUICK, GridReport(1.0, ()))
    (step,) = advise(done.metrics, done.tables, Training()).next_steps
    assert step.isprintable()
    assert len(step) < 160


class TestClassesThatTrainLacks:
    def test_they_are_warned_of_and_cost_their_share(self) -> None:
        """Of two classes one is found everywhere, and one never."""
        rats = objects().labels == 1
        half = found().take(~rats)
        cost = costs(half, learned=(60, 0))["classes that train lacks"]
        assert cost.ap == pytest.approx(0.5)
        assert cost.evidence == "'rat'"
        assert costs(half, learned=(60, 1))["classes that train lacks"].ap == 0
        done = assess(objects(), half, NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK, GridReport(1.0, (60, 0)))
        (text,) = advise(done.metrics, done.tables, Training()).warnings
        assert text == (
            "train has no object of 'rat', and test has 20: no network can learn such; label some there, or split "
            "otherwise (dataset.labelled.split)"
        )

    def test_those_that_a_line_does_not_name_are_counted(self) -> None:
        done = assess(objects(), found(), NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK, GridReport(1.0, ()))
        lacking = {f"kind{number}": {"ap": 0.0, "objects": 2, "train_objects": 0} for number in range(5)}
        found_costs = find_costs(done.metrics | {"per_class": lacking}, done.tables, Training())
        (cost,) = (one for one in found_costs if one.what == "classes that train lacks")
        assert cost.evidence == "'kind0', 'kind1', 'kind2' and 2 more"

    def test_of_many_three_are_named(self) -> None:
        names = tuple("abcdefg")
        truths = replace(objects(), labels=np.arange(2 * IMAGES) % 7)
        done = assess(truths, found(), names, Thresholds(0.1, (0.1,) * 7), QUICK, GridReport(1.0, (1, *[0] * 6)))
        assert "of 'b', 'c', 'd' and 3 more, and" in not_learned(done.metrics)[0]

    def test_nothing_is_said_where_train_is_not_known(self) -> None:
        assert advice(found()).warnings == []


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        (("train_box", "train_class"), True),
        (("train_box", "train_class", "train_distribution"), False),
        (("train_xy", "train_wh"), False),  # of a loss that has no such term
    ],
)
def test_boxes_that_fit_badly_may_be_taught_otherwise_where_the_loss_can(terms: Sequence[str], named: bool) -> None:
    history: list[Row] = [row | dict.fromkeys(terms, 1.0) for row in epochs([0.5] * 10)]
    cost = costs(found(shift=8.0), history=history)["boxes that fit badly"]
    assert "encode.height" in cost.remedy
    assert ("loss.lambda_distribution 1" in cost.remedy) == named


@pytest.mark.parametrize("include_val", [False, True])
def test_large_objects_ask_for_no_larger_input(include_val: bool) -> None:
    remedies = {px: Training((), include_val, px).fitting for px in (None, 63.9, 64.0)}
    assert ["encode.height" in text for text in remedies.values()] == [True, True, False]
    assert re.search(r"train\.(epochs|augment)", remedies[64.0])
    untaught: Row = {"train_box": 1.0}
    assert Training([untaught], include_val, 64.0).fitting.endswith("; so may loss.lambda_distribution 1")


def test_missed_objects_that_overlap_their_neighbours_ask_for_a_higher_nms_iou() -> None:
    """All are found well but those that suppression drops; of the boxes of a pair, one is dropped at 0.5 alone."""
    pairs = np.array([[0.0, 0.0, 60.0, 40.0], [12.0, 0.0, 60.0, 40.0], [200.0, 0.0, 60.0, 40.0]])  # IoU 2 / 3
    images, boxes = np.repeat(np.arange(IMAGES), 3), np.tile(pairs, (IMAGES, 1))
    truths = TruthTable(IMAGES, images, boxes, np.zeros(3 * IMAGES, np.int64), np.zeros(3 * IMAGES, np.bool_))
    steps = {}
    for limit in (0.5, 0.7):
        settings = QUICK.model_copy(update={"nms_iou": limit})
        scores = np.linspace(0.9, 0.5, len(boxes))
        kept = np.sort([
            row for own in truths.rows_by_image()
            for row in own[nms(ltwh_to_xyxy(boxes[own]), scores[own], truths.labels[own], limit)]
        ])  # fmt: skip
        detections = DetectionTable(IMAGES, images[kept], boxes[kept], truths.labels[kept], scores[kept])
        hidden = count_hidden(truths, detections, 1, settings)
        assert hidden == Hidden(len(boxes) - len(kept), len(boxes) - len(kept), limit)
        done = assess(truths, detections, ("chat",), Thresholds(0.1, (0.1,)), settings, GridReport(1.0, ()))
        steps[limit] = advise(done.metrics, done.tables, Training(hidden=hidden)).next_steps
    assert [re.sub(r"0\.\d{3} AP", "x AP", step) for step in steps[0.5]] == [
        "missed objects cost x AP (20 of 20 overlap one of their class by more than evaluate.nms_iou 0.5): "
        "raise evaluate.nms_iou, and keep evaluate.vote_iou above it"
    ]
    assert steps[0.7][0].startswith("good: ")


def test_neighbours_of_other_classes_in_crowds_or_on_other_images_hide_nothing() -> None:
    box = [0.0, 0.0, 60.0, 40.0]
    images, labels = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 0, 0, 0])
    crowd = np.array([False, False, True, False, False])
    truths = TruthTable(2, images, np.array([box, box, box, box, [300.0, 0, 60, 40]]), labels, crowd)
    rows = [1, 4]
    some = DetectionTable(2, images[rows], truths.boxes_ltwh[rows], labels[rows], np.ones(2))
    assert count_hidden(truths, some, 2, QUICK) == Hidden(0, 2, QUICK.nms_iou)


def test_of_objects_that_overlap_where_none_is_found_suppression_hides_nothing() -> None:
    box = [0.0, 0.0, 60.0, 40.0]
    one_image, one_class = np.zeros(2, np.int64), np.zeros(2, np.int64)
    truths = TruthTable(1, one_image, np.array([box, box]), one_class, np.zeros(2, np.bool_))
    for count in (0, 1):
        seen = DetectionTable(1, one_image[:count], truths.boxes_ltwh[:count], one_class[:count], np.ones(count))
        assert count_hidden(truths, seen, 1, QUICK) == Hidden(count, 2 - count, QUICK.nms_iou)


@pytest.mark.parametrize(
    ("count", "unmatched", "common"), [(0, 0, False), (0, 8, False), (1, 1, False), (2, 9, False), (2, 8, True)]
)
def test_a_few_hidden_objects_of_many_missed_ones_change_no_advice(count: int, unmatched: int, common: bool) -> None:
    assert Hidden(count, unmatched, 0.5).is_common == common


def test_the_side_of_an_object_is_that_in_the_letterboxed_input() -> None:
    """Of 40 x 20 pixels; images of 100 x 200 and 400 x 100 become 100 x 200 and 200 x 50 in an input of 200 x 200."""
    boxes, none = np.tile([0.0, 0.0, 40.0, 20.0], (3, 1)), np.zeros(3, np.int64)
    crowd = np.array([False, False, True])
    truths = TruthTable(2, np.array([0, 1, 1]), boxes, none, crowd)
    sizes = np.array([[100, 200], [400, 100]], np.int32)
    assert median_side(truths, sizes, 200, 200) == pytest.approx((20 + 10) / 2)
    assert median_side(truths.take(crowd), sizes, 200, 200) is None


def test_while_ap_rises_longer_training_comes_first_and_once() -> None:
    """Badly fitting boxes, missed objects and too few epochs have one remedy then."""
    history = epochs([0.01 * epoch for epoch in range(20)])
    steps = advice(found(shift=8.0, missed=9), history=history).next_steps
    assert len([step for step in steps if step.endswith("train longer (train.epochs)")]) == 1
    assert "larger input" not in " ".join(steps)


@pytest.mark.parametrize(
    ("images", "objects", "told"),
    [
        (16, 16, ""),
        (30, 37, ""),
        (15, 40, "15 images with 40 objects"),
        (40, 15, "40 images with 15 objects"),
        (1, 1, "1 image with 1 object"),
        (5, 0, ""),  # of which nothing can be told at all
    ],
)
def test_a_test_of_few_images_or_objects_is_warned_of(images: int, objects: int, told: str) -> None:
    done = assess(TRUTHS, found(), NAMES, Thresholds(0.1, (0.1, 0.1)), QUICK, GridReport(1.0, ()))
    warnings = advise(done.metrics | {"images": images, "objects": objects}, done.tables, Training()).warnings
    assert [text.partition(",")[0] for text in warnings] == ([f"test has {told}"] if told else [])
    assert all("dataset.labelled.split; by: hash" in text for text in warnings)


class TestFloor:
    """Of a model with AP50 0.8 and F1 0.889: 8 of 40 objects are missed, and nothing else is wrong."""

    DETECTIONS = found(missed=8)

    def warnings(self, floor: Floor) -> list[str]:
        return list(advice(self.DETECTIONS, floor=floor).warnings)

    def test_a_model_above_it_gets_no_warning(self) -> None:
        assert self.warnings(NO_FLOOR) == []
        assert self.warnings(Floor(0.5, 0.7, 0.5, 0.7, 0.8, 0.9, 0.85)) == []

    @pytest.mark.parametrize("floor", [Floor(0.85, 0.9, 0.1, 0.1), Floor(0.1, 0.1, 0.85, 0.9)])
    def test_ap_is_judged_against_the_better_baseline(self, floor: Floor) -> None:
        (text,) = self.warnings(floor)
        found = r"AP 0\.8\d\d and AP50 0\.8\d\d; the same boxes .* have AP 0\.850 and AP50 0\.900"
        assert re.fullmatch(f"under the floor: {found}", text)

    @pytest.mark.parametrize("floor", [Floor(0.3, 0.9), Floor(0.9, 0.3)])
    def test_either_ap_under_the_floor_is_told(self, floor: Floor) -> None:
        (text,) = self.warnings(floor)
        assert text.startswith("under the floor: AP 0.8")

    @pytest.mark.parametrize(("f1", "warned"), [(0.91, False), (0.99, True)])
    def test_f1_may_be_under_by_chance(self, f1: float, warned: bool) -> None:
        """F1 is 0.889, and misses as many on most draws; without draws any less is under."""
        settings, floor = QUICK.model_copy(update={"resamples": 200}), Floor(precision=f1, recall=f1, f1=f1)
        known = Thresholds(0.1, (0.1, 0.1))
        done = assess(objects(), self.DETECTIONS, NAMES, known, settings, GridReport(1.0, ()), floor)
        high = float(done.tables["intervals"].set_index("metric").loc["f1", "high"])
        assert 0.91 < high < 0.99
        assert bool(below_floor(done.metrics, done.tables["intervals"])) == warned
        assert self.warnings(floor)

    def test_precision_and_recall_are_judged_by_f1(self) -> None:
        (text,) = self.warnings(Floor(precision=0.9, recall=0.89, f1=0.895))
        assert text == (
            "under the floor: classes aside, precision 1.000, recall 0.800; one box on every image, drawn blindly: "
            "precision 0.900, recall 0.890"
        )

    def test_classes_are_left_aside_as_the_one_box_has_none(self) -> None:
        truths, floor = objects(), Floor(precision=0.9, recall=0.9, f1=0.9)
        confused = replace(found(), labels=1 - truths.labels)
        assert not [text for text in advice(confused, floor=floor).warnings if "precision" in text]

    def test_a_model_that_takes_nothing_is_under_any_floor(self) -> None:
        done = assess(
            objects(), found(), NAMES, Thresholds(None, (None, None)), QUICK, GridReport(1.0, ()), Floor(f1=0.01)
        )
        assert below_floor(done.metrics, done.tables["intervals"]) == [
            "under the floor: classes aside, precision 0.000, recall 0.000; one box on every image, drawn blindly: "
            "precision 0.000, recall 0.000"
        ]
