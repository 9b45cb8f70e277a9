"""Weights against images that are really repeated, draws that nothing but the seed decides, and intervals."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.evaluation import bootstrap
from humbleyolo.evaluation.assessment import assess
from humbleyolo.evaluation.bootstrap import Weighable, draw, interval, resample
from humbleyolo.evaluation.thresholds import Thresholds, taken_at
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.sections import Evaluate
from humbleyolo.storage.array_types import Floats

SETTINGS = Evaluate(
    min_score=0.0, nms_iou=0.5, vote_iou=1.0, max_detections=100, mirrored="none", whole_pixels=False,
    match_iou=0.5, background_iou=0.1, voc_iou=0.5, bins=10, resamples=20, bootstrap_seed=1,
)  # fmt: skip
THRESHOLD = 0.35


def weighable(truths: TruthTable, detections: DetectionTable, classes: int) -> Weighable:
    matches = match(truths, detections, classes)
    return Weighable(
        truths,
        detections,
        classes,
        matches=matches,
        nearest=nearest_truths(truths, detections),
        taken=taken_at(detections, matches, THRESHOLD),
        voc_iou=0.5,
        bins=10,
    )


def measured(truths: TruthTable, detections: DetectionTable, names: list[str]) -> dict[str, Any]:
    """Return the headline numbers as they are measured without any weights."""
    thresholds = Thresholds(THRESHOLD, (THRESHOLD,) * len(names))
    return assess(truths, detections, names, thresholds, SETTINGS).metrics


def repeated(table: Any, times: list[int]) -> Any:
    """Return a table in which image n stands `times[n]` times, one beside the other."""
    rows, images = [], []
    image = 0
    for old, count in enumerate(times):
        own = np.flatnonzero(table.images == old)
        for _ in range(count):
            rows += own.tolist()
            images += [image] * len(own)
            image += 1
    taken = table.take(np.array(rows, np.int64))
    columns = {field.name: getattr(taken, field.name) for field in fields(table)}
    return type(table)(**columns | {"image_count": image, "images": np.array(images, np.int64)})


def assert_same(found: dict[str, Floats], row: int, expected: dict[str, Any]) -> None:
    for name, values in found.items():
        if expected[name] is None:
            assert np.isnan(values[row]), name
        else:
            assert values[row] == pytest.approx(expected[name], abs=1e-9), name


@pytest.mark.parametrize("seed", range(10))
def test_every_image_once_is_what_was_measured(seed: int) -> None:
    truths, detections, names = random_case(seed)
    once = np.ones((1, truths.image_count), np.int64)
    assert list(weighable(truths, detections, len(names)).measure(once)) == list(bootstrap.MEASURED)
    assert_same(weighable(truths, detections, len(names)).measure(once), 0, measured(truths, detections, names))


@pytest.mark.parametrize("seed", range(8))
def test_a_weight_is_an_image_that_stands_there_again(seed: int) -> None:
    truths, detections, names = random_case(seed)
    rng = np.random.default_rng(seed)
    # Equal scores within an image would stand in another order once it is repeated.
    scores = rng.permutation(len(detections)) / max(len(detections), 1)
    detections = DetectionTable(
        truths.image_count, detections.images, detections.boxes_ltwh, detections.labels, scores
    )
    weights = rng.integers(0, 4, (3, truths.image_count))
    found = weighable(truths, detections, len(names)).measure(weights)
    for row in range(3):
        times = weights[row].tolist()
        assert_same(found, row, measured(repeated(truths, times), repeated(detections, times), names))


def test_an_area_on_the_border_is_in_both_ranges() -> None:
    rows = [(0, [0, 0, 32, 32], 0, False), (1, [0, 0, 96, 96], 0, False), (1, [200, 0, 10, 10], 0, False)]
    truths = table_of_truths(2, rows)
    detections = table_of_detections(2, [(0, [0, 0, 32, 32], 0, 0.9), (1, [0, 0, 96, 96], 0, 0.8)])
    once = np.ones((1, 2), np.int64)
    expected = measured(truths, detections, ["chat"])
    assert_same(weighable(truths, detections, 1).measure(once), 0, expected)
    assert (expected["ar_small"], expected["ar_medium"], expected["ar_large"]) == (0.5, 1.0, 1.0)


def test_only_the_seed_decides_the_draws(monkeypatch: Any) -> None:
    first = np.concatenate(list(draw(50, 30, 7, 50)))
    monkeypatch.setattr(bootstrap, "_NUMBERS", 120)
    assert np.array_equal(np.concatenate(list(draw(50, 30, 7, 50))), first)
    assert np.array_equal(np.concatenate(list(draw(50, 10, 7, 50))), first[:10])
    assert not np.array_equal(np.concatenate(list(draw(50, 30, 8, 50))), first)
    assert (first.sum(axis=1) == 50).all()
    assert len(np.unique(first, axis=0)) == 30


def test_how_much_is_held_at_a_time_changes_nothing(monkeypatch: Any) -> None:
    truths, detections, names = random_case(3)
    run = weighable(truths, detections, len(names))
    (first,) = resample([run], 25, 1)
    monkeypatch.setattr(bootstrap, "_NUMBERS", 1)
    (again,) = resample([run], 25, 1)
    assert all(np.array_equal(first[name], again[name], equal_nan=True) for name in first)


def test_the_interval_of_a_proportion_is_the_known_one() -> None:
    rng = np.random.default_rng(0)
    images = 400
    truths = table_of_truths(images, [(image, [0, 0, 10, 10], 0, False) for image in range(images)])
    hit = np.flatnonzero(rng.random(images) < 0.7)
    detections = table_of_detections(images, [(int(image), [0, 0, 10, 10], 0, 0.9) for image in hit])
    (draws,) = resample([weighable(truths, detections, 1)], 1000, 1)
    part = len(hit) / images
    found = interval(draws["recall"], images)
    assert found.low is not None
    assert found.high is not None
    spread = 1.96 * (part * (1 - part) / images) ** 0.5  # of a binomial share
    assert found.low == pytest.approx(part - spread, abs=0.1 * spread)
    assert found.high == pytest.approx(part + spread, abs=0.1 * spread)
    assert (interval(draws["precision"], images).low, interval(draws["precision"], images).high) == (1, 1)


def test_what_cannot_be_told_is_none() -> None:
    nothing = interval(np.full(10, np.nan), 100)
    assert nothing.low is nothing.high is None
    one_image = interval(np.full(10, 0.5), 1)
    assert one_image.low is one_image.high is None
    some = interval(np.array([np.nan, 0.25, 0.75]), 2)
    assert some.low == pytest.approx(0.2625)


def test_runs_on_other_numbers_of_images_are_refused() -> None:
    runs = [weighable(table_of_truths(count, []), table_of_detections(count, []), 1) for count in (2, 3)]
    with pytest.raises(ValueError, match="different numbers of images"):
        resample(runs, 10, 1)
