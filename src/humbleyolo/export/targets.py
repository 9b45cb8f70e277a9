"""Export targets: a function for each format that writes a detection model and its metadata."""

import contextlib
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated

from humbleyolo.dataset.jpeg_images import Images
from humbleyolo.detection.backends.metadata import METADATA, OUTPUTS, Metadata, runtime_missing, zip_of_metadata
from humbleyolo.export.litert_join import join_litert
from humbleyolo.export.model_page import html_page
from humbleyolo.process.stderr import hold_stderr
from humbleyolo.storage.array_types import Uint8s

_OPSET = 17  # ONNX operations; onnxruntime 1.12 (2022) and newer read it
_CALIBRATION = 200  # images of val, at most


def write_savedmodel(model: keras.Model, metadata: Metadata, path: Path, _: Images | None) -> None:
    """Write TensorFlow's SavedModel: a folder with the signature `serving_default`."""
    call = _function(model)
    module = tf.Module()
    module.model, module.call = model, call
    tf.saved_model.save(module, str(path), signatures={"serving_default": call})
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / METADATA).write_text(metadata.model_dump_json(indent=2), encoding="utf-8")


def write_keras(model: keras.Model, metadata: Metadata, path: Path, _: Images | None) -> None:
    """Write Keras' own format. Reading it needs this project's layers."""
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(METADATA), metadata.model_dump_json(indent=2))


def write_onnx(model: keras.Model, metadata: Metadata, path: Path, _: Images | None) -> None:
    """Write ONNX, with the metadata among its properties.

    Raises:
        UserError: If the converter is not installed.
    """
    try:
        import tf2onnx
    except ImportError:
        raise runtime_missing(path, "tf2onnx", "onnx") from None
    call = _function(model)
    proto, _external = tf2onnx.convert.from_function(call, input_signature=call.input_signature, opset=_OPSET)
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA, metadata.model_dump_json()
    path.write_bytes(proto.SerializeToString())


def write_html(model: keras.Model, metadata: Metadata, path: Path, _: Images | None) -> None:
    """Write a page that holds the ONNX export and its runtime.

    Raises:
        UserError: If the converter is not installed.
    """
    write_onnx(model, metadata, path, None)
    path.write_text(html_page(path.read_bytes(), metadata), encoding="utf-8", newline="\n")


def write_litert(model: keras.Model, metadata: Metadata, path: Path, calibration: Images | None) -> None:
    """Write LiteRT's flat buffer, with the metadata in a zip archive behind it, as LiteRT's tools have theirs.

    float16 halves the weights; computation is in float32. int8 computes the whole network in 8 bits, from 8-bit
    pixels; softmax, boxes and suppression, behind its last layer, stay float32.

    Args:
        model: Pixels -> the outputs of `graph`.
        metadata: Metadata, with the precision.
        path: The file.
        calibration: (N, H, W, 3) letterboxed images for the ranges of int8.
    """
    if metadata.precision == "int8":
        if calibration is None:
            raise ValueError("int8 needs images to calibrate with")
        data = _int8(model, calibration)
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if metadata.precision == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        data = converter.convert()
    path.write_bytes(_of_one_image(data) + zip_of_metadata(metadata))


def _of_one_image(data: bytes) -> bytes:
    """Return the flat buffer with inputs and outputs said to be of one image; interpreters resize it to more.

    LiteRT.js and LiteRT's CompiledModel run no open size.
    """
    changed = bytearray(data)
    graph = schema_py_generated.Model.GetRootAs(changed, 0).Subgraphs(0)
    for index in (*graph.InputsAsNumpy(), *graph.OutputsAsNumpy()):
        shape = graph.Tensors(index).ShapeSignatureAsNumpy()  # a view into the bytes
        shape[shape < 0] = 1
    return bytes(changed)


def _int8(model: keras.Model, calibration: Images) -> bytes:
    """Return the flat buffer with the network's layers in 8 bits, and from the last one with weights on in float32.

    A box's place is a mean over 17 probabilities: of 8 bits each they would cost 4 points of AP on the default data.
    The numbers that they are made of would cost half a point.
    """
    places = np.linspace(0, len(calibration) - 1, min(len(calibration), _CALIBRATION)).astype(np.int64)

    def images() -> Iterator[list[Uint8s]]:
        for place in places:
            yield [calibration[place : place + 1]]

    network, behind = _split(model)
    x = raw = keras.Input(network.output.shape[1:])
    for layer in behind:
        x = layer(x)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = images
    return join_litert(converter.convert(), tf.lite.TFLiteConverter.from_keras_model(keras.Model(raw, x)).convert())


def _split(model: keras.Model) -> tuple[keras.Model, list[Any]]:
    """Return a model up to its last layer with weights, and this and the layers behind it one by one."""
    place = max(number for number, layer in enumerate(model.layers) if layer.weights)
    last, behind = model.layers[place], model.layers[place + 1 :]
    if isinstance(last, keras.Model):
        inner, first = _split(last)
        return keras.Model(model.input, inner(model.layers[place - 1].output)), first + behind
    return keras.Model(model.input, last.input), [last, *behind]


def _function(model: keras.Model) -> Any:
    _, height, width, channels = model.input.shape
    pixels = tf.TensorSpec((None, height, width, channels), tf.uint8, name="pixels")

    def call(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        found = model(pixels, training=False)
        return {name: tf.identity(found[name], name=name) for name in OUTPUTS}

    return tf.function(call, input_signature=[pixels])


Write = Callable[[keras.Model, Metadata, Path, Images | None], None]
WRITE: dict[str, Write] = {
    "savedmodel": write_savedmodel, "keras": write_keras, "onnx": write_onnx, "litert": write_litert,
    "html": write_html,
}  # fmt: skip


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Silence the converters: they print, warn and write to standard error where nothing is wrong."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), hold_stderr():
        warnings.simplefilter("ignore")
        yield
