"""Galleries: what is there beside what was found, the confidence in each cell, the worst mistakes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from humbleyolo.dataset.archive import Archive
from humbleyolo.drawing.boxes_on_image import (
    RESPONSIBLE,
    SURE,
    class_colour,
    contact_sheet,
    draw_boxes,
    draw_cells,
    heading,
    shrink,
    side_by_side,
    stack,
)
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.grid import Grid
from humbleyolo.geometry.letterbox import Letterbox, decode
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.array_types import Bools, Floats, Floats32, Ints, Uint8s

_LONGEST_PX = 640  # of one picture; larger images are drawn smaller
_MOST_PIXELS = 100_000_000  # of a gallery's pictures together, so that viewers open it


class Example(NamedTuple):
    """One image with its truths and detections.

    Attributes:
        caption: Over the pictures.
        image: (H, W, 3) uint8 RGB.
        truth_boxes_ltwh: (M, 4) pixels.
        truth_labels: (M,) class indices.
        boxes_ltwh: (D, 4) pixels.
        labels: (D,) class indices.
        scores: (D,) confidences; None where the boxes are no detections but truths that were missed.
    """

    caption: str
    image: Uint8s
    truth_boxes_ltwh: Floats
    truth_labels: Ints
    boxes_ltwh: Floats
    labels: Ints
    scores: Floats | None


def first_examples(
    archive: Archive, detections: DetectionTable, count: int, min_score: float
) -> list[Example]:
    """Return the first `count` images of an archive, or all where it has fewer.

    Args:
        archive: With truths.
        detections: Of the archive's images.
        count: 1 or more.
        min_score: Detections with a lower confidence are left out.

    Raises:
        UserError: Where an image is damaged.
    """
    found = detections.take((detections.scores >= min_score) & (detections.images < count))
    result = []
    for record in archive.images(0, count):
        own = found.images == record.image_id - 1
        result.append(
            Example(
                record.file_name,
                decode(record.image_bytes, f"{archive.path}: {record.file_name}"),
                record.boxes_ltwh,
                record.labels,
                found.boxes_ltwh[own],
                found.labels[own],
                found.scores[own],
            )
        )
    return result


class Mistakes(NamedTuple):
    """The mistakes of one kind that are drawn.

    Attributes:
        title: The kind, how many there are, and what they cost.
        examples: The worst first; each holds the truths of its image, and the mistake alone.
    """

    title: str
    examples: Sequence[Example]


class SeenImage(NamedTuple):
    """One image as the network sees it, and what it made of it.

    Attributes:
        caption: Over the pictures.
        image: (H, W, 3) uint8 RGB, letterboxed.
        confidence: (R, S), the highest of each cell's boxes.
        responsible: (R, S) bool, whether a cell holds the centre of a truth.
        truth_boxes: (M, 4) xyxy pixels of `image`.
        truth_labels: (M,) class indices.
        boxes: (D, 4) xyxy pixels of `image`.
        labels: (D,) class indices.
        scores: (D,) confidences.
    """

    caption: str
    image: Uint8s
    confidence: Floats32
    responsible: Bools
    truth_boxes: Floats
    truth_labels: Ints
    boxes: Floats
    labels: Ints
    scores: Floats


def headline(metrics: Mapping[str, Any], min_score: float) -> str:
    """Return one line on how good the detector is, and which of its predictions are shown."""
    titles = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "mean_iou": "mean IoU"}
    numbers = [
        f"{title} {'undefined' if metrics.get(name) is None else format(metrics[name], '.3f')}"
        for name, title in titles.items()
    ]
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
) -> Image.Image:
    """Draw each example twice, side by side: its truths, and its detections with their confidence.

    Args:
        examples: One or more.
        names: Class names, in the order of the labels.
        grid: Drawn faintly over each image, through its letterbox.
        columns: Examples in a row.
        scale: Enlargement. Where it would make a picture larger than 640 pixels, or the gallery larger than
            100 million, pictures are drawn smaller.
        title: Over all.
        subtitle: Under the title.
    """
    longest_px = min(_LONGEST_PX, math.isqrt(_MOST_PIXELS // (2 * len(examples))))
    pairs = [
        _pair(example, names, grid, scale, longest_px, f"predictions ({len(example.labels)})")
        for example in examples
    ]
    shown = {label for example in examples for label in (*example.truth_labels, *example.labels)}
    return contact_sheet(
        pairs,
        columns=columns,
        captions=[example.caption for example in examples],
        title=title,
        subtitle=subtitle,
        legend=[(names[label], class_colour(label)) for label in sorted(int(label) for label in shown)],
    )


def worst_mistakes(
    kinds: Sequence[Mistakes],
    names: Sequence[str],
    *,
    grid: Grid,
    threshold: float | None,
    columns: int,
    scale: int,
) -> Image.Image:
    """Draw mistakes kind by kind: the truths of the image, and beside them what is wrong.

    Args:
        kinds: In the order in which they are drawn; one without examples is a heading.
        names: Class names, in the order of the labels.
        grid: As in `truth_and_predictions`.
        threshold: The confidence at which they are mistakes.
        columns: Examples in a row.
        scale: As in `truth_and_predictions`.
    """
    judged = "no threshold" if threshold is None else f"confidence {threshold:.3f} or more"
    count = sum(len(kind.examples) for kind in kinds)
    longest_px = min(_LONGEST_PX, math.isqrt(_MOST_PIXELS // (2 * max(count, 1))))
    sheets = []
    for kind in kinds:
        if kind.examples:
            pairs = [
                _pair(
                    example, names, grid, scale, longest_px,
                    "missed" if example.scores is None else "the mistake",
                )
                for example in kind.examples
            ]  # fmt: skip
            captions = [example.caption for example in kind.examples]
            sheets.append(contact_sheet(pairs, columns=columns, captions=captions, subtitle=kind.title))
    empty = [kind.title for kind in kinds if not kind.examples]
    width = max((sheet.width for sheet in sheets), default=_LONGEST_PX)
    sheets.insert(0, heading(width, "The worst mistakes on test, kind by kind", f"judged at {judged}"))
    sheets += [heading(width, "", text) for text in empty]
    return stack(sheets)


def cells_and_confidence(
    seen: Sequence[SeenImage],
    names: Sequence[str],
    *,
    columns: int,
    scale: int,
) -> Image.Image:
    """Draw how the network thinks: the truth on the grid, the confidence in each cell, the predictions.

    Args:
        seen: One or more.
        names: Class names, in the order of the labels.
        columns: Images in a row.
        scale: As in `truth_and_predictions`.
    """
    longest_px = min(_LONGEST_PX, math.isqrt(_MOST_PIXELS // (3 * len(seen))))
    return contact_sheet(
        [_triple(one, names, scale, longest_px) for one in seen],
        columns=columns,
        captions=[one.caption for one in seen],
        title="How the network thinks: how sure each cell is that it holds the centre of an object",
        subtitle="images as the network sees them, the highest confidence of each cell's boxes",
        legend=[("responsible, centre of object", RESPONSIBLE), ("confidence near 1", SURE)],
    )


def _triple(seen: SeenImage, names: Sequence[str], scale: int, longest_px: int) -> Image.Image:
    together = np.concatenate([seen.truth_boxes, seen.boxes])
    image, together = shrink(seen.image, together, longest_px)
    truths, found = np.split(together, [len(seen.truth_boxes)])
    fitting = max(1, min(scale, longest_px // max(image.shape[:2])))
    rows, cols = seen.confidence.shape
    centres = (truths[:, :2] + truths[:, 2:]) / 2
    return side_by_side(
        [
            draw_boxes(image, truths, seen.truth_labels, names, scale=fitting, grid=(rows, cols)),
            draw_cells(image, seen.confidence, seen.responsible, centres, scale=fitting),
            draw_boxes(
                image, found, seen.labels, names, scale=fitting, scores=seen.scores, grid=(rows, cols)
            ),
        ],
        [f"truth ({len(truths)})", "confidence of cells", f"predictions ({len(found)})"],
    )


def _pair(
    example: Example, names: Sequence[str], grid: Grid, scale: int, longest_px: int, heading_right: str
) -> Image.Image:
    height, width = example.image.shape[:2]
    seen = Letterbox(height, width, grid.height, grid.width)
    corners = [
        ltwh_to_xyxy(example.truth_boxes_ltwh),
        ltwh_to_xyxy(example.boxes_ltwh),
        seen.boxes_out(np.array([[0.0, 0.0, grid.width, grid.height]])),  # the grid's
    ]
    image, together = shrink(example.image, np.concatenate(corners), longest_px)
    truths, found, extent = np.split(together, [len(corners[0]), len(together) - 1])
    fitting = max(1, min(scale, longest_px // max(image.shape[:2])))
    left, top, right, bottom = extent[0].tolist()

    def draw(
        boxes: Floats,
        labels: Ints,
        scores: Floats | None,
    ) -> Image.Image:
        return draw_boxes(
            image,
            boxes,
            labels,
            names,
            scale=fitting,
            scores=scores,
            grid=(grid.rows, grid.cols),
            grid_extent=(left, top, right, bottom),
        )

    return side_by_side(
        [draw(truths, example.truth_labels, None), draw(found, example.labels, example.scores)],
        [f"truth ({len(example.truth_labels)})", heading_right],
    )
