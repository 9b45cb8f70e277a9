"""Matches of detections with ground truths by COCO's rule, computed by hotcoco.

COCO's rule, for each image and class by itself: detections are taken best score first, the first 100 of them. Each
takes, of the ground truths that no better one has taken, the one with the highest IoU, if that reaches the
threshold. A detection that fits none, but lies in a crowd region, is not counted at all. It lies there if the
overlap by its own area reaches the threshold.

hotcoco stores its marks as ids and means "nothing" by 0. It scores a box of NaN as a hit, and only warns of an
unknown image or class. So tables are checked before they come here, and ids start at 1. Both sides are put in a
total order, so that nothing depends on the order of rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import hotcoco
import numpy as np

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import paired_iou
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Array, Bools, Floats, Ints

AreaRanges = Mapping[str, tuple[float, float]]  # square pixels

COCO_DETECTIONS = 100  # for each image and class: COCO's largest `maxDets`
WHOLE_RANGE: AreaRanges = {"all": (0.0, 1e10)}  # COCO's
_IMAGES = 100  # matched at a time if every match is kept, which takes hotcoco 10 kB an image and class

_Table = TypeVar("_Table", TruthTable, DetectionTable)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Outcome of each detection, in the order of its table.

    Attributes:
        truths: (D,) int64 row of the ground truth that it matches, -1 without one.
        iou: (D,) float64 with that ground truth, 0 without one.
        ignored: (D,) bool, neither right nor wrong: in a crowd region, or not of the 100 best.
    """

    truths: Ints
    iou: Floats
    ignored: Bools

    def take(self, rows: Array) -> "Matches":
        """Return the outcomes of these detections (indices or a mask)."""
        return Matches(self.truths[rows], self.iou[rows], self.ignored[rows])


def evaluator(
    truths: TruthTable,
    detections: DetectionTable,
    class_count: int,
    *,
    iou_thresholds: Sequence[float] | None = None,
    area_ranges: AreaRanges = WHOLE_RANGE,
    max_detections: Sequence[int] = (COCO_DETECTIONS,),
) -> hotcoco.COCOeval:
    """Return hotcoco's evaluator with all images matched, at COCO's own IoU thresholds if none are given.

    Its ids are those of the tables' rows in their total order, from 1. It prints nothing.

    Raises:
        ValueError: If the tables are of different images, or a label is no class.
    """
    _check_images(truths, detections)
    truths.check_labels(class_count)
    detections.check_labels(class_count)
    images: list[dict[str, Any]] = [{"id": number} for number in range(1, truths.image_count + 1)]
    # Names stay outside: a number can be neither repeated nor unprintable.
    classes: list[dict[str, Any]] = [{"id": number, "name": str(number)} for number in range(1, class_count + 1)]
    rows = truths.order()
    known = hotcoco.COCO.from_arrays(
        images,
        classes,
        truths.images[rows] + 1,
        truths.labels[rows] + 1,
        truths.boxes_ltwh[rows],
        ids=np.arange(1, len(rows) + 1),
        iscrowd=truths.crowd[rows].astype(np.int64),
        area=truths.areas[rows],
    )
    best_first = detections.take(detections.order())
    found = known.load_res(
        np.column_stack(  # (D, 7)
            [best_first.images + 1, best_first.boxes_ltwh, best_first.scores, best_first.labels + 1]
        )
    )
    result = hotcoco.COCOeval(known, found, "bbox")
    settings = result.params
    if iou_thresholds is not None:
        settings.iou_thrs = list(iou_thresholds)
    settings.area_rng = [list(limits) for limits in area_ranges.values()]
    settings.area_rng_lbl = list(area_ranges)
    settings.max_dets = list(max_detections)
    result.evaluate()
    return result


def accumulated(result: hotcoco.COCOeval) -> dict[str, Any]:
    """Return the arrays of an evaluator: precision and scores (T, R, C, A, D), recall (T, C, A, D); -1: undefined.

    These are T IoU thresholds, R recalls, C classes, A ranges of area, D limits on detections.
    """
    result.accumulate()
    assert result.eval is not None  # noqa: S101 - it was just accumulated
    return {name: np.asarray(result.eval[name]) for name in ("precision", "scores", "recall")}


