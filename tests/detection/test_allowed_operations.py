"""A stranger's model computes, and does nothing else."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stub_models import facts

from humbleyolo import Detector, UserError
from humbleyolo.detection.backends.metadata import METADATA, Metadata, zip_of_metadata
from humbleyolo.models import tensorflow_setup  # noqa: F401 - before TensorFlow

# isort: split
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.core.protobuf.saved_object_graph_pb2 import SavedBareConcreteFunction

from humbleyolo.detection.backends.allowed_operations import check_operations

FACTS = Metadata.of(facts(), version="0", precision="float32", weights_sha256="0")


def save(folder: Path, change: Callable[[tf.Tensor], tf.Tensor]) -> Path:
    """Write a SavedModel of one operation and a variable, with the metadata of an export."""

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.weight = tf.Variable(1.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 32, 64, 3), tf.uint8)])  # type: ignore[untyped-decorator]
        def call(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"grid": change(pixels) * self.weight}

    model = Model()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.call})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / METADATA).write_text(FACTS.model_dump_json())
    return folder


def to_float(pixels: tf.Tensor) -> tf.Tensor:
    return tf.cast(pixels, tf.float32)


def edit(folder: Path, change: Callable[[SavedModel], object]) -> None:
    saved = SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    change(saved)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def test_a_model_that_computes_is_loaded(tmp_path: Path) -> None:
    assert Detector.load(save(tmp_path / "m", to_float)).names == FACTS.names


def test_a_model_with_files_of_its_own_is_refused_unread(tmp_path: Path) -> None:
    def spy(pixels: tf.Tensor) -> tf.Tensor:
        secret = tf.io.read_file("/etc/hostname")
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "stolen"), secret)]):
            return to_float(pixels)

    with pytest.raises(UserError, match=r"m: is not loaded: it has ReadFile, WriteFile, which no export"):
        Detector.load(save(tmp_path / "m", spy))
    assert not (tmp_path / "stolen").exists()


def test_what_restores_weights_can_be_called_by_nobody(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", to_float)

    def call_restore(saved: SavedModel) -> None:
        graph = saved.meta_graphs[0].graph_def.library.function
        (restore,) = (one for one in graph if any(node.op == "RestoreV2" for node in one.node_def))
        (signature,) = (one for one in graph if any("PartitionedCall" in node.op for node in one.node_def))
        for node in signature.node_def:
            if "PartitionedCall" in node.op:
                node.attr["f"].func.name = restore.signature.name

    edit(folder, call_restore)
    with pytest.raises(UserError, match=r"it has RestoreV2, which"):
        Detector.load(folder)


def test_what_saves_weights_can_be_named_by_no_object(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", to_float)
    whole = (folder / "saved_model.pb").read_bytes()

    def set_function(objects: Any, name: str) -> None:
        next(one for one in objects if one.HasField("bare_concrete_function")).bare_concrete_function.MergeFrom(
            SavedBareConcreteFunction(concrete_function_name=name)
        )

    for change in (
        set_function,
        lambda objects, name: objects.add().function.concrete_functions.append(name),
        lambda objects, name: setattr(objects.add().captured_tensor, "concrete_function", name),
    ):
        for name, says in (("traced_save", "SaveV2"), ("a_name_of_nothing", "a_name_of_nothing")):

            def rename(saved: SavedModel, change: Any = change, name: str = name) -> None:
                named = (one.signature.name for one in saved.meta_graphs[0].graph_def.library.function)
                full = next((one for one in named if name in one), name)
                change(saved.meta_graphs[0].object_graph_def.nodes, full)

            (folder / "saved_model.pb").write_bytes(whole)
            edit(folder, rename)
            with pytest.raises(UserError, match=f"is not loaded: it has .*{says}"):
                check_operations(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda saved: saved.meta_graphs[0].ClearField("object_graph_def"), "a graph of TensorFlow 1"),
        (lambda saved: saved.meta_graphs[0].object_graph_def.nodes.add(registered_name="Theirs"), "Theirs"),
        (lambda saved: saved.meta_graphs[0].object_graph_def.nodes[0].asset.SetInParent(), "asset"),
        (lambda saved: setattr(saved.meta_graphs[0].graph_def.library.function[0].signature, "name", "Cast"), "Cast"),
    ],
)
def test_other_objects_are_refused(change: Callable[[SavedModel], object], says: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "m", to_float)
    edit(folder, change)
    with pytest.raises(UserError, match=f"is not loaded: it has .*{says}"):
        Detector.load(folder)
    (folder / "saved_model.pb").write_bytes(b"\xff")
    with pytest.raises(UserError, match="is damaged"):
        Detector.load(folder)


def test_a_keras_file_with_a_layer_that_reads_files_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO(zip_of_metadata(FACTS))
    layer = {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": [layer]}}))
    (tmp_path / "m.keras").write_bytes(file.getvalue())
    with pytest.raises(UserError, match=r"m\.keras: is not loaded: it has StringLookup"):
        Detector.load(tmp_path / "m.keras")
