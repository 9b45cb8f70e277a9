"""Fractions of the image where a format has pixels are read as fractions, with a note."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from folders import Files, Maker, picture, voc
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.labels.fractions_as_pixels import are_fractions

Boxes = list[list[float]]
BOXES = [[4.0, 2.0, 12.0, 9.0], [20.0, 5.0, 38.0, 19.0], [0.0, 10.0, 7.0, 20.0]]  # corners, pixels of 40 x 20
NAMES = [f"{place}.png" for place in range(len(BOXES))]  # an image a box


def coco(boxes: Boxes) -> Files:
    notes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [a, b, c - a, d - b], "area": (c - a) * (d - b)}
        for n, (a, b, c, d) in enumerate(boxes)
    ]
    images = [{"id": n, "file_name": name, "width": 40, "height": 20} for n, name in enumerate(NAMES)]
    return {"a.json": json.dumps({"images": images, "annotations": notes, "categories": [{"id": 1, "name": "cat"}]})}


def table(boxes: Boxes) -> Files:
    lines = [f"{name},cat,{','.join(map(str, box))}" for name, box in zip(NAMES, boxes, strict=True)]
    return {"a.csv": "\n".join(["image,label,xmin,ymin,xmax,ymax", *lines])}


def xml(boxes: Boxes) -> Files:
    pairs = zip(NAMES, boxes, strict=True)
    return {f"{name[:-4]}.xml": voc(name, f"cat {' '.join(map(str, box))}") for name, box in pairs}


def labelme(boxes: Boxes) -> Files:
    return {
        f"{name[:-4]}.json": json.dumps(
            {"imagePath": name, "shapes": [{"label": "cat", "shape_type": "rectangle", "points": [box[:2], box[2:]]}]}
        )
        for name, box in zip(NAMES, boxes, strict=True)
    }


def createml(boxes: Boxes) -> Files:
    places = [{"x": (a + c) / 2, "y": (b + d) / 2, "width": c - a, "height": d - b} for a, b, c, d in boxes]
    some = [
        {"image": name, "annotations": [{"label": "cat", "coordinates": place}]}
        for name, place in zip(NAMES, places, strict=True)
    ]
    return {"a.json": json.dumps(some)}


def imagefolder(boxes: Boxes) -> Files:
    lines = [
        json.dumps({"file_name": name, "objects": {"bbox": [[a, b, c - a, d - b]], "categories": ["cat"]}})
        for name, (a, b, c, d) in zip(NAMES, boxes, strict=True)
    ]
    return {"metadata.jsonl": "\n".join(lines)}


WRITERS = [coco, table, xml, labelme, createml, imagefolder]


@pytest.mark.parametrize("write", WRITERS)
def test_fractions_are_the_boxes_of_the_pixels(make: Maker, write: Callable[[Boxes], Files]) -> None:
    pictures: Files = {name: picture(place) for place, name in enumerate(NAMES)}
    scaled = (np.array(BOXES) / [40, 20, 40, 20]).tolist()
    pixels, fractions = (make.read({**pictures, **write(boxes)}) for boxes in (BOXES, scaled))
    assert [one.boxes.tolist() for one in pixels.images] == [[box] for box in BOXES]
    for one, box in zip(fractions.images, BOXES, strict=True):
        assert np.allclose(one.boxes, [box], atol=1e-6)
    assert [row.kind for row in pixels.ledger.rows] == []
    assert [(row.kind, row.severity) for row in fractions.ledger.rows] == [("fractions-not-pixels", "note")]
    assert all(not one.areas for one in fractions.images)  # a fraction of the image is no number of its pixels


def test_boxes_of_tiny_images_are_pixels(make: Maker) -> None:
    lines = ["image,label,xmin,ymin,xmax,ymax", *(f"{n}.png,cat,0,0.5,{1 + n / 4},2" for n in range(3))]
    data = make.read({f"{n}.png": picture(n, 3, 2) for n in range(3)} | {"a.csv": "\n".join(lines)})
    assert [one.boxes.tolist() for one in data.images] == [[[0, 0.5, 1 + n / 4, 2]] for n in range(3)]
    assert data.ledger.rows == []


def test_fractions_in_one_file_of_two(make: Maker) -> None:
    pictures: Files = {name: picture(place) for place, name in enumerate(NAMES)}
    good, other = json.loads(str(coco(BOXES)["a.json"])), json.loads(str(coco(BOXES)["a.json"]))
    good["images"], good["annotations"] = good["images"][:2], good["annotations"][:2]
    other["images"], other["annotations"] = other["images"][2:], other["annotations"][2:]
    left, top, width, height = other["annotations"][0]["bbox"]
    box = [left / 40, top / 20, width / 40, height / 20]
    other["annotations"] = [
        {**other["annotations"][0], "id": n, "bbox": [*box[:2], *(side / n for side in box[2:])]} for n in (1, 2, 3)
    ]
    data = make.read({**pictures, "a.json": json.dumps(good), "b/b.json": json.dumps(other)})
    assert np.allclose(data.images[2].boxes[0], BOXES[2])
    assert ("b", "fractions-not-pixels") in [(row.file, row.kind) for row in data.ledger.rows]


@pytest.mark.parametrize("write", [table, xml])
def test_fractions_among_pixels_are_a_mistake(make: Maker, write: Callable[[Boxes], Files]) -> None:
    """As after two exports were put together. Which of them are fractions is told by their numbers."""
    boxes = [box if place % 2 else (np.array(box) / [40, 20, 40, 20]).tolist() for place, box in enumerate(BOXES * 2)]
    pictures: Files = {f"{n}.png": picture(n) for n in range(6)}
    first, second = write(boxes[:3]), write(boxes[3:])
    moved = {
        name: str(text).replace("0.png", "3.png").replace("1.png", "4.png").replace("2.png", "5.png")
        for name, text in second.items()
    }
    both = (
        {"a.csv": f"{first['a.csv']}\n" + moved["a.csv"].partition("\n")[2]}
        if write is table
        else {**first, **{f"{int(name[0]) + 3}.xml": text for name, text in moved.items()}}
    )
    [row] = make.findings({**pictures, **both})
    assert (row.kind, row.severity, row.what[:6]) == ("fractions-not-pixels", "error", "3 of 6")
    data = make.read({**pictures, **both}, on_problem="skip")
    assert [(one.path, one.boxes.tolist()) for one in data.images] == [(f"{n}.png", [boxes[n]]) for n in (1, 3, 5)]


def test_one_small_box_makes_no_fractions(make: Maker) -> None:
    """A slip of the mouse in the corner of an image."""
    pictures: Files = {name: picture(place) for place, name in enumerate(NAMES)}
    data = make.read({**pictures, **xml([[0.2, 0.3, 1.4, 1.5], *BOXES[1:]])})
    assert data.images[0].boxes.tolist() == [[0.2, 0.3, 1.4, 1.5]]
    assert data.ledger.rows == []


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=5, max_size=30), st.integers(2, 4000))
def test_no_pixels_are_fractions(some: list[tuple[float, ...]], side: int) -> None:
    """Of boxes scattered over images of any size, not nearly all lie in the first two pixels."""
    pixels = np.array(some).clip(0.01) * side
    wide = (pixels > 2).any(axis=1).mean()
    assert are_fractions(pixels) <= (wide < 0.5)
    assert not are_fractions(pixels.round()), "whole numbers are pixels"
    assert are_fractions(np.array(some).clip(0.01, 0.99))


@pytest.mark.parametrize(("end", "told"), [(2.0, True), (2.01, False)])
def test_fractions_end_in_the_first_two_pixels(end: float, told: bool) -> None:
    """Two corners that are read as lengths end at 2 at most."""
    assert are_fractions(np.tile([0.25, 0.5, end, 1.0], (3, 1))) is told


def scattered(scale: float, spread: float = 80, count: int = 40) -> np.ndarray:
    """Boxes of an object of 20 by 20 that lies anywhere in the lower right part of a square of so many pixels."""
    first = 80 - spread + np.random.default_rng(4).uniform(0, spread, (count, 2))
    first[:2] = [[80 - spread, 80], [80, 80 - spread]]
    return np.concatenate([first, first + 20], axis=1) * scale / 100


def in_csv(boxes: np.ndarray, width: int = 300, height: int = 250) -> Files:
    lines = [f"{n % 2}.jpg,cat,{','.join(map(repr, box))}" for n, box in enumerate(boxes.tolist())]
    files: Files = {f"{n}.jpg": picture(n, width, height, "JPEG") for n in range(2)}
    return files | {"a.csv": "\n".join(["filename,class,xmin,ymin,xmax,ymax", *lines])}


def test_percent_gets_a_warning(make: Maker) -> None:
    """In images with a side below 200 objects may well end before 100."""
    boxes = scattered(100)
    assert [(row.kind, row.severity) for row in make.findings(in_csv(boxes))] == [("percent-not-pixels", "warning")]
    rows = make.findings(in_csv(boxes, 300, 199), on_problem="skip")
    assert "percent-not-pixels" not in [row.kind for row in rows]
    assert make.findings(in_csv(boxes, 200, 200)) != []


@pytest.mark.parametrize(
    ("boxes", "told"),
    [
        (scattered(100, count=20), True),
        (scattered(100, count=19), False),
        (scattered(89, count=20), False),  # they end at 89
        (scattered(91, count=20) + 4.5, True),  # of twenty boxes none need lie nearer
        (scattered(91, count=300) + 4.5, False),  # of three hundred, one does
        (scattered(97, count=300) + 1.5, True),
        (scattered(97, count=300), False),
        (scattered(85, count=20) + 15, False),
        (scattered(100) + np.array([0, 0, 0.02, 0]), False),  # over 100
        (scattered(100) - np.array([0.02, 0, 0, 0]), False),
        (scattered(100) + np.array([0, 0, 1e-9, 1e-9]), True),  # a sum of rounded numbers
        (scattered(100, spread=40), False),  # in the lower right alone
        (scattered(240), False),
        (scattered(100).round(), False),
    ],
)
def test_boxes_of_the_upper_left_are_no_percent(make: Maker, boxes: np.ndarray, told: bool) -> None:
    """Percent comes near both borders, the nearer the more boxes there are, and never passes one."""
    kinds = [row.kind for row in make.findings(in_csv(boxes), on_problem="skip")]
    assert ("percent-not-pixels" in kinds) is told


@pytest.mark.parametrize("first", [0.0, -0.25])
def test_percent_may_begin_at_0_and_not_before(make: Maker, first: float) -> None:
    boxes = scattered(100)
    boxes[5, 0] = first
    kinds = [row.kind for row in make.findings(in_csv(boxes), on_problem="clip")]
    assert ("percent-not-pixels" in kinds) is (first == 0)


@pytest.mark.parametrize(("whole", "told"), [(20, True), (21, False)])
def test_half_of_the_boxes_of_percent_have_fractions(make: Maker, whole: int, told: bool) -> None:
    boxes = scattered(100)
    boxes[2:, :2] = np.floor(boxes[2:, :2]) + 0.5
    boxes[:2] = [[0, 80, 20, 100], [80, 0, 100, 20]]
    boxes[2:whole] = boxes[2:whole].round()
    assert int((boxes % 1 == 0).all(axis=1).sum()) == whole
    assert ("percent-not-pixels" in [row.kind for row in make.findings(in_csv(boxes))]) is told


def test_a_thing_in_one_place_is_no_percent(make: Maker) -> None:
    """As a badge on screenshots. Two boxes alone reach the borders."""
    boxes = np.tile([40.3, 50.2, 60.1, 70.9], (40, 1)) + np.random.default_rng(1).uniform(0, 5, (40, 1))
    boxes[:2] = [[0.5, 99 - 20, 20, 99], [79, 0.5, 99, 20]]
    assert make.findings(in_csv(boxes)) == []
