"""Corners where a format has lengths are one mistake, not boxes of another place."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from folders import Files, Maker, picture, under, voc
from hypothesis import given, settings
from hypothesis import strategies as st

from humbleyolo.check.folder_check import check
from humbleyolo.labels.corners_as_lengths import find_corners
from humbleyolo.labels.labelled_image import ReadOptions, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.recipe.left_out import images_left_out

Boxes = list[tuple[float, float, float, float]]


def drawn(count: int, seed: int) -> Boxes:
    """Boxes in an image of 40 x 20 px, as corners."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, (30, 14), (count, 2))
    second = first + rng.uniform(3, (40, 20) - first)
    return [(*a, *b) for a, b in zip(first.round(2).tolist(), second.round(2).tolist(), strict=True)]


def coco(boxes: Boxes, *, corners: bool) -> Files:
    notes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [a, b, c, d] if corners else [a, b, c - a, d - b]}
        for n, (a, b, c, d) in enumerate(boxes)
    ]
    images = [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 20} for n in range(len(boxes))]
    root = {"images": images, "annotations": notes, "categories": [{"id": 1, "name": "cat"}]}
    return pictures(boxes) | {"all.json": json.dumps(root)}


def yolo(boxes: Boxes, *, corners: bool) -> Files:
    files = pictures(boxes) | {"classes.txt": "cat\n"}
    for n, (a, b, c, d) in enumerate(boxes):
        row = (a / 40, b / 20, c / 40, d / 20)
        if not corners:
            row = ((a + c) / 80, (b + d) / 40, (c - a) / 40, (d - b) / 20)
        files[f"{n}.txt"] = f"0 {' '.join(f'{value:.6f}' for value in row)}\n"
    return files


def read_as(format_: str, boxes: Boxes, *, corners: bool) -> UncheckedSet:
    """Boxes in images of 40 x 20 px as the reader of a format understands lengths, or corners in their place."""
    scale = np.array([40, 20, 40, 20]) if format_ == "yolo" else np.ones(4)
    numbers = np.array(boxes, np.float64) / scale
    low, sides = numbers[:, :2], numbers[:, 2:] - numbers[:, :2]
    if corners:
        sides = numbers[:, 2:]
        low = low - sides / 2 if format_ == "yolo" else low
    rows = np.concatenate([low, low + sides], axis=1).tolist()
    size: dict[str, int | bool] = {"relative": True} if format_ == "yolo" else {"height": 20, "width": 40}
    return UncheckedSet(
        [
            UncheckedImage("all", f"{n}.png", boxes=[UncheckedBox("", "cat", tuple(row))], **size)  # type: ignore[arg-type]
            for n, row in enumerate(rows)
        ]
    )


def unasked(path: str) -> None:
    """The size of an image, of no one's interest where labels say it."""
    raise AssertionError(path)


def pictures(boxes: Boxes) -> Files:
    return {f"{n}.png": picture(n) for n in range(len(boxes))}


@pytest.mark.parametrize("write", [coco, yolo])
@pytest.mark.parametrize("seed", range(6))
def test_corners_are_told_and_lengths_are_not(make: Maker, write: Callable[..., Files], seed: int) -> None:
    boxes = drawn(20, seed)
    assert make.findings(write(boxes, corners=False), on_problem="skip") == []
    [row] = make.findings(write(boxes, corners=True), on_problem="skip")
    assert (row.kind, row.severity) == ("corners-not-lengths", "error")
    assert "of 20 boxes leave their image by far" in row.what
    assert make.read(write(boxes, corners=True), on_problem="skip_box").images == []


@pytest.mark.parametrize("write", [coco, yolo])
def test_few_boxes_over_the_border_are_mistakes_of_their_own(make: Maker, write: Callable[..., Files]) -> None:
    """Large objects at the upper left may be read both ways; a box far outside alone does not tell."""
    boxes = [(1.0, 1.0, 30.0, 15.0)] * 19
    files = write([*boxes, (20.0, 10.0, 55.0, 19.0)], corners=False)
    assert {row.kind for row in make.findings(files, on_problem="skip")} == {"outside-image"}


