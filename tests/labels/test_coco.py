"""COCO JSON, and strict JSON altogether."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from folders import Files, Maker, picture
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as oracle

from humbleyolo.inputs.ledger import BadInput, Finding
from humbleyolo.labels.formats.masks import mask_corners

Change = dict[str, Any]


def document(**annotation: Any) -> dict[str, list[Change]]:
    return {
        "images": [{"id": 0, "file_name": "a.png", "height": 20, "width": 40}],
        "categories": [{"id": 0, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [
            {"id": 0, "image_id": 0, "category_id": 7, "bbox": [3, 4.25, 7, 8], "iscrowd": 0} | annotation
        ],
    }


def files(content: Any, name: str = "annotations/instances_train2017.json") -> Files:
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return {"images/a.png": picture(), name: text}


def test_reads_boxes_names_and_split(make: Maker) -> None:
    data = make.read(files(document(iscrowd=1)))
    (record,) = data.images
    assert data.format == "coco"
    assert data.classes == ("cat", "dog")
    assert record.boxes.tolist() == [[3, 4.25, 10, 12.25]]
    assert record.labels == ("dog",)
    assert record.flags == (frozenset({"crowd"}),)
    assert record.splits == ("train",)


@pytest.mark.parametrize(("value", "crowd"), [(1, True), (True, True), (0, False), (None, False)])
def test_an_ignored_region_is_no_object_to_be_found(make: Maker, value: object, crowd: bool) -> None:
    """As TinyPerson and others have it, and mmdetection leaves it out. Those of PASCAL's converters all say 0."""
    data = make.read(files(document(ignore=value)))
    assert data.images[0].flags == (frozenset({"crowd"} if crowd else ()),)
    assert [(row.kind, row.done) for row in data.ledger.rows] == [("ignored", "read as crowds")] * crowd


@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        ([[1, 2, 9.5, 2, 3, 11]], [1, 2, 9.5, 11]),
        ([[1, 2, 9, 2, 3, 11], [20, 1, 21, 1, 20, 3]], [1, 1, 21, 11]),
        ({"size": [20, 40], "counts": [45, 10, 745]}, [2, 5, 3, 15]),
        ({"size": [20, 40], "counts": [45, 30, 725]}, [2, 0, 4, 20]),
    ],
)
def test_shapes_give_their_box(make: Maker, segmentation: Any, box: list[float]) -> None:
    data = make.read(files(document(bbox=[], segmentation=segmentation)))
    assert data.images[0].boxes.tolist() == [box]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_rle_boxes_are_those_of_pycocotools(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((height, width)) < 0.15
    rle = oracle.encode(np.asfortranarray(pixels.astype(np.uint8)))
    segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
    if not pixels.any():
        with pytest.raises(BadInput):
            mask_corners(segmentation, "")
        return
    left, top, right, bottom = mask_corners(segmentation, "")
    rows, cols = np.nonzero(pixels)
    assert (left, top, right, bottom) == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
    assert np.allclose(oracle.toBbox(rle), [left, top, right - left, bottom - top])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"images": NaN}', "NaN"),
        ('{"images": 1e999}', "1e999"),
        ('{"images": [], "images": []}', "twice"),
        ("[" * 200_000, "nested too deeply"),
        ('{"images": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
        ('{"images": ' + "9" * 5000 + "}", "5000 digits"),
        ('{"images": []', "line 1"),
        ('{"images": []}', "categories missing"),
        ("[]", "must be an object"),
        ("", "must be JSON"),
        ('{"images": {}}', "must be a list"),
        (json.dumps(document()).encode("utf-16"), "UTF-16"),
    ],
)
def test_bad_json(make: Maker, text: str | bytes, says: str) -> None:
    content = files(text, "a.json")
    row = make.findings(content, format="coco")[0]
    assert row.file == "a.json"
    assert says in str(row)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"category_id": 8}, "unknown-class", "0 cat, 7 dog"),
        ({"image_id": 5}, "points-nowhere", "image_id 5"),
        ({"image_id": True}, "json", "whole number"),
        ({"image_id": "0"}, "json", "whole number"),
        ({"bbox": [1, 2, 3]}, "columns", "left, top, width, height"),
        ({"bbox": [1, 2, 3, "4"]}, "not-a-number", "four numbers"),
        ({"bbox": [1, 2, 0, 4]}, "zero-area", "no area"),
        ({"bbox": [1, 2, -3, 4]}, "inverted-box", "not swapped"),
        ({"bbox": [1, 2, 39.5, 4]}, "outside-image", "40 x 20"),
        ({"bbox": [1, 2, 10**29, 4]}, "outside-image", "40 x 20"),
        ({"bbox": None}, "no-box", "needs a bbox"),
        ({"bbox": None, "segmentation": [[1, 2]]}, "columns", "two points"),
        ({"bbox": None, "segmentation": {"size": [20, 40], "counts": [5, 10**12]}}, "json", "counts"),
        ({"bbox": None, "segmentation": {"size": [20, 40], "counts": "é~"}}, "json", "RLE"),
        ({"bbox": None, "segmentation": {"size": [20, 40], "counts": "5a"}}, "json", "not COCO's compressed RLE"),
        ({"bbox": None, "segmentation": {"size": [20, 40], "counts": "oooooooo0"}}, "json", "compressed RLE"),
        ({"bbox": None, "segmentation": {"size": [20, 40], "counts": "50O0"}}, "json", "add up to at most 20 x 40"),
        ({"bbox": None, "segmentation": {"size": [20, 40], "counts": [0, 801]}}, "json", "at most 20 x 40"),
        ({"bbox": None, "segmentation": {"size": [20, 40], "counts": [5, 0, 9]}}, "zero-area", "without ones"),
        ({"bbox": None, "segmentation": {"size": [10**8, 10**8], "counts": [5, 10]}}, "json", "RLE"),
    ],
)
def test_bad_annotations(one: Callable[..., Finding], change: Change, kind: str, says: str) -> None:
    content = document(**change)
    row = one(files(content), format="coco")
    assert (row.kind, row.where) == (kind, "annotations[0]")
    assert says in str(row)


