"""Sheets of pictures: laid out in columns with captions, joined side by side, or row by row."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from humbleyolo.drawing.canvas import MARGIN_X
from humbleyolo.drawing.label_font import font, shorten, text_width, wrap
from humbleyolo.drawing.palette import FAINT_INK, FRAME, INK, PAPER, Colour

_CAPTION_PX = 12  # height of the font
_TITLE_PX = 20
_GAP = 14  # between pictures of a sheet
_LEGEND_ROWS = 3  # at most


def contact_sheet(
    pictures: Sequence[Image.Image],
    *,
    columns: int,
    captions: Sequence[str] | None = None,
    title: str = "",
    subtitle: str = "",
    legend: Sequence[tuple[str, Colour]] = (),
) -> Image.Image:
    """Lay pictures out left to right, in columns as wide as the widest and rows as high as their highest.

    Captions stand over the pictures; the large title, the small subtitle and the legend stand at the top.

    Raises:
        ValueError: Without pictures or columns, or if captions and pictures differ in number.
    """
    if not pictures or columns < 1 or (captions is not None and len(captions) != len(pictures)):
        named = "no" if captions is None else len(captions)
        raise ValueError(f"{len(pictures)} pictures, {columns} columns, {named} captions")
    columns = min(columns, len(pictures))
    over = 0 if captions is None else _CAPTION_PX + 8
    step = max(picture.width for picture in pictures) + _GAP
    strip = heading(columns * step + _GAP, title, subtitle, legend)
    tops = [strip.height + _GAP]  # of the rows, then of the empty strip below the last
    for start in range(0, len(pictures), columns):
        highest = max(picture.height for picture in pictures[start : start + columns])
        tops.append(tops[-1] + over + highest + _GAP)
    sheet = Image.new("RGB", (strip.width, tops[-1]), PAPER)
    sheet.paste(strip, (0, 0))
    brush = ImageDraw.Draw(sheet)
    for position, picture in enumerate(pictures):
        left, top = _GAP + position % columns * step, tops[position // columns]
        if captions is not None:
            caption = shorten(captions[position], step - _GAP, _CAPTION_PX)
            brush.text((left + 1, top), caption, font=font(_CAPTION_PX), fill=FAINT_INK)
        sheet.paste(picture, (left, top + over))
    return sheet


def sheet_size(picture: tuple[int, int], count: int, columns: int, top_px: int) -> tuple[int, int]:
    """Return (width, height) of a contact sheet with captions.

    Args:
        picture: (width, height) of each picture.
        count: Number of pictures.
        columns: At most.
        top_px: Height of the heading.
    """
    columns = max(min(columns, count), 1)
    across, down = picture[0] + _GAP, picture[1] + _CAPTION_PX + 8 + _GAP
    return columns * across + _GAP, top_px + -(-count // columns) * down + _GAP


def joined_size(picture: tuple[int, int], count: int) -> tuple[int, int]:
    """Return (width, height) of so many pictures of one size that `side_by_side` has joined."""
    return count * picture[0] + 3 * (count - 1), picture[1] + _CAPTION_PX + 8


def one_size(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Return pictures in the middle of tiles of one size: as wide as the widest, as high as the highest."""
    size = max((one.width for one in pictures), default=0), max((one.height for one in pictures), default=0)
    tiles = [Image.new("RGB", size, FRAME) for _ in pictures]
    for tile, one in zip(tiles, pictures, strict=True):
        tile.paste(one, ((size[0] - one.width) // 2, (size[1] - one.height) // 2))
    return tiles


def side_by_side(pictures: Sequence[Image.Image], headings: Sequence[str]) -> Image.Image:
    """Join pictures of one height, each under its heading, three pixels apart."""
    over = _CAPTION_PX + 8
    width = sum(picture.width for picture in pictures) + 3 * (len(pictures) - 1)
    joined = Image.new("RGB", (width, over + max(picture.height for picture in pictures)), FRAME)
    brush = ImageDraw.Draw(joined)
    left = 0
    for picture, text in zip(pictures, headings, strict=True):
        if left:
            brush.rectangle((left, 0, left + 2, joined.height), fill=PAPER)
            left += 3
        joined.paste(picture, (left, over))
        shown = shorten(text, picture.width - 2 * MARGIN_X, _CAPTION_PX)
        brush.text((left + MARGIN_X, 5), shown, font=font(_CAPTION_PX), fill=INK)
        left += picture.width
    return joined


def flow(sheets: Sequence[Image.Image], width: int) -> Image.Image:
    """Lay sheets side by side, as many as `width` pixels hold, and the next ones below."""
    places, (wide, high) = flow_places([sheet.size for sheet in sheets], width)
    whole = Image.new("RGB", (wide, high), PAPER)
    for sheet, place in zip(sheets, places, strict=True):
        whole.paste(sheet, place)
    return whole


def flow_places(sizes: Sequence[tuple[int, int]], width: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Return the (left, top) of sheets of these (width, height) in `flow`, and (width, height) of the whole."""
    places: list[tuple[int, int]] = []
    left = top = bottom = widest = 0
    for wide, high in sizes:
        if left and left + wide > width:
            left, top = 0, bottom
        places.append((left, top))
        left += wide
        bottom, widest = max(bottom, top + high), max(widest, left)
    return places, (widest, bottom)


def heading(width: int, title: str, subtitle: str = "", legend: Sequence[tuple[str, Colour]] = ()) -> Image.Image:
    """Return the strip at the top of a sheet, as high as its title, subtitle and legend need.

    The legend has at most three rows; the subtitle says so if it has more entries.
    """
    words = _place_words(width, title, subtitle, legend)
    strip = Image.new("RGB", (width, words.height), PAPER)
    brush = ImageDraw.Draw(strip)
    top = _GAP
    for text, height_px, step, ink in words.lines:
        brush.text((_GAP, top), text, font=font(height_px), fill=ink)
        top += step
    for x, row, name, colour in words.legend:
        y = top + 4 + row * 20
        brush.rectangle((_GAP + x, y + 1, _GAP + x + 13, y + 14), fill=colour, outline=INK)
        brush.text((_GAP + x + 20, y), name, font=font(_CAPTION_PX), fill=INK)
    return strip


def heading_height(width: int, title: str, subtitle: str = "", legend: Sequence[tuple[str, Colour]] = ()) -> int:
    """Return the height of `heading`, which is not drawn."""
    return _place_words(width, title, subtitle, legend).height


class _Words(NamedTuple):
    lines: list[tuple[str, int, int, Colour]]  # text, height of its font, step to the next line, colour
    legend: list[tuple[int, int, str, Colour]]  # x, row, name, colour
    height: int


def _place_words(width: int, title: str, subtitle: str, legend: Sequence[tuple[str, Colour]]) -> _Words:
    room = width - 2 * _GAP
    places: list[tuple[int, int, str, Colour]] = []
    x = row = 0
    for number, (long_name, colour) in enumerate(legend):
        name = shorten(long_name, min(200, room - 20), _CAPTION_PX)
        wide = 20 + math.ceil(text_width(name, _CAPTION_PX)) + 14
        if x and x + wide > room:
            x, row = 0, row + 1
        if row == _LEGEND_ROWS:
            subtitle = f"{subtitle}   {len(legend) - number:,} more colours: see the boxes".strip()
            break
        places.append((x, row, name, colour))
        x += wide
    lines = [(line, _TITLE_PX, _TITLE_PX + 8, INK) for line in wrap(title, room, _TITLE_PX)]
    lines += [(line, _CAPTION_PX, _CAPTION_PX + 7, FAINT_INK) for line in wrap(subtitle, room, _CAPTION_PX)]
    total = sum(step for _, _, step, _ in lines) + ((places[-1][1] + 1) * 20 + 4 if places else 0)
    return _Words(lines, places, total + _GAP if total else 0)
