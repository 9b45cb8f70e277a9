"""COCO's metrics against pycocotools, and the rules that no number may break."""

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.metrics.coco_metrics import average_precision, score
from humbleyolo.metrics.tables import DetectionTable, TruthTable


def pycocotools_scores(truths: TruthTable, detections: DetectionTable, class_count: int) -> list[float | None]:
    """Return the twelve numbers, then AP, AP50, AP75 and AR100 of each class; None for -1."""
    known, found = COCO(), COCO()
    images = [{"id": image + 1} for image in range(truths.image_count)]
    categories = [{"id": label + 1, "name": str(label)} for label in range(class_count)]
    known_rows = sorted(
        zip(
            truths.images.tolist(), truths.labels.tolist(), truths.crowd.tolist(), truths.boxes_ltwh.tolist(),
            truths.areas.tolist(), strict=True,
        )
    )  # fmt: skip
    found_rows = sorted(
        zip(
            (-detections.scores).tolist(), detections.images.tolist(), detections.labels.tolist(),
            detections.boxes_ltwh.tolist(), strict=True,
        )
    )  # fmt: skip
    known.dataset = {
        "images": images,
        "categories": categories,
        "annotations": [
            {"id": number, "image_id": image + 1, "category_id": label + 1, "bbox": box,
             "area": area, "iscrowd": int(crowd)}
            for number, (image, label, crowd, box, area) in enumerate(known_rows, start=1)
        ],
    }  # fmt: skip
    found.dataset = {
        "images": images,
        "categories": categories,
        "annotations": [
            {"id": number, "image_id": image + 1, "category_id": label + 1, "bbox": box,
             "area": box[2] * box[3], "iscrowd": 0, "score": -negative}
            for number, (negative, image, label, box) in enumerate(found_rows, start=1)
        ],
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        found.createIndex()
        evaluation = COCOeval(known, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision, recall = evaluation.eval["precision"][..., 0, 2], evaluation.eval["recall"][..., 0, 2]
    numbers = list(evaluation.stats)
    for label in range(class_count):
        for part in (precision[..., label], precision[0, :, label], precision[5, :, label], recall[:, label]):
            defined = part[part > -1]
            numbers.append(defined.mean() if defined.size else -1.0)
    return [None if number == -1 else float(number) for number in numbers]


def flat(result: dict[str, Any]) -> list[float | None]:
    *numbers, per_class = result.values()
    for one in per_class.values():
        numbers += [one["ap"], one["ap50"], one["ap75"], one["ar100"]]
    return numbers


def assert_equal_to_pycocotools(seed: int) -> None:
    truths, detections, names = random_case(seed)
    if seed % 3 == 0:  # labels that say the areas of masks
        part = np.random.default_rng(seed).uniform(0, 1.2, len(truths)) ** 2
        truths = replace(truths, areas=np.where(part > 1, np.nan, truths.areas * part))
    ours = flat(score(truths, detections, names))
    theirs = pycocotools_scores(truths, detections, len(names))
    np.testing.assert_allclose(  # None becomes NaN, which is equal to NaN alone
        np.array(ours, np.float64), np.array(theirs, np.float64), rtol=0, atol=1e-9, err_msg=f"seed {seed}"
    )


def test_equal_to_pycocotools_on_random_cases() -> None:
    for seed in range(40):
        assert_equal_to_pycocotools(seed)


@pytest.mark.slow
def test_equal_to_pycocotools_on_seven_hundred_more() -> None:
    for seed in range(40, 800):
        assert_equal_to_pycocotools(seed)


def test_random_cases_hold_what_they_promise() -> None:
    cases = [random_case(seed) for seed in range(100)]
    assert any(len(detections) == 0 for _, detections, _ in cases)
    assert any(len(truths) == 0 for truths, _, _ in cases)
    assert any(truths.crowd.any() for truths, _, _ in cases)
    assert any(len(detections) > 130 for _, detections, _ in cases)
    assert any(len(set(detections.scores.tolist())) < len(detections) for _, detections, _ in cases)
    assert any(len(set(truths.images.tolist())) < truths.image_count for truths, _, _ in cases)
    assert any(len(set(truths.labels.tolist())) < len(names) for truths, _, names in cases if len(truths) > 5)


@pytest.mark.parametrize("seed", range(30))
def test_order_of_rows_does_not_matter(seed: int) -> None:
    truths, detections, names = random_case(seed)
    rng = np.random.default_rng(seed)
    mixed = rng.permutation(len(truths))
    mixed_truths = TruthTable(
        truths.image_count, truths.images[mixed], truths.boxes_ltwh[mixed], truths.labels[mixed], truths.crowd[mixed]
    )
    mixed_detections = detections.take(rng.permutation(len(detections)))
    assert score(mixed_truths, mixed_detections, names) == score(truths, detections, names)


@pytest.mark.parametrize("seed", range(30))
def test_average_precision_is_that_of_the_whole_score(seed: int) -> None:
    truths, detections, names = random_case(seed)
    whole = score(truths, detections, names)
    assert average_precision(truths, detections, len(names)) == (whole["ap"], whole["ap50"])


def test_detections_equal_to_the_truth_score_one() -> None:
    truths = table_of_truths(2, [(0, [1, 2, 10, 10], 0, False), (1, [3, 4, 200, 200], 1, False)])
    detections = DetectionTable(2, truths.images, truths.boxes_ltwh, truths.labels, np.array([0.2, 0.9]))
    result = score(truths, detections, ["chat", "rat"])
    ones = ("ap", "ap50", "ap75", "ar1", "ap_small", "ap_large")
    assert [result[name] for name in ones] == [1.0] * 6
    assert result["ap_medium"] is None


def test_undefined_is_none_and_wrong_is_zero() -> None:
    nothing_there = score(table_of_truths(1, []), table_of_detections(1, [(0, [1, 1, 5, 5], 0, 0.9)]), ["chat"])
    assert flat(nothing_there) == [None] * 16
    nothing_found = score(table_of_truths(1, [(0, [1, 1, 5, 5], 0, False)]), table_of_detections(1, []), ["chat"])
    assert [nothing_found[name] for name in ("ap", "ar100", "ap_large")] == [0.0, 0.0, None]
    assert flat(score(table_of_truths(0, []), table_of_detections(0, []), ["chat"])) == [None] * 16


def test_a_class_without_truths_does_not_lower_the_mean() -> None:
    truths = table_of_truths(1, [(0, [1, 1, 5, 5], 0, False)])
    detections = table_of_detections(1, [(0, [1, 1, 5, 5], 0, 0.9), (0, [1, 1, 5, 5], 1, 0.9)])
    result = score(truths, detections, ["chat", "rat"])
    assert result["ap"] == 1.0
    assert result["per_class"]["rat"]["ap"] is None


def test_a_truth_larger_than_any_image_counts() -> None:
    truths = table_of_truths(1, [(0, [-50, -50, 9000, 9000], 0, False)])
    assert score(truths, table_of_detections(1, [(0, [-50, -50, 9000, 9000], 0, 1.0)]), ["chat"])["ap"] == 1.0


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    truths, detections, names = random_case(3)
    score(truths, detections, names)
    assert capfd.readouterr() == ("", "")


def test_unknown_classes_and_other_images_are_errors_not_scores() -> None:
    truths, detections, names = (
        table_of_truths(1, []),
        table_of_detections(1, [(0, [1, 1, 5, 5], 1, 0.9)]),
        ["chat"],
    )
    with pytest.raises(ValueError, match=r"detection 0 has a class that is not one of 1: 1"):
        score(truths, detections, names)
    with pytest.raises(ValueError, match=r"truths of 2 images, detections of 1"):
        score(table_of_truths(2, []), detections, names)
