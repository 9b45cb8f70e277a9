"""Values of `params.yaml` for a first training on a labelled folder, each with its reason.

What such pictures share is a recipe, one of the files in `examples`. What else follows from the data is here.
Each of a few images teaches much, so that those of val are learned from too. Few is under 1,000.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from humbleyolo.begin.mirror_images import Mirrored, judge_mirrored
from humbleyolo.check.folder_check import Checked
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.geometry.grid import Grid
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.labelled_image import LabelledSet
from humbleyolo.params.keys import Key
from humbleyolo.params.loader import find_mistakes, parse_params
from humbleyolo.params.overlay import Named
from humbleyolo.params.sections import Params
from humbleyolo.params.yaml_edits import YamlText, one_line
from humbleyolo.process.display_width import cut, wrap_columns
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.recipe.grid_advice import SMALL_PX, Choice
from humbleyolo.recipe.left_out import images_left_out, tell_left_out, wrong_files
from humbleyolo.recipe.rotated_images import Side, require_side
from humbleyolo.recipe.suppression_choice import choose_suppression
from humbleyolo.splits.split_in_force import choose_by
from humbleyolo.splits.split_rules import Division

MARK = "init"
"""Beginning of the comments with reasons."""

_LEAST_STEPS = 4  # per epoch
_FEW_IMAGES = 1000
_LINE = 78  # characters of a line of 80 columns behind its indent
_MOST_LINES, _OF_SPLIT, _OF_EPOCHS = 10, 4, 2  # about the choices
_NAME = 20  # columns of a class's name in a reason
_FLIPS = {name: ("train", "augment", name) for name in ("flip", "flip_vertical")}
_BATCH, _EPOCHS, _MIRRORED = ("train", "batch"), ("train", "epochs"), ("evaluate", "mirrored")
_RATES = [("train", f"{name}learning_rate") for name in ("", "final_")]
_WARMUP, _INCLUDE_VAL, _START = ("train", "warmup_epochs"), ("train", "include_val"), ("train", "start")
_CLASS = ("loss", "lambda_class")

_ONE_CLASS = "one class: its mirror image is the same class; 0 for text"
_UNKNOWN = "nothing shows if mirror images mean something else; 0 for text"
_EMPTY = "split-empty"
_PROBLEM = ("dataset", "labelled", "on_problem")
_FIRST: dict[Key, tuple[str, str]] = {
    ("train", "patience"): ("0", "the rate falls until the last epoch"),
    ("loss", "class_weights"): ("{}", "all classes alike at first"),
    ("loss", "mistakes"): ("[]", "none of the article's"),
}
# What both recipes were measured with, so that nothing of an earlier training stays:
_MEASURED_WITH: dict[str, dict[str, float | str]] = {
    "model": {"width": 1.0, "stride": 8, "edges": False},
    "loss": {"lambda_obj": 1.0, "lambda_noobj": 0.5},
    "loss.aligned": {"cells": 10, "alpha": 1.0, "beta": 6.0, "gamma": 2.0},
    "train": {"micro_batches": 1, "schedule": "cosine", "clip_norm": 10.0},
    "train.backbone": {"frozen_blocks": 4, "frozen_part": 0.1, "rate": 0.1, "weight_decay": 0.0},
    "train.validation": {"min_score": 0.01},
    "train.augment": {"crop": 0.0, "hue": 0.0, "mosaic": 0.0, "cutout": 0.0, "min_visible": 0.4},
}

Values = dict[Key, tuple[str, str]]  # YAML of one line, and the reason


@dataclass(frozen=True)
class Plan:
    """The values that were chosen, but for the epochs.

    Attributes:
        values: YAML of one line, and the reason, by key.
        before: Text of params.yaml that they are written into; `file` is its name, for messages.
        division: The images of each split.
        classes: Number of classes.
        lines: Choices, for a person to read.
    """

    values: Values
    before: str
    file: str
    division: Division
    classes: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Text of params.yaml with the values, and the reason above each that changed, or had one before."""
        told = self._changed.keys() | YamlText(self.before, self.file).remarked(MARK)
        reasons = {key: why for key, (_, why) in self.values.items() if key in told}
        return YamlText(self.without_reasons, self.file).remark(MARK, reasons)

    @property
    def without_reasons(self) -> str:
        """Text of params.yaml with the values."""
        return YamlText(self.before, self.file).replace(self._changed)

    @property
    def _changed(self) -> dict[Key, str]:
        written = YamlText(self.before, self.file)
        return {key: value for key, (value, _) in self.values.items() if written.value(key) != value}

    @property
    def params(self) -> Params:
        """All parameters, with the values."""
        return parse_params(self.without_reasons, self.file)

    @property
    def grid(self) -> Grid:
        """Grid of the network."""
        one = self.params.encode
        return Grid(one.height, one.width, one.rows, one.cols, one.boxes, self.classes)

    @property
    def steps(self) -> int:
        """Number of steps in an epoch."""
        images = len(self.division.splits["train"])
        if self.values[_INCLUDE_VAL][0] == "true":
            images += len(self.division.splits["val"])
        return images // int(self.values[_BATCH][0])

    def with_epochs(self, epochs: int, why: str, few: int, brief: str = "") -> "Plan":
        """Return the plan with its epochs, and a line that tells them, with a word if their steps are under `few`.

        `brief` is the reason in the line, if that in the file is too long for it.
        """
        steps = epochs * self.steps
        line = f"epochs {epochs}, {counted(steps, 'step')}: {brief or why}"
        if steps < few:
            line += f"; few: {few} would be good"
        values = {**self.values, _EPOCHS: (str(epochs), why)}
        if float(values[_WARMUP][0]) > epochs / 4:
            values[_WARMUP] = f"{epochs / 4:g}", "a quarter of the few epochs"
        return replace(self, values=values, lines=(*self.lines, line))


