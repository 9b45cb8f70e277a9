"""The selection of a model's boxes, and its file `data/model/selection.json`.

`evaluate` writes the file into the model's folder, so that the folder alone is used as it was measured.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from humbleyolo.errors import UserError
from humbleyolo.params.sections import Section
from humbleyolo.params.value_types import MOST_DETECTIONS, Fraction, MaxDetections, Mirrored
from humbleyolo.storage.atomic import atomic_write
from humbleyolo.storage.hashes import sha256_of
from humbleyolo.storage.json import read_json

NAME = "selection.json"
_FORMAT = 3  # 1 had no `mirrored`
_LACKS: dict[int, dict[str, float]] = {2: {"vote_iou": 1.0}, _FORMAT: {}}  # fields that came later, by format
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Selection:
    """The boxes of a network that count as detections.

    Attributes:
        min_score: Lowest score of a detection. An export holds none of lower scores.
        nms_iou: Highest overlap that two detections of one class may have.
        max_detections: Largest number of detections on an image, or a tile of it; the best stay.
        whole_pixels: Rounding of edges to whole pixels of the image as it was before the letterbox, as in labels.
            Code that takes boxes back through the letterbox does it.
        vote_iou: Least overlap with a detection that gives a box of its class a vote on where it lies; 1: none has.
        mirrored: Mirror images that the network sees besides the image. An export has them in its graph.
        threshold: Lowest score of a detection that is shown.
        threshold_from: Origin of the threshold, for people.
    """

    min_score: float
    nms_iou: float
    max_detections: int
    whole_pixels: bool = False
    vote_iou: float = 1.0
    mirrored: Mirrored = "none"
    threshold: float = 0.5
    threshold_from: str = "the default"

    @classmethod
    def from_section(cls, section: Section) -> Self:
        """Take the fields that a section of params.yaml or of a file has."""
        names = type(section).model_fields.keys() & {field.name for field in fields(cls)}
        return cls(**{name: getattr(section, name) for name in names})

    def override(self, **values: Any) -> Self:
        """Replace fields by values that are not None.

        Raises:
            UserError: On a threshold or an overlap that is not 0 to 1, or a limit that is not 1 to 10,000.
        """
        given = {name: value for name, value in values.items() if value is not None}
        for name in ("threshold", "nms_iou"):
            if not 0 <= given.get(name, 0) <= 1:  # NaN too
                raise UserError(f"{name} is {given[name]}; it must be 0 to 1")
        if not 1 <= given.get("max_detections", 1) <= MOST_DETECTIONS:
            raise UserError(f"max_detections is {given['max_detections']}; it must be 1 to {MOST_DETECTIONS:,}")
        return replace(self, **given)


BEST = "the best on val"
CAREFUL = "a careful one, since val was learned too"
"""Origin of the threshold of a model that was trained on val: of other images the scores are lower."""

NONE_GOOD = "the default, since none was any good on val"
"""Origin of the threshold of a model that finds next to nothing."""

DEFAULT = Selection(min_score=0.01, nms_iou=0.5, max_detections=100)  # without an evaluation


class _SelectionFile(Section):
    """`selection.json`. Its `threshold` is the best on val, or null if none is any good.

    `val_learned` is there if val was trained on, so that the threshold is a careful one.
    """

    format: int
    weights_sha256: str  # hash of the weights.npz that was measured
    threshold: Fraction | None
    min_score: Fraction
    nms_iou: Fraction
    vote_iou: Fraction
    max_detections: MaxDetections
    mirrored: Mirrored
    whole_pixels: bool
    val_learned: bool = False


def write_selection(path: Path, selection: Selection, weights: Path, threshold: float | None) -> None:
    """Write the selection that was measured, with the threshold found on val in place of its own.

    `weights` is the `weights.npz` of the model that was measured.
    """
    own = {"format": _FORMAT, "weights_sha256": sha256_of(weights), "threshold": threshold}
    own |= {"val_learned": True} if selection.threshold_from == CAREFUL else {}
    taken = {name: value for name, value in asdict(selection).items() if name in _SelectionFile.model_fields}
    content = _SelectionFile(**taken | own)
    with atomic_write(path) as file:
        file.write(f"{content.model_dump_json(indent=2, exclude_unset=True)}\n".encode())


def read_selection(path: Path, weights: Path) -> Selection:
    """Read the selection that was measured; `weights` is the `weights.npz` of the model that it must belong to.

    Raises:
        UserError: The file is missing, damaged, of another version, or of other weights; the text says only which.
    """
    try:
        content = read_json(path, _MOST_BYTES)
        version = content["format"]
        if version not in _LACKS:
            raise UserError(f"{path.name} is of format {version!r}, not {_FORMAT}")
        found = _SelectionFile.model_validate_json(json.dumps(_LACKS[version] | content, allow_nan=False))
        own = sha256_of(weights)
    except FileNotFoundError as error:
        raise UserError(f"there is no {Path(error.filename).name} in the model's folder") from None
    except (OSError, ValueError, KeyError, TypeError):  # pydantic's errors are ValueErrors
        raise UserError(f"{path.name} is damaged") from None
    if found.weights_sha256 != own:
        raise UserError(f"{path.name} is of other weights")
    if found.threshold is None:
        return replace(Selection.from_section(found), threshold=DEFAULT.threshold, threshold_from=NONE_GOOD)
    return replace(Selection.from_section(found), threshold_from=CAREFUL if found.val_learned else BEST)


def selection_of(model: Path) -> Selection:
    """Return the selection that the evaluation of a model measured, from its folder.

    It is the default if there is none of these very weights; `threshold_from` says why.
    """
    try:
        return read_selection(model / NAME, model / "weights.npz")
    except UserError as error:
        return replace(DEFAULT, threshold_from=f"the default, since {error}")
