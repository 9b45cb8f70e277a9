"""COCO files without images: scored as with them, by the sizes that they state."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from detection_forms import QUICK, detectron2, image_id_of, name_of, write_coco
from PIL import Image
from scoring_cases import random_case, table_of_truths

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.scoring.detection_files import read_detection_file
from humbleyolo.scoring.detection_matching import join
from humbleyolo.scoring.labels_alone import open_labels
from humbleyolo.scoring.scored_detections import score
from humbleyolo.scoring.scored_labels import read_labels


def scored(labels: Path, results: Path):
    with open_labels(labels) as source:
        read = read_labels(source, ReadOptions(on_problem="skip_box"), None)
        joined = join(read_detection_file(results), read, "file", "ids")
        return read, score(read, joined.detections, QUICK, None).found.metrics


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_the_numbers_are_those_with_the_images(tmp_path: Path, seed: int) -> None:
    truths, detections, names = random_case(seed)
    if not len(truths) or not len(detections):
        pytest.skip("nothing to score")
    whole = write_coco(tmp_path / "whole", truths, names)
    file = shutil.copy(whole / "annotations.json", tmp_path / "instances_val.json")
    results = detectron2(tmp_path / "results.json", detections)
    (tmp_path / "folder/annotations").mkdir(parents=True)
    shutil.copy(file, tmp_path / "folder/annotations")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "folder")
    with_images, expected = scored(whole, results)
    for alone in (Path(file), tmp_path / "folder", tmp_path / "packed.zip"):
        labels, metrics = scored(alone, results)
        assert metrics == expected
        assert labels.names == with_images.names
        for column in ("images", "labels", "crowd", "difficult", "areas", "boxes_ltwh"):
            assert np.array_equal(
                getattr(labels.truths, column), getattr(with_images.truths, column), equal_nan=True
            ), column
        assert any("labels without images" in line for line in labels.told)


def coco_file(path: Path, **image: object) -> Path:
    content = {
        "images": [{"id": 1, "file_name": "a/b.jpg", "width": 40, "height": 30, **image}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20]}],
    }
    path.write_text(json.dumps(content))
    return path


def three_boxes(path: Path, boxes: list[list[float]], **image: object) -> Path:
    """Labels of a photograph with three boxes, as they are written."""
    content = json.loads(coco_file(path, width=400, height=300, **image).read_text())
    content["annotations"] = [
        {"id": number, "image_id": 1, "category_id": 3, "bbox": box} for number, box in enumerate(boxes, 1)
    ]
    path.write_text(json.dumps(content))
    return path


FRACTIONS = [[0.25, 0.5, 0.25, 0.5], [0.5, 0.5, 0.125, 0.25], [0.0, 0.0, 0.5, 0.75]]


def test_fractions_are_read_as_with_the_images(tmp_path: Path) -> None:
    """All boxes would lie in the first pixel otherwise."""
    with open_labels(three_boxes(tmp_path / "x.json", FRACTIONS)) as source:
        labels = read_labels(source, ReadOptions(), None)
    assert labels.truths.boxes_ltwh.tolist() == [[100, 150, 100, 150], [200, 150, 50, 75], [0, 0, 200, 225]]
    assert any(line.startswith("note: ") and "fractions of the image" in line for line in labels.told)


def test_corners_in_place_of_lengths_are_refused_as_with_the_images(tmp_path: Path) -> None:
    corners = [[200, 100, 390, 280], [210, 150, 380, 250], [300, 200, 350, 290]]
    with (
        open_labels(three_boxes(tmp_path / "x.json", corners)) as source,
        pytest.raises(ProblemsError, match="3 of 3 boxes leave their image by far"),
    ):
        read_labels(source, ReadOptions(), None)


@pytest.mark.parametrize("packed", [False, True])
def test_fractions_of_an_image_without_a_size_name_the_size(tmp_path: Path, packed: bool) -> None:
    """There is no image that could tell it."""
    (tmp_path / "x").mkdir()
    path = three_boxes(tmp_path / "x" / "x.json", FRACTIONS)
    content = json.loads(path.read_text())
    del content["images"][0]["width"]
    path.write_text(json.dumps(content))
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "x"))
    with open_labels(path) as source, pytest.raises(ProblemsError, match="must state height and width"):
        read_labels(source, ReadOptions(), None)


@pytest.mark.parametrize("name", ["a/b.jpg", "/somewhere/b.jpg", "..\\b.jpg", "no extension"])
def test_names_are_taken_as_they_are_and_pictures_are_grey(tmp_path: Path, name: str) -> None:
    with open_labels(coco_file(tmp_path / "x.json", file_name=name)) as source:
        labels = read_labels(source, ReadOptions(), None)
        [image] = labels.images(0, 1)
        (tmp_path / "shown.png").write_bytes(image.image_bytes)
    with Image.open(tmp_path / "shown.png") as shown:
        assert shown.size == (40, 30)
        assert shown.getextrema() == (230, 230)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"width": None}, "images[0]: no size: without the image its labels must state height and width"),
        ({"height": 0}, "no size"),
        ({"file_name": ".."}, "must be a name or a path"),
        ({"width": 10**6, "height": 10**6}, "1000000 x 1000000 pixels: at most"),
        ({"width": 5}, "annotations[0]"),
    ],
)
def test_what_cannot_be_scored_is_named(tmp_path: Path, image: dict[str, object], said: str) -> None:
    with open_labels(coco_file(tmp_path / "x.json", **image)) as source, pytest.raises(ProblemsError) as error:
        read_labels(source, ReadOptions(), None)
    assert said in str(error.value)


def test_other_labels_without_images_are_told_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    results = tmp_path / "results.json"
    results.write_text('[{"image_id": 1}]')
    for path in (tmp_path / "labels", tmp_path / "labels/a.txt", results):
        with pytest.raises(UserError, match="holds no images; of labels without their images, a COCO file alone"):
            open_labels(path)
    with pytest.raises(UserError, match="no such file"):
        open_labels(tmp_path / "none.json")
    coco_file(tmp_path / "x.json")
    with (
        open_labels(tmp_path / "x.json") as source,
        pytest.raises(UserError, match="--format voc: its images are missing"),
    ):
        read_labels(source, ReadOptions(format="voc"), None)


def test_ids_and_names_of_the_file_are_known(tmp_path: Path) -> None:
    truths = table_of_truths(3, [(image, [1, 2, 30, 40], 0, False) for image in range(3)])
    file = write_coco(tmp_path / "whole", truths, ["cat"]) / "annotations.json"
    with open_labels(file) as source:
        labels = read_labels(source, ReadOptions(on_problem="skip_box"), None)
    assert labels.ids.images == {image_id_of(image): image for image in range(3)}
    assert labels.names == tuple(map(name_of, range(3)))
