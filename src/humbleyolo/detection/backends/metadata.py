"""`humbleyolo.json`, the metadata of a model in another format, and what all runtimes of these share.

Every format takes `pixels` and gives the outputs of `detection/graph.py`.
"""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from humbleyolo.detection.backend import ModelFacts
from humbleyolo.errors import UserError
from humbleyolo.geometry.detections import Detections
from humbleyolo.params.sections import Section
from humbleyolo.params.value_types import Count, Fraction, Pixels
from humbleyolo.storage.array_types import Array, Uint8s
from humbleyolo.storage.json import MOST_BYTES, parse_json

METADATA = "humbleyolo.json"
FORMAT = 2  # 1 had no `whole_pixels`
_FIX = "write it again with `humbleyolo export`"

Outputs = Mapping[str, Array]
Run = Callable[[Uint8s], Outputs]


class Metadata(Section):
    """`humbleyolo.json`: facts of a model, and of the file."""

    format: int
    version: str  # version of humbleyolo that wrote the file
    names: tuple[str, ...]
    height: Pixels
    width: Pixels
    rows: Count
    cols: Count
    fill: Annotated[int, Field(ge=0, le=255)]
    threshold: Fraction
    threshold_from: str
    min_score: Fraction
    nms_iou: Fraction
    max_detections: Count
    whole_pixels: bool
    precision: Literal["float32", "float16", "int8"]
    weights_sha256: str  # hash of the weights.npz that it was made from

    @classmethod
    def of(cls, facts: ModelFacts, **more: str) -> Self:
        """Join the facts of a model with the other fields."""
        known = {name: value for name, value in asdict(facts).items() if name in cls.model_fields}
        return cls(format=FORMAT, **known | more)


def parse_metadata(text: str | bytes, path: Path) -> Metadata:
    """Read the text of a `humbleyolo.json`.

    Raises:
        UserError: If it is damaged or of a newer version.
    """
    try:
        found = parse_json(text if isinstance(text, bytes) else text.encode())["format"]
        if found != FORMAT:
            raise UserError(
                f"{path}: format {found!r} is not {FORMAT}, which this version reads; use the version of humbleyolo "
                "that wrote it"
            )
        return Metadata.model_validate_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: its {METADATA} is damaged ({error}); {_FIX}") from None


def metadata_in_zip(data: bytes, path: Path) -> Metadata:
    """Read the metadata in a file that is a zip archive, or has one at its end.

    Raises:
        UserError: If there are none, or they are damaged or of a newer version.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(METADATA) as file:
            return parse_metadata(file.read(MOST_BYTES + 1), path)
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError, RuntimeError):
        raise UserError(f"{path}: is damaged, or was not written by `humbleyolo export`; {_FIX}") from None


def zip_of_metadata(metadata: Metadata) -> bytes:
    """Return a zip archive of `humbleyolo.json` alone; equal metadata are equal bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(METADATA), metadata.model_dump_json(indent=2))
    return file.getvalue()


def damaged(path: Path, error: object) -> UserError:
    """Return the error about a file that its runtime does not take."""
    first_line = str(error).strip().partition("\n")[0]
    return UserError(f"{path}: is damaged ({first_line}); {_FIX}")


def runtime_missing(path: Path, package: str, extra: str) -> UserError:
    """Return the error about a runtime that is not installed."""
    return UserError(
        f"{path}: needs the package {package}; install it with `pip install 'humbleyolo[{extra}]'`, in a clone with "
        f"`uv sync --extra {extra}`"
    )


class ExportedModel:
    """An export, ready for use: a `Backend`.

    Args:
        metadata: Its metadata.
        run: Function of letterboxed images (N, H, W, 3) that gives the outputs, from any thread.
    """

    def __init__(self, metadata: Metadata, run: Run) -> None:
        self.metadata, self.run = metadata, run
        self.facts = ModelFacts.from_section(metadata)

    def detect(self, images: Uint8s, min_score: float) -> list[Detections]:
        """Return N detections on letterboxed images (N, H, W, 3)."""
        return detections_in(self.run(images), min_score)


def detections_in(outputs: Outputs, min_score: float) -> list[Detections]:
    """Return the N detections in an export's outputs, with scores of `min_score` and more."""
    columns = (outputs[name] for name in ("boxes", "scores", "labels", "count"))
    detections = []
    for boxes, scores, labels, count in zip(*columns, strict=True):
        kept = int(np.count_nonzero(scores[: int(count)] >= min_score))  # the best come first
        every = Detections(boxes.astype(np.float64), scores.astype(np.float64), labels.astype(np.int64))
        detections.append(every.take(np.arange(kept)))
    return detections
