"""The backend of a model, by the kind of its file."""

import os
import tempfile
from pathlib import Path

from humbleyolo.detection.backend import Backend
from humbleyolo.detection.backends.metadata import ExportedModel
from humbleyolo.errors import UserError

_KINDS = (
    "a folder that `train` wrote (with model.json), or what `humbleyolo export` wrote: a folder with "
    "saved_model.pb, or a file .tflite, .onnx, .keras or .html"
)
_SAVEDMODEL = "saved_model.pb"  # in its folder


def is_model(model: str) -> bool:
    """Tell by its name, or by the files in its folder, if something may be a model."""
    from humbleyolo.detection.model_from_url import is_remote

    path = Path(model)
    exported = path.suffix in (".tflite", ".onnx", ".keras", ".html")
    return exported or is_remote(model) or any((path / file).is_file() for file in ("model.json", _SAVEDMODEL))


def open_model(
    model: str | os.PathLike[str],
    revision: str | None = None,
    nms_iou: float | None = None,
    threads: int | None = None,
    max_detections: int | None = None,
) -> Backend:
    """Open a model of any kind; see `Detector.load`.

    Raises:
        UserError: If there is none, or its runtime is not installed.
    """
    if threads is not None and threads < 1:
        raise UserError(f"threads is {threads}; it must be 1 or more")
    from humbleyolo.detection.model_from_url import fetch_model, is_remote

    if is_remote(str(model)) or revision is not None:
        with tempfile.TemporaryDirectory(prefix="humbleyolo-") as folder:
            return _open_trained(fetch_model(str(model), revision, Path(folder)), nms_iou, threads, max_detections)
    path = Path(model)
    if not path.exists():
        raise UserError(f"{path}: no such model; give {_KINDS}")
    if path.is_dir() and not (path / _SAVEDMODEL).is_file():
        if not (path / "model.json").is_file():
            raise UserError(f"{path}: is no model; give {_KINDS}")
        return _open_trained(path, nms_iou, threads, max_detections)
    for name, value in (("nms_iou", nms_iou), ("max_detections", max_detections)):
        if value is not None:
            raise UserError(f"{path}: its {name} is built in; export it with another")
    return open_exported(path, threads)


def _open_trained(folder: Path, nms_iou: float | None, threads: int | None, max_detections: int | None) -> Backend:
    from humbleyolo.detection.backends.trained_model import TrainedModel

    return TrainedModel(folder, nms_iou, threads, max_detections)


def open_exported(path: Path, threads: int | None = None) -> ExportedModel:
    """Open what `humbleyolo export` wrote, in the runtime of its format.

    Raises:
        UserError: If it is no export, is damaged or of a newer version, or its runtime is not installed.
    """
    if path.suffix == ".tflite":
        from humbleyolo.detection.backends.litert import open_litert

        return open_litert(path, threads)
    if path.suffix == ".onnx":
        from humbleyolo.detection.backends.onnx import open_onnx

        return open_onnx(path, threads)
    if path.suffix == ".html":
        from humbleyolo.detection.backends.page_file import open_html

        return open_html(path, threads)
    if path.suffix == ".keras":
        from humbleyolo.detection.backends.keras_file import open_keras

        return open_keras(path, threads)
    if (path / _SAVEDMODEL).is_file():
        from humbleyolo.detection.backends.savedmodel import open_savedmodel

        return open_savedmodel(path, threads)
    raise UserError(f"{path}: is no model; give {_KINDS}")
