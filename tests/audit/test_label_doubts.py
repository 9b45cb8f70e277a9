"""Doubts about labels: each kind where it was planted, nothing where detections and labels agree, in any order."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from humbleyolo.audit import label_doubts
from humbleyolo.audit.label_doubts import Judged, judge_labels
from humbleyolo.metrics.matching import evaluator
from humbleyolo.metrics.tables import DetectionTable, TruthTable

IMAGES, EACH, SIZE = 40, 4, 20.0


@dataclass
class Scene:
    """Labels and detections as lists: image, left, top, class, and a flag or a score."""

    truths: list[list[float]] = field(default_factory=list)
    found: list[list[float]] = field(default_factory=list)

    def tables(self) -> tuple[TruthTable, DetectionTable]:
        known, found = (np.array(rows, np.float64).reshape(-1, 5) for rows in (self.truths, self.found))
        first, second = (
            (rows[:, 0].astype(np.int64), np.column_stack([rows[:, 1:3], np.full((len(rows), 2), SIZE)]),
             rows[:, 3].astype(np.int64)) for rows in (known, found)
        )  # fmt: skip
        return TruthTable(IMAGES, *first, known[:, 4] > 0), DetectionTable(IMAGES, *second, found[:, 4].copy())

    def judge(self) -> Judged:
        truths, detections = self.tables()
        return judge_labels(truths, detections, np.ones(len(truths), bool))


@pytest.fixture
def scene() -> Scene:
    """160 labels, four an image, 40 pixels apart, each with a detection a little beside it."""
    made, rng = Scene(), np.random.default_rng(1)
    for image in range(IMAGES):
        for place in range(EACH):
            label = float(rng.integers(2))
            made.truths.append([image, 40.0 * place, 10.0, label, 0.0])
            beside = rng.uniform(-1, 1, 2) + np.array([40.0 * place, 10.0])
            made.found.append([image, *beside.tolist(), label, float(rng.uniform(0.8, 1))])
    return made


def named(judged: Judged) -> list[tuple[str, int, int]]:
    return [(doubt.kind, doubt.image, doubt.label) for doubt in judged.doubts]


def test_right_labels_are_not_doubted(scene: Scene) -> None:
    judged = scene.judge()
    assert (judged.doubts, judged.boxes, judged.confirmed) == ([], 160, 160)


def drop(scene: Scene) -> tuple[str, int, int]:
    del scene.truths[30]
    return "missing", 7, -1


def shift(scene: Scene) -> tuple[str, int, int]:
    scene.truths[30][1] += 10
    return "shifted", 7, 30


def swap(scene: Scene) -> tuple[str, int, int]:
    scene.truths[30][3] = 1 - scene.truths[30][3]
    return "swapped", 7, 30


def double(scene: Scene) -> tuple[str, int, int]:
    scene.truths.insert(31, [*scene.truths[30]])
    scene.truths[31][1] += 3
    return "doubled", 7, 31


def double_as_another_class(scene: Scene) -> tuple[str, int, int]:
    scene.truths.insert(31, [*scene.truths[30][:3], 1 - scene.truths[30][3], 0.0])
    return "doubled", 7, 31


def label_nothing(scene: Scene) -> tuple[str, int, int]:
    scene.truths.insert(31, [7.0, 80.0, 80.0, 0.0, 0.0])
    return "no object", 7, 31


PLANTED = [drop, shift, swap, double, double_as_another_class, label_nothing]


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_mistake_alone_is_named(scene: Scene, plant: Callable[[Scene], tuple[str, int, int]]) -> None:
    expected = plant(scene)
    judged = scene.judge()
    assert named(judged) == [expected]
    assert 0.6 <= judged.doubts[0].sure <= 1


@pytest.mark.parametrize("plant", PLANTED)
def test_the_order_of_images_labels_and_detections_is_no_matter(
    scene: Scene, plant: Callable[[Scene], tuple[str, int, int]]
) -> None:
    plant(scene)
    truths, detections = scene.tables()
    before = judge_labels(truths, detections, np.ones(len(truths), bool))
    rng = np.random.default_rng(2)
    rows, found = rng.permutation(len(truths)), rng.permutation(len(detections))
    moved = rng.permutation(IMAGES)  # the new number of each image
    truths, detections = truths.take(rows), detections.take(found)
    after = judge_labels(
        replace(truths, images=moved[truths.images]), replace(detections, images=moved[detections.images]),
        np.ones(len(truths), bool),
    )  # fmt: skip
    back = [
        replace(
            doubt,
            image=int(np.flatnonzero(moved == doubt.image)[0]),
            label=-1 if doubt.label < 0 else int(rows[doubt.label]),
            found=-1 if doubt.found < 0 else int(found[doubt.found]),
        )
        for doubt in after.doubts
    ]
    assert back == before.doubts


def test_an_unsure_detection_names_nothing(scene: Scene) -> None:
    rng = np.random.default_rng(3)
    scene.found += [[image, 80.0, 80.0, 0.0, float(rng.uniform(0.1, 0.3))] for image in range(IMAGES)]
    del scene.found[30]  # the label that one of these could not replace
    judged = scene.judge()
    assert [kind for kind, *_ in named(judged)] == ["no object"]


def test_the_surer_comes_first(scene: Scene) -> None:
    """Half of the detections of low scores are wrong; a label is missing at a high and at a middling score."""
    rng = np.random.default_rng(3)
    for image in range(IMAGES):
        for row in scene.found[image * EACH : image * EACH + 2]:
            row[4] = float(rng.uniform(0.5, 0.6))
    scene.found += [[image, 80.0, 80.0, 0.0, float(rng.uniform(0.5, 0.6))] for image in range(0, IMAGES, 4)]
    scene.found += [[3.0, 80.0, 120.0, 0.0, 0.99], [5.0, 80.0, 120.0, 0.0, 0.75]]
    first, second = (doubt for doubt in scene.judge().doubts if doubt.image in (3, 5))
    assert (first.image, second.image) == (3, 5)
    assert first.sure > second.sure


def test_crowds_and_labels_that_are_not_judged_are_not_doubted(scene: Scene) -> None:
    swap(scene)
    truths, detections = scene.tables()
    judged = np.ones(len(truths), bool)
    judged[30] = False
    assert not judge_labels(truths, detections, judged).doubts
    scene.truths[30][4] = 1.0
    label_nothing(scene)
    scene.truths[31][4] = 1.0
    assert not scene.judge().doubts


@pytest.mark.parametrize("beside", [1, 5])
def test_two_objects_close_together_are_two(scene: Scene, beside: float) -> None:
    scene.truths.insert(31, [7.0, scene.truths[30][1] + 4, 10.0, scene.truths[30][3], 0.0])
    scene.found.append([7.0, scene.truths[31][1] + beside, 10.0, scene.truths[30][3], 0.95])
    assert not scene.judge().doubts


def test_a_detection_of_another_label_shifts_none(scene: Scene) -> None:
    label_nothing(scene)
    scene.truths[31][1:4] = [scene.truths[30][1] + 14, 10.0, scene.truths[30][3]]
    assert not scene.judge().doubts


def test_a_detection_that_overlaps_a_confirmed_label_is_no_missing_one(scene: Scene) -> None:
    scene.found.append([7.0, scene.truths[30][1] + 9, 10.0, scene.truths[30][3], 0.95])
    assert not scene.judge().doubts


def test_belief_rises_with_the_score_and_is_the_part_that_is_right() -> None:
    rng = np.random.default_rng(4)
    scores = np.concatenate([rng.uniform(0, 1, 2000).round(2), np.ones(100)])
    right = rng.uniform(0, 1, 2100) < scores * 0.9
    order = rng.permutation(2100)
    belief = label_doubts._beliefs(scores, right, np.ones(2100, bool))
    np.testing.assert_array_equal(
        label_doubts._beliefs(scores[order], right[order], np.ones(2100, bool)), belief[order]
    )
    assert (np.diff(belief[np.argsort(scores)]) >= 0).all()
    assert np.abs(belief - scores * 0.9).mean() < 0.05
    assert (label_doubts._beliefs(scores, ~right, right | (scores < 0.1)) <= 1).all()


def test_nothing_found_and_nothing_labelled_are_no_errors() -> None:
    assert Scene().judge() == Judged([], 0, 0)
    scene = Scene(truths=[[0.0, 0.0, 0.0, 0.0, 0.0]])
    assert scene.judge() == Judged([], 1, 0)
    assert Scene(found=[[0.0, 0.0, 0.0, 0.0, 0.9]]).judge().doubts == []


def test_kinds_have_a_meaning_on_the_page() -> None:
    from humbleyolo.audit.audit_page import MEANINGS

    assert tuple(MEANINGS) == label_doubts.KINDS


@pytest.mark.parametrize(("plant", "theirs"), [(drop, "missing_annotation"), (swap, "wrong_label")])
def test_hotcoco_finds_the_same(scene: Scene, plant: Callable[[Scene], tuple[str, int, int]], theirs: str) -> None:
    """It knows these two kinds, at a score that is given."""
    expected = plant(scene)
    truths, detections = scene.tables()
    errors = evaluator(truths, detections, 2).image_diagnostics()["label_errors"]
    assert [(error["type"], error["image_id"] - 1) for error in errors] == [(theirs, 7)]
    assert named(scene.judge()) == [expected]