def placed(count: int, seed: int, side: float, spread: float, over: float = 0.0, crossing: float = 0.0) -> Boxes:
    """Boxes of a share `side` of 40 x 20 px, about the middle; some cross the right or lower border by `over`."""
    rng = np.random.default_rng(seed)
    sides = np.clip(rng.normal(side, 0.04, (count, 2)), 0.05, 0.97)
    middles = np.clip(rng.normal(0.5, spread, (count, 2)), sides / 2, 1 - sides / 2)
    low, high = middles - sides / 2, middles + sides / 2
    high = np.where(rng.random((count, 2)) < crossing, 1 + over, high)
    return [tuple(row) for row in (np.concatenate([low, high], axis=1) * [40, 20, 40, 20]).round(4).tolist()]


LARGE = st.tuples(st.integers(0, 2**32 - 1), st.floats(0.5, 0.97), st.floats(0, 0.3))
"""A seed, a side, and a spread."""


@settings(deadline=None, max_examples=40)
@given(LARGE, st.floats(0, 0.06), st.floats(0, 1), st.integers(1, 60))
@pytest.mark.parametrize("format_", ["coco", "yolo"])
def test_right_boxes_of_large_objects_are_never_refused(
    format_: str, large: tuple[int, float, float], over: float, crossing: float, count: int
) -> None:
    boxes = placed(count, *large, over, crossing)
    assert find_corners(format_, read_as(format_, boxes, corners=False).images, unasked) is None


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.8), st.floats(0.3, 0.5))
@pytest.mark.parametrize("format_", ["coco", "yolo"])
def test_corners_of_small_and_of_large_objects_are_refused(
    format_: str, seed: int, side: float, spread: float
) -> None:
    assert find_corners(format_, read_as(format_, placed(60, seed, side, spread), corners=True).images, unasked)


@pytest.mark.parametrize("write", [coco, yolo])
def test_a_format_given_by_name_reads_them_with_a_warning(make: Maker, write: Callable[..., Files]) -> None:
    files = write(drawn(20, 0), corners=True)
    rows = make.findings(files, on_problem="skip", format=write.__name__)
    assert [row.severity for row in rows if row.kind == "corners-not-lengths"] == ["warning"]
    assert make.read(files, on_problem="skip", format=write.__name__).images


def test_corners_beside_labels_of_another_format_are_told(make: Maker) -> None:
    """LabelImg was switched: XML of some images, text of the others. Nothing of the text is trained on."""
    files = yolo(drawn(20, 1), corners=True)
    for n in range(20, 28):
        files |= {f"{n}.png": picture(n), f"{n}.xml": voc(f"{n}.png", "cat 1 2 30 15")}
    rows = make.findings(files, on_problem="skip")
    assert {row.kind for row in rows if row.severity == "error"} == {"corners-not-lengths"}
    read = make.read(files, on_problem="skip")
    assert sorted(image.path for image in read.images) == [f"{n}.png" for n in range(20, 28)]


def test_images_whose_boxes_are_corners_are_counted_as_left_out(make: Maker) -> None:
    corners = coco(drawn(20, 1), corners=True)
    corners = {
        name: picture(50 + n) if name.endswith("png") else text for n, (name, text) in enumerate(corners.items())
    }
    lengths = {f"{n}.png": picture(n) for n in range(12)} | {
        f"{n}.xml": voc(f"{n}.png", "cat 1 2 30 15") for n in range(12)
    }
    files = under({"a": lengths, "b": corners})
    read = make.read(files, on_problem="skip")
    assert (len(read.images), read.images_seen) == (12, 32)
    assert images_left_out(read) == ["20 of 32 images left out"]
    stopped = make.folder(files)
    assert "leaves out 20 of 32 images" in check(stopped, ReadOptions()).treatment


def test_corners_without_the_sizes_of_images_are_told(make: Maker) -> None:
    files = coco(drawn(20, 2), corners=True)
    root = json.loads(files["all.json"])
    root["images"] = [{"id": one["id"], "file_name": one["file_name"]} for one in root["images"]]
    rows = make.findings(files | {"all.json": json.dumps(root), "3.png": b"no image"}, on_problem="skip")
    assert [row.kind for row in rows if row.file == "."] == ["corners-not-lengths"]


