"""Bootstrap over images: 95 % intervals of a run's numbers, or of the difference of two runs.

As many images as there are, are drawn from them with replacement. A number varies over such draws as it would over
other test images. The interval holds the middle 95 % of the draws (the percentile interval of Efron and Tibshirani
1993, chapter 13). Nothing is matched again: an image drawn twice counts twice. Draw b of a seed is the same for every
run on the same number of images. So two runs can be compared on each draw (a paired bootstrap), and what makes both
better or worse falls out of the difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from humbleyolo.errors import UserError
from humbleyolo.evaluation.calibration import bin_of
from humbleyolo.evaluation.thresholds import taken_at
from humbleyolo.metrics.average_precision import COCO_RECALLS, VOC_RECALLS, Curve, Weights
from humbleyolo.metrics.coco_metrics import AREA_RANGES, IOUS
from humbleyolo.metrics.matching import COCO_DETECTIONS, Matches, match, match_at_each
from humbleyolo.metrics.nearest_ground_truth import Nearest, nearest_truths
from humbleyolo.metrics.tables import DetectionTable, TruthTable, ratio
from humbleyolo.metrics.voc_metrics import voc_positives, voc_right
from humbleyolo.params.sections import Evaluate
from humbleyolo.storage.array_types import Bools, Floats, Ints

CONFIDENCE = 0.95
MEASURED = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium",
    "ar_large", "voc_ap", "voc_ap11", "mean_iou", "precision", "recall", "f1", "calibration_error_iou",
    "calibration_error_right",
)  # fmt: skip
_NUMBERS = 1 << 19  # weights held at a time, about 50 MB with all that is computed of them
_LIMITS = (1, 10)


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % of the draws; None if too few are defined."""

    low: float | None
    high: float | None


class Weighable:
    """Matched detections of a run, ready to be measured on any weighting of its N images.

    `matches` are those at the IoU of precision and recall; `taken`, (D,) bool, are the detections at or above the
    threshold. `voc_iou` is the least IoU of a match for Pascal VOC's AP, `bins` the number of the calibration's bins.
    """

    def __init__(
        self,
        truths: TruthTable,
        detections: DetectionTable,
        class_count: int,
        *,
        matches: Matches,
        nearest: Nearest,
        taken: Bools,
        voc_iou: float,
        bins: int,
    ) -> None:
        order = detections.order()
        self.image_count = truths.image_count
        self._images = detections.images[order]
        labels = detections.labels[order]
        self._of_class = [np.flatnonzero(labels == label) for label in range(class_count)]
        right, ignored = match_at_each(truths, detections, class_count, IOUS, AREA_RANGES)
        self._right, self._ignored = right[..., order], ignored[..., order]  # (A, T, D)
        self._voc_right, self._voc_counted = (rows[order] for rows in voc_right(truths, detections, nearest, voc_iou))
        self._rank = _ranks(self._images, labels)
        wanted = voc_positives(truths)
        self._voc_truths = [truths.images[wanted & (truths.labels == label)] for label in range(class_count)]
        self._truths = [
            [_images_of(truths, label, limits) for limits in AREA_RANGES.values()] for label in range(class_count)
        ]
        self._sums = self._sum_by_image(truths, detections, matches, nearest, taken, bins)
        self._bins = bins

    @classmethod
    def of_run(
        cls, truths: TruthTable, detections: DetectionTable, class_count: int, settings: Evaluate,
        threshold: float | None = None,
    ) -> Self:  # fmt: skip
        """Match the detections of a run; of scores under the threshold none counts, without one none does."""
        matches = match(truths, detections, class_count, settings.match_iou)
        return cls(
            truths, detections, class_count,
            matches=matches,
            nearest=nearest_truths(truths, detections),
            taken=taken_at(detections, matches, threshold),
            voc_iou=settings.voc_iou,
            bins=settings.bins,
        )  # fmt: skip

    def _sum_by_image(
        self,
        truths: TruthTable,
        detections: DetectionTable,
        matches: Matches,
        nearest: Nearest,
        taken: Bools,
        bins: int,
    ) -> dict[str, Floats]:
        """Return (N, ...) sums over the boxes of each image, of which ratios are made."""
        found, counted = matches.truths >= 0, ~matches.ignored

        def by_image(rows: Bools, values: Floats | None = None) -> Floats:
            weights = None if values is None else values[rows]
            return np.bincount(detections.images[rows], weights, self.image_count).astype(np.float64)

        def by_bin(values: Floats) -> Floats:
            cell = detections.images * bins + bin_of(detections.scores, bins)
            flat = np.bincount(cell[counted], values[counted], self.image_count * bins)
            return np.asarray(flat, np.float64).reshape(self.image_count, bins)

        return {
            "positives": np.bincount(truths.images[~truths.crowd], None, self.image_count).astype(np.float64),
            "iou": by_image(found, matches.iou),
            "found": by_image(found),
            "taken": by_image(taken),
            "right": by_image(taken & found),
            "counted": by_image(counted),
            "iou_gap": by_bin(detections.scores - nearest.own_iou),
            "right_gap": by_bin(detections.scores - found),
        }

    @property
    def width(self) -> int:
        """The most numbers that one weighting takes."""
        return max(self.image_count, *(len(rows) for rows in self._of_class), 1)

    def measure(self, weights: Weights) -> dict[str, Floats]:
        """Return each of `MEASURED` (W,) for (W, N) weights of the images; NaN if undefined."""
        return {**self._measure_curves(weights), **self._measure_ratios(weights)}

    def _measure_curves(self, weights: Weights) -> dict[str, Floats]:
        classes, (areas, ious) = len(self._of_class), self._right.shape[:2]
        shape = (classes, len(weights))
        ap = np.full((areas, ious, *shape), np.nan)
        ar = np.full((areas, ious, *shape), np.nan)
        limited = np.full((len(_LIMITS), ious, *shape), np.nan)
        voc, voc11 = np.full(shape, np.nan), np.full(shape, np.nan)
        for label, rows in enumerate(self._of_class):
            own = weights[:, self._images[rows]]  # (W, d)
            if len(self._voc_truths[label]):
                positives = weights[:, self._voc_truths[label]].sum(axis=1)
                curve = Curve(self._voc_right[rows], np.where(self._voc_counted[rows], own, 0), positives)
                voc[label], voc11[label] = curve.area(), curve.mean_at(VOC_RECALLS)
            for area in range(areas):
                if not len(self._truths[label][area]):
                    continue
                positives = weights[:, self._truths[label][area]].sum(axis=1)
                for iou in range(ious):
                    right, ignored = self._right[area, iou, rows], self._ignored[area, iou, rows]
                    counted = np.where(ignored, 0, own) if ignored.any() else own
                    ap[area, iou, label] = Curve(right, counted, positives).mean_at(COCO_RECALLS)
                    ar[area, iou, label] = _recall(own[:, right], positives)
                    if area == 0:
                        for at, limit in enumerate(_LIMITS):
                            early = right & (self._rank[rows] < limit)
                            limited[at, iou, label] = _recall(own[:, early], positives)
        sizes = list(AREA_RANGES)[1:]
        return {
            "ap": _mean(ap[0]),
            "ap50": _mean(ap[0, [IOUS.index(0.5)]]),
            "ap75": _mean(ap[0, [IOUS.index(0.75)]]),
            **{f"ap_{size}": _mean(ap[area]) for area, size in enumerate(sizes, start=1)},
            **{f"ar{limit}": _mean(limited[at]) for at, limit in enumerate(_LIMITS)},
            f"ar{COCO_DETECTIONS}": _mean(ar[0]),
            **{f"ar_{size}": _mean(ar[area]) for area, size in enumerate(sizes, start=1)},
            "voc_ap": _mean(voc[None]),
            "voc_ap11": _mean(voc11[None]),
        }

    def _measure_ratios(self, weights: Weights) -> dict[str, Floats]:
        sums = {name: weights @ values for name, values in self._sums.items()}
        return {
            "mean_iou": ratio(sums["iou"], sums["found"]),
            "precision": ratio(sums["right"], sums["taken"]),
            "recall": ratio(sums["right"], sums["positives"]),
            "f1": ratio(2 * sums["right"], sums["taken"] + sums["positives"]),
            "calibration_error_iou": ratio(np.abs(sums["iou_gap"]).sum(axis=1), sums["counted"]),
            "calibration_error_right": ratio(np.abs(sums["right_gap"]).sum(axis=1), sums["counted"]),
        }


