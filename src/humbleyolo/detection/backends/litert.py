"""LiteRT (`.tflite`), run by ai-edge-litert: no TensorFlow."""

import threading
from pathlib import Path
from typing import Any

from humbleyolo.detection.backends.metadata import (
    ExportedModel,
    Outputs,
    damaged,
    metadata_in_zip,
    runtime_missing,
)
from humbleyolo.detection.image_input import read_file
from humbleyolo.process.stderr import hold_stderr
from humbleyolo.storage.array_types import Uint8s


def open_litert(path: Path, threads: int | None) -> ExportedModel:
    """Open a `.tflite` file; see `open_exported`."""
    data = read_file(path)
    metadata = metadata_in_zip(data, path)
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise runtime_missing(path, "ai-edge-litert", "litert") from None
    try:
        with hold_stderr():  # it tells of its delegate
            interpreter = Interpreter(model_content=data, num_threads=threads)
            interpreter.allocate_tensors()
            runner = interpreter.get_signature_runner()
    except (ValueError, RuntimeError) as error:
        raise damaged(path, error) from None
    return ExportedModel(metadata, _Shared(interpreter, runner))


class _Shared:
    """An interpreter, which computes for one thread at a time."""

    def __init__(self, interpreter: Any, runner: Any) -> None:
        self._interpreter, self._runner, self._lock = interpreter, runner, threading.Lock()

    def __call__(self, images: Uint8s) -> Outputs:
        with self._lock:
            outputs: Outputs = self._runner(pixels=images)
            return outputs
