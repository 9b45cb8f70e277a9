"""Poses of YOLO whose `kpt_shape` nobody says: a class, a box, and points, which look like a polygon."""

import numpy as np

from humbleyolo.inputs.ledger import BadInput
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Bools, Floats

_FEWEST = 10  # lines
_MOST = 0.95  # of them, that are poses
_NEAR = 0.2  # of the lines of polygons, at most, have a second point that is far from the others
_BESIDE = 0.1  # of a box's sides, that its keypoints may lie beside it
_BOX = 4  # numbers


def find_poses(rows: Floats, lines: int) -> BadInput | None:
    """Return the mistake that lines are poses; None if the first, (N, numbers behind the class), do not say so.

    The points lie in the box of the first four numbers then. Read as a polygon, its second point, which is the
    box's width and height, is far from the others.
    """
    count = rows.shape[-1] - _BOX
    if len(rows) < _FEWEST or count < 2 or np.abs(rows).max() > 2:
        return None
    for numbers in (2, 3):
        if count % numbers:
            continue
        triples = rows[:, _BOX:].reshape(len(rows), -1, numbers)
        points = np.where(
            (triples[:, :, :2] == 0).all(axis=2, keepdims=True), np.nan, triples[:, :, :2]
        )  # 0, 0: none
        poses = _in_box(rows, points) & np.isin(triples[:, :, 2:], (0, 1, 2)).all(axis=(1, 2))
        others = np.concatenate([rows[:, None, :2], points], axis=1)
        if poses.mean() >= _MOST and _is_far(rows[:, 2:4], others).mean() > _NEAR:
            found = f"{counted(lines, 'line')} of a class, a box and {counted(count // numbers, 'point')}"
            why = "as polygons they have boxes of another place; write into data.yaml"
            return BadInput("poses", found, f"{why} kpt_shape: [{count // numbers}, {numbers}]")
    return None


def _in_box(rows: Floats, points: Floats) -> Bools:
    """Tell for each line if the box lies in the image, and holds its points, (N, K, 2), NaN for none."""
    centre, sides = rows[:, None, 0:2], rows[:, None, 2:4]  # (N, 1, 2)
    inside = (np.abs(points - centre) <= sides * (0.5 + _BESIDE)) | np.isnan(points)
    within = np.abs(centre - 0.5) + sides / 2 <= 0.5 + 1e-3
    fits: Bools = np.logical_and(inside.all(axis=(1, 2)), within.all(axis=(1, 2)))
    return fits


def _is_far(one: Floats, points: Floats) -> Bools:
    """Tell for each line if a point, (N, 2), lies beside the box around others, (N, K, 2), by more than its sides."""
    low, high = np.fmin.reduce(points, axis=1), np.fmax.reduce(points, axis=1)  # without NaN
    room = (high - low).max(axis=1, keepdims=True)
    far: Bools = ((one < low - room) | (one > high + room)).any(axis=1)
    return far
