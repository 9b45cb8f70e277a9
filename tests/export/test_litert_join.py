"""Two LiteRT files joined answer as the one does behind the other, and the second keeps its numbers whole."""

import numpy as np
import pytest

from humbleyolo.models import tensorflow_setup  # noqa: F401 - before TensorFlow

# isort: split
import keras
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from humbleyolo.export.litert_join import join_litert
from humbleyolo.export.targets import silence

SIDES = (6, 4, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (5, *SIDES), np.uint8)
FLOAT32, INT8 = schema.TensorType.FLOAT32, schema.TensorType.INT8
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the converter


class Halve(keras.layers.Layer):  # type: ignore[misc]
    """Halve numbers in a loop until none is over 1, and say how often."""

    def call(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        half = tf.reduce_mean(x) * 0 + 0.5  # a tensor from outside the loop
        small, times = tf.while_loop(
            lambda x, _: tf.reduce_max(x) > 1, lambda x, times: (x * half, times + 1), (x, tf.constant(0))
        )
        return {"small": small, "times": tf.cast(tf.identity(times), tf.float32)[None], "as_it_was": tf.identity(x)}


@pytest.fixture(scope="module")
def halves() -> tuple[bytes, bytes]:
    """A network in 8 bits, and a loop behind it in float32."""
    pixels = keras.Input(SIDES, dtype="uint8", name="pixels")
    start = keras.initializers.HeNormal(seed=1)
    x = keras.layers.Conv2D(8, 3, activation="relu", kernel_initializer=start)(keras.layers.Rescaling(1 / 8)(pixels))
    raw = keras.layers.Conv2D(5, 1, kernel_initializer=start)(x)
    network, given = keras.Model(pixels, raw), keras.Input(raw.shape[1:])
    with silence():
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([one[None]] for one in PIXELS)
        behind = tf.lite.TFLiteConverter.from_keras_model(keras.Model(given, Halve()(given)))
        return converter.convert(), behind.convert()


@pytest.fixture(scope="module")
def joined(halves: tuple[bytes, bytes]) -> bytes:
    """Both as one file."""
    return join_litert(*halves)


def run(data: bytes, given: np.ndarray) -> dict[str, np.ndarray]:
    runner = Interpreter(model_content=data).get_signature_runner("serving_default")
    (name,) = runner.get_input_details()
    found: dict[str, np.ndarray] = runner(**{name: given})
    return found


@pytest.mark.parametrize("images", [1, 5, 2])
def test_it_answers_as_both_do_one_behind_the_other(images: int, halves: tuple[bytes, bytes], joined: bytes) -> None:
    (raw,) = run(halves[0], PIXELS[:images]).values()
    expected, found = run(halves[1], raw), run(joined, PIXELS[:images])
    assert found.keys() == {"small", "times", "as_it_was"}
    assert found["times"] > 3
    assert len(found["small"]) == images
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_network_alone_is_in_8_bits(halves: tuple[bytes, bytes], joined: bytes) -> None:
    model, network = (schema.ModelT.InitFromPackedBuf(data, 0) for data in (joined, halves[0]))
    main, *loops = model.subgraphs
    count = len(network.subgraphs[0].operators)
    types = [[main.tensors[place].type for place in one.outputs] for one in main.operators]
    assert [INT8] in types[: count - 1]
    assert types[count - 1] == [FLOAT32]
    assert len(types) > count
    behind = types[count:] + [[one.type for one in graph.tensors] for graph in loops]
    assert not any(INT8 in found for found in behind)
    assert len(loops) == 2


def test_the_file_is_as_the_schema_asks(joined: bytes) -> None:
    model = schema.ModelT.InitFromPackedBuf(joined, 0)
    assert joined[4:8] == b"TFL3"
    for graph in model.subgraphs:
        names = [tensor.name for tensor in graph.tensors]
        assert len(set(names)) == len(names)
    assert {*model.subgraphs[0].outputs} == {one.tensorIndex for one in model.signatureDefs[0].outputs}
    flat = schema.Model.GetRootAs(joined, 0)
    buffers = [flat.Buffers(number) for number in range(flat.BuffersLength())]
    places = [one._tab.Vector(one._tab.Offset(4)) for one in buffers if one.DataLength()]
    assert len(places) > 10
    assert not any(place % 16 for place in places)


def test_what_does_not_fit_is_not_joined(halves: tuple[bytes, bytes]) -> None:
    for first, second in (halves[::-1], (halves[0], halves[0]), (halves[1], halves[1])):
        with pytest.raises(ValueError, match="is not the first one's output"):
            join_litert(first, second)