def test_repeated_ids(make: Maker) -> None:
    content = document()
    for key in content:
        content[key] += content[key][:1]
    rows = make.findings(files(content))
    assert [(row.where, row.severity) for row in rows] == [
        ("categories[2]", "error"), ("images[1]", "error"), ("", "note"), ("annotations[1]", "error")
    ]  # fmt: skip
    assert [row.kind for row in rows] == ["repeated-id"] * 3 + ["duplicate-box"]


def test_an_id_of_two_images_gives_neither_a_box(make: Maker) -> None:
    content = document()
    content["images"] += [{"id": 0, "file_name": "b.png"}, {"id": 1, "file_name": "c.png"}]
    content["annotations"] += [{"image_id": 0, "category_id": 0, "bbox": [1, 1, 3, 3]}]
    more = {f"images/{name}.png": picture(number) for number, name in enumerate("bc", 1)}
    ledger = make.findings(files(content) | more)
    told = [(row.where, row.what) for row in ledger if row.kind == "repeated-id"]
    assert told == [("images[0]", "image id 0"), ("images[1]", "image id 0")]
    data = make.read(files(content) | more, on_problem="skip")
    assert [(image.path, image.labels) for image in data.images] == [("images/c.png", ())]


@pytest.mark.parametrize("key", ["x7", [1], {"a": 1}, 1.5, None])
def test_an_annotation_may_have_any_id(make: Maker, key: object) -> None:
    data = make.read(files(document(id=key)))
    assert (data.images[0].labels, data.ledger.rows) == (("dog",), [])


def test_two_categories_of_one_name_are_one_class(make: Maker) -> None:
    """As Roboflow's root category, which has the name of the project."""
    content = document()
    content["categories"] = [{"id": 0, "name": "dog"}, {"id": 7, "name": "dog"}]
    data = make.read(files(content))
    assert (data.classes, data.images[0].labels) == (("dog",), ("dog",))
    assert [(row.severity, row.kind) for row in data.ledger.rows] == [("note", "repeated-name")]


def test_a_category_above_all_others_is_no_class(make: Maker) -> None:
    """Roboflow writes one that no box is of, with the name of the project. It would be a class never learned."""
    content = document()
    below = [{"id": 1, "name": "cat", "supercategory": "pets"}, {"id": 7, "name": "dog", "supercategory": "pets"}]
    content["categories"] = [{"id": 0, "name": "pets", "supercategory": "none"}, *below]
    data = make.read(files(content))
    assert (data.classes, data.images[0].labels) == (("cat", "dog"), ("dog",))
    assert [(row.severity, row.kind) for row in data.ledger.rows] == [("note", "root-category")]
    used = document(category_id=0) | {"categories": content["categories"]}
    assert make.read(files(used)).classes == ("pets", "cat", "dog")
    below[0]["supercategory"] = "none"
    assert make.read(files(content)).classes == ("pets", "cat", "dog")


