"""Splits in names of folders and label files, and the split that `init` chooses by them."""

import pytest
from folders import Files, Maker, picture, voc

from humbleyolo.inputs.file_names import splits_in, splits_of_folder
from humbleyolo.splits.split_in_force import choose_by


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        *[(name, "train") for name in ("train", "Train", "training", "train2017", "images_train", "train_images")],
        *[(name, "train") for name in ("train-images", "VOC2007_train", "training_set", "Training Set", "train.v2")],
        *[(name, "train") for name in ("raccoon_train", "train/labels", "train/day_1", "val/train", "train_640x640")],
        *[(name, "val") for name in ("valid", "val", "validation", "dev", "val2017", "train/val", "valid.zip")],
        *[(name, "test") for name in ("test", "testing", "test_images", "test1", "data/test-annotations/xml")],
        *[(name, "train") for name in ("train_rgb", "training_final", "train-night", "train_station")],
        *[(name, "") for name in ("train_val", "train_test_split", "images", "", "trains", "contest", "testament")],
    ],
)
def test_the_split_of_a_folder(folder: str, split: str) -> None:
    assert splits_of_folder(f"{folder}/test.jpg") == ((split,) if split else ())
    assert splits_in(f"{folder}/labels.csv") == splits_of_folder(f"{folder}/labels.csv")


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("annotations/instances_train2017.json", "train"),
        ("train/boards_valid_fixed.json", "val"),
        ("train_station/oidv6-test-annotations-bbox.csv", "test"),
        ("station/all.json", ""),
    ],
)
def test_the_split_of_a_label_file(file: str, split: str) -> None:
    assert splits_in(file) == ((split,) if split else ())


def folders(**counts: int) -> Files:
    files: Files = {}
    for name, count in counts.items():
        for number in range(count):
            stem = f"{name.replace('__', '-')}/{name}{number}"
            files |= {f"{stem}.png": picture(len(files)), f"{stem}.xml": voc(f"{name}{number}.png", "cat 1 2 9 9")}
    return files


@pytest.mark.parametrize(
    ("counts", "by", "why"),
    [
        ({"train_station": 4, "airport": 4}, "hash", "train_station may be things: of 8 images 4 are of train"),
        ({"test__tube": 4, "beaker": 4}, "hash", "test-tube may be things: of 8 images 4 are of test"),
        ({"train_rgb": 4, "val_rgb": 2}, "lists", "the folder lists train, val (by its folders train_rgb, val_rgb)"),
        (
            {"training_final": 4, "testing_final": 2},
            "lists",
            "the folder lists test, train (by its folders testing_final, training_final)",
        ),
        ({"train_night": 4, "test": 2}, "lists", "the folder lists test, train (by its folders train_night)"),
        ({"train": 4, "test": 2}, "lists", "the folder lists test, train"),
        ({"train_images": 4, "valid": 2}, "lists", "the folder lists train, val"),
        ({"test": 2, "street": 4}, "lists", "the folder lists test"),  # held out, so that training is refused
        (
            {"boards_train": 4, "boards_test": 2},
            "lists",
            "the folder lists test, train (by its folders boards_test, boards_train)",
        ),
        ({"freight_train": 2, "airport": 4}, "hash", "freight_train may be things: of 6 images 2 are of train"),
        ({"crash__test": 4, "street": 2}, "hash", "crash-test may be things: of 6 images 4 are of test"),
    ],
)
def test_init_takes_lists_that_divide_the_folder(make: Maker, counts: dict[str, int], by: str, why: str) -> None:
    data = make.read(folders(**counts))
    assert len(data.images) == sum(counts.values())
    assert choose_by(data.images) == (by, why)
