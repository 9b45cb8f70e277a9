"""The PNG galleries: ground truth beside detections, the confidence in each cell, the worst mistakes."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from PIL.Image import Image

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import LEAST_CELL_PX, enlargement, shrink
from humbleyolo.drawing.cells_on_image import draw_cells
from humbleyolo.drawing.contact_sheet import (
    contact_sheet,
    flow,
    flow_places,
    heading,
    heading_height,
    joined_size,
    one_size,
    sheet_size,
    side_by_side,
)
from humbleyolo.drawing.palette import CONFIDENT, RESPONSIBLE, class_colour
from humbleyolo.drawing.screen_fit import (
    LEAST_PX,
    SCREEN_WIDTH,
    columns_of,
    fit_on_screen,
    on_screen,
    sides,
    tile_size,
)
from humbleyolo.geometry.grid import Grid
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.params.sections import Render
from humbleyolo.params.value_types import CellsAnObject
from humbleyolo.report.gallery_examples import (
    Cells,
    Example,
    Mistakes,
    first_cells,
    first_examples,
    worst_of_each_kind,
)
from humbleyolo.report.number_format import number
from humbleyolo.report.page_contents import Report

_WITHOUT_THRESHOLD = 0.5  # that of `predict`, where `evaluate` found none
_SINCE = ", since none was any good on val"
_UNTOLD = f"no confidence{_SINCE}: no detection counts"


def draw_galleries(
    report: Report, archive: ArchivedSplit, truths: TruthTable, split: EncodedSplit, settings: Render
) -> dict[str, Image]:
    """Return the galleries by file name.

    Raises:
        UserError: If an image is damaged.
    """
    found, names = report.evaluation, report.names
    layout = {"columns": settings.columns, "scale": settings.scale}
    least = least_shown(settings, report.threshold)
    since = _SINCE if settings.min_score == "threshold" and report.threshold is None else ""
    examples = first_examples(archive, found.detections, settings.images, least)
    cells = first_cells(archive, split, found, settings.cells, least)
    learners: CellsAnObject = "several" if report.params["loss"]["name"] == "aligned" else "one"
    worst = worst_of_each_kind(archive, truths, found, report.mistakes, settings.mistakes)
    return {
        "gallery.png": truth_and_predictions(
            examples, names, grid=split.grid, **layout,
            images=report.images,
            subtitle=headline(found.metrics, least, since),
        ),
        "cells.png": cells_and_confidence(cells, names, learners=learners, **layout),
        "mistakes.png": worst_mistakes(worst, names, grid=split.grid, threshold=report.threshold, **layout),
    }  # fmt: skip


def least_shown(settings: Render, threshold: float | None) -> float:
    """Return the confidence from which detections are shown; `threshold` is None if `evaluate` found none."""
    if settings.min_score == "threshold":
        return _WITHOUT_THRESHOLD if threshold is None else threshold
    return settings.min_score


def headline(metrics: Mapping[str, Any], min_score: float, since: str = "") -> str:
    """Return one line with the detector's metrics, and the confidence from which detections are shown, and why."""
    titles = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "mean_iou": "mean IoU"}
    found = [(title, metrics.get(name)) for name, title in titles.items()]
    numbers = [f"{title} {'undefined' if value is None else format(value, '.3f')}" for title, value in found]
    return "   ".join(
        [*numbers, f"(all test images)   predictions shown: confidence {number(min_score)} or more{since}"]
    )