@pytest.mark.parametrize("write", [coco, yolo])
@pytest.mark.parametrize("odd", [(5.0, 5.0, 55.0, 19.0), (30.0, 5.0, 10.0, 19.0)], ids=["outside", "turned"])
def test_one_odd_box_hides_no_corners(make: Maker, write: Callable[..., Files], odd: tuple[float, ...]) -> None:
    files = write([*drawn(23, 3), odd], corners=True)
    assert [row.kind for row in make.findings(files, on_problem="skip")] == ["corners-not-lengths"]


@pytest.mark.parametrize(("write", "place"), [(coco, "b/all.json"), (yolo, "b")])
def test_corners_in_one_of_two_folders_of_a_format_are_told(
    make: Maker, write: Callable[..., Files], place: str
) -> None:
    """Two people labelled, with two tools. The boxes of the first are right."""
    files = under({"a": write(drawn(30, 1), corners=False), "b": write(drawn(20, 2), corners=True)})
    files |= {name: picture(n + 100) for n, name in enumerate(files) if name.endswith("png")}
    rows = make.findings(files, on_problem="skip")
    assert [(row.file, row.kind) for row in rows if row.severity == "error"] == [(place, "corners-not-lengths")]
    assert len(make.read(files, on_problem="skip").images) == 30


def in_csv(boxes: Boxes) -> Files:
    lines = [f"{n}.png,cat,{','.join(map(str, box))}" for n, box in enumerate(boxes)]
    return {"all.csv": "\n".join(["filename,class,xmin,ymin,xmax,ymax", *lines])}


def in_voc(boxes: Boxes) -> Files:
    return {f"{n}.xml": voc(f"{n}.png", f"cat {' '.join(map(str, box))}") for n, box in enumerate(boxes)}


def in_oidv4(boxes: Boxes) -> Files:
    return {f"{n}.txt": f"cat {' '.join(map(str, box))}\n" for n, box in enumerate(boxes)}


@pytest.mark.parametrize("write", [in_csv, in_voc, in_oidv4])
@pytest.mark.parametrize("seed", range(3))
def test_lengths_are_told_and_corners_are_not(make: Maker, write: Callable[[Boxes], Files], seed: int) -> None:
    """Text of `class left top width height`, as tools that compute AP read it, looks like that of corners."""
    corners = drawn(20, seed)
    lengths = [(a, b, round(c - a, 2), round(d - b, 2)) for a, b, c, d in corners]
    assert make.findings(pictures(corners) | write(corners), on_problem="skip") == []
    found = make.findings(pictures(corners) | write(lengths), on_problem="skip")
    assert [row.kind for row in found if row.severity == "error"] == ["lengths-not-corners"]
    assert ("name the columns so" in found[0].why) == (write is in_csv)
    given = {in_csv: "csv", in_voc: "voc", in_oidv4: "oidv4"}[write]
    kinds = {row.kind for row in make.findings(pictures(corners) | write(lengths), on_problem="skip", format=given)}
    assert {"inverted-box", "lengths-not-corners"} <= kinds  # a mistake of each, and a warning


@pytest.mark.parametrize("inverted", range(4))
def test_few_inverted_boxes_are_mistakes_of_their_own(make: Maker, inverted: int) -> None:
    """Under a tenth, or three; so are those that lie outside if they are read as lengths."""
    corners = drawn(40, 7)
    turned = [(30.0, 12.0, 5.0, 5.0)] * inverted
    kinds = {
        row.kind
        for row in make.findings(in_csv([*corners, *turned]) | pictures([*corners, *turned]), on_problem="skip")
    }
    assert "lengths-not-corners" not in kinds
    swapped = [(c, d, a, b) for a, b, c, d in corners]
    kinds = {row.kind for row in make.findings(in_csv(swapped) | pictures(swapped), on_problem="skip")}
    assert "lengths-not-corners" not in kinds
