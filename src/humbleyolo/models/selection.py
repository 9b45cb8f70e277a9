"""`data/evaluation/selection.json`: which boxes the evaluation took, of which weights.

`evaluate` writes it; whoever uses the model reads it, so that what is used is what was measured.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from humbleyolo.errors import UserError
from humbleyolo.params.sections import Evaluate, Section
from humbleyolo.params.value_types import Fraction, Mirrored
from humbleyolo.storage.atomic import atomic_write
from humbleyolo.storage.json import read_json

NAME = "selection.json"
FORMAT = 2  # 1 did not say whether mirror images are seen
_MOST_BYTES = 1 << 16


class MeasuredSelection(Section):
    """What `selection.json` holds; but for the first three, as in the section `evaluate` of params.yaml."""

    format: int
    weights_sha256: str  # of the weights.npz that was measured
    threshold: Fraction | None  # the best score on val to take a detection from; null where none is any good
    min_score: Fraction
    nms_iou: Fraction
    max_detections: Annotated[int, Field(ge=1, le=10_000)]
    mirrored: Mirrored
    whole_pixels: bool


def write_selection(path: Path, settings: Evaluate, weights: Path, threshold: float | None) -> None:
    """Write the file.

    Args:
        path: Of the file.
        settings: With which was measured.
        weights: `weights.npz` of what was measured.
        threshold: The best on val.
    """
    found = MeasuredSelection(
        format=FORMAT,
        weights_sha256=_sha256(weights),
        threshold=threshold,
        min_score=settings.min_score,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
        mirrored=settings.mirrored,
        whole_pixels=settings.whole_pixels,
    )
    with atomic_write(path) as file:
        file.write(f"{found.model_dump_json(indent=2)}\n".encode())


def read_selection(path: Path, weights: Path) -> MeasuredSelection:
    """Read the file.

    Args:
        path: Of the file.
        weights: `weights.npz` of the model that it must be of.

    Raises:
        UserError: Where it is missing, damaged, of another version, or of other weights; the text says only which.
    """
    try:
        content = read_json(path, _MOST_BYTES)
        version = content["format"]
        if version != FORMAT:
            raise UserError(f"{path.name} is of format {version!r}, not {FORMAT}")
        found = MeasuredSelection.model_validate_json(json.dumps(content, allow_nan=False))
        own = _sha256(weights)
    except FileNotFoundError as error:
        raise UserError(f"there is no {Path(error.filename).name} beside the model") from None
    except (OSError, ValueError, KeyError, TypeError):  # pydantic's errors are ValueErrors
        raise UserError(f"{path.name} is damaged") from None
    if found.weights_sha256 != own:
        raise UserError(f"{path.name} is of other weights")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
