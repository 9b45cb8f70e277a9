"""LiteRT (`.tflite`), run by ai-edge-litert: no TensorFlow."""

import threading
from pathlib import Path

from humbleyolo.detection.backends.metadata import ExportedModel, Outputs, damaged, metadata_in_zip, runtime_missing
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
    lock = threading.Lock()  # the interpreter computes for one thread at a time

    def run(images: Uint8s) -> Outputs:
        _ = interpreter  # lives as long as its runner
        with lock:
            outputs: Outputs = runner(pixels=images)
            return outputs

    return ExportedModel(metadata, run, path)
