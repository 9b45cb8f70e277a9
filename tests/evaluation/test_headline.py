"""What metrics.json says."""

import json
from pathlib import Path

import pytest
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.errors import UserError
from humbleyolo.evaluation.files import FORMAT, read_metrics, write_metrics
from humbleyolo.evaluation.headline import measure
from humbleyolo.metrics.coco import score
from humbleyolo.metrics.matching import match, mean_iou


@pytest.mark.parametrize("seed", range(40))
def test_whole_and_classes_agree(seed: int, tmp_path: Path) -> None:
    truths, detections, names = random_case(seed)
    metrics = measure(truths, detections, names)
    per_class = metrics["per_class"]
    whole = score(truths, detections, names)
    assert metrics["ap"] == whole.ap
    assert metrics["ar_small"] == whole.ar_small
    assert list(per_class) == names
    for count in ("objects", "detections"):
        assert metrics[count] == sum(one[count] for one in per_class.values())
    assert metrics["mean_iou"] == mean_iou(match(truths, detections, len(names)))
    defined = [one["ap"] for one in per_class.values() if one["ap"] is not None]
    assert metrics["ap"] == (pytest.approx(sum(defined) / len(defined), abs=1e-11) if defined else None)
    write_metrics(tmp_path / "metrics.json", metrics)
    assert json.loads((tmp_path / "metrics.json").read_text("utf-8")) == metrics


def test_a_file_of_another_version_is_told(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text('{"ap": 0.5, "ap50": 0.9}')  # the first version's, which had no format and no threshold
    with pytest.raises(
        UserError, match=r"threshold is missing(?s:.)*another version\? run `dvc repro evaluate`"
    ):
        read_metrics(file, "ap", "threshold")
    file.write_text(json.dumps({"format": FORMAT + 1, "ap": 0.5}))
    with pytest.raises(
        UserError, match=rf"is of format {FORMAT + 1}, .*allowed: {FORMAT}; run `dvc repro evaluate`"
    ):
        read_metrics(file, "ap")
    file.write_text(json.dumps({"format": FORMAT, "ap": 0.5}))
    assert read_metrics(file, "ap") == [0.5]


def test_numbers_come_first_and_what_does_not_exist_is_null(tmp_path: Path) -> None:
    metrics = measure(table_of_truths(3, []), table_of_detections(3, []), ["chat"])
    assert metrics == {
        **dict.fromkeys(
            ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small",
             "ar_medium", "ar_large", "mean_iou"]
        ),
        "images": 3, "objects": 0, "detections": 0,
        "per_class": {
            "chat": {"ap": None, "ap50": None, "ap75": None, "ar100": None, "mean_iou": None, "objects": 0,
                     "detections": 0}
        },
    }  # fmt: skip
    assert next(iter(metrics)) == "ap"
    assert list(metrics)[-1] == "per_class"
    write_metrics(tmp_path / "metrics.json", metrics)
    assert '"ap": null' in (tmp_path / "metrics.json").read_text()
    assert read_metrics(tmp_path / "metrics.json", "ap", "images") == [None, 3]
    with pytest.raises(UserError, match="ap99 is missing"):
        read_metrics(tmp_path / "metrics.json", "ap99")