def test_the_same_file_name_in_each_subset(make: Maker) -> None:
    """A project of CVAT: the folders have the subsets' own spelling."""
    content: Files = {}
    for number, subset in enumerate(("Train", "Validation", "my_extra")):
        content[f"images/{subset}/frame_0.png"] = picture(number)
        entry = document(bbox=[number, 1, 5, 5]) | {"images": [{"id": 0, "file_name": "frame_0.png", "height": 20.0}]}
        content[f"annotations/instances_{subset}.json"] = json.dumps(entry)
    data = make.read(content)
    assert [(image.path.split("/")[1], image.boxes[0, 0]) for image in data.images] == [
        ("Train", 0), ("Validation", 1), ("my_extra", 2)
    ]  # fmt: skip


def test_ids_of_annotations_join_nothing(make: Maker) -> None:
    """Some tools number the annotations of each image anew."""
    content = document()
    content["annotations"] += [content["annotations"][0] | {"bbox": [1, 1, n, n]} for n in (3, 5)]
    data = make.read(files(content))
    assert data.images[0].boxes[:, 2].tolist() == [10, 4, 6]
    assert [(row.severity, row.what) for row in data.ledger.rows] == [("note", "2 annotations")]


def test_two_decimals_may_cross_the_border(make: Maker) -> None:
    data = make.read(files(document(bbox=[30, 4, 10.008, 5])))
    assert [row.kind for row in data.ledger.rows] == ["rounding"]
    assert data.images[0].boxes.tolist() == [[30, 4, 40, 9]]


def test_paths_do_not_leave_the_folder(make: Maker) -> None:
    content = document()
    content["images"][0]["file_name"] = "../../../z.png"
    content["annotations"] = []
    row = make.findings({"deep/a.png": picture(), "a.json": json.dumps(content)})[0]
    assert row.kind == "unsafe-path"


def test_an_image_that_is_not_there_is_one_line(make: Maker) -> None:
    content = document()
    content["images"].append({"id": 5, "file_name": "gone.png"})
    content["annotations"] += [{"image_id": 5, "category_id": 0, "bbox": [1, 2, 3, 4]}] * 9
    (row,) = make.findings(files(content))
    assert (row.kind, row.where) == ("image-missing", "images[1]")


def test_keypoints_have_boxes_which_are_read_once(make: Maker) -> None:
    poses = files(document(keypoints=[1, 2, 2], num_keypoints=1), "annotations/person_keypoints_val2017.json")
    for more in ({}, files(document(), "annotations/instances_val2017.json")):
        data = make.read(poses | more)
        assert [len(image.labels) for image in data.images] == [1]
        assert not data.ledger.rows


def test_a_list_of_all_beside_the_lists_of_splits(make: Maker) -> None:
    """What says the same is read once, with the splits; what says otherwise is a mistake."""
    for box, kinds in ([3, 4.25, 7, 8], {"note"}), ([3, 4.25, 7, 9], {"error"}):
        content = files(document(), "annotations/train.json") | files(document(bbox=box), "annotations/all.json")
        ledger = make.findings(content)
        assert {(row.kind, row.severity) for row in ledger} == {("labelled-twice", *kinds)}
    (image,) = make.read(
        files(document(), "annotations/train.json") | files(document(), "annotations/all.json")
    ).images
    assert image.splits == ("train",)
    assert len(image.labels) == 1


def test_json_of_something_else_beside_labels(make: Maker) -> None:
    """Of a program, say; a file that is damaged may be labels, and stays a mistake."""
    files: Files = {"a.png": picture(), "labels.json": json.dumps(document())}
    data = make.read(files | {"package.json": '{"name": "x"}', "src/config.json": "{}"})
    assert [(row.kind, row.file) for row in data.ledger.rows] == [
        ("not-read", "package.json"),
        ("not-read", "src/config.json"),
    ]
    for text in ("", '{"images": []}', "[]", '{"annotations"'):
        rows = make.findings(files | {"more.json": text})
        assert [row.file for row in rows if row.severity == "error"] == ["more.json"]


def two_images(**annotation: Any) -> Files:
    """Two images with a box each, of which the first is changed."""
    content = document()
    content["images"].append({"id": 1, "file_name": "b.png", "height": 20, "width": 40})
    content["annotations"].append({**content["annotations"][0], "id": 1, "image_id": 1})
    content["annotations"][0] |= annotation
    return {**files(content), "images/b.png": picture(1)}


