"""Boxes to the YOLO grid and back: the only module that knows the tensor's layout.

    N images, H x W pixels      R rows, S columns of cells      C classes, B boxes per cell
    M objects, D detections      K = C + 5 B numbers per cell

    cell k of image n:  [ class 0 .. class C-1 | x y w h confidence | x y w h confidence | ... ]
                          C, one-hot             box 0                box 1

    x, y    the box's centre inside its cell, 0 at the cell's left and upper edge, 1 at the far one
    w, h    the box's lengths as fractions of the image's

Cells are row-major: left to right, then down. The layout is the article's ("Humble YOLO implementation in
Keras") and, but for the order of classes and boxes, that of Redmon et al. 2016, section 2.

**Who wins a shared cell.** An object belongs to the cell that holds its centre. A centre exactly on an edge
between cells belongs to the cell to the right or below. On the image's far edge it belongs to the last cell. A
cell holds B objects of one class. If more centres fall into it, objects are ranked by area, the largest
first, then by left, top, right, bottom and class, each smallest first. The first-ranked decides the cell's
class; the first B objects of that class, by rank, get boxes 0, 1, ...; the others are lost. The order of
the labels does not matter.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from humbleyolo.geometry.boxes import xyxy_to_cxcywh
from humbleyolo.geometry.iou import Edges, area, edges_of
from humbleyolo.storage.array_types import AnyInts, Bools, Floats, Floats32, Ints

BOX_NUMBERS = 5  # x, y, w, h, confidence


@dataclass(frozen=True)
class Grid:
    """The cells over the image that the network sees.

    Attributes:
        height: H, pixels of the image.
        width: W, pixels of the image.
        rows: R, rows of cells.
        cols: S, columns of cells.
        boxes: B, boxes per cell.
        classes: C, number of classes.
    """

    height: int
    width: int
    rows: int
    cols: int
    boxes: int
    classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(R, S, K) of one image's tensor."""
        return self.rows, self.cols, self.classes + BOX_NUMBERS * self.boxes

    def finer(self, factor: int) -> "Grid":
        """Return the same grid with `factor` times the rows and columns."""
        return replace(self, rows=self.rows * factor, cols=self.cols * factor)


class Parts(NamedTuple):
    """The parts of a grid tensor by name, as NumPy arrays or TensorFlow tensors like the one given."""

    class_probs: Any  # (..., R, S, C)
    x_cell: Any  # (..., R, S, B) centre, 0..1 inside the cell
    y_cell: Any  # (..., R, S, B)
    w_rel: Any  # (..., R, S, B) fraction of the image's width
    h_rel: Any  # (..., R, S, B)
    confidence: Any  # (..., R, S, B)


def split_parts(tensor: Any, classes: int) -> Parts:
    """Name the parts of a tensor (..., R, S, K), NumPy or TensorFlow, of C `classes`."""
    return Parts(tensor[..., :classes], *(tensor[..., classes + part :: BOX_NUMBERS] for part in range(BOX_NUMBERS)))


def cell_corners(grid: Grid) -> tuple[Floats32, Floats32]:
    """Return the column of each cell (1, S, 1) and its row (R, 1, 1), from which x_cell and y_cell count."""
    cols = np.arange(grid.cols, dtype=np.float32)[None, :, None]
    rows = np.arange(grid.rows, dtype=np.float32)[:, None, None]
    return cols, rows


