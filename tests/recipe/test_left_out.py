"""The images that go with their mistakes: `check` tells as many as `init` and `generate` leave out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from folders import Files, Maker, picture, read_labelled, under, voc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humbleyolo.check.folder_check import check, report_lines
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions
from humbleyolo.recipe.left_out import images_left_out, policy_of

LINES = {  # of an image of 40 x 20 px
    "right": "0 0.5 0.5 0.25 0.5",
    "also right": "0 0.2 0.3 0.1 0.2",
    "no such class": "2 0.5 0.5 0.25 0.5",
    "over the border by little": "0 0.9 0.5 0.22 0.5",
    "over the border by much": "0 0.9 0.5 0.9 0.5",
    "no number": "0 0.5 x 0.25 0.5",
}


def folder(images: list[list[str]]) -> Files:
    files: Files = {"classes.txt": "cat\n"}
    for number, kinds in enumerate(images):
        files |= {f"{number}.png": picture(number), f"{number}.txt": "\n".join(map(LINES.__getitem__, kinds))}
    return files


def read_as_init_does(path: Path) -> LabelledSet:
    """Under the treatment that `init` chooses once it has read the folder under `skip`."""
    options = ReadOptions(on_problem="skip")
    return read_labelled(path, replace(options, on_problem=policy_of(read_labelled(path, options))))


@given(
    st.lists(st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=3, unique=True), min_size=1, max_size=4)
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_check_tells_the_images_that_init_leaves_out(make: Maker, images: list[list[str]]) -> None:
    path = make.folder(folder([["right"], *images]))
    stay = len(read_as_init_does(path).images)
    told = check(path, ReadOptions(), sheets=0).treatment
    goes = 1 + len(images) - stay
    total = f"{1 + len(images)} images"
    assert told.endswith(f"leaves out {goes} of {total}" if goes else "")
    assert bool(told) == bool(goes)


@pytest.mark.parametrize(
    ("in_force", "told"),
    [
        ("error", "on_problem error stops; skip, as `init` writes, leaves out 1 of 3 images"),
        ("skip", "on_problem skip: 1 of 3 images left out"),
        ("clip", "on_problem clip: 1 of 3 images left out"),
        ("skip_box", ""),
    ],
)
def test_the_treatment_in_force_is_told(make: Maker, in_force: str, told: str) -> None:
    path = make.folder(folder([["right"], ["right", "no such class"], ["right"]]))
    checked = check(path, ReadOptions(on_problem=in_force), sheets=0)
    assert checked.treatment == told
    assert len(checked.labelled.images) == (2 if in_force in ("skip", "clip") else 3)
    assert ([*report_lines(checked)][2] == told) == bool(told)


def pascal(number: int, **changed: bytes | str) -> Files:
    """An image with its label; `png` or `xml` take the place of its own."""
    return {
        f"{number}.png": changed.get("png", picture(number)),
        f"{number}.xml": changed.get("xml", voc(f"{number}.png", "cat 1 2 9 8")),
    }


WANTING: dict[str, Files] = {  # an image without a label that can be read
    "no label file": {"9.png": picture(9)},
    "a label that is cut off": pascal(9, xml="<annotation>"),
    "an image that is cut off": pascal(9, png=picture(9)[:60]),
    "an image without a byte": pascal(9, png=b""),
    "a wrong box": pascal(9, xml=voc("9.png", "cat 9 9 9 9")),
}


@pytest.mark.parametrize("kind", WANTING)
def test_an_image_without_a_label_counts_as_left_out(make: Maker, kind: str) -> None:
    read = make.read(pascal(1) | pascal(2) | WANTING[kind], on_problem="skip")
    assert images_left_out(read) == ["1 of 3 images left out"]
    read = make.read(under({"train": pascal(1), "test": pascal(2) | WANTING[kind]}), on_problem="skip")
    assert images_left_out(read) == ["1 of 3 images left out, 1 of test"]


def test_a_list_says_that_an_image_without_a_label_is_of_test(make: Maker) -> None:
    lists: Files = {"train.txt": "1\n", "test.txt": "2\n9\n"}
    read = make.read(pascal(1) | pascal(2) | lists | {"9.png": picture(9)}, on_problem="skip")
    assert images_left_out(read) == ["1 of 3 images left out, 1 of test"]
    assert [row.kind for row in read.ledger.errors] == ["label-missing"]


def test_a_yolo_split_without_any_label_counts_as_left_out(make: Maker) -> None:
    files: Files = {"data.yaml": "names: [cat]\ntrain: train/images\ntest: test/images\n"}
    files |= {"train/images/1.png": picture(1), "train/labels/1.txt": LINES["right"], "test/images/2.png": picture(2)}
    assert images_left_out(make.read(files, on_problem="skip")) == ["1 of 2 images left out, 1 of test"]


def test_folders_that_no_label_speaks_of_are_no_loss(make: Maker) -> None:
    read = make.read(pascal(1) | {"more/2.png": picture(2)}, on_problem="skip")
    assert images_left_out(read) == []
    broken = pascal(1) | under({"more": pascal(2, xml="<annotation>")})
    assert images_left_out(make.read(broken, on_problem="skip")) == ["1 of 2 images left out"]


def test_a_mistake_in_a_file_that_labels_images_elsewhere_claims_none_beside_it(make: Maker) -> None:
    """As in a COCO file above the folder of its images."""
    boxes = [[1, 2, 8, 6], [1, 2, -8, 6]]
    coco = {
        "images": [{"id": n, "file_name": f"images/{n}.png", "width": 40, "height": 20} for n in (1, 2)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": box, "area": 48} for n, box in enumerate(boxes, 1)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    files: Files = {f"images/{n}.png": picture(n) for n in (1, 2)} | {"a.json": json.dumps(coco), "9.png": picture(9)}
    assert images_left_out(make.read(files, on_problem="skip")) == ["1 of 2 images left out"]


def test_an_image_that_a_correction_labels_is_not_left_out(make: Maker) -> None:
    files = pascal(1) | {"2.png": picture(2)} | under({"corrections": pascal(2)})
    read = make.read(files, on_problem="skip")
    assert [image.path for image in read.images] == ["1.png", "2.png"]
    assert (images_left_out(read), read.images_seen) == ([], 2)
