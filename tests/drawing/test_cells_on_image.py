"""Cells: tinted by their confidence, marked if responsible."""

from typing import Any

import numpy as np
from PIL import Image

from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import MARGIN_X, MARGIN_Y
from humbleyolo.drawing.cells_on_image import draw_cells
from humbleyolo.drawing.palette import CONFIDENT, RESPONSIBLE

BLACK = np.zeros((64, 48, 3), np.uint8)


def inside(picture: Image.Image) -> np.ndarray[Any, Any]:
    """Return the picture without its frame."""
    return np.asarray(picture)[MARGIN_Y:-MARGIN_Y, MARGIN_X:-MARGIN_X]


def test_cells_are_the_more_tinted_the_surer_they_are() -> None:
    confidence = np.array([[0.0, 0.5, 1.0], [0.25, np.nan, 7.0]])  # what is no confidence is shown as the nearest
    picture = inside(draw_cells(BLACK, confidence, np.zeros((2, 3), bool), [], scale=6)).astype(int)
    height, width = picture.shape[:2]
    middles = picture[height // 4 :: height // 2, width // 6 :: width // 3][:2, :3]
    np.testing.assert_allclose(middles[0, 2], 0.75 * np.array(CONFIDENT), atol=1)
    np.testing.assert_allclose(middles[0, 1], 0.375 * np.array(CONFIDENT), atol=1)
    np.testing.assert_array_equal(middles[1, 2], middles[0, 2])
    np.testing.assert_array_equal(middles[0, 0], [0, 0, 0])
    np.testing.assert_array_equal(middles[1, 1], [0, 0, 0])


def test_a_fine_grid_has_no_lines_and_a_stronger_tint() -> None:
    confidence = np.zeros((20, 20))
    confidence[3, 7] = 1.0
    image = np.full((60, 60, 3), 200, np.uint8)
    for scale, part in ((5, 0.95), (6, 0.75)):  # cells of 15 and 18 pixels
        side = 3 * scale
        picture = inside(draw_cells(image, confidence, np.zeros((20, 20), bool), [], scale=scale))
        tinted = picture[3 * side + 2 : 4 * side - 1, 7 * side + 2 : 8 * side - 1].reshape(-1, 3)
        np.testing.assert_allclose(
            tinted, np.tile(200 * (1 - part) + part * np.array(CONFIDENT), (len(tinted), 1)), atol=1
        )
        elsewhere = picture[10 * side :].reshape(-1, 3)
        assert len(np.unique(elsewhere, axis=0)) == (1 if side < 16 else 2)  # the image alone, or its lines too


def test_a_responsible_cell_has_an_edge_and_its_object_a_dot() -> None:
    responsible = np.zeros((3, 5), bool)
    responsible[2, 1] = True
    height, width = BLACK.shape[:2]
    centre = [1.5 * width / 5, 2.7 * height / 3]
    picture = inside(draw_cells(BLACK, np.zeros((3, 5)), responsible, [centre], scale=6))
    edges = (picture == RESPONSIBLE).all(axis=-1)
    rows, cols = np.nonzero(edges)
    assert picture.shape[0] * 2 / 3 <= rows.min() <= rows.max() < picture.shape[0]
    assert picture.shape[1] * 1 / 5 <= cols.min() <= cols.max() < picture.shape[1] * 2 / 5
    assert edges[round(centre[1] * 6), round(centre[0] * 6)]
    without = inside(draw_cells(BLACK, np.zeros((3, 5)), np.zeros((3, 5), bool), [], scale=6))
    assert not (without == RESPONSIBLE).all(axis=-1).any()


def test_a_cell_without_room_for_its_number_has_none() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    wide, tight = (
        inside(draw_cells(image, np.zeros((cells, cells)), np.zeros((cells, cells), bool), [], scale=2))
        for cells in (2, 16)
    )
    assert (wide > 200).any()
    assert not (tight > 200).any()
    more_cells_than_pixels = draw_cells(image, np.zeros((99, 99)), np.ones((99, 99), bool), [[1, 1]], scale=1)
    assert more_cells_than_pixels.size == draw_boxes(image, [], [], [], scale=1).size
