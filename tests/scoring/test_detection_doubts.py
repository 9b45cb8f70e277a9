"""Notes on what looks wrong with detections: on files in which it is, and on those in which it is not."""

import json
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from detection_forms import detectron2, joined, labels_in, scored, table, ultralytics, write_coco, yolo_text
from scoring_cases import table_of_truths

from humbleyolo.errors import UserError
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


@pytest.mark.parametrize("form", ["text", pytest.param("json from 1", marks=pytest.mark.slow), "ids of a COCO file"])
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


def results(path: Path, found: DetectionTable, form) -> Path:
    """COCO results whose boxes have another form."""
    content = json.loads(detectron2(path, found).read_text())
    path.write_text(json.dumps([one | {"bbox": form(*one["bbox"])} for one in content]))
    return path


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ("as corners, x1 y1 x2 y2", lambda x, y, w, h: [x, y, x + w, y + h]),
        ("as corners, y1 x1 y2 x2", lambda x, y, w, h: [y, x, y + h, x + w]),
        ("as centre x, centre y, width, height", lambda x, y, w, h: [x + w / 2, y + h / 2, w, h]),
    ],
)
def test_boxes_in_another_form_are_told(words: str, form, tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    said = notes(folder, results(tmp_path / "r.json", found_on(truths), form))
    assert len([line for line in said if f"read {words}, 27 of the surest lie on an object" in line]) == 1
    assert not [line for line in said if "are these images and classes right" in line]
    assert not notes(folder, results(tmp_path / "s.json", found_on(truths), lambda *box: [*box]))


@pytest.mark.parametrize(
    ("words", "order"),
    [("as class score x y width height", [0, 5, 1, 2, 3, 4]), ("as left, top, width, height", None)],
)
def test_text_in_another_form_is_told(words: str, order: list[int] | None, tmp_path: Path) -> None:
    truths = truths_of()
    folder, text = write_coco(tmp_path / "labels", truths, NAMES), yolo_text(tmp_path / "text", found_on(truths))
    for file in text.iterdir():
        lines = [line.split() for line in file.read_text().splitlines()]
        if order:
            lines = [[line[at] for at in order] for line in lines]
        else:
            lines = [
                [c, repr(float(x) - float(w) / 2), repr(float(y) - float(h) / 2), w, h, score]
                for c, x, y, w, h, score in lines
            ]
        file.write_text("".join(f"{' '.join(line)}\n" for line in lines))
    assert f"read {words}, 27 of the surest" in " ".join(notes(folder, text))


def counted_from_another(tmp_path: Path, truths: TruthTable, added: int) -> tuple[Path, Path]:
    """Write labels and detections whose image ids need `added`."""
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    labels, path = folder / "annotations.json", detectron2(tmp_path / "r.json", found_on(truths))
    for file, first in ((labels, 1), (path, 1 - added)):

        def renumbered(found: re.Match[str], first: int = first) -> str:
            return str((int(found[0]) - 100_000) // 7 + first)

        file.write_text(re.sub(r"\b100\d{3}\b", renumbered, file.read_text()))
    return folder, path


@pytest.mark.parametrize("added", [1, -1])
def test_image_ids_that_count_from_another_number_are_told(added: int, tmp_path: Path) -> None:
    truths = truths_of()
    boxes = truths.boxes_ltwh + np.array([0, 1, 0, 0]) * (
        90 * (truths.images[:, None] % 3)
    )  # unlike the next image's
    folder, path = counted_from_another(tmp_path, replace(truths, boxes_ltwh=boxes), added)
    said = " ".join(notes(folder, path, image_ids="file", categories="ids"))
    assert f"read with {added:+} at each image_id, 27 of the surest" in said
    with pytest.raises(UserError) as error:
        notes(folder, path)
    head, first, *ways = str(error.value).split("\n")
    assert "by none of them does a box lie on an object of its class" in head
    assert first.startswith(f"  read with {added:+} at each image_id, ")
    assert "27 of the surest lie on an object of their class, in place of 0: mend the file" in first
    assert len(ways) > 1


def test_ids_of_the_next_image_with_other_classes_are_no_exchange_of_classes(tmp_path: Path) -> None:
    truths = truths_of()
    boxes = truths.boxes_ltwh - np.array([0, 9, 0, 0]) * truths.images[:, None]  # as in the image before
    truths = replace(truths, boxes_ltwh=boxes, labels=(truths.labels + truths.images) % 3)
    folder, path = counted_from_another(tmp_path, truths, 1)
    said = " ".join(notes(folder, path, image_ids="file", categories="ids"))
    assert "read with +1 at each image_id, 27 of the surest" in said
    assert "exchanged" not in said


def test_boxes_far_outside_and_copies_are_counted(tmp_path: Path) -> None:
    truths = truths_of()
    folder, found = write_coco(tmp_path / "labels", truths, NAMES), found_on(truths)
    boxes = found.boxes_ltwh.copy()
    boxes[0, 2], boxes[5, 0] = 1e6, -500
    boxes[7, 0] = -3  # a little outside
    said = notes(folder, detectron2(tmp_path / "far.json", replace(found, boxes_ltwh=boxes)))
    assert [line.partition(" far outside ")[0] for line in said] == ["note: 2 of 27 boxes end"]
    twice = found.take(np.array([*range(27), 3, 3, 8]))
    said = notes(folder, detectron2(tmp_path / "twice.json", twice))
    assert [line.partition(" of others ")[0] for line in said] == ["note: 3 of 30 detections are copies"]
    assert not notes(folder, detectron2(tmp_path / "r.json", found))