def test_ids_may_be_whole_numbers_with_a_point(make: Maker) -> None:
    """As pandas writes a column with gaps."""
    text = str(two_images()["annotations/instances_train2017.json"])
    floats = re.sub(r'("(?:id|image_id|category_id)": \d+)', r"\1.0", text)
    data = make.read({**two_images(), "annotations/instances_train2017.json": floats})
    assert data.ledger.rows == []
    assert [one.boxes.tolist() for one in data.images] == [[[3, 4.25, 10, 12.25]]] * 2


def with_texts(content: Any, **annotation: Any) -> Files:
    """Two images whose ids are texts, as Detectron2 writes them of Pascal VOC; the first box is changed."""
    text = re.sub(r'("image_id": |"images": \[\{"id": |\{"id": (?=1, "file))(\d)', r'\1"000\2"', content)
    document = json.loads(text)
    document["annotations"][0] |= annotation
    return {**two_images(), "annotations/instances_train2017.json": json.dumps(document)}


def test_ids_of_images_may_be_texts(make: Maker) -> None:
    text = str(two_images()["annotations/instances_train2017.json"])
    data = make.read(with_texts(text))
    assert '"image_id": "0001"' in str(with_texts(text))
    assert data.ledger.rows == []
    assert [one.boxes.tolist() for one in data.images] == [[[3, 4.25, 10, 12.25]]] * 2


@pytest.mark.parametrize(
    ("image_id", "kind", "kept"),
    [
        ("0002", "points-nowhere", 2),
        (7, "points-nowhere", 2),
        (0, "points-nowhere", 1),
        ("0", "points-nowhere", 1),
        (None, "json", 1),
        (" ", "json", 1),
    ],
)
def test_texts_are_ids_to_the_letter(make: Maker, image_id: object, kind: str, kept: int) -> None:
    text = str(two_images()["annotations/instances_train2017.json"])
    data = make.read(with_texts(text, image_id=image_id), on_problem="skip")
    assert [row.kind for row in data.ledger.errors] == [kind]
    assert len(data.images) == kept


def test_a_box_whose_image_has_its_number_as_a_text_makes_no_background(make: Maker) -> None:
    content = two_images()
    text = str(content["annotations/instances_train2017.json"]).replace('"id": 1, "file', '"id": "1", "file')
    data = make.read({**content, "annotations/instances_train2017.json": text}, on_problem="skip")
    assert [(row.kind, row.what) for row in data.ledger.errors] == [("points-nowhere", "image_id 1")]
    assert [one.path for one in data.images] == ["images/a.png"]


BOTH, SECOND = ["images/a.png", "images/b.png"], ["images/b.png"]


@pytest.mark.parametrize(
    ("image_id", "kept"),
    [("0", SECOND), (" 0.0", SECOND), ("7", BOTH), ("x", BOTH), ("9" * 5000, BOTH), (7, BOTH)]
    + [(value, SECOND) for value in (None, "", 0.5, [0], True)],
)
def test_a_box_of_an_unknown_image_makes_no_background(make: Maker, image_id: object, kept: list[str]) -> None:
    """It may be of any image without a box. An id that no image has, a number or text, costs none."""
    data = make.read(two_images(image_id=image_id), on_problem="skip")
    assert [one.path for one in data.images] == kept
    assert len(data.ledger.errors) == 1


@pytest.mark.parametrize("entry", [None, {"id": 9, "category_id": 7, "bbox": [3, 4, 7, 8]}])
def test_a_box_of_an_unknown_image_is_told_with_what_it_costs(make: Maker, entry: object) -> None:
    content = json.loads(str(two_images()["annotations/instances_train2017.json"]))
    content["annotations"].append(entry)
    name = "annotations/instances_train2017.json"
    whole = make.read({**two_images(), name: json.dumps(content)}, on_problem="skip")
    assert [one.path for one in whole.images] == BOTH
    assert [row.kind for row in whole.ledger.rows] == ["json"]
    content["images"].append({"id": 2, "file_name": "c.png"})
    data = make.read({**two_images(), "images/c.png": picture(2), name: json.dumps(content)}, on_problem="skip")
    assert [one.path for one in data.images] == BOTH
    [row] = [row for row in data.ledger.rows if (row.kind, row.severity) == ("box-lost", "warning")]
    assert row.what == "1 annotation without a usable image_id"
    assert "any of the 1 image without a box" in row.why
