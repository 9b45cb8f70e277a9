"""Detections on one image as a program gets them, with the names of their classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from humbleyolo.errors import SCREEN, UserError
from humbleyolo.geometry.detections import Detections
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Rgb

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """A frame of a clip, a camera or a stream.

    Attributes:
        number: Its number in the clip, from 0, counting those between that were not looked at.
        seconds: Its time stamp, from the clip's start; of a camera, since it was opened.
        pixels: (H, W, 3) uint8 RGB, upright.
    """

    number: int
    seconds: float
    pixels: Rgb


@dataclass(frozen=True, eq=False)
class Result(Detections):
    """Detections on one image, best score first; boxes are in pixels of the upright image.

    Attributes:
        names: The C names of the model's classes.
        height: Height of the upright image, pixels.
        width: Width of the upright image, pixels.
        file: Path of the image, where it was read from one.
        limit_reached: True if the image, or a tile of it, has as many detections as the model gives at most
            (`max_detections`): there may be more.
        frames: Number of pages or frames in the file; the first was looked at.
        video_frame: The frame, where it is of a clip, a camera or a stream.
    """

    names: tuple[str, ...]
    height: int
    width: int
    file: str | None = None
    limit_reached: bool = False
    frames: int = 1
    video_frame: VideoFrame | None = None

    @property
    def class_names(self) -> NDArray[np.str_]:
        """(D,) class names of the detections."""
        return np.array([self.names[label] for label in self.labels], np.str_)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a table of D rows, columns `label`, `score`, `xmin`, `ymin`, `xmax`, `ymax`."""
        import pandas as pd

        table = pd.DataFrame(self.boxes, columns=["xmin", "ymin", "xmax", "ymax"])
        table.insert(0, "label", self.class_names.tolist())
        table.insert(1, "score", self.scores)
        return table


class UnreadImagesError(UserError):
    """Some images of a list cannot be read; the others were looked at.

    Args:
        results: For each image its result, or its error.

    Attributes:
        results: The same.
    """

    def __init__(self, results: Sequence[Result | UserError]) -> None:
        self.results = list(results)
        errors = [f"results[{at}]: {one}" for at, one in enumerate(results) if isinstance(one, UserError)]
        told = errors[:SCREEN] + [f"and {len(errors) - SCREEN} more"] * (len(errors) > SCREEN)
        head = f"{len(errors)} of {counted(len(results), 'image')} cannot be read; the others are in `results`"
        super().__init__(head, *(f"  {line}" for line in told))
