"""Differences between two runs on the same test images, with the intervals that chance leaves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from humbleyolo.errors import ProblemsError
from humbleyolo.evaluation.bootstrap import CONFIDENCE, Weighable, interval, require_resamples, resample
from humbleyolo.inputs.ledger import short_name
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.params.sections import Evaluate
from humbleyolo.process.terminal import counted, first_few

COMPARED = (
    "ap", "ap50", "ap75", "ar100", "voc_ap", "mean_iou", "precision", "recall", "f1", "calibration_error_iou",
    "calibration_error_right",
)  # fmt: skip
_TRUTHS = ("images", "labels", "crowd", "difficult")  # columns that runs must share, beside the boxes
_NAMED = 5  # classes in a message
_SAME_PX = 0.01  # between equal boxes of two files: COCO's have two decimals, and fractions as texts six


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Results of a run on the test split.

    Attributes:
        name: Name of its revision.
        categories: Names of the C classes.
        truths: Ground truth.
        detections: Detections, of any score.
        threshold: Least score of a detection that counts; None: none does.
        file_names: Names of the N images, if they are known.
    """

    name: str
    categories: tuple[str, ...]
    truths: TruthTable
    detections: DetectionTable
    threshold: float | None
    file_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of two runs; None if it is undefined.

    Attributes:
        a: Value of the first run.
        b: Value of the second run.
        difference: Value of b - a.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end of this interval.
    """

    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None

    @property
    def beyond_chance(self) -> bool:
        """True if the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def compare(a: Run, b: Run, settings: Evaluate) -> dict[str, Difference]:
    """Compare two runs by a paired bootstrap over images; return differences by the names in `COMPARED`.

    Raises:
        ProblemsError: If the runs are of different images or classes.
        UserError: If the settings ask for no resampling.
    """
    b = _in_order_of(b, a.categories)
    _check_pair(a, b)
    require_resamples(settings)
    runs = [
        Weighable.of_run(run.truths, run.detections, len(run.categories), settings, run.threshold) for run in (a, b)
    ]
    once = np.ones((1, a.truths.image_count), np.int64)
    value_a, value_b = (run.measure(once) for run in runs)
    drawn_a, drawn_b = resample(runs, settings.resamples, settings.bootstrap_seed)
    result = {}
    for name in COMPARED:
        found = interval(drawn_b[name] - drawn_a[name], a.truths.image_count)
        one, other = _defined(value_a[name][0]), _defined(value_b[name][0])
        difference = None if one is None or other is None else round(other - one, 12)
        result[name] = Difference(one, other, difference, found.low, found.high)
    return result


def report_lines(a: Run, b: Run, differences: Mapping[str, Difference], resamples: int) -> Iterator[str]:
    """Yield a table of the differences, and a sentence about AP, line by line."""
    images = a.truths.image_count
    yield f"A: {a.name}, B: {b.name}; {images:,} test images, resampled {resamples:,} times"
    yield f"{'':<24}{'A':>7}{'B':>8}{'B - A':>9}  {f'{CONFIDENCE:.0%} interval':<20}not chance"
    for name, one in differences.items():
        ends = f"{_shown(one.low, '+')} to {_shown(one.high, '+')}" if one.low is not None else "undefined"
        yield (
            f"{name:<24}{_shown(one.a):>7}{_shown(one.b):>8}{_shown(one.difference, '+'):>9}  "
            f"{ends:<20}{'yes' if one.beyond_chance else 'no'}"
        )
    ap = differences["ap"]
    if _are_same(a, b):
        yield f"A and B are the same: {counted(len(a.detections), 'detection')}, and all are equal."
    elif ap.difference is None or ap.low is None:
        yield "AP is undefined, or there are too few images to tell chance."
    elif ap.beyond_chance:
        yield f"AP of B is {'higher' if ap.difference > 0 else 'lower'} by more than chance."
    else:
        yield "The difference in AP is no more than chance."


def _are_same(a: Run, b: Run) -> bool:
    """Tell if two runs have the same detections and threshold: one result given twice, or one made anew."""
    b = _in_order_of(b, a.categories)
    ours, theirs = (
        (run.detections.images, run.detections.labels, run.detections.boxes_ltwh, run.detections.scores)
        for run in (a, b)
    )
    return a.threshold == b.threshold and all(map(np.array_equal, ours, theirs))


def _in_order_of(run: Run, categories: tuple[str, ...]) -> Run:
    """Return a run with its classes in another order, if they are the same ones; else as it is."""
    if run.categories == categories or sorted(run.categories) != sorted(categories):
        return run
    place = np.array([categories.index(name) for name in run.categories], np.int64)
    truths = replace(run.truths, labels=place[run.truths.labels])
    detections = replace(run.detections, labels=place[run.detections.labels])
    return replace(run, categories=categories, truths=truths, detections=detections)


def _check_pair(a: Run, b: Run) -> None:
    problems = []
    if a.categories != b.categories:
        problems.append(f"classes: {_class_difference(a.categories, b.categories)}")
    if a.truths.image_count != b.truths.image_count:
        problems.append(f"test images: {a.truths.image_count:,}, and {b.truths.image_count:,}")
    elif a.file_names and b.file_names and a.file_names != b.file_names:
        one, other = next(pair for pair in zip(a.file_names, b.file_names, strict=True) if pair[0] != pair[1])
        problems.append(f"test images: {one}, and {other} in its place")
    elif not all(np.array_equal(getattr(a.truths, column), getattr(b.truths, column)) for column in _TRUTHS) or (
        np.abs(a.truths.boxes_ltwh - b.truths.boxes_ltwh).max(initial=0) > _SAME_PX
    ):
        problems.append("the objects in the test images differ")
    if problems:
        raise ProblemsError(
            f"{a.name} and {b.name} were tested on different data, so that they cannot be paired",
            problems,
            fix="evaluate both models on one test split",
        )


def _class_difference(one: Sequence[str], other: Sequence[str]) -> str:
    """Return the classes that either alone has, in words."""
    own, its = (
        [short_name(name) for name in names if name not in others] for names, others in ((one, other), (other, one))
    )
    return f"the first alone has {first_few(own, _NAMED) or 'none'}, the second {first_few(its, _NAMED) or 'none'}"


def _defined(value: float) -> float | None:
    return round(float(value), 12) if np.isfinite(value) else None


def _shown(value: float | None, sign: str = "") -> str:
    return "none" if value is None else f"{value:{sign}.4f}"
