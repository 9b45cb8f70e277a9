"""Which detection found which truth, by COCO's rule; the matching itself is hotcoco's.

COCO's rule, for each image and class by itself: detections are taken best score first, the first 100 of them.
Each takes, of the truths that no better one has taken, the one with the highest IoU, where that is at least
the threshold. A detection that fits none, but lies in a crowd region (the overlap by the detection's own area
reaches the threshold), is not counted at all.

hotcoco stores its marks as ids and means "nothing" by 0, scores a box of NaN as a hit, and only warns of
an unknown image or class. Tables are checked before they come here, ids start at 1, and both sides are
put in a total order, so that nothing depends on the order of rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import hotcoco
import numpy as np

from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import paired_iou
from humbleyolo.metrics.tables import DetectionTable, TruthTable, check_labels
from humbleyolo.storage.array_types import Array, Bools, Floats, Ints

MOST_DETECTIONS = 100  # for each image and class: COCO's largest `maxDets`
WHOLE_RANGE = (0.0, 1e10)  # COCO's range of areas, square pixels, that means all
_IMAGES = 100  # matched at a time where all is kept

Table = TypeVar("Table", TruthTable, DetectionTable)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What became of each detection, in the order of its table.

    Attributes:
        truths: (D,) int64 row of the truth that it found, -1 where it found none.
        iou: (D,) float64 with that truth, 0 where there is none.
        ignored: (D,) bool, neither right nor wrong: in a crowd region, or not of the 100 best.
    """

    truths: Ints
    iou: Floats
    ignored: Bools

    def take(self, rows: Array) -> "Matches":
        """Return what became of these detections (indices or a mask)."""
        return Matches(self.truths[rows], self.iou[rows], self.ignored[rows])


def evaluator(
    truths: TruthTable,
    detections: DetectionTable,
    class_count: int,
    *,
    iou_thresholds: Sequence[float] | None = None,
    area_ranges: dict[str, tuple[float, float]] | None = None,
    max_detections: Sequence[int] | None = None,
) -> hotcoco.COCOeval:
    """Return hotcoco's evaluator with all images matched; what is None is COCO's own.

    Its ids are those of the tables' rows in their total order, from 1. It prints nothing.

    Raises:
        ValueError: Where the tables are of different images, or a label is no class.
    """
    if truths.image_count != detections.image_count:
        raise ValueError(f"truths of {truths.image_count} images, detections of {detections.image_count}")
    check_labels("truth", truths.labels, class_count)
    check_labels("detection", detections.labels, class_count)
    images: list[dict[str, Any]] = [{"id": number} for number in range(1, truths.image_count + 1)]
    # Names stay outside: a number can be neither repeated nor unprintable.
    classes: list[dict[str, Any]] = [
        {"id": number, "name": str(number)} for number in range(1, class_count + 1)
    ]
    rows = truths.order()
    known = hotcoco.COCO.from_arrays(
        images,
        classes,
        truths.images[rows] + 1,
        truths.labels[rows] + 1,
        truths.boxes_ltwh[rows],
        ids=np.arange(1, len(rows) + 1),
        iscrowd=truths.crowd[rows].astype(np.int64),
    )
    rows = detections.order()
    found = known.load_res(
        np.column_stack(  # (D, 7)
            [
                detections.images[rows] + 1,
                detections.boxes_ltwh[rows],
                detections.scores[rows],
                detections.labels[rows] + 1,
            ]
        )
    )
    result = hotcoco.COCOeval(known, found, "bbox")
    settings = result.params
    if iou_thresholds is not None:
        settings.iou_thrs = list(iou_thresholds)
    if area_ranges is not None:
        settings.area_rng = [list(limits) for limits in area_ranges.values()]
        settings.area_rng_lbl = list(area_ranges)
    if max_detections is not None:
        settings.max_dets = list(max_detections)
    result.evaluate()
    return result


class _Part(NamedTuple, Generic[Table]):
    """Some images' rows of a table.

    Attributes:
        table: Of these images alone.
        by_id: (M,) int64, the rows of the whole table in the order of the evaluator's ids.
    """

    table: Table
    by_id: Ints


