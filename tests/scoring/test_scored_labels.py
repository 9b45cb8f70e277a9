"""Labels as detections are scored against."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from detection_forms import category_id_of, image_id_of, labels_in, name_of, write_coco
from PIL import Image
from scoring_cases import table_of_truths

from humbleyolo.dataset.archive import ArchiveWriter
from humbleyolo.dataset.archived_split import ArchivedSplit, begin_split
from humbleyolo.storage.png import encode_png

NAMES = ["chat", "rat"]
TRUTHS = replace(
    table_of_truths(
        3, [(0, [32.02, 20.57, 32, 32], 0, False), (0, [1, 2, 30, 40], 1, True), (2, [5, 6, 70, 80], 1, False)]
    ),
    difficult=np.array([False, False, True]),
    areas=np.array([np.nan, 700.25, 900]),
)


def test_boxes_are_those_of_the_file_to_the_last_digit(tmp_path: Path) -> None:
    assert (32.02 + 32) - 32.02 > 32  # so that an area of 32 x 32 would not be small
    with labels_in(write_coco(tmp_path / "labels", TRUTHS, NAMES)) as labels:
        for column in ("images", "labels", "crowd", "difficult", "areas", "boxes_ltwh"):
            assert np.array_equal(getattr(labels.truths, column), getattr(TRUTHS, column)), column
    assert labels.names == tuple(map(name_of, range(3)))
    assert labels.ids.images == {image_id_of(image): image for image in range(3)}
    assert labels.ids.categories == {category_id_of(label): name for label, name in enumerate(NAMES)}


def test_some_classes_leave_the_images_as_they_are(tmp_path: Path) -> None:
    with labels_in(write_coco(tmp_path / "labels", TRUTHS, NAMES)) as labels:
        rats = labels.only(["rat", "souris"])
    assert rats.classes == ("rat",)
    assert rats.truths.image_count == 3
    assert rats.truths.images.tolist() == [0, 2]
    assert rats.truths.labels.tolist() == [0, 0]


def test_images_come_as_from_an_archive(tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "labels", TRUTHS, NAMES)
    with labels_in(folder) as labels:
        first, last = labels.images(0, 1), labels.images(2, 3)
        [one], [other] = list(first), list(last)
    assert (one.image_id, one.file_name, other.image_id, other.file_name) == (1, name_of(0), 3, name_of(2))
    assert one.image_bytes == (folder / name_of(0)).read_bytes()
    assert one.boxes_ltwh.tolist() == TRUTHS.boxes_ltwh[:2].tolist()
    assert other.labels.tolist() == [1]


def test_ids_that_two_files_give_to_different_images_are_no_ids(tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "labels", TRUTHS, NAMES, "_train")
    content = json.loads((folder / "annotations_train.json").read_text())
    Image.new("L", (20, 20), 9).save(folder / "more.png")
    other = {"id": image_id_of(0), "file_name": "more.png", "width": 20, "height": 20}
    (folder / "annotations_val.json").write_text(json.dumps(content | {"images": [other], "annotations": []}))
    with labels_in(folder) as both, labels_in(folder, "train") as train:
        assert not both.ids.images
        assert train.ids.images == {image_id_of(image): image for image in range(3)}
        assert both.ids.categories == train.ids.categories


def test_ids_count_on_through_the_archives_of_a_split(tmp_path: Path) -> None:
    """As in the detections of `evaluate`, which are of the split as a whole."""
    for split in ("train", "test"):
        begin_split(tmp_path / split)
        for name, count in (("0", 2), ("10", 0), ("11", 3)):
            with ArchiveWriter(tmp_path / f"{split}/{name}.zip", NAMES) as archive:
                for number in range(count):
                    pixels = np.full((20, 30), 50 * number + len(name) + 7 * len(split), np.uint8)
                    archive.add(f"{name}-{number}.png", encode_png(pixels), 20, 30, [[1, 2, 3, 4]], [1])
    with ArchivedSplit(tmp_path / "test") as split:
        known = {image.image_id: image.file_name for image in split}
    for folder, only in ((tmp_path / "test", None), (tmp_path, "test")):
        with labels_in(folder, only) as labels:
            assert {key: Path(labels.items[place].path).name for key, place in labels.ids.images.items()} == known
    with labels_in(tmp_path) as both:
        assert not both.ids.images


def test_ids_count_on_after_an_archive_whose_images_are_all_left_out(tmp_path: Path) -> None:
    begin_split(tmp_path / "test")
    for name, label in (("0", 1), ("1", 0)):
        with ArchiveWriter(tmp_path / f"test/{name}.zip", NAMES) as archive:
            pixels = np.full((20, 30), 90 + label, np.uint8)
            archive.add("a.png", encode_png(pixels) if label == 0 else b"no picture", 20, 30, [[1, 2, 3, 4]], [label])
    with labels_in(tmp_path / "test", on_problem="skip") as labels:
        assert {key: labels.items[place].path for key, place in labels.ids.images.items()} == {2: "1/images/a.png"}
