"""The galleries: what stands on them, in which order, and that they stay small enough to be opened."""

import numpy as np
import pytest
from repository import ROOT

from humbleyolo.drawing.palette import CONFIDENT, RESPONSIBLE, class_colour
from humbleyolo.geometry.grid import Grid
from humbleyolo.params.loader import load_params
from humbleyolo.report import galleries
from humbleyolo.report.galleries import cells_and_confidence, headline, truth_and_predictions, worst_mistakes
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
    layout = {"grid": GRID, "columns": 1, "scale": 3, "title": "t", "subtitle": "s"}
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


def test_mistakes_are_drawn_kind_by_kind_and_a_kind_without_any_is_named():
    layout = {"grid": GRID, "threshold": 0.4, "columns": 2, "scale": 1}
    one = Mistakes("background: 1", [example()])
    heights = [
        worst_mistakes(kinds, NAMES, **layout).height
        for kinds in ([one], [one, one], [one, Mistakes("both: 0", [])], [one, Mistakes("both", [example()] * 3)])
    ]
    assert heights[0] < heights[2] < heights[1] < heights[3]
    nothing = worst_mistakes([Mistakes("both: 0", [])], NAMES, **(layout | {"threshold": None}))
    assert nothing.height > 50


def test_a_missed_truth_is_called_so_and_has_no_confidence(monkeypatch):
    headings = []
    join = galleries.side_by_side
    monkeypatch.setattr(
        galleries, "side_by_side", lambda pictures, over: headings.append(over) or join(pictures, over)
    )
    layout = {"grid": GRID, "threshold": 0.4, "columns": 1, "scale": 4}
    missed, made = (
        np.asarray(worst_mistakes([Mistakes("k", [example(scores)])], NAMES, **layout)) for scores in (None, (0.9,))
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


def test_photographs_of_any_size_get_tiles_of_one_size_in_rows_that_fit_a_screen(rows):
    photographs = [example(height=high, width=wide) for high, wide in ((48, 64), (900, 500), (300, 700), (640, 640))]
    layout = {"grid": GRID, "columns": 3, "scale": 3}  # as in params.yaml
    sheets = [
        truth_and_predictions(photographs, NAMES, **layout, title="t", subtitle="s"),
        worst_mistakes([Mistakes("k", photographs), Mistakes("l", photographs[:2])], NAMES, **layout, threshold=0.5),
    ]
    assert len({tile.size for tiles in rows for tile in tiles}) == 1
    assert 250 < max(rows[0][0].size) < 350
    assert max(sheet.width for sheet in sheets) < 2000


PHOTOGRAPHS = [(48, 64), (675, 900), (900, 675), (300, 700), (900, 90), (320, 320)]


def has_tag(picture, colour):
    """Tell if a picture holds a tag of 15 px, whose letters have 11; outlines are narrower than its margin."""
    solid = (np.asarray(picture) == colour).all(axis=-1)
    return bool(np.lib.stride_tricks.sliding_window_view(solid, (15, 3)).all(axis=(2, 3)).any())


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, PHOTOGRAPHS[:1]), (1, PHOTOGRAPHS[1:2]), (2, PHOTOGRAPHS), (12, PHOTOGRAPHS[2:3]), (40, PHOTOGRAPHS)],
)
def test_rows_of_any_photographs_are_seen_whole_and_their_labels_read(rows, count, sizes):
    (render,) = load_params(ROOT / "params.yaml", "render")
    layout = {"grid": GRID, "columns": render.columns, "scale": render.scale}
    sized = {size: example(height=size[0], width=size[1]) for size in sizes}
    some = [sized[sizes[number % len(sizes)]] for number in range(count)]
    some = [one._replace(**boxes_of(one.image)) for one in some]
    gallery = truth_and_predictions(some, NAMES, **layout, title="t", subtitle="s")
    tiles = [tile for row in rows for tile in row]
    mistakes = worst_mistakes([Mistakes("k", some[: render.mistakes])] * 4, NAMES, **layout, threshold=0.5)
    assert len({tile.size for tile in tiles}) == 1
    assert max(gallery.width, mistakes.width) <= 2000
    assert max(tile.height for tile in tiles) <= 700  # a row and its words, on a screen of 1080
    if count <= render.images == 12:
        assert gallery.height <= 1700
        assert mistakes.height <= 3500  # of four kinds, each under its heading
    for truth, found in zip(tiles[::2], tiles[1::2], strict=True):
        assert has_tag(truth, class_colour(0))
        assert has_tag(found, class_colour(1))


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


@pytest.mark.parametrize("count", [1, 30])
def test_pictures_of_large_images_stay_small_enough_to_be_opened(monkeypatch, count):
    monkeypatch.setattr(galleries, "_MOST_PIXELS", 1_000_000)
    layout = {"columns": 5, "scale": 16}
    large = [example(height=500, width=900)] * count
    with_grid = layout | {"grid": GRID}
    pictures = [
        truth_and_predictions(large, NAMES, **with_grid, title="", subtitle=""),
        worst_mistakes([Mistakes("k", large)], NAMES, **with_grid, threshold=0.5),
        cells_and_confidence([seen([[1, 0], [0, 0]], 800)] * count, NAMES, learners="one", **layout),
    ]
    for picture in pictures:
        assert picture.width * picture.height < 3_000_000
