"""Ceiling that a grid sets on AP: encoded ground truths, decoded again and scored as detections."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Encoded, Grid, decode_grid, encode_boxes
from humbleyolo.geometry.iou import paired_iou
from humbleyolo.metrics.average_precision import COCO_RECALLS
from humbleyolo.metrics.coco import IOUS
from humbleyolo.metrics.matching import MOST_DETECTIONS
from humbleyolo.params.rules import PATCH
from humbleyolo.storage.array_types import AnyInts, Array, Floats, Ints
from humbleyolo.storage.json import read_json

_CHUNK_NUMBERS = 2**17  # target values held at a time, about 8 MB with all that is computed of them


@dataclass(frozen=True)
class Ceiling:
    """Objects and AP that a grid keeps of a split.

    Attributes:
        rows: R.
        cols: S.
        objects: M.
        shared: Number of objects whose cell holds the centre of another one.
        lost: Number of objects that the targets do not hold.
        ap: COCO AP of the decoded targets, None without objects.
        ap50: COCO AP at IoU 0.5, likewise.
        recall: COCO AR with up to 100 detections per image, likewise.
    """

    rows: int
    cols: int
    objects: int
    shared: int
    lost: int
    ap: float | None
    ap50: float | None
    recall: float | None


def measure_ceiling(boxes: Floats, labels: AnyInts, image_index: AnyInts, images: int, grid: Grid) -> Ceiling:
    """Encode and decode the ground truths of a split and score the result, in memory that does not grow with it.

    All decoded boxes have a score of 1 and none is wrong. So precision is 1 at every recall that is reached, and AP
    is the part of COCO's 101 recalls that are. A decoded box whose IoU with its object is under a threshold counts as
    lost there.

    Args:
        boxes: (M, 4) xyxy, pixels of the letterboxed image, image after image.
        labels: (M,) class indices.
        image_index: (M,) index of the image of each box, rising.
        images: N.
        grid: Grid.
    """
    shared = lost = 0
    found = np.zeros((len(IOUS), grid.classes), np.int64)  # decoded objects, at each threshold
    chunk = max(1, _CHUNK_NUMBERS // math.prod(grid.shape))
    for start in range(0, images, chunk):
        count = min(chunk, images - start)
        low, high = np.searchsorted(image_index, [start, start + count])
        own = slice(int(low), int(high))
        encoded = encode_boxes(boxes[own], labels[own], image_index[own] - start, count, grid)
        shared += int(encoded.shared.sum())
        lost += int((~encoded.kept).sum())
        found += _count_found(boxes[own], labels[own], image_index[own] - start, encoded, grid)
    objects = np.bincount(labels, minlength=grid.classes)
    known = objects > 0
    recall = found[:, known] / objects[known]  # (T, C')
    reached = (recall[..., None] >= COCO_RECALLS) & (recall[..., None] > 0)  # (T, C', 101)
    return Ceiling(grid.rows, grid.cols, len(labels), shared, lost, _mean(reached), _mean(reached[:1]), _mean(recall))


def _count_found(boxes: Floats, labels: AnyInts, image_index: AnyInts, encoded: Encoded, grid: Grid) -> Ints:
    """Count the objects of each class that are decoded from their targets, (T, C), by COCO's thresholds of IoU."""
    kept = np.flatnonzero(encoded.kept)
    image, label, place = image_index[kept], labels[kept], encoded.place[kept]
    decoded = decode_grid(encoded.targets, grid)
    iou = np.where(decoded.scores[image, place, label] > 0, paired_iou(decoded.boxes[image, place], boxes[kept]), 0.0)
    group = image * grid.classes + label
    return np.stack(
        [
            np.minimum(
                np.bincount(group[iou >= least], minlength=len(encoded.targets) * grid.classes),
                MOST_DETECTIONS,  # that count for an image and class
            )
            .reshape(-1, grid.classes)
            .sum(axis=0)
            for least in IOUS
        ]
    )


def _mean(values: Array) -> float | None:
    return round(float(values.mean()), 12) if values.size else None


def measure_ceilings(split: EncodedSplit, factors: Sequence[int]) -> list[Ceiling]:
    """Measure a split's own grid, then finer ones with cells that every network can have: multiples of 4 pixels.

    `factors` multiply the rows and columns.
    """
    finer = [split.grid.finer(factor) for factor in sorted(set(factors))]
    fitting = [grid for grid in finer if not (grid.height % (PATCH * grid.rows) or grid.width % (PATCH * grid.cols))]
    known = (split.boxes, split.labels, split.image_index, len(split))
    return [measure_ceiling(*known, grid) for grid in (split.grid, *fitting)]


def advise(split: str, ceilings: Sequence[Ceiling], limit: float) -> str | None:
    """Return a warning if the grid in use, the first, holds AP under the limit, else None."""
    own = ceilings[0]
    if own.ap is None or own.ap >= limit:
        return None
    best = max(ceilings, key=lambda ceiling: ceiling.ap or 0)
    enough = next((ceiling for ceiling in ceilings if (ceiling.ap or 0) >= limit), best)
    text = (
        f"{split}: no detector can pass AP {own.ap:.3f} on a grid of {own.rows} x {own.cols} cells: "
        f"{own.lost} of {own.objects} objects are lost in shared cells"
    )
    if enough is own:
        return f"{text}; raise encode.boxes, or encode.height and encode.width with a finer grid"
    return f"{text}; set encode.rows: {enough.rows} and encode.cols: {enough.cols} (AP {enough.ap:.3f} at most)"


def read_ceiling(report: Path, split: str) -> float | None:
    """Return the AP that the grid in use holds of a split, from the report of `encode`; None if undefined.

    Raises:
        UserError: If the report is missing or damaged.
    """
    fix = "run `dvc repro encode`, or `dvc checkout` if it was made before"
    try:
        ap = read_json(report)[split][0]["ap"]
    except FileNotFoundError:
        raise UserError(f"{report}: no such file; {fix}") from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{report}: is damaged, or tells no ceiling of {split} ({error!r}); {fix}") from None
    if ap is None:
        return None
    if type(ap) in (int, float) and 0 <= ap <= 1:
        return float(ap)
    raise UserError(f"{report}: the AP of {split} is {ap!r}; allowed: 0 to 1, or null; {fix}")
