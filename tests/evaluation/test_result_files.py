"""detections.json: what is written is what is read, and nothing else is read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from scoring_cases import random_case, table_of_detections

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.evaluation.result_files import FORMAT, read_detections, read_metrics, write_detections


@pytest.mark.parametrize("seed", range(20))
def test_round_trip_is_exact(seed: int, tmp_path: Path) -> None:
    _, detections, names = random_case(seed)
    path = tmp_path / "detections.json"
    write_detections(path, detections)
    back = read_detections(path, detections.image_count, len(names))
    for column in ("images", "boxes_ltwh", "labels", "scores"):
        np.testing.assert_array_equal(
            getattr(back, column)[back.order()], getattr(detections, column)[detections.order()]
        )


def test_order_is_by_image_then_best_first_whatever_it_was(tmp_path: Path) -> None:
    _, detections, _ = random_case(1)
    mixed = detections.take(np.random.default_rng(0).permutation(len(detections)))
    write_detections(tmp_path / "one.json", detections)
    write_detections(tmp_path / "two.json", mixed)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    entries = json.loads((tmp_path / "one.json").read_bytes())
    order = [(e["image_id"], -e["score"], e["category_id"], e["bbox"]) for e in entries]
    assert order == sorted(order)


def test_pycocotools_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "detections.json"
    write_detections(path, table_of_detections(2, [(0, [1, 2, 3, 4], 0, 0.5), (1, [1, 2, 3, 4], 0, 0.25)]))
    known = COCO()
    known.dataset = {"images": [{"id": 1}, {"id": 2}], "categories": [{"id": 1, "name": "chat"}], "annotations": []}
    known.createIndex()
    found = known.loadRes(str(path))
    assert [annotation["score"] for annotation in found.dataset["annotations"]] == [0.5, 0.25]


def test_no_detections_are_an_empty_list(tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    write_detections(path, table_of_detections(2, []))
    assert json.loads(path.read_bytes()) == []
    assert len(read_detections(path, 2, 1)) == 0


GOOD = {"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (GOOD | {"image_id": 0}, "entry 1: image_id 0 is unknown; allowed: 1 to 3"),
        (GOOD | {"image_id": 4}, "entry 1: image_id 4 is unknown; allowed: 1 to 3"),
        (GOOD | {"image_id": "1"}, 'entry 1: image_id "1" is unknown'),
        (GOOD | {"image_id": True}, "entry 1: image_id true is unknown"),
        (GOOD | {"category_id": 9}, "entry 1: category_id 9 is unknown; allowed: 1 to 2"),
        (GOOD | {"bbox": [1, float("nan"), 3, 4]}, r"entry 1: bbox \[1, NaN, 3, 4\] is not allowed"),
        (GOOD | {"bbox": [1, 2, 3]}, r"entry 1: bbox \[1, 2, 3\] is not allowed"),
        (GOOD | {"bbox": [1, 2, -3, 4]}, r"entry 1: bbox \[1, 2, -3, 4\] is not allowed"),
        (GOOD | {"bbox": None}, "entry 1: bbox null is not allowed"),
        (GOOD | {"bbox": [1, 2, 3, 10**400]}, "entry 1: bbox .* is not allowed"),
        (GOOD | {"score": float("inf")}, "entry 1: score Infinity is not allowed; allowed: a finite number"),
        (GOOD | {"score": "high"}, 'entry 1: score "high" is not allowed'),
        ({"image_id": 1, "bbox": [1, 2, 3, 4]}, "entry 1: category_id, score is missing"),
        (7, "entry 1: 7 is not an object"),
    ],
)
def test_an_entry_that_cannot_be_scored_is_named(entry: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    path.write_text(json.dumps([GOOD, entry]))
    with pytest.raises(ProblemsError, match=message) as caught:
        read_detections(path, 3, 2)
    assert "dvc repro evaluate" in str(caught.value)
    assert str(path) in str(caught.value)


def test_many_mistakes_are_told_at_once_but_not_without_end(tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    path.write_text(json.dumps([GOOD | {"score": None, "bbox": None}] * 1000))
    with pytest.raises(ProblemsError, match="reading stopped after the first: 12 problems") as caught:
        read_detections(path, 3, 2)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [f"entry {n // 2}" for n in range(12)]


@pytest.mark.parametrize("content", [b"", b"[", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": 1}', b"3"])
def test_damaged_or_foreign_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="dvc repro evaluate"):
        read_detections(path, 3, 2)
    with pytest.raises(UserError, match="no such file"):
        read_detections(tmp_path / "other.json", 3, 2)


def test_a_file_of_another_version_is_told(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text('{"ap": 0.5, "ap50": 0.9}')  # the first version's, which had no format and no threshold
    with pytest.raises(UserError, match=r"threshold is missing(?s:.)*another version\? run `dvc repro evaluate`"):
        read_metrics(file, "ap", "threshold")
    file.write_text(json.dumps({"format": FORMAT + 1, "ap": 0.5}))
    with pytest.raises(UserError, match=rf"is of format {FORMAT + 1}, .*allowed: {FORMAT}; run `dvc repro evaluate`"):
        read_metrics(file, "ap")
    file.write_text(json.dumps({"format": FORMAT, "ap": 0.5}))
    assert read_metrics(file, "ap") == [0.5]