def plan(
    checked: Checked, folder: Path, side: Side, recipe: Sequence[Named], before: str, file: str, by: str
) -> Plan:
    """Choose the values for a folder that was checked.

    Args:
        checked: The check of the folder, under the split that the training will have; it has boxes.
        folder: The folder, or an archive.
        side: Facts that the person stated, and the side of rotated images that the labels settle.
        recipe: Values of the recipe, and others that the person stated.
        before: Text of the params.yaml to be changed.
        file: Its name, for messages.
        by: Rule of the split, if the person stated it; else empty.

    Raises:
        UserError: If EXIF rotates images and nothing says what their boxes refer to. Also if a split is left without
            images, or the values have mistakes, such as the folder's name.
    """
    require_side(checked.labelled, folder)
    best = _best(checked, folder)
    labelled, division = checked.labelled, checked.division
    values = _measured_with() | {one.key: (one.text, one.comment or "as measured") for one in recipe} | _FIRST
    values |= _dataset(labelled, str(folder), side, by) | _encode(best)
    values |= (kept := choose_suppression(labelled.images, best, checked.overview.most_objects, values)).values
    values["model", "name"] = values["model", "name"][0], checked.recipe.reason
    with open_source(folder) as source:
        mirrored = judge_mirrored(labelled.images, labelled.classes, source)
    one_class = len({label for one in labelled.images for label in one.labels}) == 1
    values |= (flips := _flips(mirrored, values, _ONE_CLASS if one_class else _UNKNOWN))
    if one_class:
        values[_CLASS] = values[_CLASS][0], "as the recipe was measured; here is no other class to tell apart"
    first = Plan(values, before, file, Division([], [], []), len(labelled.classes), ())
    if mistakes := find_mistakes(first.without_reasons, file):
        raise ProblemsError(f"{file}: not changed, since for {folder} it would have mistakes", mistakes)
    if not all(division.splits.values()):
        raise UserError(f"{folder}: {_why_empty(labelled.ledger)}")
    wrong = wrong_files(labelled)
    named = [before + file for file, before in wrong.items()]
    policy = labelled.ledger.on_problem
    values[_PROBLEM] = (policy, tell_left_out(named, 2, policy)) if wrong else ("error", "nothing is wrong")
    train, val = (len(division.splits[split]) for split in ("train", "val"))
    values |= _batch(train, values)
    values[_INCLUDE_VAL] = _include_val(train, val)
    counts = division.lines()[0]
    uneven = [row.why.partition("; ") for row in labelled.ledger.rows if row.kind == "split-uneven"]
    divided = [counts, *division.lost, *(why for why, _, _ in uneven), *division.notes]
    divided += images_left_out(labelled)
    told = [*(fix for _, _, fix in uneven if fix), *kept.told]
    told = [f"exif {side.options.exif}: {side.reason}"] * bool(side.reason) + told
    lines = tuple(_lines(best, values, flips, told, divided, wrong, train))
    return replace(first, values=values, division=division, lines=lines)


