"""What a GPU would run of training and prediction, told from the operations alone: no GPU is needed.

TensorFlow's wheels for Linux hold the register of its GPU kernels even where no GPU is. An operation without one
would be run by the CPU, with its tensors copied to and fro; one of `NO_DETERMINISTIC_KERNEL` would end training,
since `start_runtime` asks for deterministic operations.
"""

import dataclasses
import functools
import os
import runpy
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from sections import PARAMS, loss_section, model_section
from small_training import PLAIN, draw_split
from tensorflow.python.framework import kernels

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.geometry.grid import Grid
from humbleyolo.models import layers, tensorflow_setup
from humbleyolo.models.build import build_model
from humbleyolo.models.mirrored import with_mirrored
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Model
from humbleyolo.training.trainer import Trainer, build_trainer

# Those of which the texts of errors in TensorFlow 2.21's own library say that they have no deterministic GPU kernel.
NO_DETERMINISTIC_KERNEL = {
    "AdjustContrast", "AdjustContrastv2", "Bincount", "CropAndResizeGradBoxes", "CropAndResizeGradImage",
    "DebugNumericSummaryV2", "DenseBincount", "DepthwiseConv2dNativeBackpropFilter", "Dilation2DBackpropFilter",
    "Dilation2DBackpropInput", "FakeQuantWithMinMaxVarsGradient", "FakeQuantWithMinMaxVarsPerChannelGradient",
    "MaxPoolGradWithArgmax", "ResizeNearestNeighborGrad", "SegmentMean", "SegmentProd", "SegmentSum",
    "SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "SparseTensorDenseMatMul", "Svd",
    "Timestamp", "UnsortedSegmentProd", "UnsortedSegmentSum",
}  # fmt: skip
ON_CPU_WHEN_DETERMINISTIC = {"ScatterNd", "ScatterNdAdd", "TensorScatterUpdate", "TensorScatterAdd"}
NO_KERNEL_OF_THEIR_OWN = {"Placeholder", "_Arg", "_Retval", "PartitionedCall", "StatefulPartitionedCall"}
GRID = Grid(height=64, width=128, rows=2, cols=4, boxes=2, classes=2)  # yolov1 needs multiples of 64
EVERYTHING = PLAIN.model_copy(
    update={
        "augment": PLAIN.augment.model_copy(
            update={
                "flip": 0.5, "flip_vertical": 0.5, "scale": 0.2, "translate": 0.1, "crop": 0.1, "brightness": 0.1,
                "contrast": 0.1, "saturation": 0.1, "hue": 0.1, "mosaic": 0.5, "cutout": 0.3,
            }
        )
    }
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not any(kernel.device_type == "GPU" for kernel in kernels.get_registered_kernels_for_op("Conv2D").kernel),
    reason="this build of TensorFlow knows no GPU kernels",
)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("split"), GRID, 8)


def trainer(split: EncodedSplit, model: Model, loss: str, precision: str = "float32") -> Trainer:
    runtime = load_params(PARAMS, "runtime")[0].model_copy(update={"precision": precision})
    start = "pretrained" if model.name == "lite" else "scratch"
    choices = model.name in ("compact", "lite") and loss in ("iou", "aligned")
    taught = loss_section(loss, lambda_distribution=1.0 if choices else 0.0)
    return build_trainer(1, runtime, model, taught, EVERYTHING.model_copy(update={"start": start}), split)


def nodes(function: Any) -> list[Any]:
    """Every operation of a function, and of those that it calls."""
    graph = function.get_concrete_function().graph.as_graph_def()
    return [*graph.node, *(node for one in graph.library.function for node in one.node_def)]


@functools.cache  # TensorFlow goes through all its kernels each time
def kernels_of(operation: str) -> Any:
    return kernels.get_registered_kernels_for_op(operation).kernel


def fits(kernel: Any, node: Any) -> bool:
    """Whether a kernel is for a GPU and for the types of this operation."""
    return kernel.device_type in ("GPU", "DEFAULT") and all(
        node.attr[rule.name].type in rule.allowed_values.list.type
        for rule in kernel.constraint
        if node.attr[rule.name].type  # not a list of types
    )


def without_gpu_kernel(found: list[Any]) -> set[str]:
    return {
        node.op
        for node in found
        if node.op not in NO_KERNEL_OF_THEIR_OWN and not any(fits(kernel, node) for kernel in kernels_of(node.op))
    }


@pytest.mark.parametrize(
    ("name", "loss", "precision"),
    [
        pytest.param("compact", "iou", "bfloat16", marks=pytest.mark.slow),
        pytest.param("compact", "yolov1", "float32", marks=pytest.mark.slow),
        pytest.param("humble", "article", "float32", marks=pytest.mark.slow),
        pytest.param("yolov1", "yolov1", "float32", marks=pytest.mark.slow),
        pytest.param("lite", "aligned", "float32", marks=pytest.mark.slow),
    ],
)
def test_each_operation_has_a_deterministic_gpu_kernel(
    split: EncodedSplit, name: str, loss: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_has_gpu", lambda: True)
    if loss == "aligned":
        split = draw_split(tmp_path, dataclasses.replace(GRID, boxes=1), 8)
    model = model_section(name)
    if name == "humble":
        model = model.model_copy(update={"humble": model.humble.model_copy(update={"batch_norm": True})})
    elif name == "yolov1":
        model = model.model_copy(update={"width": 1 / 32})
    else:
        model = model.model_copy(update={"squeeze_excitation": True})
    one = trainer(split, model, loss, precision)
    for function in (one._whole_step, one._part, one._predict):
        found = nodes(function)
        used = {node.op for node in found}
        assert "Conv2D" in used
        assert "Einsum" in used or function is one._predict  # of the colours
        assert not used & (NO_DETERMINISTIC_KERNEL | ON_CPU_WHEN_DETERMINISTIC)
        assert not without_gpu_kernel(found)


def test_so_have_those_of_a_network_that_sees_mirror_images() -> None:
    grid = dataclasses.replace(GRID, boxes=1)
    network = with_mirrored(build_model(model_section("compact"), grid, 1), grid, "both")
    image = tf.TensorSpec((None, grid.height, grid.width, 3), tf.uint8)
    function = tf.function(lambda images: network(images, training=False), input_signature=[image])
    found = nodes(function)
    assert "ReverseV2" in {node.op for node in found}
    assert not without_gpu_kernel(found)


def test_memory_is_taken_as_it_is_needed_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, expected in ((None, "true"), ("false", "false")):
        monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH")
        if said is not None:
            monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", said)
        runpy.run_path(tensorflow_setup.__file__)
        assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == expected


def test_one_that_has_none_is_found() -> None:
    @tf.function(input_signature=[tf.TensorSpec((), tf.string), tf.TensorSpec((4, 4, 3), tf.float32)])
    def function(text: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.strings.to_number(text), tf.image.adjust_contrast(image, 2.0)

    found = nodes(function)
    assert without_gpu_kernel(found) == {"StringToNumber"}
    assert "AdjustContrastv2" in {node.op for node in found} & NO_DETERMINISTIC_KERNEL
