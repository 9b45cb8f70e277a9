"""The folders that the benchmark of large labels measures are read without a finding."""

from pathlib import Path

import pytest

from benchmarks import labels


def test_a_coco_file_as_train2017_has_it(tmp_path: Path) -> None:
    labels.write_coco(tmp_path / "coco", 10, 70)
    assert "10 images, 70 boxes, 0 findings" in labels.read_coco(tmp_path / "coco")
    size = (tmp_path / "coco/annotations/instances_train2017.json").stat().st_size
    assert 450 < size / 70 < 700  # bytes a box; COCO's own file has 546


def test_small_images_and_many_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    labels.write_many(tmp_path / "auto", 3)
    assert labels.check(tmp_path / "auto/yolo").startswith("format: yolo")
    assert labels.check(tmp_path / "auto/voc").startswith("format: voc")
    labels.write_boxes(tmp_path / "boxes", 50, 20)
    assert labels.check(tmp_path / "boxes").startswith("format: csv")
