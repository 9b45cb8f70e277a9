"""Places around a box: a box beside its object has a better one, an unusual object has none."""

import io
from functools import cache
from typing import Any

import numpy as np
import pytest
from folders import Files, Maker
from PIL import Image

from humbleyolo.check.better_places import Place, best_place, clear_gains, rows_to_look_around, worst_few
from humbleyolo.check.crop_classifier import SIDE as SIDE_OF_CROP
from humbleyolo.check.folder_check import check
from humbleyolo.labels.labelled_image import ReadOptions
from tests.check.test_folder_check import found, table

SIDE, IMAGES = 120, 150


@cache
def large_objects() -> tuple[Files, dict[str, tuple[int, int, int, int]]]:
    """Return pictures of one class, with a frame around a hole in most, and its box by the name."""
    files: Files = {}
    boxes = {}
    for number in range(IMAGES):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 120, (SIDE, SIDE, 3))
        width, height = rng.integers(40, 72, 2).tolist()
        left, top = rng.integers(2, SIDE - width - 2), rng.integers(2, SIDE - height - 2)
        coarse = rng.integers(60, 256, (3, 3, 3)).astype(np.uint8)
        object_ = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).copy()
        object_[:8], object_[-8:], object_[:, :8], object_[:, -8:] = 250, 250, 250, 250
        object_[height // 3 : -height // 3, width // 3 : -width // 3] = 0
        if number % 12 == 5:
            object_ = rng.integers(60, 180, object_.shape)  # unlike the others: hardly to be told from the ground
        pixels[top : top + height, left : left + width] = object_
        file = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
        name = f"{number:03}.png"
        files[name], boxes[name] = file.getvalue(), (int(left), int(top), int(left) + width, int(top) + height)
    return files, boxes


@pytest.mark.slow
def test_of_large_objects_of_one_class_few_are_named_and_shifted_boxes_are_among_them(make: Maker) -> None:
    files, boxes = large_objects()
    rows = [(name, "raccoon", *map(float, box), "train") for name, box in boxes.items()]
    clean = check(make.folder({**files, "l.csv": table(rows)}), ReadOptions(), sheets=0)
    assert clean.judged.boxes == IMAGES
    assert len(found(clean, "box-shifted")) <= 3
    planted = set()
    for number, (name, word, left, top, right, bottom, split) in enumerate(rows):
        x = 0.5 * (right - left) * (1 if left + right < SIDE else -1)
        y = 0.5 * (bottom - top) * (1 if top + bottom < SIDE else -1)
        moved = (left + x, top + y, right + x, bottom + y)
        if min(moved) >= 0 and max(moved) <= SIDE and len(planted) < 6 and number % 12 != 5:
            rows[number] = (name, word, *moved, split)
            planted.add(f"l.csv line {number + 2}")
    spoiled = check(make.folder({**files, "l.csv": table(rows)}), ReadOptions(), sheets=0)
    assert len(planted) == 6
    named = found(spoiled, "box-shifted")
    assert named <= planted
    assert named
    first = next(str(row) for row in spoiled.rows if row.kind == "box-shifted")
    assert "of its width to the" in first
    assert "looks more like raccoon" in first


class Brightness:
    """A stand-in for a classifier: the brighter a crop's colours, the more it is an object of class 0."""

    def scores(self, features: np.ndarray) -> np.ndarray:
        colours = features[:, SIDE_OF_CROP**2 : SIDE_OF_CROP**2 + 48].mean(axis=1) / 3
        return np.column_stack([colours, 1 - colours, np.zeros(len(colours))]).astype(np.float32)


@pytest.mark.parametrize(("across", "down"), [(0.4, -0.2), (-0.6, 0.0), (0.2, 0.6)])
def test_the_best_place_is_where_the_object_is_and_no_other_box(across: float, down: float) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    box = np.array([80.0, 90.0, 120.0, 120.0])
    truth = box + np.array([across * 40, down * 30] * 2)
    left, top, right, bottom = truth.round().astype(int).tolist()
    image[top:bottom, left:right] = 255
    model: Any = Brightness()
    place = best_place(image, box[None], 0, 0, 0.5, model, 1)
    assert place is not None
    assert (place.across, place.down) == (across, down)
    assert place.gain > 0
    taken = best_place(image, np.array([box, truth]), 0, 0, 0.5, model, 1)
    assert taken is not None
    assert (taken.across, taken.down) != (across, down)
    assert best_place(image[90:120, 80:120], np.array([[0.0, 0, 40, 30]]), 0, 0, 0.5, model, 1) is None


def test_only_clear_gains_are_named_and_few() -> None:
    rng = np.random.default_rng(0)
    doubts = rng.normal(-0.5, 0.2, 1000).astype(np.float32)
    gains = np.full(1000, -np.inf)
    gains[:30] = np.linspace(2.0, 0.1, 30)
    assert np.flatnonzero(clear_gains(gains, doubts)).tolist() == list(range(19))  # those over 0.8
    gains[:30] = 3.0
    assert clear_gains(gains, doubts).sum() == 20  # 2 % of the boxes
    assert clear_gains(gains[:40], doubts[:40]).sum() == 3
    unsure = rng.normal(-0.5, 2.0, 1000).astype(np.float32)  # a classifier that hardly knows the boxes
    assert not clear_gains(gains, unsure).any()


@pytest.mark.parametrize(("boxes", "most"), [(2, 2), (40, 3), (149, 3), (1000, 20)])
def test_the_worst_few_are_two_percent_or_three(boxes: int, most: int) -> None:
    doubts = np.random.default_rng(boxes).permutation(boxes).astype(float)
    assert sorted(doubts[worst_few(doubts)]) == list(range(boxes - most, boxes))


def test_the_most_doubted_boxes_are_looked_around() -> None:
    doubts = np.array([0.2, 0.9, -0.5, 0.31, 0.3], np.float32)
    assert rows_to_look_around(doubts).tolist() == [1, 3]
    many = np.linspace(-1, 1, 4000).astype(np.float32)
    assert rows_to_look_around(many).tolist() == list(range(3800, 4000))


@pytest.mark.parametrize(
    ("across", "down", "words"),
    [
        (0.2, 0.0, "0.2 of its width to the right"),
        (-0.4, 0.6, "0.4 of its width to the left and 0.6 of its height down"),
        (0.0, -0.2, "0.2 of its height up"),
    ],
)
def test_a_place_is_told_by_the_way_from_the_box(across: float, down: float, words: str) -> None:
    assert str(Place(1.0, across, down)) == words
