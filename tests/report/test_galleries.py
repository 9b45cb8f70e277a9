"""The galleries: what stands on them, in which order, and that they stay small enough to be opened."""

import numpy as np
import pytest
from repository import ROOT

from humbleyolo.drawing.palette import CONFIDENT, RESPONSIBLE, class_colour
from humbleyolo.geometry.grid import Grid
from humbleyolo.params.loader import load_params
from humbleyolo.report import galleries
from humbleyolo.report.galleries import (
    cells_and_confidence,
    headline,
    least_shown,
    truth_and_predictions,
    worst_mistakes,
)
from humbleyolo.report.gallery_examples import Cells, Example, Mistakes

NAMES = ["chat", "rat"]
GRID = Grid(40, 40, 2, 2, 1, 2)


def example(scores=(0.9,), height=40, width=40):
    """Return a black image with a truth of class 0, and predictions of class 1."""
    count = 1 if scores is None else len(scores)
    return Example(
        "a.png",
        np.zeros((height, width, 3), np.uint8),
        np.array([[4.0, 5.0, 14.0, 13.0]]),
        np.array([0]),
        np.tile([20.0, 22.0, 32.0, 31.0], (count, 1)),
        np.full(count, 1),
        None if scores is None else np.array(scores),
    )


def has(picture, colour):
    return bool((np.asarray(picture) == colour).all(axis=-1).any())


