"""A network that sees the mirror images of an image as well, and answers with the mean.

Objects that look the same in a mirror, such as cells under a microscope, are seen again with other errors. The mean
has smaller ones. Computing costs as many times as there are views, and training nothing.

    V views: the image, and its mirror images    N images    R, S rows and columns of cells    K = C + 5 B
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from humbleyolo.geometry.grid import BOX_NUMBERS, Grid

VIEWS: dict[str, list[list[int]]] = {"none": [[]], "horizontal": [[], [2]], "both": [[], [2], [1], [1, 2]]}
"""The axes of (N, H, W, 3) that each view is mirrored along, for each value of `evaluate.mirrored`."""

_ROWS, _COLS = 1, 2  # axes


@keras.saving.register_keras_serializable("humbleyolo")
class MirrorImages(keras.layers.Layer):  # type: ignore[misc]
    """Put all views of all images into one batch: (N, H, W, 3) -> (V N, H, W, 3), view by view.

    Args:
        mirrored: A name in `VIEWS`.
    """

    def __init__(self, mirrored: str, **options: Any) -> None:
        super().__init__(**options)
        self.mirrored = mirrored

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Return the views."""
        return tf.concat([tf.reverse(images, axes) if axes else images for axes in VIEWS[self.mirrored]], axis=0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "mirrored": self.mirrored}


@keras.saving.register_keras_serializable("humbleyolo")
class MeanOfViews(keras.layers.Layer):  # type: ignore[misc]
    """Turn each view's predictions back and take the mean: (V N, R, S, C + 5) -> (N, R, S, C + 5).

    Cells change places; in a cell, x becomes 1 - x and y 1 - y.

    Args:
        mirrored: A name in `VIEWS`.
        classes: C.
    """

    def __init__(self, mirrored: str, classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.mirrored, self.classes = mirrored, classes

    def call(self, predictions: tf.Tensor) -> tf.Tensor:
        """Return the mean."""
        views = VIEWS[self.mirrored]
        each = tf.reshape(predictions, (len(views), -1, *predictions.shape[1:]))
        turned = [self._turn_back(each[view], axes) for view, axes in enumerate(views)]
        return tf.add_n(turned) / len(views)

    def _turn_back(self, predictions: tf.Tensor, axes: list[int]) -> tf.Tensor:
        if not axes:
            return predictions
        start, factor = np.zeros((2, self.classes + BOX_NUMBERS), np.float32)
        factor += 1
        for axis, place in ((_COLS, self.classes), (_ROWS, self.classes + 1)):  # x, y
            if axis in axes:
                start[place], factor[place] = 1, -1
        return start + factor * tf.reverse(predictions, axes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "mirrored": self.mirrored, "classes": self.classes}


def with_mirrored(network: keras.Model, grid: Grid, mirrored: str) -> keras.Model:
    """Return a network that answers with the mean over the views of an image.

    Args:
        network: (N, H, W, 3) -> (N, R, S, K); its weights are used, not copied.
        grid: Grid of its predictions.
        mirrored: A name in `VIEWS`; `none` gives the network itself.

    Raises:
        ValueError: A cell has several boxes; an object may be in another of them from view to view.
    """
    if mirrored == "none":
        return network
    if grid.boxes > 1:
        raise ValueError(f"a cell has {grid.boxes} boxes, which may be in another order in a mirror")
    pixels = keras.Input((grid.height, grid.width, 3), dtype="uint8", name="pixels")
    predictions = network(MirrorImages(mirrored, name="views")(pixels))
    mean = MeanOfViews(mirrored, grid.classes, name="mean_of_views")(predictions)
    return keras.Model(pixels, mean, name=f"{network.name}_mirrored")
