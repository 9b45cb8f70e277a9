"""The trained model as files: `weights.npz`, every weight by its name, and `model.json`, the facts about them.

Neither holds code or a date: equal models are equal files, and reading one runs nothing.
"""

import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field, ValidationError

from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid
from humbleyolo.params.sections import Model, Section
from humbleyolo.params.value_types import BoxesPerCell, CellCount, Pixels
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.storage.array_types import Floats32
from humbleyolo.storage.atomic import atomic_write, cannot_write
from humbleyolo.storage.json import read_json, write_json
from humbleyolo.storage.npy import read_header

Weights = dict[str, Floats32]

_FORMAT = 3  # 2 had no `start` and no `model.edges`
_ENTRY_BYTES = 1024  # more than an array's header takes in the file, with its two entries in the zip archive
BEGAN = "; it began from "
"""Stands before the start of the first model, in the start of one that took over another's weights."""

_FIX = "train it with `dvc repro train`, or fetch it with `dvc pull`"

_START = rf"(own: .{{1,1000000}}{BEGAN})?(scratch|pretrained: [ -~]{{1,200}})"

# Errors that a file of strangers can raise when it is read.
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile,
    zlib.error, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class ModelInfo:
    """The facts that `build_model` and the detector need.

    Attributes:
        model: Name of the network, and its multipliers.
        grid: Shapes of its input and output.
        categories: The C class names, in the order of the network's.
        fill: Grey value of the letterbox padding, 0 to 255.
        start: The weights that training began with: `scratch`; `pretrained:` and their origin; or `own:` and the
            parts of another model that were taken over.
    """

    model: Model
    grid: Grid
    categories: tuple[str, ...]
    fill: int
    start: str

    @property
    def origin(self) -> str:
        """The start of the first model in a line of models, each of which began with the one before."""
        return self.start.rpartition(BEGAN)[2]


def _is_start(text: str) -> str:
    if not (text.isprintable() and re.fullmatch(_START, text)):
        raise ValueError("scratch, or pretrained or own with what they are")
    return text


class _GridFile(Section):
    """The grid in `model.json`, no larger than `params.yaml` allows."""

    height: Pixels
    width: Pixels
    rows: CellCount
    cols: CellCount
    boxes: BoxesPerCell
    classes: Annotated[int, Field(ge=1, le=100_000)]


class _InfoFile(Section):
    """`model.json`."""

    format: int
    model: Model
    grid: _GridFile
    categories: tuple[str, ...]
    fill: Annotated[int, Field(ge=0, le=255)]
    start: Annotated[str, AfterValidator(_is_start)]


def save_model(folder: Path, info: ModelInfo, weights: Mapping[str, Floats32]) -> None:
    """Write `weights.npz` (name -> float32 array) and `model.json` into an existing folder, `model.json` last.

    Without `model.json` the folder is no model.
    """
    try:
        (folder / "model.json").unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder / "model.json", error) from None
    arrays: dict[str, Any] = {name: np.asarray(weights[name], np.float32, order="C") for name in sorted(weights)}
    with atomic_write(folder / "weights.npz") as file:
        np.savez(file, **arrays)
    content = {
        "format": _FORMAT,
        "model": info.model.model_dump(),
        "grid": asdict(info.grid),
        "categories": info.categories,
        "fill": info.fill,
        "start": info.start,
    }
    write_json(folder / "model.json", content)


def read_info(folder: Path) -> ModelInfo:
    """Read `model.json`.

    Raises:
        UserError: The file is missing, damaged or of a newer version.
    """
    path = folder / "model.json"
    try:
        found = read_json(path)
        version = found["format"]
        if version != _FORMAT:
            raise UserError(
                f"{path}: format {version!r} is not {_FORMAT}, which this version reads; "
                f"use the version of humbleyolo that wrote it, or {_FIX}"
            )
        content = _InfoFile.model_validate_json(json.dumps(found, allow_nan=False))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, so {folder} is no model; {_FIX}") from None
    except NotADirectoryError:
        raise UserError(f"{folder}: is a file; a model that `train` wrote, a folder, is needed here") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UserError(f"{path}: is damaged ({wrong}); {_FIX}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is damaged ({error}); {_FIX}") from None
    grid = Grid(**content.grid.model_dump())
    if len(content.categories) != grid.classes:
        wrong = f"{counted(len(content.categories), 'name')} for {counted(grid.classes, 'class', 'classes')}"
        raise UserError(f"{path}: is damaged ({wrong}); {_FIX}")
    return ModelInfo(content.model, grid, content.categories, content.fill, content.start)


def read_weights(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    """Read `weights.npz`, which must hold exactly the weights expected.

    Nothing is held in memory that `shapes` does not ask for, whatever the file says of itself.

    Args:
        folder: The model's folder.
        shapes: Name -> shape of every weight of the network.

    Raises:
        UserError: The file is missing or damaged, or holds other weights.
    """
    path = folder / "weights.npz"
    most = sum(4 * math.prod(shape) + _ENTRY_BYTES + 2 * len(name) for name, shape in shapes.items())
    try:
        if (size := path.stat().st_size) > most + _ENTRY_BYTES:
            raise UserError(f"{path}: holds other weights than model.json asks for: {size} bytes; {_FIX}")
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist()]
            expected = {f"{name}.npy" for name in shapes}
            if sorted(names) != sorted(expected):
                wrong = first_few(sorted(expected.symmetric_difference(names)), 5) or "some of them twice"
                raise UserError(f"{path}: holds other weights than model.json asks for: {wrong}; {_FIX}")
            return {name: _read_array(archive, name, shapes[name]) for name in sorted(shapes)}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {_FIX}") from None
    except _DAMAGED as error:
        raise UserError(f"{path}: is damaged ({error}); {_FIX}") from None


def _read_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> Floats32:
    """Return one weight; its header is compared before its values are read.

    Raises:
        ValueError: The file holds another array.
    """
    if archive.getinfo(f"{name}.npy").compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    with archive.open(f"{name}.npy") as file:
        found, kind = read_header(file, name)
        if found != shape or kind != np.dtype("<f4"):
            raise ValueError(f"{name} is {kind} {found}, expected float32 {shape}")
        count = math.prod(shape)
        content = file.read(4 * count + 1)  # past the end, where the checksum is compared
    if len(content) != 4 * count:
        raise ValueError(f"{name} has not the {count} values that it promises")
    values = np.frombuffer(content, "<f4").reshape(shape)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are not finite")
    return values.astype(np.float32)
