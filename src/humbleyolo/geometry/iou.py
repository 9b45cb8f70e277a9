"""Areas and overlaps of boxes, in NumPy or in TensorFlow.

`ops` is the library that computes: `numpy`, or `tensorflow`, which has the functions used here under the same names.
So the losses, the exports and the metrics share one definition, and this module imports no TensorFlow.
`M` boxes in the one set and `D` in the other.
"""

from typing import Any, NamedTuple

import numpy as np

_LEAST_UNION = 1e-30  # keeps the quotient of two boxes without area finite, in float32 too


class Edges(NamedTuple):
    """Boxes as four arrays or tensors of one shape, in one unit."""

    left: Any
    top: Any
    right: Any
    bottom: Any


def edges_of(boxes: Any) -> Edges:
    """Return the edges (...) of boxes (..., 4) xyxy."""
    return Edges(*(boxes[..., edge] for edge in range(4)))


def area(box: Edges, ops: Any = np) -> Any:
    """Return the areas (...) of boxes; 0 if an edge is on the wrong side."""
    return ops.maximum(box.right - box.left, 0.0) * ops.maximum(box.bottom - box.top, 0.0)


def intersection(a: Edges, b: Edges, ops: Any = np) -> Any:
    """Return the areas (...) that boxes share, pair by pair; the shapes of `a` and `b` are broadcast."""
    left, top = ops.maximum(a.left, b.left), ops.maximum(a.top, b.top)
    return area(Edges(left, top, ops.minimum(a.right, b.right), ops.minimum(a.bottom, b.bottom)), ops)


def iou(a: Edges, b: Edges, ops: Any = np) -> Any:
    """Return the intersection over union (...) of boxes, pair by pair; 0 if neither has area."""
    both = intersection(a, b, ops)
    union = area(a, ops) + area(b, ops) - both
    return both / ops.maximum(union, _LEAST_UNION)


def paired_iou(a: Any, b: Any) -> Any:
    """Return the (M,) IoU of boxes (M, 4) xyxy with those in the same row of the other set (M, 4)."""
    return iou(edges_of(a), edges_of(b))


def pairwise_iou(a: Any, b: Any, ops: Any = np) -> Any:
    """Return the IoU (..., M, D) of every box (..., M, 4) xyxy with every box (..., D, 4) of the other set."""
    return iou(edges_of(a[..., :, None, :]), edges_of(b[..., None, :, :]), ops)


def pairwise_share(a: Any, b: Any) -> Any:
    """Return the intersections over the smaller box's area (M, D) of boxes (M, 4) and (D, 4) xyxy."""
    one, other = edges_of(a[:, None]), edges_of(b[None])
    return intersection(one, other) / np.maximum(np.minimum(area(one), area(other)), _LEAST_UNION)
