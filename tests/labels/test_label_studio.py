"""Regions of Label Studio: their ids, their labels, and the image that they lie in."""

import json
from typing import Any

import numpy as np
import pytest
from folders import Files, Maker, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PICTURES: Files = {"a.png": picture(0), "b.png": picture(1)}  # 40 x 20
PLACES = [(10.0, 10.0, 20.0, 30.0), (50.0, 40.0, 25.0, 50.0), (60.0, 5.0, 30.0, 20.0)]  # percent


def region(place: tuple[float, ...], label: str, field: str = "rectanglelabels", **more: Any) -> dict[str, Any]:
    value = dict(zip(("x", "y", "width", "height"), place, strict=True)) | {"rotation": 0, field: [label]}
    return {"type": field, "to_name": "image", "original_width": 40, "original_height": 20, "value": value} | more


def task(*results: dict[str, Any], **data: str) -> dict[str, Any]:
    return {"data": {"image": "a.png", **data}, "annotations": [{"result": [*results]}]}


def files(*tasks: dict[str, Any]) -> Files:
    return {**PICTURES, "export.json": json.dumps([*tasks, task(image="b.png")])}


def pixels(place: tuple[float, ...]) -> list[float]:
    left, top, width, height = place
    return [left * 0.4, top * 0.2, (left + width) * 0.4, (top + height) * 0.2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["r1", "r2", None]), min_size=3, max_size=3), st.permutations(range(6)), st.booleans()
)
def test_no_region_is_lost_whatever_ids_it_has(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str | None], order: list[int], parted: bool
) -> None:
    """A script that makes annotations may give all regions one id. Labels may be results of their own."""
    results = []
    for place, (key, at) in enumerate(zip(ids, PLACES, strict=True)):
        one = region(at, f"class {place}", id=key or f"own {place}")
        if parted:
            label = {**one, "type": "labels", "value": {**one["value"], "labels": one["value"]["rectanglelabels"]}}
            del one["value"]["rectanglelabels"], label["value"]["rectanglelabels"]
            results += [one, label]
        else:
            results += [one, {"id": one["id"], "type": "choices", "value": {"choices": ["night"]}}]
    made = files(task(*(results[n] for n in order)))
    [image, _] = Maker(tmp_path_factory.mktemp("studio")).read(made).images
    found = dict(zip(image.labels, image.boxes.tolist(), strict=True))
    assert found.keys() == {"class 0", "class 1", "class 2"}
    assert all(np.allclose(found[f"class {n}"], pixels(place)) for n, place in enumerate(PLACES))


def test_a_region_of_two_classes_is_a_mistake(make: Maker) -> None:
    """Two lists of labels in one project give a region one class each, and the last one had been taken."""
    two = [region(PLACES[0], name, "labels", id="r1", from_name=name) for name in ("car", "red")]
    [row] = make.findings(files(task(*two)))
    assert (row.kind, "'car', 'red'" in row.what) == ("no-class-names", True)
    records = [{**one["value"], "original_width": 40, "original_height": 20} for one in two]
    least = {"annotation_id": 1, "annotator": 1, "kind": records[:1], "colour": records[1:]}
    json_min = [{"image": "a.png", **least}, {"image": "b.png", **least, "kind": [], "colour": []}]
    [row] = make.findings({**PICTURES, "export.json": json.dumps(json_min)})
    assert row.kind == "no-class-names"


def test_two_controls_of_json_min_are_no_two_images(make: Maker) -> None:
    """Their names had been taken for those of images. Two records of one place in one control are two regions."""
    cat, dog = ({**region(PLACES[0], name)["value"], "original_width": 40, "original_height": 20} for name in "cd")
    ellipse = {"x": 50, "y": 50, "radiusX": 9, "radiusY": 9, "ellipselabels": ["e"], "original_width": 40}
    least = {"annotation_id": 1, "annotator": 1, "thumb": "t.png"}
    tasks = [
        {"image": "a.png", **least, "bbox": [cat, dog], "ell": [ellipse | {"original_height": 20}]},
        {"image": "b.png", **least, "bbox": [], "ell": []},
    ]
    data = make.read({**PICTURES, "export.json": json.dumps(tasks)})
    assert [(image.path, image.labels) for image in data.images] == [("a.png", ("c", "d", "e")), ("b.png", ())]


def test_regions_of_two_images_in_one_task_are_a_mistake(make: Maker) -> None:
    """All of them had been read as boxes of the field `image`."""
    here, there = region(PLACES[0], "cat"), region(PLACES[1], "dog", to_name="after")
    rows = make.findings(files(task(here, there, after="c.png")))
    assert [row.kind for row in rows][:1] == ["image-ambiguous"]
    assert make.read(files(task(here, region(PLACES[1], "dog"), thumbnail="c.png"))).images[0].labels == (
        "cat",
        "dog",
    )
    paged = make.findings(files(task(here, {**there, "to_name": "image", "item_index": 1})))
    assert [row.kind for row in paged] == ["image-ambiguous"]