def own_cell(centre: Any, cells: int, length: int, ops: Any = np) -> Any:
    """Return the row or column, a float, that holds the centre of a box; the last one holds the image's far edge.

    `centre` is x or y in pixels, NumPy or TensorFlow; `cells` is the number of columns or rows along `length` pixels.
    """
    return ops.minimum(centre * cells // length, cells - 1)


def answering_cells(boxes: Any, grid: Grid, ops: Any = np) -> Any:
    """Return the cells (..., R, S) that may answer for objects, where several may: True or False.

    They are those whose centre lies inside an object's box, and the one that holds the box's centre. Boxes are
    (..., 4) xyxy in pixels of the image that the network sees, in NumPy or TensorFlow.
    """
    left, top, right, bottom = (boxes[..., edge, None, None] for edge in range(4))  # (..., 1, 1)
    col, row = np.arange(grid.cols, dtype=np.float32), np.arange(grid.rows, dtype=np.float32)[:, None]
    across, down = grid.width / grid.cols, grid.height / grid.rows
    x, y = (col + 0.5) * across, (row + 0.5) * down
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    own_col = own_cell((left + right) / 2, grid.cols, grid.width, ops)
    own_row = own_cell((top + bottom) / 2, grid.rows, grid.height, ops)
    return inside | ((own_col == col) & (own_row == row))


class Encoded(NamedTuple):
    """Targets, and the place of each object in them."""

    targets: Floats32  # (N, R, S, K)
    place: Ints  # (M,) the object's index among its image's A boxes, in `decode_grid`'s order; -1: none
    shared: Bools  # (M,) True if another object's centre lies in the same cell

    @property
    def kept(self) -> Bools:
        """(M,) True for objects in the targets."""
        return self.place >= 0


def encode_boxes(boxes: Floats, labels: AnyInts, image_index: AnyInts, images: int, grid: Grid) -> Encoded:
    """Write objects into grid tensors, by the rule at the top of this module.

    Args:
        boxes: (M, 4) xyxy, pixels of the image that the network sees.
        labels: (M,) class indices, 0 to C - 1.
        image_index: (M,) index of each object's image, 0 to N - 1.
        images: N, number of images.
        grid: The grid.

    Returns:
        The targets, with a confidence of 1 in each box that holds an object and 0 elsewhere; the objects' places.

    Raises:
        ValueError: A centre lies outside the image, or a class or an image index does not exist.
    """
    targets = np.zeros((images, *grid.shape), np.float32)
    if not len(boxes):
        return Encoded(targets, np.zeros(0, np.int64), np.zeros(0, bool))
    cx, cy, w, h = np.moveaxis(xyxy_to_cxcywh(np.asarray(boxes, np.float64)), -1, 0)  # each (M,)
    if not ((cx >= 0) & (cx <= grid.width) & (cy >= 0) & (cy <= grid.height)).all():
        raise ValueError(f"a box's centre lies outside the image of {grid.height} x {grid.width} pixels")
    if labels.min() < 0 or labels.max() >= grid.classes:
        raise ValueError(f"a class index lies outside 0 to {grid.classes - 1}")
    if image_index.min() < 0 or image_index.max() >= images:
        raise ValueError(f"an image index lies outside 0 to {images - 1}")
    col = own_cell(cx, grid.cols, grid.width).astype(np.int64)
    row = own_cell(cy, grid.rows, grid.height).astype(np.int64)
    cell = (image_index.astype(np.int64) * grid.rows + row) * grid.cols + col  # (M,) over all images

    rank = np.lexsort((labels, *boxes.T[::-1], -area(edges_of(boxes)), cell))  # cell by cell, first-ranked first
    ranked_cell = cell[rank]
    first = np.r_[True, ranked_cell[1:] != ranked_cell[:-1]]  # (M,) begins its cell
    run = np.cumsum(first) - 1  # which occupied cell each ranked object is in
    same_class = labels[rank] == labels[rank][first][run]
    nth_of_class = np.cumsum(same_class) - 1
    slot = nth_of_class - nth_of_class[first][run]  # of objects of the cell's class: their box in the cell
    fits = same_class & (slot < grid.boxes)

    winner, slot = rank[fits], slot[fits]  # (M',) objects that get a box, and which
    at = (image_index[winner], row[winner], col[winner])
    parts = split_parts(targets, grid.classes)
    parts.class_probs[(*at, labels[winner])] = 1
    parts.x_cell[(*at, slot)] = cx[winner] * grid.cols / grid.width - col[winner]
    parts.y_cell[(*at, slot)] = cy[winner] * grid.rows / grid.height - row[winner]
    parts.w_rel[(*at, slot)] = w[winner] / grid.width
    parts.h_rel[(*at, slot)] = h[winner] / grid.height
    parts.confidence[(*at, slot)] = 1

    place = np.full(len(boxes), -1, np.int64)
    place[winner] = (row[winner] * grid.cols + col[winner]) * grid.boxes + slot
    shared = np.zeros(len(boxes), bool)
    shared[rank] = np.bincount(run)[run] > 1
    return Encoded(targets, place, shared)


class Decoded(NamedTuple):
    """All boxes of grid tensors, cell by cell: A = R S B boxes per image."""

    boxes: Any  # (N, A, 4) xyxy pixels, not clipped to the image
    scores: Any  # (N, A, C) class probability x confidence


def box_edges(parts: Parts, grid: Grid) -> Edges:
    """Return the edges (..., R, S, B) of all boxes, pixels, not clipped to the image, in NumPy or TensorFlow."""
    cols, rows = cell_corners(grid)
    cx = (parts.x_cell + cols) * (grid.width / grid.cols)
    cy = (parts.y_cell + rows) * (grid.height / grid.rows)
    half_w, half_h = parts.w_rel * (grid.width / 2), parts.h_rel * (grid.height / 2)
    return Edges(cx - half_w, cy - half_h, cx + half_w, cy + half_h)


def boxes_in_cells(boxes: Any, grid: Grid, ops: Any = np) -> Any:
    """Return x, y, w and h (N, R, S, 4) of one box for each cell, wherever it lies: undoes `box_edges`.

    Boxes are (N, R S, 4) xyxy in pixels, in NumPy or TensorFlow.
    """
    boxes = ops.reshape(boxes, (-1, grid.rows, grid.cols, 4))
    left, top, right, bottom = (boxes[..., edge] for edge in range(4))
    cols, rows = (corners[..., 0] for corners in cell_corners(grid))
    x = (left + right) * (grid.cols / 2 / grid.width) - cols
    y = (top + bottom) * (grid.rows / 2 / grid.height) - rows
    return ops.stack([x, y, (right - left) / grid.width, (bottom - top) / grid.height], axis=-1)


def decode_tensor(tensor: Any, grid: Grid, ops: Any = np) -> Decoded:
    """Read the boxes out of grid tensors: the inverse of `encode_boxes`.

    The score of a box for a class is Pr(class | object) x confidence (Redmon et al. 2016, equation 1). Both are cut
    to 0 to 1, which a network with a linear output (`yolov1`) can leave: two numbers under 0 would be an object.

    Args:
        tensor: (N, R, S, K), targets or a network's output.
        grid: The grid.
        ops: The library that computes, `numpy` or `tensorflow`, as the tensor's.
    """
    parts = split_parts(tensor, grid.classes)
    boxes = ops.stack(box_edges(parts, grid), axis=-1)  # (N, R, S, B, 4)
    probs, confidence = (ops.minimum(ops.maximum(part, 0.0), 1.0) for part in (parts.class_probs, parts.confidence))
    scores = probs[..., None, :] * confidence[..., None]  # (N, R, S, B, C)
    each = grid.rows * grid.cols * grid.boxes  # A
    return Decoded(ops.reshape(boxes, (-1, each, 4)), ops.reshape(scores, (-1, each, grid.classes)))


def decode_grid(tensor: Floats32, grid: Grid) -> Decoded:
    """Return `decode_tensor` of a NumPy array (N, R, S, K), computed in float64."""
    return decode_tensor(np.asarray(tensor, np.float64), grid)
