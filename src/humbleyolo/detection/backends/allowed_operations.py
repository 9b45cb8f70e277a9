"""Operations that a SavedModel may hold: pure computation, so that a stranger's model opens no file here."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from humbleyolo.detection.backends.metadata import damaged
from humbleyolo.errors import UserError
from humbleyolo.process.terminal import first_few

_COMPUTE = (
    "Abs AddN AddV2 ArgMax AssignVariableOp AvgPool BatchMatMulV2 BiasAdd BroadcastTo Cast Ceil ClipByValue "
    "ConcatV2 Const Conv2D DepthwiseConv2dNative DisableCopyOnRead Elu Equal Exp ExpandDims Fill Floor FloorDiv "
    "FloorMod FusedBatchNormV3 GatherNd GatherV2 Greater GreaterEqual Identity IdentityN LeakyRelu Less LessEqual "
    "Log LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool Maximum Mean Min Minimum MirrorPad Mul Neg NoOp "
    "NotEqual OnesLike Pack Pad PadV2 PartitionedCall Placeholder Pow Prod Range ReadVariableOp RealDiv Relu "
    "Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt Select SelectV2 Selu Shape Sigmoid "
    "Slice Softmax Softplus SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze "
    "StatefulPartitionedCall StatelessIf StatelessWhile StopGradient StridedSlice Sub Sum Tanh Tile TopKV2 "
    "Transpose Unpack VarHandleOp VarIsInitializedOp ZerosLike"
)
_SAVE = "MergeV2Checkpoints RestoreV2 SaveV2 ShardedFilename StaticRegexFullMatch StringJoin"
_COMPUTING, _OF_WEIGHTS = frozenset(_COMPUTE.split()), frozenset(_SAVE.split())
_OBJECTS = {"user_object", "variable", "constant", "function", "bare_concrete_function", "captured_tensor"}
_SHOWN = 5


def check_operations(path: Path) -> None:
    """Refuse a SavedModel that could do more than compute; it is parsed, and nothing of it runs.

    Every SavedModel holds functions that save and restore weights, which the loader of today never calls. They pass
    as long as nothing else can call them.

    Raises:
        UserError: If it is damaged, or has an operation or an object of another kind.
    """
    saved = SavedModel()
    try:
        saved.ParseFromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise damaged(path, error) from None
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].HasField("object_graph_def"):
        raise _refused(path, ["a graph of TensorFlow 1"])
    graph, objects = saved.meta_graphs[0].graph_def, saved.meta_graphs[0].object_graph_def
    functions = graph.library.function
    of_objects = set(_functions_of(objects.nodes))
    known = set(objects.concrete_functions)
    called = known.union(of_objects, *(_names(one.attr.values()) for one in _nodes(functions)))
    found = of_objects - known  # the loader would make these callable too
    found |= {str(one.WhichOneof("kind")) for one in objects.nodes} - _OBJECTS
    found |= {one.registered_name for one in objects.nodes} - {""}
    for function in functions:
        allowed = _COMPUTING if function.signature.name in called else _COMPUTING | _OF_WEIGHTS
        found |= {node.op for node in function.node_def} - allowed
        found |= {function.signature.name} & (_COMPUTING | _OF_WEIGHTS)  # it would stand for that operation
    if found:
        raise _refused(path, sorted(found))


def _nodes(functions: Any) -> Iterator[Any]:
    for function in functions:
        yield from function.node_def


def _functions_of(objects: Any) -> Iterator[str]:
    """Yield the name of every function that an object of the graph stands for or takes a tensor from."""
    for one in objects:
        yield from one.function.concrete_functions
        names = (one.bare_concrete_function.concrete_function_name, one.captured_tensor.concrete_function)
        yield from filter(None, names)


def _names(attributes: Iterable[Any]) -> set[str]:
    """Return every name that may be a function's among attributes of an operation."""
    names: set[str] = set()
    for one in attributes:
        texts = [one.s, *one.list.s]
        names.update(text.decode(errors="replace") for text in texts)
        for function in (one.func, *one.list.func):
            names.add(function.name)
            if function.attr:
                names |= _names(function.attr.values())
    return names


def _refused(path: Path, found: list[str]) -> UserError:
    return UserError(
        f"{path}: is not loaded: it has {first_few(found, _SHOWN)}, which no export of this project has; "
        "such parts of a model can read, write and delete your files. Write it again with `humbleyolo export`, or "
        "use its data/model"
    )
