"""Mistakes of a detector, and the AP that each kind costs.

The kinds, and what repairs them, are those of TIDE (Bolya et al. 2020, "TIDE: A General Toolbox for Identifying
Object Detection Errors", sections 2.2 and 2.3). Of detections that are not right:

    localisation      overlaps a ground truth of its class, but by less than a match; repaired: it matches that one
    classification    lies on a ground truth of another class; repaired: it gets that class
    duplicate         lies on a ground truth of its class that a better one matches; repaired: it is removed
    background        overlaps nothing; repaired: it is removed
    both              overlaps a ground truth of another class by less than a match; repaired: it is removed
    missed            a ground truth without a match, also after the first two repairs; repaired: it is not asked for

The first that fits is the kind. Repairs of one kind are done all at once. Of several that would match one ground
truth the best does and the others are removed. One is removed as well if the ground truth has a match already.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt
import pandas as pd

from humbleyolo.metrics.average_precision import COCO_RECALLS, Curve
from humbleyolo.metrics.matching import Matches
from humbleyolo.metrics.nearest_ground_truth import Nearest
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.array_types import Bools, Floats, Ints

CORRECT = "correct"
MISTAKES = ("classification", "localisation", "both", "duplicate", "background", "missed")
_UNCOUNTED = ""  # the kind of a detection that is neither right nor wrong


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Kind of each detection, in the order of the table.

    Attributes:
        kinds: (D,) text, `correct`, one of `MISTAKES` but missed, or empty if it is not counted.
        truths: (D,) int64 row of the ground truth that it matches, or is mistaken about; -1 if there is none.
        iou: (D,) float64 IoU with it.
    """

    kinds: npt.NDArray[np.str_]
    truths: Ints
    iou: Floats


def judge(matches: Matches, nearest: Nearest, match_iou: float, background_iou: float) -> Judgement:
    """Tell right detections and each kind of mistake apart.

    `matches` are those at `match_iou`. A detection is background if its IoU with every ground truth is less than
    `background_iou`.
    """
    right = matches.truths >= 0
    matched = np.isin(nearest.own, matches.truths[right])  # the nearest ground truth of its class
    near_own = (nearest.own >= 0) & (nearest.own_iou >= background_iou)
    on_own = matched & (nearest.own_iou >= match_iou)
    on_other = (nearest.other >= 0) & (nearest.other_iou >= match_iou)
    near_other = (nearest.other >= 0) & (nearest.other_iou >= background_iou)
    cases = [
        (matches.ignored, _UNCOUNTED),
        (right, CORRECT),
        (near_own & ~on_own, "localisation"),
        (on_other, "classification"),
        (on_own, "duplicate"),
        (near_other, "both"),
    ]
    kinds = np.select([case for case, _ in cases], [kind for _, kind in cases], "background")
    about_other = np.isin(kinds, ("classification", "both"))
    about_own = np.isin(kinds, ("localisation", "duplicate"))
    truths = np.select([right, about_other, about_own], [matches.truths, nearest.other, nearest.own], -1)
    iou = np.select([right, about_other, about_own], [matches.iou, nearest.other_iou, nearest.own_iou], 0.0)
    return Judgement(kinds, truths, iou)


def missed_truths(truths: TruthTable, judgement: Judgement, taken: Bools) -> Bools:
    """Return the ground truths, (M,) bool, that the detections `taken` (D,) miss."""
    covering = taken & np.isin(judgement.kinds, (CORRECT, "classification", "localisation"))
    missed = ~truths.crowd
    missed[judgement.truths[covering]] = False
    return missed


def mistakes_table(
    truths: TruthTable, detections: DetectionTable, judgement: Judgement, taken: Bools, class_count: int
) -> pd.DataFrame:
    """Count mistakes, and measure the AP that the repair of each kind would win back.

    AP is COCO's at the IoU of the match, over all detections, whatever the threshold. `taken`, (D,) bool, are the
    detections at or above it.

    Returns:
        A row for each of `MISTAKES`: kind, count (at the threshold), count_all (of all detections) and ap_gain,
        NaN if AP is undefined.
    """
    everything = np.ones(len(detections), np.bool_)
    before = _repaired_ap(truths, detections, judgement, "", class_count)
    rows = []
    for kind in MISTAKES:
        counts = [
            int(np.count_nonzero(missed_truths(truths, judgement, among)))
            if kind == "missed"
            else int(np.count_nonzero(among & (judgement.kinds == kind)))
            for among in (taken, everything)
        ]
        gain = _repaired_ap(truths, detections, judgement, kind, class_count) - before
        rows.append((kind, *counts, round(gain, 12)))
    return pd.DataFrame(rows, columns=["kind", "count", "count_all", "ap_gain"])