def truth_and_predictions(
    examples: Sequence[Example],
    names: Sequence[str],
    *,
    grid: Grid,
    columns: int,
    scale: int,
    images: int,
    subtitle: str,
) -> Image:
    """Draw each example twice, side by side: its ground truth, and its detections with their confidence.

    The grid is drawn faintly over each image, through its letterbox, unless its cells are smaller than 16 pixels.
    Pictures are as large as a screen allows that shows all of them, but enlarged `scale` times at most. If it has no
    room for all, the first ones are drawn, and the sheet says so; `images` are those of the test split.
    """
    shown = {int(label) for example in examples for label in (*example.truth_labels, *example.labels)}
    legend = [(names[label], class_colour(label)) for label in sorted(shown)]

    def words(count: int) -> dict[str, str]:
        title = f"Truth and predictions on {count:,} of {images:,} test images"
        return {"title": title, "subtitle": _told(subtitle, count, len(examples))}

    fit = fit_on_screen(
        [_height_width(one) for one in examples], columns=columns, scale=scale, panels=2,
        top=lambda width, count: heading_height(width, **words(count), legend=legend),
    )  # fmt: skip
    drawn = examples[: fit.entries]
    panels = [_pair(one, f"predictions ({len(one.labels)})", names, grid, scale, fit.longest_px) for one in drawn]
    captions = [one.caption for one in drawn]
    return contact_sheet(_join(panels), columns=fit.columns, captions=captions, **words(fit.entries), legend=legend)


def worst_mistakes(
    kinds: Sequence[Mistakes], names: Sequence[str], *, grid: Grid, threshold: float | None, columns: int, scale: int
) -> Image:
    """Draw mistakes kind by kind: the ground truth of the image, and the mistake beside it.

    Kinds are drawn in their order; one without examples is a heading. As many of each kind are drawn as a screen has
    room for. For the others see `truth_and_predictions`; `threshold` is the confidence at which they are mistakes.
    """
    judged = _UNTOLD if threshold is None else f"confidence {number(threshold)} or more"
    words = [("The worst mistakes on test, kind by kind", f"judged at {judged}")]
    words += [("", kind.heading(0)) for kind in kinds if not kind.examples]
    longest_px, most, across = _fit_kinds(kinds, columns, scale, words)
    drawn = [one for kind in kinds for one in kind.examples[:most]]
    roles = ["missed" if one.scores is None else "the mistake" for one in drawn]
    pairs = iter(_join([_pair(*one, names, grid, scale, longest_px) for one in zip(drawn, roles, strict=True)]))
    sheets = []
    for kind in kinds:
        if examples := kind.examples[:most]:
            own, captions = list(islice(pairs, len(examples))), [one.caption for one in examples]
            sheets.append(contact_sheet(own, columns=across, captions=captions, subtitle=kind.heading(len(examples))))
    below = [flow(sheets, SCREEN_WIDTH)] if sheets else []
    width = below[0].width if below else SCREEN_WIDTH // 2
    top, *empty = [heading(width, *one) for one in words]
    return flow([top, *below, *empty], width)


def cells_and_confidence(
    cells: Sequence[Cells], names: Sequence[str], *, learners: CellsAnObject, columns: int, scale: int
) -> Image:
    """Draw ground truth on the grid, the confidence in each cell, and the detections, side by side.

    `learners` are the cells that learn an object. For the others see `truth_and_predictions`.
    """
    subtitle, role = "images as the network sees them, the highest confidence of each cell's boxes", "responsible"
    if learners == "several":
        subtitle += "; cells near a centre learned its object too (loss aligned), and another of them may answer"
        role = "cell"
    legend = [(f"{role}, centre of object", RESPONSIBLE), ("confidence near 1", CONFIDENT)]
    title = "Confidence of each cell that it holds the centre of an object"
    examples = [one.example for one in cells]
    fit = fit_on_screen(
        [_height_width(one) for one in examples], columns=columns, scale=scale, panels=3,
        top=lambda width, count: heading_height(width, title, _told(subtitle, count, len(cells)), legend),
    )  # fmt: skip
    return contact_sheet(
        _join([_triple(one, names, scale, fit.longest_px) for one in cells[: fit.entries]]),
        columns=fit.columns,
        captions=[one.caption for one in examples[: fit.entries]],
        title=title,
        subtitle=_told(subtitle, fit.entries, len(cells)),
        legend=legend,
    )


def _told(subtitle: str, drawn: int, entries: int) -> str:
    """Return a subtitle that says so if not all entries are drawn."""
    return subtitle if drawn == entries else f"{subtitle}; a screen has room for {drawn:,} of {entries:,}"


def _height_width(example: Example) -> tuple[int, int]:
    return example.image.shape[0], example.image.shape[1]