def test_truth_and_predictions_stand_side_by_side():
    layout = {"grid": GRID, "columns": 1, "scale": 3, "images": 9, "subtitle": "s"}
    sheet = np.asarray(truth_and_predictions([example()], NAMES, **layout))
    below_legend = sheet[120:]
    left, right = below_legend[:, : sheet.shape[1] // 2], below_legend[:, sheet.shape[1] // 2 :]
    assert (has(left, class_colour(0)), has(left, class_colour(1))) == (True, False)
    assert (has(right, class_colour(0)), has(right, class_colour(1))) == (False, True)


def test_the_headline_says_what_is_undefined():
    assert headline({"ap": 0.5, "ap50": None, "ap75": 0.25}, 0.4) == (
        "AP 0.500   AP50 undefined   AP75 0.250   mean IoU undefined   "
        "(all test images)   predictions shown: confidence 0.4 or more"
    )
    assert headline({}, 0.5, ", for want of a better").endswith("confidence 0.5 or more, for want of a better")


@pytest.mark.parametrize(
    ("min_score", "found", "least"),
    [("threshold", 0.223, 0.223), ("threshold", None, 0.5), (0.4, 0.223, 0.4), (0.4, None, 0.4)],
)
def test_predictions_are_shown_from_the_threshold_that_was_found_or_from_a_number_on(min_score, found, least):
    (render,) = load_params(ROOT / "params.yaml", "render")
    assert render.min_score == "threshold"
    assert least_shown(render.model_copy(update={"min_score": min_score}), found) == least


def test_mistakes_are_drawn_kind_by_kind_and_a_kind_without_any_is_named():
    layout = {"grid": GRID, "threshold": 0.4, "columns": 2, "scale": 1}
    one = Mistakes("background: 1", [example()], 1)
    none = Mistakes("both: 0", [], 0)
    few, more = (worst_mistakes(kinds, NAMES, **layout).height for kinds in ([one], [one, none]))
    assert few < more
    nothing = worst_mistakes([none], NAMES, **(layout | {"threshold": None}))
    assert nothing.height > 50


def test_a_missed_truth_is_called_so_and_has_no_confidence(monkeypatch):
    headings = []
    join = galleries.side_by_side
    monkeypatch.setattr(
        galleries, "side_by_side", lambda pictures, over: headings.append(over) or join(pictures, over)
    )
    layout = {"grid": GRID, "threshold": 0.4, "columns": 1, "scale": 4}
    missed, made = (
        np.asarray(worst_mistakes([Mistakes("k", [example(scores)], 1)], NAMES, **layout))
        for scores in (None, (0.9,))
    )
    assert missed.shape == made.shape
    assert headings == [["truth (1)", "missed"], ["truth (1)", "the mistake"]]
    ink = [int((picture == class_colour(1)).all(axis=-1).sum()) for picture in (missed, made)]
    assert ink[0] < ink[1]  # a shorter label


def seen(confidence, size=40):
    example = Example(
        "a.png",
        np.zeros((size, size, 3), np.uint8),
        np.array([[4.0, 5.0, 14.0, 13.0]]),
        np.array([0]),
        np.zeros((0, 4)),
        np.zeros(0, np.int64),
        np.zeros(0),
    )
    return Cells(example, np.array(confidence, np.float32), np.array([[True, False], [False, False]]))


def test_cells_show_confidence_and_what_is_responsible():
    sure = tuple(np.round(0.75 * np.array(CONFIDENT)).astype(int))
    layout = {"learners": "one", "columns": 1, "scale": 3}
    picture = cells_and_confidence([seen([[1, 0], [0, 0]])], NAMES, **layout)
    assert has(picture, sure)
    assert has(np.asarray(picture)[100:], RESPONSIBLE)
    assert not has(cells_and_confidence([seen(np.zeros((2, 2)))], NAMES, **layout), sure)


@pytest.mark.slow
def test_cells_of_a_fine_grid_have_no_lines_in_any_of_the_three_pictures(rows):
    cells = seen(np.zeros((20, 20)), 300)
    bare = cells._replace(
        example=cells.example._replace(truth_boxes=np.zeros((0, 4)), truth_labels=np.zeros(0, int)),
        responsible=np.zeros((20, 20), bool),
    )
    cells_and_confidence([bare] * 6, NAMES, learners="one", columns=3, scale=1)
    colours = [np.unique(np.asarray(tile).reshape(-1, 3), axis=0) for tiles in rows for tile in tiles]
    assert [len(found) for found in colours] == [2] * 18  # the black image and its frame
    rows.clear()
    cells_and_confidence([bare._replace(confidence=np.zeros((4, 4)))] * 6, NAMES, learners="one", columns=3, scale=1)
    assert all(len(np.unique(np.asarray(tile).reshape(-1, 3), axis=0)) > 2 for tiles in rows for tile in tiles)


@pytest.mark.parametrize(("learners", "told"), [("one", False), ("several", True)])
def test_cells_that_learn_an_object_beside_that_of_its_centre_are_told(learners, told, monkeypatch):
    drawn = []
    monkeypatch.setattr(galleries, "contact_sheet", lambda pictures, **words: drawn.append(words))
    cells_and_confidence([seen(np.zeros((2, 2)))], NAMES, learners=learners, columns=1, scale=3)
    (words,) = drawn
    assert ("cells near a centre learned its object too" in words["subtitle"]) == told
    assert words["legend"][0][0] == ("cell, centre of object" if told else "responsible, centre of object")


@pytest.fixture
def rows(monkeypatch):
    """The pictures that are laid side by side, row by row."""
    laid, join = [], galleries.side_by_side
    monkeypatch.setattr(galleries, "side_by_side", lambda tiles, over: laid.append(tiles) or join(tiles, over))
    return laid


PHOTOGRAPHS = [(48, 64), (675, 900), (900, 675), (300, 700), (900, 90), (320, 320)]
QUICK = [((48, 64), 40), ((675, 900), 1), ((900, 90), 1), ((900, 90), 40)]


def mistakes_of(examples, kinds=1, total=None):
    """Return so many kinds of mistakes, each with these examples."""
    return [Mistakes(f"kind {kind}", examples, total or len(examples)) for kind in range(kinds)]


def has_tag(picture, colour):
    """Tell if a picture holds a tag of 15 px, whose letters have 11; outlines are narrower than its margin."""
    solid = (np.asarray(picture) == colour).all(axis=-1)
    high = np.logical_and.reduce([solid[row : len(solid) - 14 + row] for row in range(15)])
    return bool((high[:, :-2] & high[:, 1:-1] & high[:, 2:]).any())


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        pytest.param(sizes, count, marks=[pytest.mark.slow] * (len(sizes) == 1 and (sizes[0], count) not in QUICK))
        for sizes in [*([one] for one in PHOTOGRAPHS), PHOTOGRAPHS]
        for count in (1, 2, 12, 40)
    ],
)
def test_a_screen_shows_galleries_of_any_photographs_whole_and_their_labels_are_read(rows, count, sizes):
    (render,) = load_params(ROOT / "params.yaml", "render")
    layout = {"columns": render.columns, "scale": render.scale}
    sized = {size: example(height=size[0], width=size[1]) for size in sizes}
    some = [sized[sizes[number % len(sizes)]] for number in range(count)]
    some = [one._replace(**boxes_of(one.image)) for one in some]
    worst = mistakes_of(some[: render.mistakes], 6)
    cells = [seen([[1, 0], [0, 0]], 320)] * min(count, render.cells)
    pictures = [
        truth_and_predictions(some, NAMES, grid=GRID, **layout, images=99, subtitle="s"),
        worst_mistakes(worst, NAMES, grid=GRID, **layout, threshold=0.5),
    ]
    for truth, found in rows[:3] + rows[-3:]:
        assert has_tag(truth, class_colour(0))
        assert has_tag(found, class_colour(1))
        assert truth.size == found.size
        if min(map(max, sizes)) > 100:
            assert max(truth.size) > 176  # of a photograph; a small image is enlarged by whole numbers
    pictures.append(cells_and_confidence(cells, NAMES, learners="one", **layout))
    for picture in pictures:
        assert picture.width <= 1600
        assert picture.height <= 1250


