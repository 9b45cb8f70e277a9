"""Detections of a file, whose equal scores have the file's order: as pycocotools takes them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.array_types import Ints


@dataclass(frozen=True, eq=False)
class FileDetections(DetectionTable):
    """Detections, D rows in the order of a file."""

    def order(self) -> Ints:
        """Return the (D,) rows with the best score first, equal ones by image, then in the order of the file.

        A table that was written by `file_order` and read back as such a one has its order again.
        """
        return self._rows

    @cached_property
    def _rows(self) -> Ints:
        rows = np.lexsort((self.images, -self.scores)).astype(np.int64)  # stable
        rows.flags.writeable = False  # many share it
        return rows
