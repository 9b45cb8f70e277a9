"""Corners where a format has lengths are one mistake, not boxes of another place."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from folders import Files, Maker, picture

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


def pictures(boxes: Boxes) -> Files:
    return {f"{n}.png": picture(n) for n in range(len(boxes))}


@pytest.mark.parametrize("write", [coco, yolo])
@pytest.mark.parametrize("seed", range(6))
def test_corners_are_told_and_lengths_are_not(make: Maker, write: Callable[..., Files], seed: int) -> None:
    boxes = drawn(20, seed)
    assert make.findings(write(boxes, corners=False), on_problem="skip") == []
    [row] = make.findings(write(boxes, corners=True), on_problem="skip")
    assert (row.kind, row.severity) == ("corners-not-lengths", "error")
    assert "of 20 boxes leave their image" in row.what
    assert make.read(write(boxes, corners=True), on_problem="skip_box").images == []


@pytest.mark.parametrize("write", [coco, yolo])
def test_few_boxes_over_the_border_are_mistakes_of_their_own(make: Maker, write: Callable[..., Files]) -> None:
    """Large objects at the upper left may be read both ways; a box far outside alone does not tell."""
    boxes = [(1.0, 1.0, 30.0, 15.0)] * 19
    files = write([*boxes, (20.0, 10.0, 55.0, 19.0)], corners=False)
    assert {row.kind for row in make.findings(files, on_problem="skip")} == {"outside-image"}