def _fit_kinds(
    kinds: Sequence[Mistakes], columns: int, scale: int, words: Sequence[tuple[str, str]]
) -> tuple[int, int, int]:
    """Return the longer side of pictures, and how many of each kind fit on a screen, in all and side by side.

    `words` are titles and subtitles of the strips above and below.
    """
    most = max((len(kind.examples) for kind in kinds), default=0)
    for count in range(most, 0, -1):
        images = [_height_width(one) for kind in kinds for one in kind.examples[:count]]
        for longest_px in sides():
            pair = joined_size(tile_size(images, longest_px, scale), 2)
            across = columns_of(pair[0], columns)
            width, height = _size_of_kinds(kinds, pair, count, across)
            if on_screen((width, height + sum(heading_height(width, *one) for one in words))):
                return longest_px, count, across
    return LEAST_PX, min(most, 1), 1


def _size_of_kinds(kinds: Sequence[Mistakes], pair: tuple[int, int], count: int, across: int) -> tuple[int, int]:
    sizes = []
    for kind in kinds:
        if number := len(kind.examples[:count]):
            width = sheet_size(pair, number, across, 0)[0]
            sizes.append(sheet_size(pair, number, across, heading_height(width, "", kind.heading(number))))
    return flow_places(sizes, SCREEN_WIDTH)[1]


def _join(panels: Sequence[tuple[list[Image], list[str]]]) -> list[Image]:
    """Join each entry's panels side by side under their headings; all panels get one size."""
    tiles = iter(one_size([one for drawn, _ in panels for one in drawn]))
    return [side_by_side(list(islice(tiles, len(headings))), headings) for _, headings in panels]


def _shrink(example: Example, longest_px: int, scale: int) -> tuple[Example, int]:
    """Return an example with an image that is small enough, and the enlargement that keeps it so."""
    together = np.concatenate([example.truth_boxes, example.boxes])
    image, together = shrink(example.image, together, longest_px)
    truths, found = np.split(together, [len(example.truth_boxes)])
    by = enlargement(max(image.shape[:2]), longest_px, scale)
    return example._replace(image=image, truth_boxes=truths, boxes=found), by


def _triple(cells: Cells, names: Sequence[str], scale: int, longest_px: int) -> tuple[list[Image], list[str]]:
    one, fitting = _shrink(cells.example, longest_px, scale)
    rows, cols = cells.confidence.shape
    is_fine = fitting * min(np.divide(one.image.shape[:2], (rows, cols))) < LEAST_CELL_PX
    draw = partial(draw_boxes, one.image, names=names, scale=fitting, grid=None if is_fine else (rows, cols))
    centres = (one.truth_boxes[:, :2] + one.truth_boxes[:, 2:]) / 2
    return (
        [
            draw(one.truth_boxes, one.truth_labels),
            draw_cells(one.image, cells.confidence, cells.responsible, centres, scale=fitting),
            draw(one.boxes, one.labels, scores=one.scores),
        ],
        [f"truth ({len(one.truth_labels)})", "confidence of cells", f"predictions ({len(one.labels)})"],
    )


def _pair(
    example: Example, heading_right: str, names: Sequence[str], grid: Grid, scale: int, longest_px: int
) -> tuple[list[Image], list[str]]:
    one, fitting = _shrink(example, longest_px, scale)
    height, width = example.image.shape[:2]
    extent = Letterbox(height, width, grid.height, grid.width).extent
    extent = extent * np.tile([one.image.shape[1] / width, one.image.shape[0] / height], 2)
    cells: tuple[int, int] | None = (grid.rows, grid.cols)
    if fitting * min((extent[2:] - extent[:2]) / (grid.cols, grid.rows)) < LEAST_CELL_PX:
        cells = None
    draw = partial(draw_boxes, one.image, names=names, scale=fitting, grid=cells, grid_extent=extent.tolist())
    return (
        [draw(one.truth_boxes, one.truth_labels), draw(one.boxes, one.labels, scores=one.scores)],
        [f"truth ({len(one.truth_labels)})", heading_right],
    )
