"""Boxes, labels, grids and contact sheets, drawn with Pillow: the same arrays give the same bytes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from humbleyolo.drawing.label_font import font, presentable, shorten
from humbleyolo.storage.array_types import Floats, Ints, Uint8s
from humbleyolo.storage.atomic import atomic_write

Colour = tuple[int, int, int]

# Okabe and Ito's palette, which the colour-blind can tell apart (https://jfly.uni-koeln.de/color), without
# its black, which would be lost on a dark image.
_PALETTE: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
_PAPER: Colour = (250, 250, 248)
_INK: Colour = (32, 34, 38)
_FAINT_INK: Colour = (106, 110, 118)
_FRAME: Colour = (206, 208, 212)  # around a picture, where labels have room

SURE: Colour = (230, 159, 0)  # the tint of a cell with a high confidence
RESPONSIBLE: Colour = (86, 180, 233)  # the edge of a cell that holds an object's centre

TAG_FONT_PX = 11  # height of the labels' font
_TAG_HEIGHT = 15
_MARGIN_X = 5  # of the frame, pixels of the drawing
_MARGIN_Y = 18
_THICK_FROM_PX = 100  # shorter side of a picture whose outlines are two pixels thick
_MOST_TAGS = 200  # on one image; more could not be read
_CAPTION_FONT_PX = 12
_TITLE_FONT_PX = 20
_GAP = 14  # between pictures of a sheet


def class_colour(label: int) -> Colour:
    """Return the colour of a class, from 0: Okabe and Ito's seven, then their tints and shades."""
    rounds, position = divmod(label, len(_PALETTE))
    towards, part = ((0, 0.0), (255, 0.5), (0, 0.4), (255, 0.75))[rounds % 4]
    red, green, blue = (round(value + (towards - value) * part) for value in _PALETTE[position])
    return red, green, blue


