"""Advice after an evaluation: warnings of what cannot work, and the one or two things to do next.

All costs are in COCO's AP, so that they can be put in order; they do not add up. They are found thus:

- grid: 1 less the grid's ceiling.
- mistakes: `costs_in_ap`, from the AP at `match_iou` that the repair of each kind wins back (`mistakes.csv`).
- classes that train lacks: their share of the classes, times the mean AP of the others.
- too few epochs: five times the rise of AP on val over the last tenth of them, if that is 0.01 or more. Twice the
  epochs would be ten such tenths, each with a smaller rise than the one before: half of ten is taken. A tenth is of
  whole epochs, and counts for as much as it is. The cost has no number after fewer than ten epochs, or if it would be
  all that AP lacks.
- too few images: what AP lacks, times the part of val's loss that train's has not, if val's is twice train's or more.
  Less than that is usual: a network fits its own images somewhat better.

The last two are guesses, limited by what AP lacks of the ceiling. While AP on val still rises, longer training comes
before all that costs more, such as a larger input. If val was trained on, its loss is like train's, and its AP rises
as its images are memorised. Then what AP lacks on test and on val is compared in place of the losses, and no rise
counts. Boxes that fit badly are then helped by more epochs first, which cost a person least to try.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from humbleyolo.dataset.split_size import is_small
from humbleyolo.evaluation.confusion import confused_classes
from humbleyolo.evaluation.hidden_objects import NONE_HIDDEN, Hidden
from humbleyolo.evaluation.mistakes import costs_of_kinds
from humbleyolo.metrics.history import Row, is_rising, late_epochs, late_rise
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.storage.array_types import Ints32
from humbleyolo.storage.json import write_json

NAME = "next_steps.json"
WORTH = 0.03
"""Least cost that is worth an advice: less than that is what another seed or machine may change by itself."""
MOST_STEPS = 2
_LONGER = "train longer (train.epochs)"
_OVERLAPPING = "raise evaluate.nms_iou, and keep evaluate.vote_iou above it"
_OVERFIT = 2.0  # least ratio of the loss on val to that on train
_LARGE_PX = 64.0  # four cells of 16 pixels: a larger input shows little more of such objects
_OF_TWICE = 0.5  # of the rise that as many epochs again would give at the pace of the last tenth
_ENOUGH_EPOCHS = 10  # for a tenth of them to be one
_MOST_NAMES = 3  # of classes in a warning
_LONGEST_NAME = 24  # characters of a class name


class Cost(NamedTuple):
    """A thing that costs AP.

    Attributes:
        ap: The cost.
        what: Name of the thing, in the plural.
        remedy: Help against it, with the keys of params.yaml or the command.
        evidence: Figures behind a cost that is a guess, or that say more; empty if there are none.
        is_guess: True if the cost is not measured.
        is_told: False if the cost is too rough a guess for a number, and is for the order alone.
    """

    ap: float
    what: str
    remedy: str
    evidence: str = ""
    is_guess: bool = False
    is_told: bool = True

    def __str__(self) -> str:
        """Return the sentence."""
        more = f" ({self.evidence})" if self.evidence else ""
        number = f"{'about ' * self.is_guess}{self.ap:.3f} AP" if self.is_told else "AP, how much cannot be told yet"
        return f"{self.what} cost {number}{more}: {self.remedy}"


class Training(NamedTuple):
    """The training of the model, and the objects that it was tested on.

    Attributes:
        history: Its epochs; empty if there was none.
        include_val: True if val was trained on.
        object_px: Median of the objects' shorter sides in the input, pixels; None if it is not known.
        hidden: Objects that suppression may have hidden.
    """

    history: Sequence[Row] = ()
    include_val: bool = False
    object_px: float | None = None
    hidden: Hidden = NONE_HIDDEN

    @property
    def rise(self) -> float:
        """The rise of AP in the last tenth of the epochs, on a val that was not trained on."""
        return 0.0 if self.include_val else late_rise(self.history)

    @property
    def fitting(self) -> str:
        """The remedy for boxes that fit badly: more pixels, and a term of the loss if it is there and was left out.

        More epochs come first if val was trained on, which then cannot tell if they would help. Objects that are
        large in the input ask for no larger one.
        """
        terms = self.history[-1] if self.history else {}
        untaught = "train_box" in terms and "train_distribution" not in terms
        more = "; so may loss.lambda_distribution 1" * untaught
        if self.object_px is not None and self.object_px >= _LARGE_PX:
            return (_LONGER if self.include_val else "more images help, or more augmentation (train.augment)") + more
        if self.include_val:
            return f"{_LONGER}; a larger input may help too (encode.height, encode.width){more}"
        return f"a larger input helps (encode.height, encode.width){more}"


@dataclass(frozen=True, slots=True)
class Advice:
    """Sentences for the end of `evaluate` and the top of the report.

    Attributes:
        warnings: Too small a test, classes that cannot have been learned, and a model that is worse than boxes that
            are drawn blindly.
        next_steps: Things to do next, the most costly first; none without a training.
    """

    warnings: Sequence[str]
    next_steps: Sequence[str]

    def write(self, folder: Path) -> None:
        """Write `next_steps.json`.

        Raises:
            UserError: If it cannot be written.
        """
        write_json(folder / NAME, asdict(self))


def advise(
    metrics: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], training: Training, warnings: Sequence[str] = ()
) -> Advice:
    """Return the advice that the numbers of an assessment, its tables, and the training give.

    `warnings` are others, which come first.
    """
    small, under = of_few(metrics), below_floor(metrics, tables["intervals"])
    return Advice([*warnings, *small, *not_learned(metrics), *under], next_steps(metrics, tables, training))


def of_few(metrics: Mapping[str, Any]) -> list[str]:
    """Return a warning if test is too small to tell how good the model is."""
    images, objects = metrics["images"], metrics["objects"]
    if not objects or not is_small(images, objects):
        return []
    has = f"{counted(images, 'image')} with {counted(objects, 'object')}"
    return [
        f"test has {has}, too few to tell how good the model is (AP may be off by 0.25 and more): label more, or "
        "give test a larger part (dataset.labelled.split; by: hash if lists give it few)"
    ]


def not_learned(metrics: Mapping[str, Any]) -> list[str]:
    """Return a warning if test has objects of classes of which train has none."""
    lacking = _lacking(metrics)
    if not lacking:
        return []
    return [
        f"train has no object of {_named(lacking)}, and test has {sum(lacking.values())}: no network can learn such; "
        "label some there, or split otherwise (dataset.labelled.split)"
    ]


def _lacking(metrics: Mapping[str, Any]) -> dict[str, int]:
    """Return the objects of test of each class that train has none of."""
    return {
        name: row["objects"]
        for name, row in metrics["per_class"].items()
        if row["train_objects"] == 0 < row["objects"]
    }


def below_floor(metrics: Mapping[str, Any], intervals: pd.DataFrame) -> list[str]:
    """Return a warning for AP and AP50, and for precision and recall, in which boxes drawn blindly are better.

    F1 decides on precision and recall, since the threshold is chosen for it: either alone can be bought with the
    other. Where an object fills each image, a blind box has an F1 as high as that of a good detector. So F1 must be
    under by more than chance: by more than the upper half of its interval in `intervals`, if it has one.
    Classes are ignored there, as the one box has none.
    """
    warnings = []
    own, blind = (
        [metrics[name] for name in ("ap", "ap50")],
        [max(metrics[f"floor_{name}"] or 0.0, metrics[f"floor_one_box_{name}"] or 0.0) for name in ("ap", "ap50")],
    )
    if None not in own and any(one < floor for one, floor in zip(own, blind, strict=True)):
        has, have = (f"AP {ap:.3f} and AP50 {ap50:.3f}" for ap, ap50 in (own, blind))
        who = "the same boxes on every image, drawn without a look at it,"
        warnings.append(f"under the floor: {has}; {who} have {have}")
    if (metrics["any_class_f1"] or 0.0) + _chance(intervals, "f1") < (metrics["floor_f1"] or 0.0):
        rates, one = (
            ", ".join(f"{name} {metrics[f'{of}_{name}'] or 0.0:.3f}" for name in ("precision", "recall"))
            for of in ("any_class", "floor")
        )
        warnings.append(f"under the floor: classes aside, {rates}; one box on every image, drawn blindly: {one}")
    return warnings


def _chance(intervals: pd.DataFrame, name: str) -> float:
    """Return the upper end of a number's interval above the number; 0 without an interval."""
    row = intervals[intervals["metric"] == name]
    (above,) = (row["high"] - row["value"]).tolist()
    return float(above) if above > 0 else 0.0  # NaN too


