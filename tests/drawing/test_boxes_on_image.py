"""What is drawn: whole, in sight, the same every time, whatever the boxes and names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from humbleyolo.drawing import palette
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import MARGIN_X, MARGIN_Y, save_png
from humbleyolo.drawing.contact_sheet import contact_sheet, side_by_side
from humbleyolo.drawing.palette import class_colour

BLACK = np.zeros((64, 48, 3), np.uint8)
NAMES = ["chat", "rat"]


def pixels(picture: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(picture)


def inside(picture: Image.Image) -> np.ndarray[Any, Any]:
    """Return the picture without its frame."""
    return pixels(picture)[MARGIN_Y:-MARGIN_Y, MARGIN_X:-MARGIN_X]


def test_without_boxes_the_image_is_enlarged_and_nothing_else() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    picture = draw_boxes(image, [], [], NAMES, scale=4)
    np.testing.assert_array_equal(inside(picture), image.repeat(4, axis=0).repeat(4, axis=1))


@pytest.mark.parametrize("scale", [1, 2, 3, 5])
def test_the_outline_lies_outside_of_the_box(scale: int) -> None:
    image = BLACK.copy()
    image[20:30, 10:25] = 255
    picture = inside(draw_boxes(image, [[10, 20, 25, 30]], [0], NAMES, scale=scale))
    ink = picture[20 * scale : 30 * scale, 10 * scale : 25 * scale]
    assert (ink == 255).all()
    colour = class_colour(0)
    for around in (
        picture[20 * scale - 1, 10 * scale], picture[30 * scale, 10 * scale],
        picture[20 * scale, 10 * scale - 1], picture[20 * scale, 25 * scale],
    ):  # fmt: skip
        assert tuple(around) == colour


def test_no_label_hides_an_object_where_there_is_room() -> None:
    image = BLACK.copy()
    # The places over the second and left of the fourth are taken by others.
    boxes = [[2, 3, 22, 12], [2, 14, 22, 23], [0, 40, 22, 50], [26, 40, 48, 50]]
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    picture = inside(draw_boxes(image, boxes, [0, 1, 0, 1], NAMES, scale=3, scores=[0.9, 0.8, 0.7, 0.6]))
    for left, top, right, bottom in boxes:
        assert (picture[top * 3 : bottom * 3, left * 3 : right * 3] == 255).all()


def test_the_confidence_is_written() -> None:
    boxes = [[10, 20, 25, 30]]
    plain = draw_boxes(BLACK, boxes, [0], NAMES, scale=3)
    sure, unsure = (draw_boxes(BLACK, boxes, [0], NAMES, scale=3, scores=[score]) for score in (0.91, 0.52))
    assert plain.size == sure.size
    assert not np.array_equal(pixels(plain), pixels(sure))
    assert not np.array_equal(pixels(unsure), pixels(sure))


@pytest.mark.parametrize("grey", [0, 127, 128, 255])
def test_the_grid_is_in_sight_but_faint(grey: int) -> None:
    image = np.full((6, 10, 3), grey, np.uint8)
    picture = inside(draw_boxes(image, [], [], NAMES, scale=10, grid=(3, 5))).astype(int)
    changed = np.abs(picture - grey).max(axis=2)
    assert np.flatnonzero((changed > 0).all(axis=0)).tolist() == [20, 40, 60, 80]  # columns, not rows
    assert np.flatnonzero((changed > 0).all(axis=1)).tolist() == [20, 40]
    assert set(np.unique(changed)) == {0, 52}


def test_a_grid_that_covers_more_than_the_image_is_placed_right() -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    picture = inside(draw_boxes(image, [], [], NAMES, scale=1, grid=(4, 2), grid_extent=(0, -5, 20, 15)))
    lit = picture.max(axis=2) > 0
    assert np.flatnonzero(lit.all(axis=0)).tolist() == [10]
    assert np.flatnonzero(lit.all(axis=1)).tolist() == [5]  # at -5 + 20 / 4 k: 0 and 10 are the image's own edges


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        picture = draw_boxes(BLACK, [[1, 2, 20, 30]], [1], NAMES, scale=3, scores=[0.5], grid=(2, 2))
        save_png(contact_sheet([picture], columns=1, captions=["a"], title="b"), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as file:
        assert file.info == {}


_BOXES = st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 4), max_size=12)


@given(_BOXES, st.integers(1, 4), st.integers(1, 70), st.integers(1, 70))
def test_any_boxes_draw(boxes: list[tuple[float, ...]], scale: int, height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    labels = [index % 2 for index in range(len(boxes))]
    picture = draw_boxes(image, boxes, labels, NAMES, scale=scale)
    assert picture.size == (width * scale + 2 * MARGIN_X, height * scale + 2 * MARGIN_Y)


@pytest.mark.parametrize(
    "name", ["x" * 200, "🐀" * 200, "שלום עולם", "مرحبا", "猫", "a\nb", "\ud800", "", "<script>", "\u202e"]
)
def test_any_name_draws(name: str) -> None:
    picture = draw_boxes(BLACK, [[1, 2, 20, 30]], [0], [name], scale=1, scores=[1.0])
    sheet = contact_sheet(
        [side_by_side([picture, picture], [name, name])], columns=3, captions=[name], title=name,
        subtitle=name, legend=[(name, class_colour(0))],
    )  # fmt: skip
    assert sheet.width == 2 * picture.width + 3 + 28


@settings(max_examples=12, deadline=None)
@given(st.integers(100, 2000), st.integers(100, 2000), st.booleans())
def test_without_margins_nothing_is_around_the_image_and_lines_and_letters_grow_with_it(
    height: int, width: int, at_the_edge: bool
) -> None:
    image, ground = np.full((height, width, 3), 90, np.uint8), (90, 90, 90)
    left = 0 if at_the_edge else width // 4
    box = [[left, height // 2, left + width // 2, height * 0.9]]
    picture = pixels(draw_boxes(image, box, [0], NAMES, scale=1, scores=[0.5], margins=(0, 0)))
    assert picture.shape == image.shape
    assert tuple(picture[0, 0]) == tuple(picture[-1, -1]) == tuple(picture[0, -1]) == ground
    assert not (picture == palette.FRAME).all(axis=-1).any()
    unit = max(1, max(height, width) / 800)
    coloured = (picture == class_colour(0)).all(axis=-1)
    middle = coloured[round(height * 0.7)]
    assert np.flatnonzero(middle).size == 2 * round(2 * unit)  # the left and the right line
    above = np.flatnonzero(coloured.any(axis=1))[0]
    assert round(height // 2 - above) == round(2 * unit) + round(15 * unit)  # the line and the name over it


def test_thousands_of_boxes_draw_all_outlines() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, (5000, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 8, (5000, 2))], axis=1)
    picture = draw_boxes(BLACK, boxes, np.zeros(5000, int), NAMES, scale=3, scores=rng.random(5000))
    assert (inside(picture)[:, :, 0] > 0).mean() > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": [[1, 2, float("nan"), 4]]}, "not a finite number"),
        ({"scores": [float("inf")]}, "not a finite number"),
        ({"labels": [2]}, "labels 2 to 2 with 2 names"),
        ({"labels": [-1]}, "labels -1 to -1"),
        ({"labels": [0, 1]}, "differ in number"),
        ({"image": BLACK[..., 0]}, r"image is uint8 \(64, 48\)"),
        ({"image": BLACK.astype(float)}, "image is float64"),
        ({"image": BLACK[:0]}, r"image is uint8 \(0, 48, 3\)"),
        ({"scale": 0}, "scale 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"image": BLACK, "boxes": [[1, 2, 3, 4]], "labels": [0], "scale": 1} | changes
    with pytest.raises(ValueError, match=message):
        draw_boxes(
            arguments["image"], arguments["boxes"], arguments["labels"], NAMES, scale=arguments["scale"],
            scores=arguments.get("scores"),
        )  # fmt: skip
