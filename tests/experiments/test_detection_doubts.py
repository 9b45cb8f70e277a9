"""Notes on what looks wrong with detections: on files in which it is, and on those in which it is not."""

import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from detection_forms import detectron2, joined, labels_in, scored, table, ultralytics, write_coco, yolo_text
from scoring_cases import table_of_truths

from humbleyolo.labels.convert import convert
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.metrics.tables import DetectionTable, TruthTable

NAMES = ["chat", "rat", "souris"]


def truths_of(images: int = 9) -> TruthTable:
    """Three objects an image, of the classes in turn; none overlaps another."""
    places = range(3)
    return table_of_truths(
        images,
        [(image, [10 + 90 * at, 20 + 9 * image, 60, 80], at, False) for image in range(images) for at in places],
    )


def found_on(truths: TruthTable) -> DetectionTable:
    """A detection of each, not one just upon its object."""
    boxes = truths.boxes_ltwh + np.array([3, -2, 5, 4])
    return DetectionTable(truths.image_count, truths.images, boxes, truths.labels, np.linspace(0.04, 1, len(truths)))


def notes(folder: Path, path: Path, **readings: str) -> list[str]:
    with labels_in(folder) as labels:
        return [line for line in joined(labels, path, **readings).told if line.startswith("note: ")]


@pytest.mark.parametrize("form", ["text", "json from 1", "ids of a COCO file"])
def test_classes_in_another_order_are_told_and_the_proposed_list_mends_it(form: str, tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "coco", truths, NAMES)
    if form == "text":  # of labels that have no order of their own
        convert(folder, tmp_path / "labels", "voc", ReadOptions())
        folder = tmp_path / "labels"
    right = scored(folder, detectron2(tmp_path / "r.json", found_on(truths)) if form == "ids of a COCO file" else
                   table(tmp_path / "r.csv", found_on(truths), NAMES)).found.metrics["ap"]  # fmt: skip
    for number, order in enumerate(permutations(range(3))):
        turned = replace(found_on(truths), labels=np.array(order)[truths.labels])
        path = tmp_path / str(number)
        if form == "text":
            yolo_text(path, turned)
        elif form == "json from 1":
            path = ultralytics(path.with_suffix(".json"), turned, file_names=True)
        else:
            path = detectron2(path.with_suffix(".json"), turned)
        said = notes(folder, path)
        moved = [name for label, name in enumerate(NAMES) if order[label] != label]
        assert len(said) == bool(moved)
        for name in moved:
            assert re.search(rf"9 '{name}' lie on '(?!{name})\w+', 0 on their own", said[0])
        if moved and form == "ids of a COCO file":  # 18, 14, 10
            assert said[0].endswith("give its names in order: --categories A,B,C")
        elif moved:
            proposed = said[0].rpartition("--categories ")[2]
            assert scored(folder, path, categories=proposed).found.metrics["ap"] == right
            assert not notes(folder, path, categories=proposed)


def test_exchanged_names_are_told(tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    [said] = notes(folder, table(tmp_path / "t.csv", found_on(truths), ["rat", "chat", "souris"]))
    assert said.endswith("; are their names exchanged?")


def test_a_poor_detector_has_no_exchanged_classes(tmp_path: Path) -> None:
    """One that takes each souris for a rat, and each fourth chat too: no other order would be better."""
    truths = truths_of()
    labels = np.where(truths.labels == 2, 1, truths.labels)
    labels[np.flatnonzero(labels == 0)[::4]] = 1
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    assert not notes(folder, table(tmp_path / "t.csv", replace(found_on(truths), labels=labels), NAMES))
