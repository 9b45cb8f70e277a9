"""The PNG galleries: ground truth beside detections, the confidence in each cell, the worst mistakes."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from PIL.Image import Image

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import MARGIN_X, shrink
from humbleyolo.drawing.cells_on_image import draw_cells
from humbleyolo.drawing.contact_sheet import contact_sheet, heading, one_size, side_by_side, stack
from humbleyolo.drawing.palette import CONFIDENT, RESPONSIBLE, class_colour
from humbleyolo.geometry.grid import Grid
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.metrics.grid_ceiling import CellsAnObject
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.params.sections import Render
from humbleyolo.report.gallery_examples import (
    Cells,
    Example,
    Mistakes,
    first_cells,
    first_examples,
    worst_of_each_kind,
)
from humbleyolo.report.page_contents import Report

_LONGEST_PX = 640  # of one picture; larger images are drawn smaller
_ROW_PX = 1920  # of the pictures side by side, so that a row is legible on a screen
_LEAST_PX = 160  # of one picture, however many are side by side
_MOST_PIXELS = 100_000_000  # of a gallery's pictures together, so that viewers open it


def draw_galleries(
    report: Report, archive: ArchivedSplit, truths: TruthTable, split: EncodedSplit, settings: Render
) -> dict[str, Image]:
    """Return the galleries by file name.

    Raises:
        UserError: If an image is damaged.
    """
    found, names = report.evaluation, report.names
    layout = {"columns": settings.columns, "scale": settings.scale}
    examples = first_examples(archive, found.detections, settings.images, settings.min_score)
    cells = first_cells(archive, split, found, settings.cells, settings.min_score)
    learners: CellsAnObject = "several" if report.params["loss"]["name"] == "aligned" else "one"
    worst = worst_of_each_kind(archive, truths, found, report.mistakes, settings.mistakes)
    return {
        "gallery.png": truth_and_predictions(
            examples, names, grid=split.grid, **layout,
            title=f"Truth and predictions on {len(examples):,} of {report.images:,} test images",
            subtitle=headline(found.metrics, settings.min_score),
        ),
        "cells.png": cells_and_confidence(cells, names, learners=learners, **layout),
        "mistakes.png": worst_mistakes(worst, names, grid=split.grid, threshold=report.threshold, **layout),
    }  # fmt: skip


def headline(metrics: Mapping[str, Any], min_score: float) -> str:
    """Return one line with the detector's metrics, and the confidence from which detections are shown."""
    titles = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "mean_iou": "mean IoU"}
    found = [(title, metrics.get(name)) for name, title in titles.items()]
    numbers = [f"{title} {'undefined' if value is None else format(value, '.3f')}" for title, value in found]
    return "   ".join([*numbers, f"(all test images)   predictions shown: confidence {min_score:g} or more"])


def truth_and_predictions(
    examples: Sequence[Example],
    names: Sequence[str],
    *,
    grid: Grid,
    columns: int,
    scale: int,
    title: str,
    subtitle: str,
) -> Image:
    """Draw each example twice, side by side: its ground truth, and its detections with their confidence.

    The grid is drawn faintly over each image, through its letterbox. `scale` enlarges pictures, but none beyond 640
    pixels, nor a row of them beyond the width of a screen, nor the gallery beyond 100 million.
    """
    longest_px = _longest_px(2 * len(examples), 2 * columns)
    pairs = _join(
        [_pair(one, f"predictions ({len(one.labels)})", names, grid, scale, longest_px) for one in examples]
    )
    shown = {int(label) for example in examples for label in (*example.truth_labels, *example.labels)}
    legend = [(names[label], class_colour(label)) for label in sorted(shown)]
    captions = [example.caption for example in examples]
    return contact_sheet(pairs, columns=columns, captions=captions, title=title, subtitle=subtitle, legend=legend)


