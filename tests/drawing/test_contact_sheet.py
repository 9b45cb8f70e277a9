"""Contact sheets: room for every picture, whatever its size."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from humbleyolo.drawing.contact_sheet import (
    contact_sheet,
    flow,
    heading,
    heading_height,
    joined_size,
    one_size,
    sheet_size,
    side_by_side,
)


def test_a_sheet_has_room_for_all() -> None:
    pictures = [Image.new("RGB", (width, 20), (255, 0, 0)) for width in (10, 30, 20, 30, 30)]
    sheet = contact_sheet(pictures, columns=2, captions=list("abcde"), title="t")
    red = (np.asarray(sheet) == (255, 0, 0)).all(axis=2).sum()
    assert red == 20 * (10 + 30 + 20 + 30 + 30)
    for wrong in ({"pictures": []}, {"columns": 0}, {"captions": ["a"]}):
        arguments: dict[str, Any] = {"pictures": pictures, "columns": 2, "captions": None} | wrong
        with pytest.raises(ValueError, match="columns"):
            contact_sheet(arguments["pictures"], columns=arguments["columns"], captions=arguments["captions"])


def test_tiles_of_one_size_hold_each_picture_in_their_middle() -> None:
    pictures = [Image.new("RGB", size, (255, 0, 0)) for size in ((30, 10), (20, 40))]
    tiles = one_size(pictures)
    assert [tile.size for tile in tiles] == [(30, 40), (30, 40)]
    assert tiles[0].crop((0, 15, 30, 25)).tobytes() == pictures[0].tobytes()
    assert tiles[1].crop((5, 0, 25, 40)).tobytes() == pictures[1].tobytes()
    assert one_size([]) == []


def test_sheets_flow_from_left_to_right_and_then_below() -> None:
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0))
    sizes = ((30, 10), (20, 25), (40, 20), (90, 5))
    sheets = [Image.new("RGB", size, colour) for size, colour in zip(sizes, colours, strict=True)]
    whole = np.asarray(flow(sheets, 60))
    assert whole.shape == (25 + 20 + 5, 90, 3)  # the last one is wider than the flow, and has a row of its own
    tops = [tuple(np.argwhere((whole == colour).all(axis=2)).min(axis=0)) for colour in colours]
    assert tops == [(0, 0), (0, 30), (25, 0), (45, 0)]
    for size, colour in zip(sizes, colours, strict=True):
        assert (whole == colour).all(axis=2).sum() == size[0] * size[1]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (1, 4), (5, 2), (6, 3)])
def test_the_size_of_a_sheet_is_known_before_it_is_drawn(count: int, columns: int) -> None:
    pictures = [Image.new("RGB", (90, 40))] * count
    words: dict[str, Any] = {"title": "a b c d e", "subtitle": "f g h i j k l m n o p", "legend": [("q", (0, 0, 0))]}
    sheet = contact_sheet(pictures, columns=columns, captions=["c"] * count, **words)
    assert sheet.size == sheet_size((90, 40), count, columns, heading_height(sheet.width, **words))
    assert side_by_side(pictures, ["h"] * count).size == joined_size((90, 40), count)


@pytest.mark.parametrize("width", [120, 400, 1600])
def test_a_legend_of_many_classes_stays_low_and_says_how_many_are_left_out(width: int) -> None:
    few, many = ([(f"class {number}", (255, 0, 0)) for number in range(count)] for count in (2, 500))
    assert heading_height(width, "", "", many) <= 4 + 3 * 20 + 14 + 4 * 19
    strip = np.asarray(heading(width, "", "", many))
    solid = np.lib.stride_tricks.sliding_window_view((strip == (255, 0, 0)).all(axis=2), (12, 12)).all(axis=(2, 3))
    assert 3 <= solid.sum() < 60
    assert heading_height(width, "", "", few) < heading_height(width, "", "", many)
