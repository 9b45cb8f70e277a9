"""The canvas of a drawing: an image enlarged, with a frame around it and a grid over it."""

from pathlib import Path

import numpy as np
from PIL import Image

from humbleyolo.drawing.palette import FRAME
from humbleyolo.storage.array_types import Floats, Uint8s
from humbleyolo.storage.atomic import atomic_write

MARGIN_X, MARGIN_Y = 5, 18  # of the frame, pixels of the drawing
LEAST_CELL_PX = 16  # side of a cell of a grid in a drawing; lines of a finer one would hide the picture


def enlarge(image: Uint8s, scale: int) -> Uint8s:
    """Return (scale * H, scale * W, 3): each pixel of an image repeated."""
    return np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)


def framed(picture: Uint8s, margins: tuple[int, int] = (MARGIN_X, MARGIN_Y)) -> Image.Image:
    """Return an (H, W, 3) picture with a frame around it; `margins` are its pixels beside and above the picture."""
    height, width = picture.shape[:2]
    canvas = Image.new("RGB", (width + 2 * margins[0], height + 2 * margins[1]), FRAME)
    canvas.paste(Image.fromarray(picture), margins)
    return canvas


def draw_grid(picture: Uint8s, xs: Floats, ys: Floats) -> None:
    """Draw the inner lines of a grid into a picture: dark pixels a little lighter, light ones a little darker.

    `picture` is (H, W, 3), changed in place; `xs` and `ys` are the grid's lines in pixels, the outer ones included.
    """
    on_line = np.zeros(picture.shape[:2], np.bool_)
    for places, lines in ((xs, on_line.T), (ys, on_line)):
        inner = np.round(places[1:-1]).astype(np.int64)
        lines[inner[(inner > 0) & (inner < len(lines))]] = True
    under = picture[on_line]
    picture[on_line] = np.where(under < 128, under + np.uint8(52), under - np.uint8(52))


def shrink(image: Uint8s, boxes: Floats, longest_px: int) -> tuple[Uint8s, Floats]:
    """Shrink a large image to be shown, and its boxes with it; return a smaller one as it is.

    `image` is (H, W, 3), `boxes` (M, 4) xyxy pixels; the result's longest side is `longest_px`.
    """
    height, width = image.shape[:2]
    to_height, to_width = shrunk_size(height, width, longest_px)
    if (to_height, to_width) == (height, width):
        return image, boxes
    smaller = Image.fromarray(image).resize((to_width, to_height), Image.Resampling.BOX)
    return np.asarray(smaller), boxes * np.tile([to_width / width, to_height / height], 2)


def shrunk_size(height: int, width: int, longest_px: int) -> tuple[int, int]:
    """Return (height, width) of an image after `shrink`."""
    if max(height, width) <= longest_px:
        return height, width
    part = longest_px / max(height, width)
    return max(1, round(height * part)), max(1, round(width * part))


def enlargement(longer_px: int, most_px: int, most: int) -> int:
    """Return the largest whole number, `most` at most, that enlarges an image's longer side to `most_px` at most."""
    return max(1, min(most, most_px // longer_px))


def save_png(image: Image.Image, path: Path) -> None:
    """Write a picture as PNG: no date, no name, nothing but the pixels.

    Raises:
        UserError: If the file cannot be written.
    """
    with atomic_write(path) as file:
        image.save(file, format="PNG", compress_level=6)  # 9 takes up to nine times as long for 3 % less