def worst_mistakes(
    kinds: Sequence[Mistakes], names: Sequence[str], *, grid: Grid, threshold: float | None, columns: int, scale: int
) -> Image:
    """Draw mistakes kind by kind: the ground truth of the image, and the mistake beside it.

    Kinds are drawn in their order; one without examples is a heading. For the others see `truth_and_predictions`;
    `threshold` is the confidence at which they are mistakes.
    """
    judged = "no threshold" if threshold is None else f"confidence {threshold:.3f} or more"
    every = [one for kind in kinds for one in kind.examples]
    longest_px = _longest_px(2 * len(every), 2 * columns)
    words = ["missed" if one.scores is None else "the mistake" for one in every]
    drawn = iter(_join([_pair(*one, names, grid, scale, longest_px) for one in zip(every, words, strict=True)]))
    sheets = []
    for title, examples in kinds:
        if examples:
            pairs = list(islice(drawn, len(examples)))
            captions = [one.caption for one in examples]
            sheets.append(contact_sheet(pairs, columns=columns, captions=captions, subtitle=title))
    width = max((sheet.width for sheet in sheets), default=_LONGEST_PX)
    top = heading(width, "The worst mistakes on test, kind by kind", f"judged at {judged}")
    empty = [heading(width, "", kind.title) for kind in kinds if not kind.examples]
    return stack([top, *sheets, *empty])


def cells_and_confidence(
    cells: Sequence[Cells], names: Sequence[str], *, learners: CellsAnObject, columns: int, scale: int
) -> Image:
    """Draw ground truth on the grid, the confidence in each cell, and the detections, side by side.

    `learners` are the cells that learn an object. For the others see `truth_and_predictions`.
    """
    longest_px = _longest_px(3 * len(cells), 3 * columns)
    subtitle, role = "images as the network sees them, the highest confidence of each cell's boxes", "responsible"
    if learners == "several":
        subtitle += "; cells near a centre learned its object too (loss aligned), and another of them may answer"
        role = "cell"
    return contact_sheet(
        _join([_triple(one, names, scale, longest_px) for one in cells]),
        columns=columns,
        captions=[one.example.caption for one in cells],
        title="How the network thinks: how sure each cell is that it holds the centre of an object",
        subtitle=subtitle,
        legend=[(f"{role}, centre of object", RESPONSIBLE), ("confidence near 1", CONFIDENT)],
    )


def _longest_px(pictures: int, in_a_row: int) -> int:
    """Return the longest side of so many pictures that a gallery of them can be opened, and a row seen as a whole."""
    fitting = max(_ROW_PX // in_a_row - 2 * MARGIN_X, _LEAST_PX)
    return min(_LONGEST_PX, fitting, math.isqrt(_MOST_PIXELS // max(pictures, 1)))


def _join(panels: Sequence[tuple[list[Image], list[str]]]) -> list[Image]:
    """Join each entry's panels side by side under their headings; all panels get one size."""
    tiles = iter(one_size([one for drawn, _ in panels for one in drawn]))
    return [side_by_side(list(islice(tiles, len(headings))), headings) for _, headings in panels]


def _shrink(example: Example, longest_px: int, scale: int) -> tuple[Example, int]:
    """Return an example with an image that is small enough, and the enlargement that keeps it so."""
    together = np.concatenate([example.truth_boxes, example.boxes])
    image, together = shrink(example.image, together, longest_px)
    truths, found = np.split(together, [len(example.truth_boxes)])
    fitting = max(1, min(scale, longest_px // max(image.shape[:2])))
    return example._replace(image=image, truth_boxes=truths, boxes=found), fitting


def _triple(cells: Cells, names: Sequence[str], scale: int, longest_px: int) -> tuple[list[Image], list[str]]:
    one, fitting = _shrink(cells.example, longest_px, scale)
    rows, cols = cells.confidence.shape
    draw = partial(draw_boxes, one.image, names=names, scale=fitting, grid=(rows, cols))
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
    cells = (grid.rows, grid.cols)
    draw = partial(draw_boxes, one.image, names=names, scale=fitting, grid=cells, grid_extent=extent.tolist())
    return (
        [draw(one.truth_boxes, one.truth_labels), draw(one.boxes, one.labels, scores=one.scores)],
        [f"truth ({len(one.truth_labels)})", heading_right],
    )
