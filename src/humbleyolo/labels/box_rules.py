"""What a box must be, whatever the format: finite, the right way round, with an area, inside the image."""

import numpy as np

from humbleyolo.labels.labelled_image import Corners, UncheckedBox, UncheckedImage
from humbleyolo.labels.ledger import BadInput, Ledger
from humbleyolo.storage.array_types import Floats

SNAP_PX = (
    1e-6  # a box this little outside is moved to the border without a word: the arithmetic's own rounding
)


def is_name(label: str) -> bool:
    """Return whether a text can be a class name: printable, not empty, without spaces around it."""
    return bool(label) and label.isprintable() and label == label.strip()


def to_pixels(box: UncheckedBox, record: UncheckedImage, size: tuple[int, int], ledger: Ledger) -> Floats:
    """Return a box as (4,) xyxy pixels inside the image.

    Args:
        box: As labelled.
        record: Its image: says whether corners are fractions, and how coarse the format's digits are.
        size: (height, width) in pixels of the image that the corners refer to.
        ledger: Gets a row where the box is cut at the border.

    Raises:
        BadInput: Where the box is not finite, inverted, without area, or (unless clipped) outside.
    """
    height, width = size
    scale = np.array([width, height, width, height], np.float64)
    pixels = np.array(box.corners, np.float64) * (scale if record.relative else 1.0)
    if not np.isfinite(pixels).all():
        raise BadInput(
            "not-finite", show(box.corners), "the corners must be finite numbers; draw it again", box.where
        )
    _check_order(pixels, box)
    limits = np.array([width, height, width, height], np.float64)
    over = float(np.maximum(-pixels, pixels - limits).max())
    if over <= 0:
        return pixels
    inside: Floats = np.clip(pixels, 0.0, limits)
    if over <= SNAP_PX:
        return inside
    slack = record.slack * (max(size) if record.relative else 1.0)
    error = _outside(pixels, record, size, box)
    visible = bool((inside[2:] > inside[:2]).all())
    if over <= slack + SNAP_PX and visible:
        why = f"crosses the border by {over:.2g} pixels, which is the rounding of the format's digits"
        ledger.note(
            record.label_file, BadInput("rounding", show(pixels), why, box.where), f"cut to {show(inside)}"
        )
        return inside
    if ledger.on_problem == "clip" and visible:
        ledger.problem(record.label_file, error, f"cut to {show(inside)}")
        return inside
    raise error


def _check_order(pixels: Floats, box: UncheckedBox) -> None:
    lengths = pixels[2:] - pixels[:2]
    if (lengths < 0).any():
        why = "the first corner must be the upper left one; it is not swapped: another number may be wrong"
        raise BadInput("inverted-box", show(box.corners), f"{why}; draw the box again", box.where)
    if not 0 < lengths.prod() < np.inf:
        raise BadInput(
            "zero-area", show(box.corners), "has no area; draw the box again or delete it", box.where
        )


def _outside(pixels: Floats, record: UncheckedImage, size: tuple[int, int], box: UncheckedBox) -> BadInput:
    height, width = size
    if record.relative:
        found, allowed = box.corners, "corners must be fractions of the image, 0 to 1"
        if max(box.corners) > 2:
            allowed += "; these look like pixels"
    else:
        found, allowed = (
            tuple(pixels.tolist()),
            f"must lie inside the image, {width} x {height} (width x height)",
        )
    return BadInput(
        "outside-image", show(found), f"{allowed}; draw it again, or set on_problem: clip", box.where
    )


def show(corners: Corners | Floats) -> str:
    """Return corners as a message shows them."""
    return "(" + ", ".join(f"{value:.10g}" for value in corners) + ")"


def turn(corners: Floats, orientation: int, size: tuple[int, int]) -> Floats:
    """Return a box on the stored image as a box on the upright one.

    Args:
        corners: (4,) xyxy pixels.
        orientation: EXIF 2 to 8.
        size: (height, width) of the stored image.
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
