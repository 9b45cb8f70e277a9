"""Keras' own format (`.keras`), run by TensorFlow."""

from pathlib import Path

from humbleyolo.models.tensorflow_setup import set_threads  # before all else that imports TensorFlow
from humbleyolo.storage.array_types import Uint8s

# isort: split
import zipfile

import keras
import numpy as np
import tensorflow as tf

from humbleyolo.detection.backends.metadata import ExportedModel, Outputs, damaged, metadata_in_zip
from humbleyolo.detection.graph import SelectDetections
from humbleyolo.detection.image_input import read_file
from humbleyolo.models.layers import DetectionHead, SpaceToDepth
from humbleyolo.models.mirrored import MeanOfViews, MirrorImages

_LAYERS = {
    f"humbleyolo>{layer.__name__}": layer
    for layer in (SelectDetections, DetectionHead, SpaceToDepth, MirrorImages, MeanOfViews)
}


def open_keras(path: Path, threads: int | None) -> ExportedModel:
    """Open a `.keras` file; see `open_exported`. Keras' safe mode is on: no code in the file is run."""
    metadata = metadata_in_zip(read_file(path), path)
    if threads is not None:
        set_threads(threads)
    try:
        model = keras.models.load_model(path, custom_objects=_LAYERS, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from None
    call = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec((None, metadata.height, metadata.width, 3), tf.uint8)],
    )

    def run(images: Uint8s) -> Outputs:
        return {name: np.asarray(values) for name, values in call(tf.constant(images)).items()}

    return ExportedModel(metadata, run)
