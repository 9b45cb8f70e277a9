"""The weights that training begins with: random ones, a pretrained backbone's, or those of a model of one's own.

A model of one's own is taken over layer by layer, by name and shape; in the last layer class by class, by name. So a
detector can learn more classes, fewer, or other ones.
"""

import hashlib
import math
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.models.artifact import BEGAN, ModelInfo, Weights
from humbleyolo.models.trained_network import Network
from humbleyolo.params.sections import Model, Train
from humbleyolo.process.terminal import tell
from humbleyolo.storage.array_types import Floats32
from humbleyolo.training.pretrained import STARTS, freeze, load_pretrained

_LAST = ("head_conv", "grid", "dense2")  # last layers; the numbers of a cell begin with those of its classes
_DENSE = "dense2"  # one that holds the numbers of all cells
_FIX = "`cp -r data/model/. data/start/`"
_SHOWN_CHARACTERS = 200


class TakenOver(NamedTuple):
    """The parts of an earlier model that a new one begins with.

    Attributes:
        arrays: Number of weights taken over, whole or by class; `of`: number of the new model's.
        known: Classes whose weights were taken over; `new`: those that begin at random.
        left: Names of the new model's weights that begin at random.
    """

    arrays: int
    of: int
    known: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        return self._told(sys.maxsize)

    def shortened(self) -> str:
        """Return the text with long lists cut, for a terminal."""
        return self._told(_SHOWN_CHARACTERS)

    def _told(self, characters: int) -> str:
        text = f"{self.arrays} of {self.of} arrays taken over"
        for what, names in (("classes", self.known), ("new classes", self.new), ("at random", self.left)):
            if names:
                text += f"; {what}: {textwrap.shorten(', '.join(names), characters, placeholder=' ...')}"
        return text


def begin(network: keras.Model, info: ModelInfo, train: Train, folder: Path | None) -> str:
    """Give a network the weights that `train.start` names; freeze the first blocks of a backbone that has learned.

    Args:
        network: The new network, with random weights.
        info: Its facts; the start in them does not matter.
        train: Section of params.yaml.
        folder: The model that start `own` takes over.

    Returns:
        The start in words, for `model.json`. They hold hashes of all that was read.

    Raises:
        UserError: There are no such weights, or none that fit.
    """
    words = STARTS[train.start]
    if train.start == "own":
        if folder is None or not (folder / "model.json").exists():
            raise UserError(f"train.start is own, but {folder or 'no folder'} holds no model; put one there: {_FIX}")
        taken, origin = take_over(network, info, folder)
        digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in ("model.json", "weights.npz")))
        tell(f"begins with {folder}: {taken.shortened()}", to=sys.stderr)
        words = f"{words}: model.json and weights.npz of sha256 {digest.hexdigest()}; {taken}{BEGAN}{origin}"
    elif train.start == "pretrained":
        load_pretrained(network)
    if train.start != "scratch":
        freeze(network, train.backbone.frozen_blocks)
    return words


def take_over(network: keras.Model, info: ModelInfo, folder: Path) -> tuple[TakenOver, str]:
    """Give a network the weights of the model in a folder, where names and shapes of layers agree.

    Returns:
        The parts taken over, and the start of the first model in the line.

    Raises:
        UserError: The folder holds no whole model, or one of another network.
    """
    try:
        old = Network.load(folder)
    except UserError as error:
        first, *more = error.lines
        raise UserError(f"train.start is own: {first}; then {_FIX}", *more) from None
    if (there := _kind(old.info.model)) != (asked := _kind(info.model)):
        raise UserError(
            f"{folder}: holds model {there}, but params.yaml asks for {asked}, which shares no weights; set the "
            "section model to that in its model.json, or train.start: scratch"
        )
    weights = {one.path: np.asarray(one) for one in old.model.weights}
    layers: dict[str, list[keras.Variable]] = {}
    for variable in network.weights:
        layers.setdefault(variable.path.partition("/")[0], []).append(variable)
    left: list[str] = []
    for name, variables in layers.items():
        values = [_fitting(variable, name, weights, old.info, info) for variable in variables]
        if any(one is None for one in values):
            left += [variable.path for variable in variables]
            continue
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    if len(left) == len(network.weights):
        raise UserError(
            f"{folder}: no layer of its model has the shape of one in params.yaml; set the section model to that in "
            "its model.json, or train.start: scratch"
        )
    by_class = not any(path.startswith(_LAST) for path in left)
    known = tuple(name for name in info.categories if by_class and name in old.info.categories)
    new = tuple(name for name in info.categories if name not in known)
    arrays = len(network.weights) - len(left)
    return TakenOver(arrays, len(network.weights), known, new, tuple(left)), old.info.origin


def _kind(model: Model) -> str:
    """Return the network's name with the options that give equal shapes another meaning."""
    options = {"compact": ("edges", model.edges), "humble": ("scale_pixels", model.humble.scale_pixels)}
    name, value = options.get(model.name, ("", False))
    return f"{model.name} with {name}: {value}".lower() if name else model.name


def _fitting(
    variable: keras.Variable, layer: str, weights: Weights, old: ModelInfo, new: ModelInfo
) -> Floats32 | None:
    """Return a weight's values from the old model's, or None if they do not fit."""
    found, shape = weights.get(variable.path), tuple(variable.shape)
    if found is None or layer not in _LAST:
        return found if found is not None and found.shape == shape else None
    before, now = old.grid, new.grid
    cells = (1, 1)
    if layer == _DENSE:
        if (before.rows, before.cols) != (now.rows, now.cols):
            return None
        cells = (now.rows, now.cols)
    count = math.prod(cells)
    source = found.reshape(*found.shape[:-1], count, -1)  # (..., cells, C + the numbers of boxes)
    values = np.asarray(variable).copy().reshape(*shape[:-1], count, -1)
    boxes = [values.shape[-1] - now.classes, source.shape[-1] - before.classes]
    if source.shape[:-1] != values.shape[:-1] or boxes[0] != boxes[1]:
        return None
    places = [place for place, name in enumerate(new.categories) if name in old.categories]
    values[..., places] = source[..., [old.categories.index(new.categories[place]) for place in places]]
    values[..., now.classes :] = source[..., before.classes :]
    return values.reshape(shape)