def next_steps(metrics: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], training: Training) -> list[str]:
    """Return one or two sentences: the things that cost most, or that nothing costs much."""
    if metrics["ap"] is None:
        return ["nothing can be told: no object is labelled in the test split (dataset)"]
    costs = sorted(find_costs(metrics, tables, training), key=lambda cost: -cost.ap)
    plainest = {cost.remedy: cost for cost in sorted(costs, key=lambda cost: (cost.evidence != "", cost.ap))}
    if worth := [str(cost) for cost in costs if cost.ap >= WORTH and plainest[cost.remedy] is cost]:
        return worth[:MOST_STEPS]
    most = f"{costs[0].what} ({costs[0].ap:.3f} AP)" if costs[0].ap > 0 else "the test images: take harder ones"
    verdict = "" if below_floor(metrics, tables["intervals"]) else "good: "
    return [f"{verdict}nothing costs more than {WORTH} AP; the limit is set by {most}"]


def median_side(truths: TruthTable, sizes: Ints32, height: int, width: int) -> float | None:
    """Return the median of the objects' shorter sides in an input of so many pixels; None without objects.

    `sizes` are (N, 2), height and width of each image in pixels. Crowds are left out.
    """
    single = truths.take(~truths.crowd)
    scales = np.minimum(height / sizes[:, 0], width / sizes[:, 1])  # (N,) of the letterbox
    sides = single.boxes_ltwh[:, 2:].min(axis=1) * scales[single.images]
    return float(np.median(sides)) if len(sides) else None


