"""Ceiling that a grid sets on AP: the ground truths that it can hold, scored as detections.

It depends on the loss. If one cell answers for an object, the ground truths are encoded and decoded again. If several
may, an object is held if it gets a cell of its own: all at once, as many as possible (a maximum matching).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.geometry.grid import Encoded, Grid, answering_cells, decode_grid, encode_boxes
from humbleyolo.geometry.iou import paired_iou
from humbleyolo.metrics.average_precision import COCO_RECALLS
from humbleyolo.metrics.coco_metrics import IOUS
from humbleyolo.metrics.matching import COCO_DETECTIONS
from humbleyolo.params.rules import PATCH
from humbleyolo.params.value_types import CellsAnObject
from humbleyolo.storage.array_types import AnyInts, Array, Bools, Floats, Ints

_CHUNK_NUMBERS = 2**17  # target values held at a time, about 8 MB with all that is computed of them


@dataclass(frozen=True)
class Ceiling:
    """Objects and AP that a grid keeps of a split.

    Attributes:
        rows: R.
        cols: S.
        objects: M.
        shared: Number of objects whose cell holds the centre of another one.
        lost: Number of objects that the targets do not hold, or that get no cell of their own.
        ap: COCO AP of the decoded targets, None without objects.
        ap50: COCO AP at IoU 0.5, likewise.
        recall: COCO AR with up to 100 detections per image, likewise.
        kept_ap: AP of the objects that the grid holds, without COCO's limit of 100 detections of a class and image.
    """

    rows: int
    cols: int
    objects: int
    shared: int
    lost: int
    ap: float | None
    ap50: float | None
    recall: float | None
    kept_ap: float | None


def measure_ceiling(
    boxes: Floats, labels: AnyInts, image_index: AnyInts, images: int, grid: Grid, cells: CellsAnObject = "one"
) -> Ceiling:
    """Score the ground truths of a split that a grid can hold, in memory that does not grow with the split.

    All decoded boxes have a score of 1 and none is wrong. So precision is 1 at every recall that is reached, and AP
    is the part of COCO's 101 recalls that are. A decoded box whose IoU with its object is under a threshold counts as
    lost there.

    Args:
        boxes: (M, 4) xyxy, pixels of the letterboxed image, image after image.
        labels: (M,) class indices.
        image_index: (M,) index of the image of each box, rising.
        images: N.
        grid: Grid.
        cells: Number of cells that may answer for an object.
    """
    shared = lost = 0
    found = np.zeros((2, len(IOUS), grid.classes), np.int64)  # decoded objects, at each threshold: COCO's, and all
    chunk = max(1, _CHUNK_NUMBERS // math.prod(grid.shape))
    for start in range(0, images, chunk):
        count = min(chunk, images - start)
        low, high = np.searchsorted(image_index, [start, start + count])
        own = slice(int(low), int(high))
        objects = (boxes[own], labels[own], image_index[own] - start)
        encoded = encode_boxes(*objects, count, grid)
        kept = encoded.kept if cells == "one" else _own_cells(boxes[own], objects[2], encoded, grid)
        iou = _decoded_iou(*objects, encoded, grid) if cells == "one" else np.ones(int(kept.sum()))
        shared += int(encoded.shared.sum())
        lost += int((~kept).sum())
        found += _count_found(iou, (objects[2] * grid.classes + objects[1])[kept], count, grid.classes)
    per_class = np.bincount(labels, minlength=grid.classes)
    known = per_class > 0
    recall = found[..., known] / per_class[known]  # (2, T, C')
    reached = (recall[..., None] >= COCO_RECALLS) & (recall[..., None] > 0)  # (2, T, C', 101)
    measured = (_mean(reached[0]), _mean(reached[0, :1]), _mean(recall[0]), _mean(reached[1]))
    return Ceiling(grid.rows, grid.cols, len(labels), shared, lost, *measured)


def _decoded_iou(boxes: Floats, labels: AnyInts, image_index: AnyInts, encoded: Encoded, grid: Grid) -> Floats:
    """Return the IoU of each object that the targets hold with its decoded box; 0 if that has no score."""
    kept = np.flatnonzero(encoded.kept)
    image, label, place = image_index[kept], labels[kept], encoded.place[kept]
    decoded = decode_grid(encoded.targets, grid)
    overlap = paired_iou(decoded.boxes[image, place], boxes[kept])
    return np.asarray(np.where(decoded.scores[image, place, label] > 0, overlap, 0.0))


def _count_found(iou: Floats, group: Ints, images: int, classes: int) -> Ints:
    """Count the decoded objects of each class by COCO's thresholds of IoU; `group` is image x C + class.

    Returns:
        (2, T, C): at most 100 of an image and class, as COCO has it, and all.
    """
    every = np.array([np.bincount(group[iou >= least], minlength=images * classes) for least in IOUS])
    counts = np.stack([np.minimum(every, COCO_DETECTIONS), every])  # (2, T, images x C)
    return np.asarray(counts.reshape(2, len(IOUS), images, classes).sum(axis=2))


def _own_cells(boxes: Floats, image_index: AnyInts, encoded: Encoded, grid: Grid) -> Bools:
    """Return True for objects that get a cell of their own, in a largest choice of cells.

    An object in the targets keeps its cell there. Each other one takes a free cell that may answer for it, or one
    whose object can move to another (augmenting paths: Kuhn 1955).
    """
    kept = encoded.kept
    for image in np.unique(image_index[~kept]).tolist():
        low, high = np.searchsorted(image_index, [image, image + 1])
        answering = answering_cells(boxes[low:high], grid).reshape(high - low, -1)  # (M', A)
        places = encoded.place[low:high] // grid.boxes
        owner = {cell: one for one, cell in enumerate(places.tolist()) if cell >= 0}
        closed: set[int] = set()
        for new in np.flatnonzero(places < 0).tolist():
            kept[low + new] = _take_cell(new, answering, owner, closed)
    return kept


def _take_cell(new: int, answering: Bools, owner: dict[int, int], closed: set[int]) -> bool:
    """Find a cell for one more object; return False if there is none, however the others move.

    The cells that were then looked at are `closed`: from them no way leads to a free one, nor will any.
    """
    asking: dict[int, int] = {}  # the object that asked for each cell that was looked at
    waiting = [new]
    for one in waiting:
        for cell in np.flatnonzero(answering[one]).tolist():
            if cell in asking or cell in closed:
                continue
            asking[cell] = one
            if cell in owner:
                waiting.append(owner[cell])
                continue
            held = {who: where for where, who in owner.items()}
            while asking[cell] != new:  # each object on the way takes the cell that it asked for, and leaves its own
                owner[cell] = asking[cell]
                cell = held[asking[cell]]
            owner[cell] = new
            return True
    closed.update(asking)
    return False


def _mean(values: Array) -> float | None:
    return round(float(values.mean()), 12) if values.size else None


def measure_ceilings(split: EncodedSplit, factors: Sequence[int], cells: CellsAnObject) -> list[Ceiling]:
    """Measure a split's own grid, then finer ones whose cells are multiples of 4 pixels, the least of any network.

    `factors` multiply the rows and columns; `cells` is the number of cells that may answer for an object.
    """
    finer = [split.grid.finer(factor) for factor in sorted(set(factors))]
    fitting = [grid for grid in finer if not (grid.height % (PATCH * grid.rows) or grid.width % (PATCH * grid.cols))]
    known = (split.boxes, split.labels, split.image_index, len(split))
    return [measure_ceiling(*known, grid, cells) for grid in (split.grid, *fitting)]


def advise(split: str, ceilings: Sequence[Ceiling], limit: float, cells: CellsAnObject = "one") -> list[str]:
    """Return warnings if AP under the limit is the best that the grid in use, the first, or COCO's limit allows."""
    own = ceilings[0]
    if own.ap is None or own.kept_ap is None:
        return []
    warnings = []
    if own.ap < min(limit, own.kept_ap):
        counted = f"COCO counts {COCO_DETECTIONS} detections of a class on an image, and there are more objects"
        kept = (
            f"{own.rows} x {own.cols} cells lose {own.lost} of {own.objects}, AP {own.kept_ap:.3f} without that limit"
        )
        fix = "cut such images into smaller ones to measure all"
        most = max(ceiling.ap or 0 for ceiling in ceilings)
        place = "on any grid measured"
        if most > own.ap:
            place = f"on a grid of {own.rows} x {own.cols} cells, nor {most:.3f} on a finer one measured"
        warnings.append(f"{split}: no detector can pass AP {own.ap:.3f} {place}: {counted}. {kept}; {fix}")
    if own.kept_ap >= limit:
        return warnings
    best = max(ceilings, key=lambda ceiling: ceiling.kept_ap or 0)
    enough = next((ceiling for ceiling in ceilings if (ceiling.kept_ap or 0) >= limit), best)
    text = (
        f"{split}: no detector can pass AP {own.kept_ap:.3f} on a grid of {own.rows} x {own.cols} cells: "
        f"{own.lost} of {own.objects} objects are lost in shared cells"
    )
    if enough is own:
        more = "encode.boxes, or " if cells == "one" else ""
        return [*warnings, f"{text}; raise {more}encode.height and encode.width with a finer grid"]
    fix = f"set encode.rows: {enough.rows} and encode.cols: {enough.cols} (AP {enough.kept_ap:.3f} at most)"
    larger = "if the network takes no cells as small as that, raise encode.height and encode.width by the same factor"
    return [*warnings, f"{text}; {fix}; {larger}"]
