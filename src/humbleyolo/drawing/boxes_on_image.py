"""Boxes drawn on an image, each with the name of its class: the same arrays give the same bytes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from humbleyolo.drawing.canvas import MARGIN_X, MARGIN_Y, draw_grid, enlarge, framed
from humbleyolo.drawing.name_tags import NameTags
from humbleyolo.drawing.palette import INK, Colour, class_colour
from humbleyolo.storage.array_types import Floats, Ints, Uint8s

_THICK_FROM_PX = 100  # shorter side of a picture whose outlines are two pixels thick
_UNIT_PX = 800  # longer side of a picture from which lines and letters grow with it
_MOST_TAGS = 200  # on one image; more could not be read


def draw_boxes(
    image: Uint8s,
    boxes: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    *,
    scale: int,
    scores: npt.ArrayLike | None = None,
    grid: tuple[int, int] | None = None,
    grid_extent: Sequence[float] | None = None,
    margins: tuple[int, int] = (MARGIN_X, MARGIN_Y),
) -> Image.Image:
    """Draw labelled boxes on an enlarged image, with the frame of `canvas.framed` around it.

    The outline lies outside the box, so that the object stays in sight. Its tag covers as little of any box as
    it can. Boxes that reach beyond the picture are cut at the frame's edge. All boxes are outlined; the 200 of the
    best score are tagged, or of the largest area if there are no scores. Lines and letters grow with the picture.

    Args:
        image: (H, W, 3) RGB.
        boxes: (M, 4) xyxy pixels of `image`.
        labels: (M,) indices into `names`.
        names: Class names, any text.
        scale: Enlargement, nearest neighbour, 1 or more.
        scores: (M,) confidences, written behind the names.
        grid: (rows, cols) of a grid to draw faintly.
        grid_extent: Extent of the grid, xyxy pixels of `image`; the image itself if None.
        margins: Width and height of the frame; (0, 0) for none.

    Raises:
        ValueError: On another shape, a label that is no index into `names`, or a number that is not finite.
    """
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)  # (M, 4)
    classes = np.asarray(labels, dtype=np.int64).reshape(-1)
    confidences = None if scores is None else np.asarray(scores, dtype=np.float64).reshape(-1)
    _check(image, scale, corners, classes, confidences, len(names))
    picture = enlarge(image, scale)
    height, width = picture.shape[:2]
    if grid is not None:
        left, top, right, bottom = grid_extent or (0.0, 0.0, width / scale, height / scale)
        xs, ys = np.linspace(left, right, grid[1] + 1), np.linspace(top, bottom, grid[0] + 1)
        draw_grid(picture, xs * scale, ys * scale)
    canvas = framed(picture, margins)
    rank = (corners[:, 2:] - corners[:, :2]).prod(axis=1) if confidences is None else confidences
    worst_first = np.argsort(rank, kind="stable").tolist()
    colours = [class_colour(label) for label in classes.tolist()]
    unit = max(1.0, max(height, width) / _UNIT_PX)
    line = round(2 * unit) if min(height, width) >= _THICK_FROM_PX else 1
    inner = _on_canvas(corners, scale, canvas.size, margins, max(line, 2) + 1)  # (M, 4)
    brush = ImageDraw.Draw(canvas)
    for index in worst_first:
        _outline(brush, inner[index], colours[index], line)
    tags = NameTags(canvas, inner, line, unit)
    for index in worst_first[::-1][:_MOST_TAGS]:
        score = None if confidences is None else float(confidences[index])
        tags.write(index, names[classes[index]], score, colours[index])
    return canvas


def _check(
    image: Uint8s, scale: int, corners: Floats, classes: Ints, confidences: Floats | None, name_count: int
) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size or scale < 1:
        raise ValueError(f"image is {image.dtype} {image.shape}, scale {scale}; expected uint8 (H, W, 3), 1 or more")
    counts = {len(corners), len(classes)} | (set() if confidences is None else {len(confidences)})
    if len(counts) != 1:
        raise ValueError(f"boxes, labels and scores differ in number: {sorted(counts)}")
    if classes.size and not 0 <= classes.min() <= classes.max() < name_count:
        raise ValueError(f"labels {classes.min()} to {classes.max()} with {name_count} names")
    if not np.isfinite(corners).all() or not (confidences is None or np.isfinite(confidences).all()):
        raise ValueError("a box or a score is not a finite number")


def _on_canvas(corners: Floats, scale: int, size: tuple[int, int], margins: tuple[int, int], edge: int) -> Ints:
    """Return (M, 4) whole pixels of the canvas that hold the boxes, cut so that outlines of `edge` stay on it."""
    shift = np.array(margins)
    first = np.floor(corners[:, :2] * scale) + shift
    last = np.ceil(corners[:, 2:] * scale) + shift
    limit = np.array(size) - edge
    whole = np.concatenate([np.clip(first, edge, limit - 1), np.clip(last, edge + 1, limit)], axis=1).astype(np.int64)
    whole[:, 2:] = np.maximum(whole[:, 2:], whole[:, :2] + 1)  # a box without an inside is still drawn
    return whole


def _outline(brush: ImageDraw.ImageDraw, inner: Ints, colour: Colour, line: int) -> None:
    left, top, right, bottom = inner.tolist()
    around = line + 1  # a dark hair outside keeps the outline in sight on a light picture
    for out, edge, width in ((around, INK, 1), (line, colour, line)):
        corners = (left - out, top - out, right - 1 + out, bottom - 1 + out)
        brush.rectangle(corners, outline=edge, width=width)