def _parts(
    truths: TruthTable, detections: DetectionTable
) -> Iterator[tuple[_Part[TruthTable], _Part[DetectionTable]]]:
    """Yield truths and detections of so many images at a time: what hotcoco gives back takes 10 kB a pair."""

    def part(table: Table, start: int) -> _Part[Table]:
        stop = min(start + _IMAGES, table.image_count)
        rows = np.flatnonzero((table.images >= start) & (table.images < stop))
        own = table.take(rows).of_images(start, stop)
        return _Part(own, rows[own.order()])

    if truths.image_count != detections.image_count:
        raise ValueError(f"truths of {truths.image_count} images, detections of {detections.image_count}")
    for start in range(0, truths.image_count, _IMAGES):
        yield part(truths, start), part(detections, start)


def match(
    truths: TruthTable,
    detections: DetectionTable,
    class_count: int,
    iou: float = 0.5,
    limit: int = MOST_DETECTIONS,
) -> Matches:
    """Match detections of each class with truths of the same class.

    Args:
        truths: M rows.
        detections: D rows, of the same images.
        class_count: C.
        iou: The least IoU of a match.
        limit: How many detections count for each image and class.

    Raises:
        ValueError: Where the tables are of different images, or a label is no class.
    """
    result = Matches(
        np.full(len(detections), -1, np.int64),
        np.zeros(len(detections), np.float64),
        np.ones(len(detections), np.bool_),
    )
    for known, found in _parts(truths, detections):
        matched = evaluator(
            known.table,
            found.table,
            class_count,
            iou_thresholds=[iou],
            area_ranges={"all": WHOLE_RANGE},
            max_detections=[limit],
        )
        pairs = [pair for pair in matched.eval_imgs if pair is not None]
        rows = found.by_id[_flat([pair["dtIds"] for pair in pairs], np.int64) - 1]
        truth_ids = _flat([pair["dtMatches"][0] for pair in pairs], np.int64)
        skipped = _flat([pair["dtIgnore"][0] for pair in pairs], np.bool_)
        hit = (truth_ids > 0) & ~skipped
        result.ignored[rows] = skipped
        result.truths[rows[hit]] = known.by_id[truth_ids[hit] - 1]
    hit = result.truths >= 0
    result.iou[hit] = paired_iou(
        ltwh_to_xyxy(detections.boxes_ltwh[hit]), ltwh_to_xyxy(truths.boxes_ltwh[result.truths[hit]])
    )
    return result


def match_at_each(
    truths: TruthTable,
    detections: DetectionTable,
    class_count: int,
    ious: Sequence[float],
    area_ranges: dict[str, tuple[float, float]],
) -> tuple[Bools, Bools]:
    """Match at several IoUs and ranges of area at once.

    Args:
        truths: M rows.
        detections: D rows, of the same images.
        class_count: C.
        ious: T least IoUs of a match.
        area_ranges: A ranges of area, square pixels: truths outside one are not to be found, and what finds
            them, or is outside itself and finds nothing, is not counted.

    Returns:
        (A, T, D) bool, which detections are right; and likewise which are not counted.
    """
    shape = (len(area_ranges), len(ious), len(detections))
    right, ignored = np.zeros(shape, np.bool_), np.ones(shape, np.bool_)
    for known, found in _parts(truths, detections):
        matched = evaluator(
            known.table,
            found.table,
            class_count,
            iou_thresholds=ious,
            area_ranges=area_ranges,
            max_detections=[MOST_DETECTIONS],
        )
        pairs = [pair for pair in matched.eval_imgs if pair is not None and pair["dtIds"]]
        for own_range, limits in enumerate(area_ranges.values()):
            mine = [pair for pair in pairs if tuple(pair["aRng"]) == limits]
            if mine:
                rows = found.by_id[_flat([pair["dtIds"] for pair in mine], np.int64) - 1]
                skipped = np.concatenate([pair["dtIgnore"] for pair in mine], axis=1)  # (T, rows)
                hit = np.concatenate([pair["dtMatches"] for pair in mine], axis=1) > 0
                right[own_range][:, rows] = hit & ~skipped
                ignored[own_range][:, rows] = skipped
    return right, ignored


def mean_iou(matches: Matches) -> float | None:
    """Return the mean IoU of all detections that found a truth, each pair once; None where none did.

    With `match`'s default this is: of the right class, at IoU 0.5 or more, by COCO's rule, whatever the
    confidence. It tells how tight the boxes are, not how many there are.
    """
    found = matches.truths >= 0
    return round(float(matches.iou[found].mean()), 12) if found.any() else None


def _flat(parts: list[Any], kind: type[Any]) -> Any:
    return np.concatenate([np.asarray(part, kind) for part in parts]) if parts else np.zeros(0, kind)
