"""A model in another format: what it says of itself, and how its runtime is asked.

Every format takes `pixels` and gives `boxes`, `scores`, `labels`, `count` and `grid`; `export/graph.py` has their
shapes. Beside the graph it carries `humbleyolo.json`, the fields of `Metadata`.
"""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from humbleyolo.detection.image_input import read_file
from humbleyolo.detection.model import Facts, Found
from humbleyolo.errors import UserError
from humbleyolo.params.sections import Section
from humbleyolo.params.value_types import Count, Fraction, Pixels
from humbleyolo.storage.array_types import Array, Uint8s
from humbleyolo.storage.json import MOST_BYTES, parse_json

METADATA = "humbleyolo.json"
FORMAT = 2  # 1 did not say whether edges are rounded
_FIX = "write it again with `humbleyolo export`"

Outputs = Mapping[str, Array]
Run = Callable[[Uint8s], Outputs]


class Metadata(Section):
    """What an export says of itself."""

    format: int
    version: str  # of humbleyolo that wrote it
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
    weights_sha256: str  # of the weights.npz that it was made from


def parse_metadata(text: str | bytes, path: Path) -> Metadata:
    """Return what an export's `humbleyolo.json` says.

    Raises:
        UserError: Where it is damaged or of a newer version.
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
    """Return what a file that is a zip archive, or has one at its end, says of itself.

    Raises:
        UserError: Where it says nothing, is damaged or of a newer version.
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


def read_export(path: Path) -> bytes:
    """Return an export's bytes.

    Raises:
        UserError: Where it cannot be read.
    """
    return read_file(path)


def damaged(path: Path, error: object) -> UserError:
    """Return what to say where a runtime does not take a file."""
    first_line = str(error).strip().partition("\n")[0]
    return UserError(f"{path}: is damaged ({first_line}); {_FIX}")


def runtime_missing(path: Path, package: str, extra: str) -> UserError:
    """Return what to say where a runtime is not installed."""
    return UserError(
        f"{path}: needs the package {package}; install it with `pip install 'humbleyolo[{extra}]'`, in a clone with "
        f"`uv sync --extra {extra}`"
    )


class ExportedModel:
    """An export, ready for use.

    Args:
        metadata: What it says of itself.
        run: Computes the outputs for letterboxed images (N, H, W, 3), from any thread.
    """

    def __init__(self, metadata: Metadata, run: Run) -> None:
        self.metadata, self.run = metadata, run
        self.facts = Facts(
            names=metadata.names,
            height=metadata.height,
            width=metadata.width,
            rows=metadata.rows,
            cols=metadata.cols,
            fill=metadata.fill,
            threshold=metadata.threshold,
            threshold_from=metadata.threshold_from,
            min_score=metadata.min_score,
            nms_iou=metadata.nms_iou,
            max_detections=metadata.max_detections,
            whole_pixels=metadata.whole_pixels,
        )

    def detect(self, images: Uint8s, min_score: float) -> list[Found]:
        """Return what is on letterboxed images (N, H, W, 3), one for each."""
        return found_in(self.run(images), min_score)


def found_in(outputs: Outputs, min_score: float) -> list[Found]:
    """Return the detections in an export's outputs, image by image, with scores of `min_score` and more."""
    found = []
    for boxes, scores, labels, count in zip(
        outputs["boxes"], outputs["scores"], outputs["labels"], outputs["count"].tolist(), strict=True
    ):
        kept = int(np.count_nonzero(scores[:count] >= min_score))  # the best come first
        found.append(
            Found(
                boxes[:kept].astype(np.float64),
                scores[:kept].astype(np.float64),
                labels[:kept].astype(np.int64),
            )
        )
    return found