def draw_boxes(
    image: Uint8s,
    boxes: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    *,
    scale: int,
    scores: npt.ArrayLike | None = None,
    grid: tuple[int, int] | None = None,
    grid_extent: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """Draw labelled boxes on an enlarged image.

    The outline lies outside of the box, so that the object stays in sight. A label goes where it covers least
    of any box: above, below or beside its own, also in the frame around the picture. Boxes that reach beyond
    the picture are cut at the frame's edge. All boxes are outlined; the 200 of the best score (of the largest
    area where there are no scores) are labelled.

    Args:
        image: (H, W, 3) RGB.
        boxes: (M, 4) xyxy pixels of `image`.
        labels: (M,) indices into `names`.
        names: Class names, any text.
        scale: Enlargement, nearest neighbour, 1 or more.
        scores: (M,) confidences, written behind the names.
        grid: (rows, cols) of a grid to draw faintly.
        grid_extent: What the grid covers, xyxy pixels of `image`, where that is not the image itself.

    Returns:
        The picture with a frame around it, which is `frame_size()` larger than the enlarged image.

    Raises:
        ValueError: On another shape, a label that is no index into `names`, or a number that is not finite.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size or scale < 1:
        raise ValueError(
            f"image is {image.dtype} {image.shape}, scale {scale}; expected uint8 (H, W, 3), 1 or more"
        )
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)  # (M, 4)
    classes = np.asarray(labels, dtype=np.int64).reshape(-1)
    confidences = None if scores is None else np.asarray(scores, dtype=np.float64).reshape(-1)
    _check(corners, classes, confidences, len(names))

    picture = np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)
    height, width = picture.shape[:2]
    if grid is not None:
        left, top, right, bottom = grid_extent or (0.0, 0.0, width / scale, height / scale)
        _draw_grid(
            picture,
            np.linspace(left, right, grid[1] + 1) * scale,
            np.linspace(top, bottom, grid[0] + 1) * scale,
        )
    canvas = Image.new("RGB", (width + 2 * _MARGIN_X, height + 2 * _MARGIN_Y), _FRAME)
    canvas.paste(Image.fromarray(picture), (_MARGIN_X, _MARGIN_Y))

    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    rank = areas if confidences is None else confidences
    worst_first = np.argsort(rank, kind="stable")
    inner = _on_canvas(corners, scale, canvas.size)  # (M, 4)
    brush = ImageDraw.Draw(canvas)
    line = 2 if min(height, width) >= _THICK_FROM_PX else 1
    for index in worst_first:
        _outline(brush, inner[index], class_colour(int(classes[index])), line)

    taken = np.zeros(
        (canvas.height, canvas.width), dtype=np.uint16
    )  # how much a label would hide, each pixel
    for left, top, right, bottom in inner:
        taken[top:bottom, left:right] += 1
    for index in worst_first[::-1][:_MOST_TAGS]:
        score = None if confidences is None else float(confidences[index])
        text = tag_text(names[int(classes[index])], score, canvas.width - 8)
        _place_tag(brush, taken, inner[index], text, class_colour(int(classes[index])), line)
    return canvas


def draw_cells(
    image: Uint8s,
    confidence: npt.ArrayLike,
    responsible: npt.ArrayLike,
    centres: npt.ArrayLike,
    *,
    scale: int,
) -> Image.Image:
    """Draw what a network thinks of each cell of its grid: the more sure of an object, the more orange.

    The confidence is written into cells with room for it. Cells that are responsible for an object have a blue
    edge, and the object's centre, which makes them so, is a blue dot.

    Args:
        image: (H, W, 3) RGB, as the network sees it: the grid covers the whole of it.
        confidence: (R, S), 0 to 1; what lies outside is shown as the nearest.
        responsible: (R, S) bool.
        centres: (M, 2) x, y of objects, pixels of `image`.
        scale: Enlargement, nearest neighbour, 1 or more.

    Returns:
        The picture with a frame around it, of the size that `draw_boxes` makes it.
    """
    values = np.clip(np.nan_to_num(np.asarray(confidence, np.float64)), 0, 1)  # (R, S)
    own = np.asarray(responsible, np.bool_)  # (R, S)
    picture = np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)
    height, width = picture.shape[:2]
    rows, cols = values.shape
    row_of, col_of = np.arange(height) * rows // height, np.arange(width) * cols // width
    part = (0.75 * values)[row_of[:, None], col_of, None]  # (height, width, 1) of the tint
    tinted = np.round(picture * (1 - part) + np.array(SURE) * part).astype(np.uint8)
    xs, ys = np.linspace(0, width, cols + 1), np.linspace(0, height, rows + 1)
    _draw_grid(tinted, xs, ys)
    canvas = Image.new("RGB", (width + 2 * _MARGIN_X, height + 2 * _MARGIN_Y), _FRAME)
    canvas.paste(Image.fromarray(tinted), (_MARGIN_X, _MARGIN_Y))
    brush = ImageDraw.Draw(canvas)
    left, top = np.round(xs).astype(int) + _MARGIN_X, np.round(ys).astype(int) + _MARGIN_Y
    for row, col in np.argwhere(own).tolist():
        edge = (left[col] + 1, top[row] + 1, left[col + 1] - 2, top[row + 1] - 2)
        if edge[2] > edge[0] and edge[3] > edge[1]:
            brush.rectangle(edge, outline=RESPONSIBLE, width=2 if edge[2] - edge[0] > 12 else 1)
    for x, y in np.asarray(centres, np.float64).reshape(-1, 2).tolist():
        across, down = x * scale + _MARGIN_X, y * scale + _MARGIN_Y
        brush.ellipse((across - 4, down - 4, across + 4, down + 4), fill=_INK)
        brush.ellipse((across - 3, down - 3, across + 3, down + 3), fill=RESPONSIBLE)
    face = font(TAG_FONT_PX)
    if width // cols >= face.getlength("0.00") + 10 and height // rows >= _TAG_HEIGHT + 6:
        for (row, col), value in np.ndenumerate(values):
            words = f"{value:.2f}"
            x, y = int(left[col]) + 4, int(top[row]) + 4
            brush.rectangle(
                (x, y, x + math.ceil(face.getlength(words)) + 3, y + _TAG_HEIGHT - 2), fill=_PAPER
            )
            brush.text((x + 2, y), words, font=face, fill=_INK)
    return canvas


def frame_size() -> tuple[int, int]:
    """Return how many pixels wider and higher than its enlarged image a drawing of `draw_boxes` is."""
    return 2 * _MARGIN_X, 2 * _MARGIN_Y


def shrink(image: Uint8s, boxes: Floats, longest_px: int) -> tuple[Uint8s, Floats]:
    """Make a large image small enough to be shown, and its boxes with it; a smaller one is returned as it is.

    Args:
        image: (H, W, 3) RGB.
        boxes: (M, 4) xyxy pixels.
        longest_px: What the longer side may be.
    """
    height, width = image.shape[:2]
    if max(height, width) <= longest_px:
        return image, boxes
    part = longest_px / max(height, width)
    to_height, to_width = max(1, round(height * part)), max(1, round(width * part))
    smaller = Image.fromarray(image).resize((to_width, to_height), Image.Resampling.BOX)
    return np.asarray(smaller), boxes * np.tile([to_width / width, to_height / height], 2)


def contact_sheet(
    pictures: Sequence[Image.Image],
    *,
    columns: int,
    captions: Sequence[str] | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    legend: Sequence[tuple[str, Colour]] = (),
) -> Image.Image:
    """Lay pictures out left to right, in columns as wide as the widest and rows as high as their highest.

    Args:
        pictures: One or more.
        columns: Pictures in a row, 1 or more.
        captions: One text over each picture.
        title: Large, at the top.
        subtitle: Small, under the title.
        legend: Names and the colours that they stand for, under the titles.

    Raises:
        ValueError: Without pictures or columns, or where captions and pictures differ in number.
    """
    if not pictures or columns < 1 or (captions is not None and len(captions) != len(pictures)):
        named = "no" if captions is None else len(captions)
        raise ValueError(f"{len(pictures)} pictures, {columns} columns, {named} captions")
    columns = min(columns, len(pictures))
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    over = 0 if captions is None else _CAPTION_FONT_PX + 8
    step = max(picture.width for picture in pictures) + _GAP
    heading = _heading(columns * step + _GAP, title, subtitle, legend)
    tops = [heading.height + _GAP]  # of the rows, then of what is below the last
    for row in rows:
        tops.append(tops[-1] + over + max(picture.height for picture in row) + _GAP)
    sheet = Image.new("RGB", (heading.width, tops[-1]), _PAPER)
    sheet.paste(heading, (0, 0))
    brush = ImageDraw.Draw(sheet)
    for position, picture in enumerate(pictures):
        left, top = _GAP + position % columns * step, tops[position // columns]
        if captions is not None:
            caption = shorten(captions[position], step - _GAP, _CAPTION_FONT_PX)
            brush.text((left + 1, top), caption, font=font(_CAPTION_FONT_PX), fill=_FAINT_INK)
        sheet.paste(picture, (left, top + over))
    return sheet


def side_by_side(pictures: Sequence[Image.Image], headings: Sequence[str]) -> Image.Image:
    """Join pictures of one height, each under its heading, a hair's breadth apart."""
    over = _CAPTION_FONT_PX + 8
    width = sum(picture.width for picture in pictures) + 3 * (len(pictures) - 1)
    joined = Image.new("RGB", (width, over + max(picture.height for picture in pictures)), _FRAME)
    brush = ImageDraw.Draw(joined)
    left = 0
    for picture, heading in zip(pictures, headings, strict=True):
        joined.paste(picture, (left, over))
        shown = shorten(heading, picture.width - 2 * _MARGIN_X, _CAPTION_FONT_PX)
        brush.text((left + _MARGIN_X, 5), shown, font=font(_CAPTION_FONT_PX), fill=_INK)
        left += picture.width
        if left < width:
            brush.rectangle((left, 0, left + 2, joined.height), fill=_PAPER)
            left += 3
    return joined


def stack(sheets: Sequence[Image.Image]) -> Image.Image:
    """Lay sheets under each other, as wide as the widest."""
    whole = Image.new(
        "RGB", (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)), _PAPER
    )
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole


