"""The network that `params.yaml` names."""

import keras

from humbleyolo.geometry.grid import Grid
from humbleyolo.models.compact import compact
from humbleyolo.models.humble import humble
from humbleyolo.models.lite import lite
from humbleyolo.models.yolov1 import yolov1
from humbleyolo.params.sections import Model


def with_choices(network: keras.Model) -> keras.Model:
    """Return a network with the choices of its `DetectionHead` behind its predictions, (N, R, S, K + 4 B bins).

    It has the same weights.
    """
    head = network.get_layer("head")
    choices = keras.ops.cast(head.input[..., -4 * head.boxes * head.bins :], "float32")
    return keras.Model(network.input, keras.ops.concatenate([network.output, choices], axis=-1))


def build_model(model: Model, grid: Grid, seed: int) -> keras.Model:
    """Build a network.

    The same seed gives the same initial weights.

    Returns:
        (N, H, W, 3) pixels 0 to 255 -> (N, R, S, K) predictions in the grid's layout.

    Raises:
        ValueError: The network cannot be built for the grid.
    """
    if model.name == "humble":
        return humble(grid, model.humble, seed)
    if model.name == "yolov1":
        return yolov1(grid, model.width, seed)
    if model.name == "lite":
        return lite(grid, model.width, model.depth, seed)
    return compact(grid, model, seed)
