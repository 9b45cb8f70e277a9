"""Galleries: what is there beside what was found, image by image."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from humbleyolo.archive import Archive
from humbleyolo.boxes import ltwh_to_xyxy
from humbleyolo.drawing import class_colour, contact_sheet, draw_boxes, shrink, side_by_side
from humbleyolo.grid import Grid
from humbleyolo.images import Letterbox, decode
from humbleyolo.scoring.results import read_metrics
from humbleyolo.scoring.tables import DetectionTable

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
        scores: (D,) confidences.
    """

    caption: str
    image: npt.NDArray[np.uint8]
    truth_boxes_ltwh: npt.NDArray[np.float64]
    truth_labels: npt.NDArray[np.int64]
    boxes_ltwh: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


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
    for record in archive.records(0, count):
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


def headline(metrics: Path, min_score: float) -> str:
    """Return one line on how good the detector is, and which of its predictions are shown.

    Raises:
        UserError: Where the file of metrics is missing or is no such file.
    """
    titles = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "mean_iou": "mean IoU"}
    numbers = [
        f"{title} {'undefined' if value is None else format(value, '.3f')}"
        for title, value in zip(titles.values(), read_metrics(metrics, *titles), strict=True)
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
    pairs = [_pair(example, names, grid, scale, longest_px) for example in examples]
    shown = {label for example in examples for label in (*example.truth_labels, *example.labels)}
    return contact_sheet(
        pairs,
        columns=columns,
        captions=[example.caption for example in examples],
        title=title,
        subtitle=subtitle,
        legend=[(names[label], class_colour(label)) for label in sorted(int(label) for label in shown)],
    )


def _pair(example: Example, names: Sequence[str], grid: Grid, scale: int, longest_px: int) -> Image.Image:
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
        boxes: npt.NDArray[np.float64],
        labels: npt.NDArray[np.int64],
        scores: npt.NDArray[np.float64] | None,
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
        [f"truth ({len(example.truth_labels)})", f"predictions ({len(example.labels)})"],
    )