def _best(checked: Checked, folder: Path) -> Choice:
    """Return the advised choice of a folder that has more to train on than mistakes.

    Raises:
        UserError: If it has not, with the first mistake, which may be the cause of all others.
    """
    labelled = checked.labelled
    errors = [row for row in labelled.ledger.errors if row.kind not in (_EMPTY, "no-box")]
    spoiled = {row.file for row in errors} - {one.path for one in labelled.images}  # but what the split leaves out
    if checked.best is None:
        told = "no image has a box that can be used"
    elif len(spoiled) > len(labelled.images):
        told = f"{counted(len(spoiled), 'file')} with mistakes, {counted(len(labelled.images), 'image')} to use"
    else:
        return checked.best
    first = f"; first {errors[0]}" if errors else ""
    raise UserError(f"{folder}: {told}{first}; `humbleyolo check {folder}` shows all")


def _why_empty(ledger: Ledger) -> str:
    """Return the reason why a split is left without images, with the fix."""
    return next(f"{row.what}: {row.why}" for row in ledger.errors if row.kind == _EMPTY)


def _measured_with() -> Values:
    return {
        (*section.split("."), name): (one_line(value), "as the recipes were measured")
        for section, values in _MEASURED_WITH.items()
        for name, value in values.items()
    }


def _dataset(labelled: LabelledSet, folder: str, side: Side, by: str) -> Values:
    options = side.options
    by, why = (by, "the command was told") if by else choose_by(labelled.images)
    said = "as the command was told"
    values = {
        "source": ("labelled", "pictures that people labelled"),
        "inputs": (one_line(folder), "the folder"),
        "labelled.format": (options.format, f"read as {labelled.format}"),
        "labelled.classes": (one_line(list(options.classes)), said if options.classes else "as in the labels"),
        "labelled.one_based": (one_line(options.one_based), said),
        "labelled.exif": (options.exif, side.reason or said),
        "labelled.split.by": (by, why),
    }
    return {("dataset", *name.split(".")): value for name, value in values.items()}


def _encode(choice: Choice) -> Values:
    size, cells = f"{choice.height} x {choice.width} px: {choice.reason}", "cells of 16 x 16 px"
    return {
        ("encode", "height"): (str(choice.height), size),
        ("encode", "width"): (str(choice.width), size),
        ("encode", "rows"): (str(choice.ceiling.rows), cells),
        ("encode", "cols"): (str(choice.ceiling.cols), cells),
        ("encode", "boxes"): ("1", "as the recipes were measured"),
    }


def _flips(mirrored: dict[str, Mirrored], recipe: Values, otherwise: str) -> Values:
    """Return the recipe's mirror images, without those that mean something else here.

    `otherwise` is the reason where boxes show nothing.
    """
    found: Values = {}
    for name, key in _FLIPS.items():
        if float(recipe[key][0]) == 0:
            continue
        one = mirrored.get(name)
        if one and one.pairs:
            pair = " and ".join(f"'{cut(kind, _NAME)}'" for kind in one.pairs[0].names)
            found[key] = "0.0", f"{pair} swap when mirrored: {one.pairs[0].share}"
        elif one and one.tells:
            told = f"of {one.boxes} boxes {one.right} are recognized, {one.right_mirrored} mirrored"
            whose = f" of {first_few(one.hurt, 3)}" if one.hurt else ""
            better = ("0.0", f"{told}: mirror images{whose} mean something else")
            found[key] = better if one.hurts else (recipe[key][0], told)
        else:
            found[key] = recipe[key][0], otherwise
    if recipe[_MIRRORED][0] == "both":
        sides = [name for name in _FLIPS if name not in mirrored or not mirrored[name].hurts]
        value = "both" if len(sides) == 2 else "horizontal" if sides == ["flip"] else "none"
        found[_MIRRORED] = value, "the mean with the mirror images that training has"
    return found


