"""Sheets of pictures: laid out in columns with captions, joined side by side, or stacked under each other."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from humbleyolo.drawing.canvas import MARGIN_X
from humbleyolo.drawing.label_font import font, shorten, wrap
from humbleyolo.drawing.palette import FAINT_INK, FRAME, INK, PAPER, Colour

_CAPTION_PX = 12  # height of the font
_TITLE_PX = 20
_GAP = 14  # between pictures of a sheet


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


def stack(sheets: Sequence[Image.Image]) -> Image.Image:
    """Lay sheets under each other, as wide as the widest."""
    size = max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)
    whole = Image.new("RGB", size, PAPER)
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole


def heading(width: int, title: str, subtitle: str, legend: Sequence[tuple[str, Colour]] = ()) -> Image.Image:
    """Return the strip at the top of a sheet, as high as its title, subtitle and legend need."""
    room, caption = width - 2 * _GAP, font(_CAPTION_PX)
    places: list[tuple[int, int, str, Colour]] = []  # x, row, name, colour
    x = row = 0
    for long_name, colour in legend:
        name = shorten(long_name, min(200, room - 20), _CAPTION_PX)
        wide = 20 + math.ceil(caption.getlength(name)) + 14
        if x and x + wide > room:
            x, row = 0, row + 1
        places.append((x, row, name, colour))
        x += wide
    lines = [(line, _TITLE_PX, _TITLE_PX + 8, INK) for line in wrap(title, room, _TITLE_PX)]
    lines += [(line, _CAPTION_PX, _CAPTION_PX + 7, FAINT_INK) for line in wrap(subtitle, room, _CAPTION_PX)]
    total = sum(step for _, _, step, _ in lines) + ((row + 1) * 20 + 4 if places else 0)
    strip = Image.new("RGB", (width, total + _GAP if total else 0), PAPER)
    if not total:
        return strip
    brush = ImageDraw.Draw(strip)
    top = _GAP
    for text, height_px, step, ink in lines:
        brush.text((_GAP, top), text, font=font(height_px), fill=ink)
        top += step
    for x, row, name, colour in places:
        y = top + 4 + row * 20
        brush.rectangle((_GAP + x, y + 1, _GAP + x + 13, y + 14), fill=colour, outline=INK)
        brush.text((_GAP + x + 20, y), name, font=caption, fill=INK)
    return strip
