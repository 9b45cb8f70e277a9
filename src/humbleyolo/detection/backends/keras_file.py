"""Keras' own format (`.keras`), run by TensorFlow."""

from pathlib import Path

from humbleyolo.models.tensorflow_setup import claim_process, set_threads  # before all else that imports TensorFlow
from humbleyolo.storage.array_types import Uint8s

# isort: split
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Keras finds the layers of these by name.
import humbleyolo.detection.graph
import humbleyolo.models.layers
import humbleyolo.models.mirrored  # noqa: F401
from humbleyolo.detection.backends.metadata import BROKEN_ZIP, ExportedModel, Outputs, damaged, metadata_in_zip
from humbleyolo.detection.image_input import read_file
from humbleyolo.errors import UserError
from humbleyolo.process.terminal import first_few
from humbleyolo.storage.json import MOST_BYTES, parse_json

# Objects of the configuration. No layer among them reads a file or runs code.
_OBJECTS = (
    "Activation Add BatchNormalization Concatenate Conv2D DTypePolicy Dense DepthwiseConv DetectionHead DilatedConv "
    "Dropout EdgesHead Flatten Functional GlobalAveragePooling2D GlorotUniform HeNormal InputLayer LeakyReLU "
    "MaxPooling2D MeanOfViews MirrorImages Multiply Ones RandomNormal ReLU Rescaling Reshape SelectDetections "
    "SpaceToDepth Zeros __keras_tensor__"
)


def open_keras(path: Path, threads: int | None) -> ExportedModel:
    """Open a `.keras` file; see `open_exported`. Keras' safe mode is on: no code in the file is run."""
    data = read_file(path)
    metadata = metadata_in_zip(data, path)
    _check_objects(data, path)
    claim_process()
    if threads is not None:
        set_threads(threads)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (*BROKEN_ZIP, TypeError) as error:
        raise damaged(path, error) from None
    call = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec((None, metadata.height, metadata.width, 3), tf.uint8)],
    )

    def run(images: Uint8s) -> Outputs:
        claim_process()
        return {name: np.asarray(values) for name, values in call(tf.constant(images)).items()}

    return ExportedModel(metadata, run, path)


def _check_objects(data: bytes, path: Path) -> None:
    """Refuse a file with a layer or another object that no export has: some read files, as a vocabulary is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("config.json") as file:
            found = sorted(set(_class_names(parse_json(file.read(MOST_BYTES)))) - set(_OBJECTS.split()))
    except BROKEN_ZIP as error:
        raise damaged(path, error) from None
    if found:
        raise UserError(f"{path}: is not loaded: it has {first_few(found, 5)}, which no export of this project has")


def _class_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "class_name" in value:
            yield str(value["class_name"])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _class_names(one)