def _batch(images: int, recipe: Values) -> Values:
    """Return the batch, and if it is smaller than the recipe's, rates that are smaller by its square root.

    Source: Malladi et al. 2022, "On the SDEs and scaling rules for adaptive gradient algorithms".
    """
    usual = int(recipe[_BATCH][0])
    fitting = max(1, min(usual, images // _LEAST_STEPS))
    if fitting == usual:
        return {_BATCH: (str(usual), "as measured on such pictures")}
    found: Values = {_BATCH: (str(fitting), f"only {counted(images, 'picture')} to train on")}
    for key in _RATES:
        rate = recipe[key][0]
        why = f"{rate} for a batch of {usual}; here less, by the square root of {fitting} / {usual}"
        found[key] = f"{float(rate) * (fitting / usual) ** 0.5:.2g}", why
    return found


def _include_val(train: int, val: int) -> tuple[str, str]:
    if train + val >= _FEW_IMAGES:
        return "false", "val chooses the epoch that is kept"
    return "true", f"{train} images are few, so the {val} of val teach too; false lets val compare your values"


def _lines(
    choice: Choice,
    values: Values,
    flips: Values,
    told: Sequence[str],
    divided: Sequence[str],
    wrong: Mapping[str, str],
    train: int,
) -> Iterator[str]:
    """Yield what was chosen, in ten lines of 80 columns at most, with two for the epochs: the split has what is left.

    `told` is of rotated images and of the suppression, `divided` of the split. `wrong` is that of `wrong_files`, and
    `train` counts images.
    """
    others: list[str] = []
    if wrong:
        named = [before + file for file, before in wrong.items()]
        short = [before + PurePosixPath(file).name for file, before in wrong.items()]
        policy = values[_PROBLEM][0]
        some = ((named, 2), (named, 1), (short, 1), (named, 0))
        texts = [f"on_problem {policy}: {tell_left_out(*one, policy)}" for one in some]
        others.append(next((text for text in texts if len(text) <= _LINE), texts[-1]))
    grid, small = choice.ceiling, choice.sizes
    small += "" if choice.large else f" ({SMALL_PX:g} is good)"
    lost = f", {grid.lost:,} of {grid.objects:,} lost" if grid.lost or choice.large else ""
    others.append(f"input {choice.height} x {choice.width}, {grid.rows} x {grid.cols} cells: {small}{lost}")
    others.append(f"model {values['model', 'name'][0]}, start {values[_START][0]}: {values['model', 'name'][1]}")
    if flips:
        chosen = ", ".join(f"{key[-1]} {flips[key][0]}" for key in _FLIPS.values() if key in flips)
        reasons = [flips[key] for key in _FLIPS.values() if key in flips]
        why, _, whose = min(reasons, key=lambda one: float(one[0]))[1].partition(": ")
        others.append(_fitting(f"{chosen}: {why}", whose))
    others += told
    images = f"{counted(train, 'image')} to train on"
    enough = "are few" if values[_INCLUDE_VAL][0] == "true" else "let val choose the epoch"
    others.append(f"batch {values[_BATCH][0]}, include_val {values[_INCLUDE_VAL][0]}: {images} {enough}")
    by, why = values["dataset", "labelled", "split", "by"]
    room = max(1, _MOST_LINES - _OF_EPOCHS - sum(len(wrap_columns(line, _LINE, rest="  ")) for line in others))
    ending = " ... (`humbleyolo check` tells all)"
    split = f"split {by}, as {why}: {'; '.join(divided)}"
    rows = textwrap.wrap(split, _LINE - 2, max_lines=min(_OF_SPLIT, room), placeholder=ending, break_on_hyphens=False)
    yield " ".join(rows)
    yield from others


def _fitting(text: str, more: str) -> str:
    """Return a text, with more behind it if one line holds both."""
    both = f"{text}: {more.strip()}"
    return both if more and len(both) <= _LINE else text
