"""Trials of a search over parameters: every combination of values, or some drawn at random.

A space is written `KEY=VALUES`, with a key of `params.yaml`. Values are `0.003,0.01` (these), `0.5..1.5` (any
between), or `log(0.001..0.03)` (any between, each factor as likely as the next).
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.inputs.dataset_inputs import inputs_beside
from humbleyolo.params.keys import is_section, kind_of
from humbleyolo.params.loader import find_mistakes, load_params, read_text
from humbleyolo.params.yaml_edits import YamlText, one_line

Trial = dict[str, Any]  # dotted keys of params.yaml -> values

DIGITS = 4
"""Significant digits of a number that is drawn: short to read, and the same on every processor."""

_DRAWS = 100  # per trial wanted, before a space counts as too small


@dataclass(frozen=True)
class Space:
    """The values of one parameter.

    Attributes:
        key: Key in `params.yaml`, with dots.
        values: Values listed; empty for a range.
        least: Lower end of a range.
        most: Upper end of a range.
        whole: True for a range of whole numbers.
        log: True for a range drawn evenly in its logarithm.
    """

    key: str
    values: tuple[Any, ...] = ()
    least: float = 0.0
    most: float = 0.0
    whole: bool = False
    log: bool = False

    def at(self, part: float) -> Any:
        """Return the value at a part of the way, from 0 up to but without 1."""
        if self.values:
            return self.values[int(part * len(self.values))]
        most = self.most + 1 if self.whole else self.most
        if self.log:
            value = self.least * math.exp(part * math.log(most / self.least))
        else:
            value = self.least + part * (most - self.least)
        value = math.floor(value) if self.whole else float(f"{value:.{DIGITS}g}")
        return min(max(value, self.least), self.most)


def parse_space(text: str) -> Space:
    """Read one `KEY=VALUES`.

    Raises:
        UserError: If it is written otherwise, or the key is not one of `params.yaml` with a single value.
    """
    key, sign, values = text.partition("=")
    if not sign or not values:
        raise UserError(f"{text}: is not KEY=VALUES, for example train.learning_rate=0.003,0.01")
    kind = _type_of(key)
    ranged = re.fullmatch(r"(?P<log>log\()?(?P<least>[^,()]+?)\.\.(?P<most>[^,()]+)(?(log)\))", values)
    if ranged is None:
        listed = tuple(_read_value(key, value) for value in values.split(","))
        if len(set(map(repr, listed))) < len(listed):
            raise UserError(f"{text}: has a value twice; allowed: each once")
        return Space(key, listed)
    if kind not in (int, float):
        raise UserError(f"{text}: {key} has no numbers between; list its values, as in {key}=ONE,OTHER")
    least, most = (_read_value(key, ranged[end]) for end in ("least", "most"))
    for end in (least, most):
        if isinstance(end, bool) or not isinstance(end, int if kind is int else (int, float)):
            raise UserError(f"{text}: {end} is not allowed; allowed: a {'whole ' * (kind is int)}number")
    if not least < most < math.inf:
        raise UserError(f"{text}: {least} is not less than {most}")
    log = ranged["log"] is not None
    if log and least <= 0:
        raise UserError(f"{text}: {least} has no logarithm; allowed: more than 0")
    return Space(key, (), least, most, kind is int, log)


def _type_of(key: str) -> Any:
    """Return the type of a parameter that holds a single value."""
    way = tuple(key.split("."))
    kind, section = kind_of(way), kind_of(way[:-1])
    if kind is None:
        allowed = f"; allowed: {', '.join(section.model_fields)}" if is_section(section) else ""
        raise UserError(f"{key}: is not a key of params.yaml{allowed}")
    if is_section(kind):
        raise UserError(f"{key}: is a section; name one of {', '.join(kind.model_fields)} in it")
    if getattr(kind, "__origin__", None) in (list, dict):
        raise UserError(f"{key}: holds several values, which a search cannot set; change params.yaml")
    return kind


def _read_value(key: str, text: str) -> Any:
    """Read a value as `params.yaml` has it; refuse what DVC's command line would take for something else."""
    if not re.fullmatch(r"[\w.+:/-]+", text):
        raise UserError(f"{key}: {text!r} cannot be searched; allowed: letters, digits and . _ + - : / in a value")
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise UserError(f"{key}: {text!r} is no value: {' '.join(str(error).split())}") from None


def every_combination(spaces: Sequence[Space]) -> list[Trial]:
    """Return the grid of the values listed; those of the last space change fastest.

    Raises:
        UserError: If a space is a range, which has no end of values.
    """
    for space in spaces:
        if not space.values:
            raise UserError(f"{space.key}: a range has no end of values; say how many --trials, or list values")
    keys = [space.key for space in spaces]
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*(s.values for s in spaces))]


def draw_trials(spaces: Sequence[Space], count: int, seed: int) -> list[Trial]:
    """Draw different trials, each a function of the seed and its number alone: more of them begin with the same.

    Raises:
        UserError: If there are fewer.
    """
    trials: dict[str, Trial] = {}
    for number in range(_DRAWS * count):
        random = np.random.Generator(np.random.Philox(key=[seed, 0], counter=[0, 0, number, 0]))
        parts = dict(zip(sorted(space.key for space in spaces), random.random(len(spaces)), strict=True))
        trial = {space.key: space.at(parts[space.key]) for space in spaces}
        trials.setdefault(repr(trial), trial)
        if len(trials) == count:
            return list(trials.values())
    raise UserError(f"--trials {count}: found {len(trials)} different ones; leave it out to have all of a list")


def check_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Check each trial's changes to a parameter file as the stages would, before any is queued.

    Raises:
        ProblemsError: With the mistakes of the file itself, or with every different mistake of a trial.
        UserError: If the file cannot be read.
    """
    load_params(path, check=inputs_beside(path))
    document, problems = YamlText(read_text(path), str(path)), dict[str, str]()
    for trial in trials:
        text = document.replace({tuple(key.split(".")): one_line(value) for key, value in trial.items()})
        check = inputs_beside(path) if any(key.startswith("dataset.") for key in trial) else None
        for problem in find_mistakes(text, str(path), check):
            problems.setdefault(problem, f"{problem} (with {' '.join(assignments(trial))})")
    if problems:
        raise ProblemsError("nothing was queued", list(problems.values()))


def assignments(trial: Trial) -> list[str]:
    """Return a trial as `KEY=VALUE` texts, as `dvc exp run -S` takes them."""
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in trial.items()]