def _check_images(truths: TruthTable, detections: DetectionTable) -> None:
    if truths.image_count != detections.image_count:
        raise ValueError(f"ground truths of {truths.image_count} images, detections of {detections.image_count}")


def _matched(
    truths: TruthTable,
    detections: DetectionTable,
    class_count: int,
    ious: Sequence[float],
    area_ranges: AreaRanges,
    limit: int,
) -> Iterator[tuple[int, Ints, Ints, Bools]]:
    """Match some images at a time.

    Yields:
        Index of a range of area, and rows (d,) of detections. Then for each IoU the rows (T, d) of the ground truths
        that they match, -1 without one. Last (T, d) bool, detections that are not counted.
    """
    _check_images(truths, detections)
    for (known, known_rows), (found, found_rows) in zip(_in_parts(truths), _in_parts(detections), strict=True):
        pairs = evaluator(
            known, found, class_count, iou_thresholds=ious, area_ranges=area_ranges, max_detections=[limit]
        ).eval_imgs
        for area, limits in enumerate(area_ranges.values()):
            own = [pair for pair in pairs if pair and pair["dtIds"] and tuple(pair["aRng"]) == limits]
            if own:
                ids, skipped, rows = (
                    np.concatenate([np.asarray(pair[name]) for pair in own], axis=-1)
                    for name in ("dtMatches", "dtIgnore", "dtIds")
                )
                matched = np.append(known_rows, -1)[ids.astype(np.int64) - 1]  # an id of 0 is -1, none
                yield area, found_rows[rows - 1], np.where(skipped, -1, matched), skipped


def _in_parts(table: _Table) -> Iterator[tuple[_Table, Ints]]:
    """Yield the rows of some images as a table of their own, and in the order of the evaluator's ids."""
    edges = [*range(0, table.image_count, _IMAGES), table.image_count]
    by_image = np.argsort(table.images, kind="stable")
    places = np.searchsorted(table.images[by_image], edges).tolist()
    for (start, stop), (first, last) in zip(pairwise(edges), pairwise(places), strict=True):
        rows = np.sort(by_image[first:last])
        own = table.take(rows).of_images(start, stop)
        yield own, rows[own.order()]


def match(
    truths: TruthTable, detections: DetectionTable, class_count: int, iou: float = 0.5, limit: int = COCO_DETECTIONS
) -> Matches:
    """Match detections of each class with ground truths of the same class.

    `iou` is the least IoU of a match, `limit` the most detections that count for an image and class.

    Raises:
        ValueError: If the tables are of different images, or a label is no class.
    """
    count = len(detections)
    result = Matches(np.full(count, -1, np.int64), np.zeros(count), np.ones(count, np.bool_))
    for _, rows, found, ignored in _matched(truths, detections, class_count, [iou], WHOLE_RANGE, limit):
        result.truths[rows], result.ignored[rows] = found[0], ignored[0]
    hit = result.truths >= 0
    result.iou[hit] = paired_iou(
        ltwh_to_xyxy(detections.boxes_ltwh[hit]), ltwh_to_xyxy(truths.boxes_ltwh[result.truths[hit]])
    )
    return result


def match_at_each(
    truths: TruthTable, detections: DetectionTable, class_count: int, ious: Sequence[float], area_ranges: AreaRanges
) -> tuple[Bools, Bools]:
    """Match at several IoUs and ranges of area at once.

    Ground truths outside a range need not be found. Detections that match them, or that are outside themselves and
    match nothing, are not counted.

    Returns:
        (A ranges, T least IoUs, D) bool, right detections; and likewise those that are not counted.
    """
    shape = (len(area_ranges), len(ious), len(detections))
    right, ignored = np.zeros(shape, np.bool_), np.ones(shape, np.bool_)
    for area, rows, found, skipped in _matched(truths, detections, class_count, ious, area_ranges, COCO_DETECTIONS):
        right[area][:, rows], ignored[area][:, rows] = found >= 0, skipped
    return right, ignored


def mean_iou(matches: Matches) -> float | None:
    """Return the mean IoU of all detections that match a ground truth, each pair once; None if none does.

    It tells how tight the boxes are, not how many there are. With `match`'s default it counts those of the right
    class at IoU 0.5 or more, whatever their confidence.
    """
    found = matches.truths >= 0
    return round(float(matches.iou[found].mean()), 12) if found.any() else None
