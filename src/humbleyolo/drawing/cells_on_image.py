"""The cells of a grid drawn on an image: the network's confidence in each, and which are responsible."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from humbleyolo.drawing.canvas import LEAST_CELL_PX, MARGIN_X, MARGIN_Y, draw_grid, enlarge, framed
from humbleyolo.drawing.label_font import font
from humbleyolo.drawing.name_tags import TAG_FONT_PX, TAG_HEIGHT
from humbleyolo.drawing.palette import CONFIDENT, INK, PAPER, RESPONSIBLE
from humbleyolo.storage.array_types import Bools, Floats, Ints, Uint8s

_COARSE_TINT, _FINE_TINT = 0.75, 0.95  # at confidence 1; cells without lines and numbers have the tint alone


def draw_cells(
    image: Uint8s, confidence: npt.ArrayLike, responsible: npt.ArrayLike, centres: npt.ArrayLike, *, scale: int
) -> Image.Image:
    """Tint each cell of the grid by its confidence, from nothing at 0 to violet at 1.

    Cells smaller than 16 pixels of the drawing have no lines between them, and a stronger tint. The confidence is
    written into cells with room for it. Cells that are responsible for an object have a pink edge; the object's
    centre, which makes them so, is a pink dot. The picture is as large as that of `draw_boxes`.

    Args:
        image: (H, W, 3) RGB, as the network sees it: the grid covers the whole of it.
        confidence: (R, S), clipped to 0 to 1.
        responsible: (R, S) bool.
        centres: (M, 2) x, y of objects, pixels of `image`.
        scale: Enlargement, nearest neighbour, 1 or more.
    """
    values = np.clip(np.nan_to_num(np.asarray(confidence, np.float64)), 0, 1)  # (R, S)
    picture = enlarge(image, scale)
    height, width = picture.shape[:2]
    rows, cols = values.shape
    row_of, col_of = np.arange(height) * rows // height, np.arange(width) * cols // width
    is_fine = min(height / rows, width / cols) < LEAST_CELL_PX
    part = (_FINE_TINT if is_fine else _COARSE_TINT) * values[row_of[:, None], col_of, None]  # (height, width, 1)
    tinted = np.round(picture * (1 - part) + np.array(CONFIDENT) * part).astype(np.uint8)
    xs, ys = np.linspace(0, width, cols + 1), np.linspace(0, height, rows + 1)
    if not is_fine:
        draw_grid(tinted, xs, ys)
    canvas = framed(tinted)
    brush = ImageDraw.Draw(canvas)
    left, top = np.round(xs).astype(np.int64) + MARGIN_X, np.round(ys).astype(np.int64) + MARGIN_Y
    _draw_edges(brush, np.asarray(responsible, np.bool_), left, top)
    for x, y in np.asarray(centres, np.float64).reshape(-1, 2).tolist():
        across, down = x * scale + MARGIN_X, y * scale + MARGIN_Y
        brush.ellipse((across - 4, down - 4, across + 4, down + 4), fill=INK)
        brush.ellipse((across - 3, down - 3, across + 3, down + 3), fill=RESPONSIBLE)
    _write_values(brush, values, left, top)
    return canvas


def _draw_edges(brush: ImageDraw.ImageDraw, responsible: Bools, left: Ints, top: Ints) -> None:
    """Draw an edge inside each responsible cell; `left` (S + 1,) and `top` (R + 1,) are the grid's lines."""
    for row, col in np.argwhere(responsible).tolist():
        edge = (left[col] + 1, top[row] + 1, left[col + 1] - 2, top[row + 1] - 2)
        if edge[2] > edge[0] and edge[3] > edge[1]:
            brush.rectangle(edge, outline=RESPONSIBLE, width=2 if edge[2] - edge[0] > 12 else 1)


def _write_values(brush: ImageDraw.ImageDraw, values: Floats, left: Ints, top: Ints) -> None:
    """Write (R, S) values into the upper left corners of the cells, if the cells have room."""
    face, (rows, cols) = font(TAG_FONT_PX), values.shape
    wide, high = (left[-1] - left[0]) // cols, (top[-1] - top[0]) // rows
    if wide < face.getlength("0.00") + 10 or high < TAG_HEIGHT + 6:
        return
    for (row, col), value in np.ndenumerate(values):
        words = f"{value:.2f}"
        x, y = int(left[col]) + 4, int(top[row]) + 4
        across = math.ceil(face.getlength(words)) + 3
        brush.rectangle((x, y, x + across, y + TAG_HEIGHT - 2), fill=PAPER)
        brush.text((x + 2, y), words, font=face, fill=INK)