def min_task(controls: dict[str, list[dict]], **data: str) -> dict:
    return {"id": 1, "annotation_id": 1, "annotator": 1, "image": "a.png", **data, **controls}


def min_record(name: str, width: int = 40, place: int = 0) -> dict:
    return {**region(PLACES[place], name)["value"], "original_width": width, "original_height": 20}


def as_tsv(tasks: list[dict]) -> str:
    """The tasks as a table, with JSON in the columns of regions."""
    keys = dict.fromkeys(key for one in tasks for key in one)
    cells = [[one.get(key, "") for key in keys] for one in tasks]
    lines = [
        ["" if cell == "" else cell if isinstance(cell, str) else json.dumps(cell) for cell in line] for line in cells
    ]
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in line] for line in lines]
    return "\n".join(["\t".join(keys), *map("\t".join, quoted)])


@pytest.mark.parametrize("form", ["export.json", "export.tsv"])
@pytest.mark.parametrize(
    "controls",
    [
        [{"before": [min_record("cat")], "after": [min_record("dog", place=1)]}],
        [{"before": [min_record("cat")], "after": []}, {"before": [], "after": [min_record("dog")]}],
        [{"before": [min_record("cat"), min_record("dog", 20)]}],
    ],
    ids=["in one task", "in two tasks", "of two sizes"],
)
def test_regions_of_json_min_that_may_lie_in_two_images_are_a_mistake(
    make: Maker, form: str, controls: list[dict[str, list[dict]]]
) -> None:
    """All of them had been boxes of the field `image`. JSON-MIN does not say in which image a region lies."""
    names = [("a.png", "c.png"), ("b.png", "d.png")]
    tasks = [min_task(some, image=image, image2=other) for some, (image, other) in zip(controls, names, strict=False)]
    pictures: Files = {f"{name}.png": picture(place) for place, name in enumerate("abcd")}
    rows = make.findings({**pictures, form: json.dumps(tasks) if form == "export.json" else as_tsv(tasks)})
    told = [row for row in rows if row.kind == "image-ambiguous"]
    assert len(told) == len(tasks)
    assert "image, image2" in told[0].why
    assert "export as JSON" in told[0].why


@pytest.mark.parametrize(
    ("other", "more"),
    [("1a2b3c4d-a.png", {"comment": []}), ("http://host/a.png", {"after": [min_record("cat", place=1)]})],
    ids=["one control", "two controls"],
)
def test_two_fields_may_name_one_image(make: Maker, other: str, more: dict) -> None:
    tasks = [min_task({"label": [min_record("cat")], **more}, scene=other)]
    data = make.read({**PICTURES, "export.json": json.dumps(tasks)}, on_problem="skip")
    assert len(data.images[0].labels) == 1 + len(more.get("after", []))


def test_lists_about_the_same_places_are_one_control(make: Maker) -> None:
    """Such as a class for each rectangle beside the rectangles."""
    bare = {key: value for key, value in min_record("cat").items() if key != "rectanglelabels"}
    tasks = [min_task({"label": [min_record("cat")], "box": [bare]}, scene="c.png")]
    pictures: Files = {**PICTURES, "c.png": picture(2)}
    data = make.read({**pictures, "export.json": json.dumps(tasks)}, on_problem="skip")
    assert data.images[0].labels == ("cat",)


def test_regions_of_one_control_lie_in_the_field_image(make: Maker) -> None:
    """The other image may be a small one, or the scene."""
    tasks = [
        min_task({"label": [min_record("cat")]}, scene="c.png"),
        min_task({"label": []}, image="b.png", scene="c.png"),
    ]
    pictures: Files = {**PICTURES, "c.png": picture(2)}
    data = make.read({**pictures, "export.json": json.dumps(tasks)}, on_problem="skip")
    assert [(image.path, image.labels) for image in data.images] == [("a.png", ("cat",)), ("b.png", ())]


def test_the_field_that_is_called_as_the_image_that_regions_lie_in(make: Maker) -> None:
    one = task(region(PLACES[0], "cat", to_name="after"), image="b.png", after="a.png")
    data = make.read({**PICTURES, "export.json": json.dumps([one, task(image="b.png")])})
    assert [(image.path, image.labels) for image in data.images] == [("a.png", ("cat",)), ("b.png", ())]


def test_two_tasks_of_one_image_that_differ_are_a_mistake(make: Maker) -> None:
    """Some label one class a task: the newest alone had been read, and the others became background."""
    some = [
        {**task(region(place, name)), "id": n}
        for n, (place, name) in enumerate(zip(PLACES, ("cat", "dog"), strict=False))
    ]
    assert [row.kind for row in make.findings(files(*some))] == ["labelled-twice"]
    assert [image.path for image in make.read(files(*some), on_problem="skip").images] == ["b.png"]
