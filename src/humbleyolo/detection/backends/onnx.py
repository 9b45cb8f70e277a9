"""ONNX (`.onnx`), run by onnxruntime: no TensorFlow."""

from pathlib import Path

from humbleyolo.detection.backends.metadata import (
    METADATA,
    ExportedModel,
    Outputs,
    damaged,
    parse_metadata,
    runtime_missing,
)
from humbleyolo.detection.image_input import read_file
from humbleyolo.errors import UserError
from humbleyolo.storage.array_types import Uint8s


def open_onnx(path: Path, threads: int | None) -> ExportedModel:
    """Open an `.onnx` file; see `open_exported`."""
    return run_onnx(read_file(path), path, threads)


def run_onnx(data: bytes, path: Path, threads: int | None) -> ExportedModel:
    """Open the content of an ONNX file that lies at or in `path`.

    Raises:
        UserError: If it is damaged, is no export, or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise runtime_missing(path, "onnxruntime", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the exception tells of problems
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - its exceptions have no other class in common
        raise damaged(path, error) from None
    text = session.get_modelmeta().custom_metadata_map.get(METADATA)
    if text is None:
        raise UserError(f"{path}: was not written by `humbleyolo export`: it has no {METADATA}")
    names = [output.name for output in session.get_outputs()]

    def run(images: Uint8s) -> Outputs:
        return dict(zip(names, session.run(names, {"pixels": images}), strict=True))

    return ExportedModel(parse_metadata(text, path), run, path)
