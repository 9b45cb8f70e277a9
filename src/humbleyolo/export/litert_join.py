"""Two LiteRT files as one: the second continues with the first one's output.

TensorFlow's converter rounds a whole model or nothing of it reliably. So a network in 8 bits and the operations
behind it in float32 are converted apart, and joined here. A flat buffer holds lists, whose entries name each other
by index: operation codes, buffers, and graphs of tensors and operators. The second file's lists are appended to the
first one's, and its indices moved. Its main graph, number 0, ends in the first one's main graph.
"""

from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools.flatbuffer_utils import convert_object_to_bytearray

from humbleyolo.storage.array_types import Ints

_ALIGNED = 16  # bytes; the schema asks for it, and the packer in Python does not heed it
_PREFIX = b"behind/"  # tells the second file's tensors from those of the first


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    def Pack(self, builder: Any) -> int:  # noqa: N802 - the packer's name
        builder.Prep(_ALIGNED, 0 if self.data is None else len(self.data))
        return int(super().Pack(builder))


def join_litert(first: bytes, second: bytes) -> bytes:
    """Return one file that gives the second's outputs for the first's inputs, by the signature `serving_default`.

    Args:
        first: Flat buffer with one output.
        second: Flat buffer with one input, of the same type and shape as that output.

    Raises:
        ValueError: The output is not of the input's type and shape, or there is more than one.
    """
    one, two = (schema.ModelT.InitFromPackedBuf(data, 0) for data in (first, second))
    front, back = one.subgraphs[0], two.subgraphs[0]
    given, taken = front.outputs, back.inputs
    if (len(given), len(taken)) != (1, 1) or _kind(front.tensors[given[0]]) != _kind(back.tensors[taken[0]]):
        raise ValueError("the second file's input is not the first one's output")
    for graph in two.subgraphs:
        for operator in graph.operators:
            operator.opcodeIndex += len(one.operatorCodes)
            _move_graphs(operator.builtinOptions, len(one.subgraphs) - 1)
        for tensor in graph.tensors:
            tensor.buffer += len(one.buffers) if tensor.buffer else 0  # 0 is the empty one, in both
            tensor.name = _PREFIX + tensor.name
    places = np.arange(len(back.tensors)) + len(front.tensors)  # of the second's tensors in the graph of both
    places[taken[0] + 1 :] -= 1
    places[taken[0]] = given[0]
    front.tensors += [tensor for number, tensor in enumerate(back.tensors) if number != taken[0]]
    for operator in back.operators:
        operator.inputs, operator.outputs = (_moved(ends, places) for ends in (operator.inputs, operator.outputs))
    front.operators += back.operators
    front.outputs = _moved(back.outputs, places)
    (signature,), (named) = one.signatureDefs, two.signatureDefs[0].outputs
    for entry in named:
        entry.tensorIndex = int(places[entry.tensorIndex])
    signature.outputs = named
    one.operatorCodes += two.operatorCodes
    one.subgraphs += two.subgraphs[1:]
    one.buffers = [_AlignedBuffer(each.data, each.offset, each.size) for each in one.buffers + two.buffers]
    one.metadata, one.metadataBuffer = None, None  # tell how the first was converted
    return bytes(convert_object_to_bytearray(one))


def _kind(tensor: Any) -> tuple[int, list[int]]:
    """Return type and shape; -1 is a side of any length."""
    shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return tensor.type, list(shape)


def _move_graphs(options: Any, by: int) -> None:
    """Move the indices of graphs among an operator's options: those of a loop's condition and body."""
    for name in vars(options or object):
        if name.endswith("SubgraphIndex"):
            setattr(options, name, getattr(options, name) + by)


def _moved(indices: Ints, places: Ints) -> Ints:
    """Return the new indices of tensors; -1 stays, for an operator's input that is left out."""
    return np.where(indices < 0, indices, places[indices]).astype(np.int32)