def heading(width: int, title: str, subtitle: str) -> Image.Image:
    """Return a strip with a title and a line under it, for a sheet without pictures."""
    return _heading(width, title, subtitle, ())


def tag_text(name: str, score: float | None, width_px: float) -> str:
    """Return a label's text: the name, cut to fit into `width_px`, and the confidence in two digits."""
    ending = "" if score is None else f" {score:.2f}"
    face = font(TAG_FONT_PX)
    return shorten(name, min(width_px, 180) - face.getlength(ending), TAG_FONT_PX) + ending


def save_png(image: Image.Image, path: Path) -> None:
    """Write a picture as PNG: no date, no name, nothing but the pixels.

    Raises:
        UserError: Where the file cannot be written.
    """
    with atomic_write(path) as file:
        image.save(file, format="PNG", compress_level=6)  # 9 takes up to nine times as long for 3 % less


class _Place(NamedTuple):
    """A rectangle of the canvas, pixels, right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int


def _check(
    corners: Floats,
    classes: Ints,
    confidences: Floats | None,
    name_count: int,
) -> None:
    counts = {len(corners), len(classes)} | (set() if confidences is None else {len(confidences)})
    if len(counts) != 1:
        raise ValueError(f"boxes, labels and scores differ in number: {sorted(counts)}")
    if classes.size and not 0 <= classes.min() <= classes.max() < name_count:
        raise ValueError(f"labels {classes.min()} to {classes.max()} with {name_count} names")
    if not np.isfinite(corners).all() or not (confidences is None or np.isfinite(confidences).all()):
        raise ValueError("a box or a score is not a finite number")


def _on_canvas(corners: Floats, scale: int, size: tuple[int, int]) -> Ints:
    """Return (M, 4) whole pixels of the canvas that hold the boxes, cut so that their outlines stay on it."""
    shift = np.array([_MARGIN_X, _MARGIN_Y])
    first = np.floor(corners[:, :2] * scale) + shift
    last = np.ceil(corners[:, 2:] * scale) + shift
    limit = np.array(size) - 3
    whole = np.concatenate([np.clip(first, 3, limit - 1), np.clip(last, 4, limit)], axis=1).astype(np.int64)
    whole[:, 2:] = np.maximum(whole[:, 2:], whole[:, :2] + 1)  # a box without an inside is still drawn
    return whole


def _draw_grid(picture: Uint8s, xs: Floats, ys: Floats) -> None:
    """Draw the inner lines of a grid: dark pixels made a little lighter, light ones a little darker."""
    on_line = np.zeros(picture.shape[:2], np.bool_)
    for places, lines in ((xs, on_line.T), (ys, on_line)):
        inner = np.round(places[1:-1]).astype(np.int64)
        lines[inner[(inner > 0) & (inner < len(lines))]] = True
    under = picture[on_line]
    picture[on_line] = np.where(under < 128, under + np.uint8(52), under - np.uint8(52))


def _outline(brush: ImageDraw.ImageDraw, inner: Ints, colour: Colour, line: int) -> None:
    left, top, right, bottom = (int(value) for value in inner)
    around = line + 1  # a dark hair outside keeps the outline in sight on a light picture
    brush.rectangle((left - around, top - around, right - 1 + around, bottom - 1 + around), outline=_INK)
    brush.rectangle(
        (left - line, top - line, right - 1 + line, bottom - 1 + line), outline=colour, width=line
    )


def _place_tag(
    brush: ImageDraw.ImageDraw,
    taken: npt.NDArray[np.uint16],
    inner: Ints,
    text: str,
    colour: Colour,
    line: int,
) -> None:
    """Write a label where it hides least, and note that its place is taken."""
    canvas_height, canvas_width = taken.shape
    width = min(math.ceil(font(TAG_FONT_PX).getlength(text)) + 6, canvas_width)
    left, top, right, bottom = (int(value) for value in inner)
    above, below = top - line - _TAG_HEIGHT, bottom + line
    left_edge, right_edge = left - line, right + line - width
    middle = (top + bottom - _TAG_HEIGHT) // 2
    candidates = (
        (left_edge, above),
        (left_edge, below),
        (right_edge, above),
        (right_edge, below),
        (right + line, middle),
        (left - line - width, middle),
        (right + line, above),
        (right + line, below),
        (left - line - width, above),
        (left - line - width, below),
    )
    best: tuple[int, _Place] | None = None
    for x, y in candidates:
        x, y = min(max(x, 0), canvas_width - width), min(max(y, 0), canvas_height - _TAG_HEIGHT)
        place = _Place(x, y, x + width, y + _TAG_HEIGHT)
        hidden = int(taken[place.top : place.bottom, place.left : place.right].sum(dtype=np.int64))
        if best is None or hidden < best[0]:
            best = hidden, place
        if not hidden:
            break
    assert best is not None  # noqa: S101 - there are ten candidates
    place = best[1]
    taken[place.top : place.bottom, place.left : place.right] += 3
    brush.rectangle((place.left, place.top, place.right - 1, place.bottom - 1), fill=colour)
    red, green, blue = colour
    light = 0.299 * red + 0.587 * green + 0.114 * blue > 120
    brush.text(
        (place.left + 3, place.top + 1), text, font=font(TAG_FONT_PX), fill=_INK if light else (255, 255, 255)
    )


def _heading(
    width: int, title: str | None, subtitle: str | None, legend: Sequence[tuple[str, Colour]]
) -> Image.Image:
    """Return the strip at the top of a sheet: title, subtitle and legend, as high as they need."""
    caption = font(_CAPTION_FONT_PX)
    room = width - 2 * _GAP
    entries = [(shorten(name, min(200, room - 20), _CAPTION_FONT_PX), colour) for name, colour in legend]
    places: list[tuple[int, int]] = []
    x = row = 0
    for name, _ in entries:
        wide = 20 + math.ceil(caption.getlength(name)) + 14
        if x and x + wide > room:
            x, row = 0, row + 1
        places.append((x, row))
        x += wide
    title_lines = _wrap(title, room, _TITLE_FONT_PX) if title else []
    subtitle_lines = _wrap(subtitle, room, _CAPTION_FONT_PX) if subtitle else []
    title_height = len(title_lines) * (_TITLE_FONT_PX + 8)
    subtitle_height = len(subtitle_lines) * (_CAPTION_FONT_PX + 7)
    legend_height = (row + 1) * 20 + 4 if entries else 0
    total = title_height + subtitle_height + legend_height
    strip = Image.new("RGB", (width, total + _GAP if total else 0), _PAPER)
    if not total:
        return strip
    brush = ImageDraw.Draw(strip)
    top = _GAP
    for text in title_lines:
        brush.text((_GAP, top), text, font=font(_TITLE_FONT_PX), fill=_INK)
        top += _TITLE_FONT_PX + 8
    for text in subtitle_lines:
        brush.text((_GAP, top), text, font=caption, fill=_FAINT_INK)
        top += _CAPTION_FONT_PX + 7
    top += 4
    for (name, colour), (x, row) in zip(entries, places, strict=True):
        y = top + row * 20
        brush.rectangle((_GAP + x, y + 1, _GAP + x + 13, y + 14), fill=colour, outline=_INK)
        brush.text((_GAP + x + 20, y), name, font=caption, fill=_INK)
    return strip


def _wrap(text: str, width: int, height_px: int) -> list[str]:
    """Break a text between words into lines of at most `width` pixels; a longer word is cut."""
    lines: list[str] = []
    for word in presentable(text).split(" "):  # several spaces stay several
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(height_px).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(shorten(word, width, height_px))
    return lines