def require_resamples(settings: Evaluate) -> None:
    """Raise a `UserError` if params.yaml asks for no intervals."""
    if not settings.resamples:
        raise UserError("params.yaml: evaluate.resamples is 0, so chance cannot be told; allowed here: 1 or more")


def draw(image_count: int, resamples: int, seed: int, width: int) -> Iterator[Weights]:
    """Yield the weights of images, (W, N) int64 at a time, in `resamples` rows altogether.

    A weight says how often an image is drawn. Row b is a function of the seed, b and N alone. `width` is the
    most numbers that one row takes in the end, by which W is chosen.
    """
    length = max(1, _NUMBERS // width)
    for start in range(0, resamples, length):
        yield np.stack(
            [
                np.bincount(
                    np.random.Generator(np.random.Philox(key=(seed, row))).integers(0, image_count, image_count),
                    minlength=image_count,
                )
                for row in range(start, min(start + length, resamples))
            ]
        )


def resample(runs: Sequence[Weighable], resamples: int, seed: int) -> list[dict[str, Floats]]:
    """Return each of `MEASURED` of each run on the same draws: (resamples,), NaN if undefined.

    Raises:
        ValueError: If the runs are of different numbers of images.
    """
    if len({run.image_count for run in runs}) != 1:
        raise ValueError("runs of different numbers of images cannot be resampled together")
    parts: list[list[dict[str, Floats]]] = [[] for _ in runs]
    for weights in draw(runs[0].image_count, resamples, seed, max(run.width for run in runs)):
        for run, measured in zip(runs, parts, strict=True):
            measured.append(run.measure(weights))
    return [{name: np.concatenate([part[name] for part in measured]) for name in measured[0]} for measured in parts]


def interval(draws: Floats, image_count: int) -> Interval:
    """Return the middle 95 % of the draws that are defined; of fewer than two images nothing can be told."""
    defined = draws[np.isfinite(draws)]
    if image_count < 2 or not len(defined):
        return Interval(None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(round(float(low), 12), round(float(high), 12))


def _ranks(images: Ints, labels: Ints) -> Ints:
    """Return the (D,) place of each detection, from 0, among those of its image and class, in their order."""
    return np.asarray(pd.Series(images).groupby([images, labels]).cumcount(), np.int64)


def _images_of(truths: TruthTable, label: int, limits: tuple[float, float]) -> Ints:
    """Return the image of each ground truth of a class whose area is within limits, crowds left out."""
    inside = (truths.areas >= limits[0]) & (truths.areas <= limits[1])
    wanted = ~truths.crowd & (truths.labels == label) & inside
    images: Ints = truths.images[wanted]
    return images


def _recall(found: Weights, positives: Weights) -> Floats:
    return ratio(found.sum(axis=1), positives)


def _mean(values: Floats) -> Floats:
    """Return the (W,) mean over IoUs and classes of the defined values of (T, C, W)."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0).sum(axis=(0, 1)), defined.sum(axis=(0, 1)))