def test_tiles_have_one_size_and_are_as_large_as_a_screen_allows(rows):
    photographs = [example(height=high, width=wide) for high, wide in PHOTOGRAPHS]
    for count, least in ((1, 600), (2, 480), (6, 235), (12, 235)):
        rows.clear()
        some = (photographs * 2)[-count:]
        truth_and_predictions(some, NAMES, grid=GRID, columns=3, scale=3, images=99, subtitle="")
        assert len(rows) == count
        (size,) = {tile.size for tiles in rows for tile in tiles}
        assert max(size) > least


@pytest.fixture
def words(monkeypatch):
    """The words of the sheets that are drawn."""
    drawn, sheet = [], galleries.contact_sheet
    monkeypatch.setattr(
        galleries, "contact_sheet", lambda tiles, **layout: drawn.append(layout) or sheet(tiles, **layout)
    )
    return drawn


def test_what_a_screen_has_no_room_for_is_said(rows, words):
    large = example(height=300, width=300)
    layout = {"grid": GRID, "columns": 3, "scale": 1}
    truth_and_predictions([large] * 12, NAMES, **layout, images=99, subtitle="s")
    assert (words[0]["title"], words[0]["subtitle"]) == ("Truth and predictions on 12 of 99 test images", "s")
    truth_and_predictions([large] * 40, NAMES, **layout, images=99, subtitle="s")
    drawn = len(rows) - 12
    assert 12 <= drawn < 40
    assert words[1]["title"] == f"Truth and predictions on {drawn} of 99 test images"
    assert words[1]["subtitle"] == f"s; a screen has room for {drawn} of 40"
    assert len(words[1]["captions"]) == drawn
    cells_and_confidence([seen([[1, 0], [0, 0]], 300)] * 30, NAMES, learners="one", columns=3, scale=1)
    assert words[2]["subtitle"].endswith(f"; a screen has room for {len(rows) - drawn - 12} of 30")


@pytest.mark.parametrize(("kinds", "expected"), [(1, 6), (3, 3), (6, 2)])
def test_as_many_mistakes_of_each_kind_are_drawn_as_a_screen_has_room_for(kinds, expected, rows, words):
    some = [example(height=600, width=450)] * 6
    worst_mistakes(mistakes_of(some, kinds, 20), NAMES, grid=GRID, threshold=0.5, columns=3, scale=1)
    assert len(rows) == kinds * expected
    assert [sheet["subtitle"] for sheet in words] == [
        f"kind {kind}; here the worst {expected}" for kind in range(kinds)
    ]


def test_a_kind_of_which_all_are_drawn_says_no_number(words):
    worst_mistakes(mistakes_of([example()] * 3), NAMES, grid=GRID, threshold=0.5, columns=3, scale=1)
    assert words[0]["subtitle"] == "kind 0"


def test_a_grid_that_would_hide_the_picture_is_left_out():
    one = example(scores=(), height=300, width=300)._replace(
        truth_boxes=np.zeros((0, 4)), truth_labels=np.zeros(0, int)
    )
    coarse, fine, none = (
        np.asarray(
            truth_and_predictions(
                [one] * 12, NAMES, grid=Grid(320, 320, cells, cells, 1, 2), columns=3, scale=1, images=12, subtitle=""
            )
        )
        for cells in (10, 20, 1)
    )
    assert (coarse != none).any()
    assert (fine == none).all()


def boxes_of(image):
    """Return boxes in the middle of an image, each of a third of its sides."""
    height, width = image.shape[:2]
    box = np.array([[width, height, 2 * width, 2 * height]]) / 3
    return {"truth_boxes": box, "boxes": box}


def test_colours_of_cells_are_in_no_picture_of_boxes_and_those_of_classes_in_none_of_cells(rows):
    one = seen([[1, 0.5], [0, 0]])
    boxes = one.example._replace(boxes=one.example.truth_boxes, labels=np.array([1]), scores=np.array([0.9]))
    cells_and_confidence([one._replace(example=boxes)], NAMES, learners="one", columns=1, scale=5)
    ((truth, cells, predictions),) = rows
    sure = tuple(np.round(0.75 * np.array(CONFIDENT)).astype(int))
    colours = (class_colour(0), class_colour(1), RESPONSIBLE, sure)
    assert [has(truth, colour) for colour in colours] == [True, False, False, False]
    assert [has(cells, colour) for colour in colours] == [False, False, True, True]
    assert [has(predictions, colour) for colour in colours] == [False, True, False, False]
