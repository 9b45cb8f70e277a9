"""The trained model as files: `weights.npz`, every weight by its name, and `model.json`, what it takes to use them.

Neither holds code or a date: equal models are equal files, and reading one cannot run anything.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from humbleyolo.errors import UserError
from humbleyolo.files import atomic_write
from humbleyolo.grid import Grid
from humbleyolo.params import Model

Weights = dict[str, NDArray[np.float32]]

_FORMAT = 1
_FIX = "train it with `dvc repro train`, or fetch it with `dvc pull`"


@dataclass(frozen=True)
class ModelInfo:
    """What `build_model` and the detector need.

    Attributes:
        model: Which network.
        grid: Shapes of its input and output.
        categories: The C class names, in the order of the network's.
        fill: Grey value of the letterbox's bars.
    """

    model: Model
    grid: Grid
    categories: tuple[str, ...]
    fill: int


def save_model(folder: Path, info: ModelInfo, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Write `weights.npz` and `model.json` into an existing folder.

    Args:
        folder: Where.
        info: Goes into `model.json`.
        weights: Name -> float32 array.
    """
    with atomic_write(folder / "weights.npz") as file:
        np.savez(file, allow_pickle=False, **{name: weights[name] for name in sorted(weights)})
    content = {
        "format": _FORMAT,
        "model": info.model.model_dump(),
        "grid": asdict(info.grid),
        "categories": info.categories,
        "fill": info.fill,
    }
    with atomic_write(folder / "model.json") as file:
        file.write((json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_info(folder: Path) -> ModelInfo:
    """Read `model.json`.

    Raises:
        UserError: Where it is missing, damaged or of a newer version.
    """
    path = folder / "model.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise UserError(
                f"{path}: format {content['format']!r} is not {_FORMAT}, which this version reads; "
                "use the version of humbleyolo that wrote it"
            )
        return ModelInfo(
            Model.model_validate(content["model"]),
            Grid(**{key: int(value) for key, value in content["grid"].items()}),
            tuple(str(name) for name in content["categories"]),
            int(content["fill"]),
        )
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, so {folder} is no model; {_FIX}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise UserError(f"{path}: is damaged ({error}); {_FIX}") from None


def read_weights(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    """Read `weights.npz`, which must hold exactly the weights expected.

    Nothing is allocated that `shapes` does not ask for: names and sizes are compared first.

    Args:
        folder: Where.
        shapes: Name -> shape of every weight of the network.

    Raises:
        UserError: Where the file is missing or damaged, or holds other weights.
    """
    path = folder / "weights.npz"
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                expected = shapes.get(entry.filename.removesuffix(".npy"))
                if expected is not None and entry.file_size > 4 * int(np.prod(expected)) + 4096:
                    raise UserError(f"{path}: {entry.filename} is larger than a weight of {expected}; {_FIX}")
            names = {entry.filename.removesuffix(".npy") for entry in archive.infolist()}
        if names != set(shapes):
            wrong = sorted(names ^ set(shapes))
            raise UserError(
                f"{path}: holds other weights than model.json asks for: {', '.join(wrong[:5])}; {_FIX}"
            )
        with np.load(path, allow_pickle=False) as arrays:
            weights: dict[str, Any] = {name: arrays[name] for name in sorted(shapes)}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {_FIX}") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise UserError(f"{path}: is damaged ({error}); {_FIX}") from None
    for name, values in weights.items():
        if values.dtype != np.float32 or values.shape != shapes[name] or not np.isfinite(values).all():
            raise UserError(
                f"{path}: {name} is {values.dtype} {values.shape}, expected finite float32 {shapes[name]}; {_FIX}"
            )
    return weights
