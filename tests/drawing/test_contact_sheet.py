"""Contact sheets: room for every picture, whatever its size."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from humbleyolo.drawing.contact_sheet import contact_sheet, one_size, stack


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


def test_sheets_are_laid_under_each_other() -> None:
    red, blue = Image.new("RGB", (30, 10), (255, 0, 0)), Image.new("RGB", (50, 20), (0, 0, 255))
    whole = np.asarray(stack([red, blue]))
    assert whole.shape == (30, 50, 3)
    assert (whole[:10, :30] == (255, 0, 0)).all()
    assert (whole[10:] == (0, 0, 255)).all()
