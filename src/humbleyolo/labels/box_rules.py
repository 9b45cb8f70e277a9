"""The rules for a box in any format: finite, the right way round, with an area, inside the image."""

import numpy as np

from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.labels.labelled_image import Corners, UncheckedBox, UncheckedImage
from humbleyolo.storage.array_types import Floats

SLIGHTLY = "slightly"
"""Cause of a finding `outside-image` where a box crosses the border by little: a hand that drew to the edge."""

_SLIGHT_PX, _SLIGHT = 3.0, 0.02  # pixels, or a share of the image's longer side
SNAP_PX = 1e-6  # a box this little outside is moved to the border without a word: the arithmetic's own rounding


def to_pixels(box: UncheckedBox, image: UncheckedImage, size: tuple[int, int], ledger: Ledger) -> Floats:
    """Return a box as (4,) xyxy pixels inside the image; a cut at the border gets a row in the ledger.

    `size` is (height, width) in pixels of the image that the corners refer to.

    Raises:
        BadInput: If the box is not finite, inverted, without area, or (unless clipped) outside.
    """
    height, width = size
    limits = np.array([width, height, width, height], np.float64)
    with np.errstate(over="ignore"):
        pixels = np.array(box.corners, np.float64) * (limits if image.relative else 1.0)
    if not np.isfinite(pixels).all():
        why = "the corners must be finite numbers; draw it again"
        raise BadInput("not-finite", _show(box.corners), why, box.where)
    _check_order(pixels, box)
    over = float(np.maximum(-pixels, pixels - limits).max())
    if over <= 0:
        return pixels
    inside: Floats = np.clip(pixels, 0.0, limits)
    if over <= SNAP_PX:
        return inside
    slack = image.slack * (max(size) if image.relative else 1.0)
    done = f"cut to {_show(inside)}"
    visible = bool((inside[2:] > inside[:2]).all())
    if over <= slack + SNAP_PX and visible:
        why = f"crosses the border by {over:.2g} pixels, which is the rounding of the format's digits"
        ledger.note(image.label_file, BadInput("rounding", _show(pixels), why, box.where), done)
        return inside
    error = _outside(pixels, box, size, relative=image.relative)
    error.cause = SLIGHTLY if over <= max(_SLIGHT_PX, _SLIGHT * max(size)) and visible else ""
    if ledger.on_problem == "clip" and visible:
        ledger.problem(image.label_file, error, done)
        return inside
    raise error


def _check_order(pixels: Floats, box: UncheckedBox) -> None:
    lengths = pixels[2:] - pixels[:2]
    if (lengths < 0).any():
        why = "the first corner must be the upper left one; it is not swapped: another number may be wrong"
        raise BadInput("inverted-box", _show(box.corners), f"{why}; draw the box again", box.where)
    if not 0 < lengths.prod() < np.inf:
        raise BadInput("zero-area", _show(box.corners), "has no area; draw the box again or delete it", box.where)


def _outside(pixels: Floats, box: UncheckedBox, size: tuple[int, int], *, relative: bool) -> BadInput:
    height, width = size
    if relative:
        hint = "; these look like pixels" if max(box.corners) > 2 else ""
        found, allowed = _show(box.corners), f"corners must be fractions of the image, 0 to 1{hint}"
    else:
        allowed = f"must lie inside the image, {width} x {height} (width x height)"
        found = _show(pixels)
    return BadInput("outside-image", found, f"{allowed}; draw it again, or set on_problem: clip", box.where)


def _show(corners: Corners | Floats) -> str:
    return "(" + ", ".join(f"{value:.10g}" for value in corners) + ")"


def turn(corners: Floats, orientation: int, size: tuple[int, int]) -> Floats:
    """Return a box, (4,) xyxy pixels, of the stored image as one of the upright image.

    EXIF `orientation` is 2 to 8, `size` the stored image's (height, width) in pixels.
    """
    height, width = size
    left, top, right, bottom = corners.tolist()
    places = {
        2: (width - right, top, width - left, bottom),
        3: (width - right, height - bottom, width - left, height - top),
        4: (left, height - bottom, right, height - top),
        5: (top, left, bottom, right),
        6: (height - bottom, left, height - top, right),
        7: (height - bottom, width - right, height - top, width - left),
        8: (top, width - right, bottom, width - left),
    }
    return np.array(places[orientation], np.float64)