def find_costs(metrics: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], training: Training) -> Iterator[Cost]:
    """Yield each thing that may cost AP, whatever the cost; `metrics["ap"]` must be defined."""
    ap, ceiling = metrics["ap"], 1.0 if metrics["ceiling_ap"] is None else metrics["ceiling_ap"]
    gains = dict(zip(tables["mistakes"]["kind"], tables["mistakes"]["ap_gain"], strict=True))
    of_kind = costs_of_kinds(ap, tables["precision_recall"]["precision"], gains)
    rising = is_rising(training.rise)
    yield Cost(
        1.0 - ceiling,
        "objects that the grid loses",
        "a finer grid helps (encode.rows, encode.cols)",
        f"its ceiling is {ceiling:.3f}",
    )
    yield Cost(of_kind["localisation"], "boxes that fit badly", _LONGER if rising else training.fitting)
    yield _cost_of_lacking(metrics)
    hidden = training.hidden
    yield Cost(
        of_kind["missed"],
        "missed objects",
        _OVERLAPPING if hidden.is_common else _remedy_of_missed(ap, metrics["floor_ap"] or 0.0, rising=rising),
        str(hidden) if hidden.is_common else "",
    )
    yield Cost(
        of_kind["background"],
        "detections where nothing is labelled",
        "label what is unlabelled (`humbleyolo check`), or add images without objects",
    )
    for kind, what in (("classification", "wrong classes"), ("both", "wrong classes on badly fitting boxes")):
        yield Cost(
            of_kind[kind],
            what,
            "add images of these classes, or raise loss.lambda_class",
            _most_confused(tables["confusion"]),
        )
    yield Cost(
        of_kind["duplicate"],
        "second boxes on one object",
        _LONGER if hidden.is_common else "lower evaluate.nms_iou",  # a lower one would hide more
    )
    yield from _costs_of_training(ap, ceiling, training)


def _remedy_of_missed(ap: float, floor: float, *, rising: bool) -> str:
    if rising:
        return _LONGER
    if ap <= floor:
        return "train longer (train.epochs), and see if the labels fit (data/dataset/preview.png)"
    return "add images of such objects, or widen the network (model.width)"


def _cost_of_lacking(metrics: Mapping[str, Any]) -> Cost:
    rows, lacking = metrics["per_class"], _lacking(metrics)
    known = [row["ap"] for name, row in rows.items() if row["objects"] and name not in lacking]
    cost = len(lacking) / (len(lacking) + len(known)) * sum(known) / len(known) if known else 0.0
    remedy = "label objects of them in train, or split otherwise (dataset.labelled.split)"
    return Cost(cost, "classes that train lacks", remedy, _named(lacking))


def _costs_of_training(ap: float, ceiling: float, training: Training) -> Iterator[Cost]:
    """Yield the guesses at what too short a training, and too few images, cost of the AP that is lacking."""
    lacking = max(ceiling - ap, 0.0)
    if is_rising(training.rise):
        epochs, late = len(training.history), late_epochs(training.history)
        rise = _OF_TWICE * training.rise * epochs / late
        where = f"last {late} of {epochs} epochs" if late > 1 else f"last of {counted(epochs, 'epoch')}"
        yield Cost(
            min(rise, lacking),
            "too few epochs",
            _LONGER,
            f"AP on val rose by {training.rise:.3f} in the {where}",
            is_guess=True,
            is_told=epochs >= _ENOUGH_EPOCHS and rise < lacking,
        )
    if not training.history:
        return
    last = training.history[-1]
    if training.include_val:
        known = ap if last["val_ap"] is None else last["val_ap"]
        own, other = max(ceiling - known, 0.0), lacking
        remedy = "add images, or augment more (train.augment)"
        evidence = f"AP is {known:.3f} on val, which was trained on"
    else:
        own, other = last["train_total"] or 0.0, last["val_total"] or 0.0
        remedy = "add images, augment more (train.augment), or learn from val too (train.include_val)"
        evidence = f"the loss on val is {other / own:.1f} x train's" if own > 0 else ""
    if evidence and other > 0 and other >= _OVERFIT * own:
        yield Cost(lacking * (1.0 - own / other), "too few images", remedy, evidence, is_guess=True)


def _most_confused(confusion: pd.DataFrame) -> str:
    """Return the pair of classes that is confused most often at the threshold, in words; empty if none is."""
    most = confused_classes(confusion)[:1]
    return "".join(
        f"{_quoted(one)} is taken for {_quoted(other)} {counted(count, 'time')}" for one, other, count in most
    )


def _named(classes: Iterable[str]) -> str:
    """Return the first class names, and how many more there are."""
    return first_few([*map(_quoted, classes)], _MOST_NAMES)


def _quoted(name: str) -> str:
    """Return a class name without control characters, cut to be read in a line."""
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}")
