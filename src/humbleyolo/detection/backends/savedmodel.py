"""TensorFlow's SavedModel (a folder), run by TensorFlow."""

from pathlib import Path

from humbleyolo.models.tensorflow_setup import claim_process, set_threads  # before all else that imports TensorFlow
from humbleyolo.storage.array_types import Uint8s

# isort: split
import numpy as np
import tensorflow as tf

from humbleyolo.detection.backends.allowed_operations import check_operations
from humbleyolo.detection.backends.metadata import METADATA, ExportedModel, Outputs, damaged, parse_metadata
from humbleyolo.errors import UserError

EXTRA = Path("assets.extra") / METADATA  # the place that TensorFlow leaves for others


def open_savedmodel(path: Path, threads: int | None) -> ExportedModel:
    """Open a SavedModel that does nothing but compute; see `open_exported`."""
    try:
        text = (path / EXTRA).read_bytes()
    except OSError:
        raise UserError(f"{path}: was not written by `humbleyolo export`: it has no {EXTRA}") from None
    metadata = parse_metadata(text, path)
    check_operations(path)
    claim_process()
    if threads is not None:
        set_threads(threads)
    try:
        loaded = tf.saved_model.load(str(path))
        call = loaded.signatures["serving_default"]
    except (OSError, ValueError, KeyError, AttributeError, tf.errors.OpError) as error:
        raise damaged(path, error) from None

    def run(images: Uint8s) -> Outputs:
        claim_process()
        _ = loaded  # the variables live as long as it does
        return {name: np.asarray(values) for name, values in call(pixels=tf.constant(images)).items()}

    return ExportedModel(metadata, run, path)
