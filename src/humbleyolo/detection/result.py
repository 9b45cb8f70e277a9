"""What was found on one image, in that image's own pixels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from humbleyolo.storage.array_types import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Result:
    """What was found on one image, best score first.

    Attributes:
        boxes: (D, 4) float64 xyxy (left, top, right, bottom), pixels of the upright image, inside it.
        scores: (D,) float64, class probability x confidence, 0 to 1.
        labels: (D,) int64 class indices.
        names: The C names of the model's classes.
        height: Pixels of the image, upright; likewise `width`.
        file: Path of the image, where it was read from one.
    """

    boxes: Floats
    scores: Floats
    labels: Ints
    names: tuple[str, ...]
    height: int
    width: int
    file: str | None = None

    @property
    def class_names(self) -> NDArray[np.str_]:
        """(D,) the name of each detection's class."""
        return np.array([self.names[label] for label in self.labels], np.str_)

    def __len__(self) -> int:
        """Return D, the number of detections."""
        return len(self.scores)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a table: a row a detection, columns `label`, `score`, `xmin`, `ymin`, `xmax`, `ymax`."""
        import pandas as pd

        table = pd.DataFrame(self.boxes, columns=["xmin", "ymin", "xmax", "ymax"])
        table.insert(0, "label", self.class_names.tolist())
        table.insert(1, "score", self.scores)
        return table