def costs_of_kinds(
    ap: float | None, precisions: Iterable[float], gains: Mapping[str, float | None]
) -> dict[str, float]:
    """Return the cost in COCO's AP of each kind of mistake, as `costs_in_ap` does, from the tables of an evaluation.

    Args:
        ap: COCO's AP.
        precisions: Precision at each recall, of `precision_recall`: their mean is the AP at the IoU of a match.
        gains: `ap_gain` of each kind, of `mistakes`.

    Returns:
        Empty if AP or a gain is undefined.
    """
    curve = list(precisions)
    known = {kind: gain for kind, gain in gains.items() if gain is not None and math.isfinite(gain)}
    if ap is None or not curve or len(known) < len(MISTAKES):
        return {}
    return costs_in_ap(ap, fmean(curve), known)


def costs_in_ap(ap: float, ap_at_match: float, gains: Mapping[str, float]) -> dict[str, float]:
    """Return the cost of each kind in COCO's AP, which is a mean over IoU 0.50 to 0.95.

    If all boxes fitted, AP would be the same at every IoU. So localisation costs what AP lacks of that at the match
    after its repair; boxes that match and fit badly are part of it. Objects that other repairs win would be boxed
    as well as the others are.

    Args:
        ap: COCO's AP.
        ap_at_match: AP at the IoU of the match.
        gains: The rise of `ap_at_match` by the repair of each of `MISTAKES`.
    """
    boxed = min(ap / ap_at_match, 1.0) if ap_at_match else 1.0
    costs = {kind: gain * boxed for kind, gain in gains.items()}
    return costs | {"localisation": max(ap_at_match + gains["localisation"] - ap, 0.0)}


def _repaired_ap(
    truths: TruthTable, detections: DetectionTable, judgement: Judgement, repaired: str, class_count: int
) -> float:
    """Return AP after the repair of one kind; NaN if there is nothing to find."""
    order = detections.order()
    kinds, found = judgement.kinds[order], judgement.truths[order]
    labels = detections.labels[order]
    right, counted = kinds == CORRECT, kinds != _UNCOUNTED
    positives = np.bincount(truths.labels[~truths.crowd], minlength=class_count)
    asked, mistaken = positives.copy(), kinds == repaired
    if repaired in ("classification", "localisation"):
        candidates = np.flatnonzero(mistaken & ~np.isin(found, found[right]))
        _, first = np.unique(found[candidates], return_index=True)
        best = candidates[first]
        right[best] = True
        labels = labels.copy()
        labels[best] = truths.labels[found[best]]
        counted &= ~mistaken | right
    elif repaired == "missed":
        missed = missed_truths(truths, judgement, np.ones(len(detections), np.bool_))
        asked -= np.bincount(truths.labels[missed], minlength=class_count)
    elif repaired:
        counted &= ~mistaken
    values = []
    for label in np.flatnonzero(positives):
        if asked[label]:
            own = counted & (labels == label)
            curve = Curve(right[own], np.ones((1, np.count_nonzero(own)), np.int64), asked[[label]])
            values.append(float(curve.mean_at(COCO_RECALLS)[0]))
        else:
            values.append(1.0)  # nothing is left to be found
    return float(np.mean(values)) if values else np.nan


def judged_table(
    truths: TruthTable, detections: DetectionTable, judgement: Judgement, taken: Bools, categories: tuple[str, ...]
) -> pd.DataFrame:
    """Return a row for each detection at or above the threshold, and for each ground truth that is missed there.

    `truths` are in the order of their archive. `taken`, (D,) bool, are the detections at or above the threshold; none
    that is not counted.

    Returns:
        By image, first the detections: image_id, detection (position in `detections.json`, from 0), truth (id of
        the annotation), kind, predicted, truth_class, score, iou. Values that do not exist are missing.
    """
    order = detections.file_order()
    position = np.flatnonzero(taken[order])
    rows = order[position]
    missed = np.flatnonzero(missed_truths(truths, judgement, taken))
    nothing, no_number = len(missed) * [None], np.full(len(missed), np.nan)
    about = np.concatenate([judgement.truths[rows], missed])
    iou = np.concatenate([judgement.iou[rows].round(12), no_number])
    table = pd.DataFrame(
        {
            "image_id": np.concatenate([detections.images[rows], truths.images[missed]]) + 1,
            "detection": pd.array([*position.tolist(), *nothing], "Int64"),
            "truth": pd.array([None if row < 0 else row + 1 for row in about.tolist()], "Int64"),
            "kind": [*judgement.kinds[rows], *(len(missed) * ["missed"])],
            "predicted": [*(categories[label] for label in detections.labels[rows]), *nothing],
            "truth_class": [None if row < 0 else categories[truths.labels[row]] for row in about],
            "score": np.concatenate([detections.scores[rows], no_number]),
            "iou": np.where(about < 0, np.nan, iou),
        }
    )
    return table.sort_values("image_id", kind="stable", ignore_index=True)
