"""`humbleyolo.json`, the metadata of a model in another format, and what all runtimes of these share.

Every format takes `pixels` and gives the outputs of `detection/graph.py`.
"""

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
from pydantic import Field

from humbleyolo.detection.backend import ModelFacts, highest_confidence
from humbleyolo.errors import UserError
from humbleyolo.geometry.detections import Detections
from humbleyolo.params.sections import Section
from humbleyolo.params.value_types import Count, Fraction, Pixels
from humbleyolo.process.extras import how_to_install
from humbleyolo.storage.array_types import Array, Floats32, Uint8s
from humbleyolo.storage.json import MOST_BYTES, parse_json

METADATA = "humbleyolo.json"
FORMAT = 4  # 3 had no `vote_iou`, and is read; 2 did not say how to make the input
_FIX = "write it again with `humbleyolo export`"

BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, KeyError, RuntimeError)
"""Exceptions of `zipfile` on files that are damaged, encrypted or packed in another way."""

OUTPUTS = ("boxes", "scores", "labels", "count", "grid")
_TOLD = ("input", "orientation", "resampling", "place", "boxes")  # for programs that are not this one

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
    vote_iou: Fraction = 1.0
    max_detections: Count
    whole_pixels: bool
    precision: Literal["float32", "float16", "int8"]
    weights_sha256: str  # hash of the weights.npz that it was made from
    input: Literal["pixels: uint8, N x height x width x 3, RGB"]
    orientation: Literal["upright: EXIF applied, transparent on black"]
    resampling: Literal["Pillow BILINEAR: a triangle, wider where it shrinks"]
    place: Literal["centre: left = (width - scaled width) // 2, top likewise; the rest is fill"]
    boxes: Literal["left, top, right, bottom in pixels of the letterboxed image"]

    @classmethod
    def of(cls, facts: ModelFacts, **more: str) -> Self:
        """Join the facts of a model with the other fields."""
        known = {name: value for name, value in asdict(facts).items() if name in cls.model_fields}
        told = {name: get_args(cls.model_fields[name].annotation)[0] for name in _TOLD}
        return cls(format=FORMAT, **known | told | more)


def parse_metadata(text: str | bytes, path: Path) -> Metadata:
    """Read the text of a `humbleyolo.json`.

    Raises:
        UserError: If it is damaged or of a newer version.
    """
    try:
        found = parse_json(text if isinstance(text, bytes) else text.encode())["format"]
        if found not in (3, FORMAT):
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
    except BROKEN_ZIP:
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
    return UserError(f"{path}: needs the package {package}; install it with {how_to_install(extra)}")


class ExportedModel:
    """An export, ready for use: a `Backend`.

    Args:
        metadata: Its metadata.
        run: Function of letterboxed images (N, H, W, 3) that gives the outputs, from any thread.
        path: Its file or folder.
    """

    def __init__(self, metadata: Metadata, run: Run, path: Path) -> None:
        self.metadata, self.run, self.path = metadata, run, path
        self.facts = ModelFacts.from_section(metadata)

    def detect(self, images: Uint8s, min_score: float) -> list[Detections]:
        """Return N detections on letterboxed images (N, H, W, 3).

        Raises:
            UserError: If its runtime cannot run it, or the answer cannot be true.
        """
        return detections_in(self._answer(images), min_score)

    def confidence(self, images: Uint8s) -> Floats32:
        """Return the highest confidence of each cell's boxes, (N, R, S).

        Raises:
            UserError: As `detect` does.
        """
        return highest_confidence(np.asarray(self._answer(images)["grid"], np.float32), len(self.facts.names))

    def _answer(self, images: Uint8s) -> Outputs:
        try:
            outputs = self.run(images)
        except (UserError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - the runtimes' exceptions have no other class in common
            raise damaged(self.path, error) from None
        if wrong := _mistake(outputs, len(images), len(self.facts.names)):
            raise UserError(f"{self.path}: gives an answer that cannot be true: {wrong}; {_FIX}")
        return outputs


def _mistake(outputs: Outputs, images: int, classes: int) -> str:
    """Return the mistake in an export's outputs for N images; empty if there is none."""
    if missing := [name for name in OUTPUTS if name not in outputs]:
        return f"it has no {', '.join(missing)}"
    if wrong := [name for name in OUTPUTS if np.asarray(outputs[name]).dtype.kind not in "fiu"]:
        return f"{', '.join(wrong)} are no numbers"
    boxes, scores, labels, count, grid = (np.asarray(outputs[name]) for name in OUTPUTS)
    most = scores.shape[1] if scores.ndim == 2 else -1
    shapes = {"boxes": (images, most, 4), "scores": (images, most), "labels": (images, most), "count": (images,)}
    for name, shape in shapes.items():
        if np.shape(outputs[name]) != shape:
            return f"{name} are of shape {np.shape(outputs[name])}"
    if not all(np.isfinite(one).all() for one in (boxes, scores, grid)):
        return "numbers that are not finite"
    if not ((count >= 0) & (count <= most)).all():
        return f"a count that is not 0 to {most}"
    if not ((labels >= 0) & (labels < classes)).all():
        return f"a label that is none of its {classes} names"
    return ""


def detections_in(outputs: Outputs, min_score: float) -> list[Detections]:
    """Return the N detections in an export's outputs, with scores of `min_score` and more."""
    columns = (outputs[name] for name in ("boxes", "scores", "labels", "count"))
    detections = []
    for boxes, scores, labels, count in zip(*columns, strict=True):
        kept = int(np.count_nonzero(scores[: int(count)] >= min_score))  # the best come first
        every = Detections(boxes.astype(np.float64), scores.astype(np.float64), labels.astype(np.int64))
        detections.append(every.take(np.arange(kept)))
    return detections
