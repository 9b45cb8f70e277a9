"""The letterbox that fits an image to the network, and takes boxes back."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from humbleyolo.geometry.boxes import to_whole_pixels
from humbleyolo.geometry.detections import Detections
from humbleyolo.storage.array_types import Floats, Rgb


@dataclass(frozen=True)
class Letterbox:
    """An image scaled to fit the network's input, whole, in the middle, padded where the shapes differ.

    Attributes:
        image_height: Pixels of the image given.
        image_width: Likewise.
        height: Pixels of the network's input.
        width: Likewise.
    """

    image_height: int
    image_width: int
    height: int
    width: int

    @property
    def scaled(self) -> tuple[int, int]:
        """(height, width) of the scaled image inside the bars, at least 1 pixel each."""
        if self.height * self.image_width <= self.width * self.image_height:  # the height is what limits
            across = round(self.image_width * self.height / self.image_height)
            return self.height, min(max(across, 1), self.width)
        down = round(self.image_height * self.width / self.image_width)
        return min(max(down, 1), self.height), self.width

    @property
    def origin(self) -> tuple[int, int]:
        """(x, y) of the scaled image's upper left corner."""
        height, width = self.scaled
        return (self.width - width) // 2, (self.height - height) // 2

    def apply(self, image: Rgb, fill: int) -> Rgb:
        """Return the image as the network sees it.

        Args:
            image: (image_height, image_width, 3) uint8.
            fill: Grey value of the bars, 0 to 255.

        Returns:
            (height, width, 3) uint8; the image itself where the sizes agree.
        """
        if image.shape[:2] == (self.height, self.width):
            return image
        height, width = self.scaled
        x, y = self.origin
        result = np.full((self.height, self.width, 3), fill, np.uint8)
        scaled = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        result[y : y + height, x : x + width] = np.asarray(scaled)
        return result

    def boxes_in(self, boxes: Floats) -> Floats:
        """Return (M, 4) xyxy boxes in the image's pixels as boxes in the network's."""
        return boxes * self._scale() + self._shift()

    def boxes_out(self, boxes: Floats) -> Floats:
        """Return (M, 4) xyxy boxes in the network's pixels as boxes in the image's: inverts `boxes_in`."""
        return (boxes - self._shift()) / self._scale()

    @property
    def extent(self) -> Floats:
        """Extent of the network's input on the image: (4,) xyxy pixels of the image, letterbox padding included."""
        return np.asarray(self.boxes_out(np.array([[0.0, 0.0, self.width, self.height]]))[0])

    def undo(self, detections: Detections, whole_pixels: bool = False) -> Detections:
        """Return detections in the network's pixels as detections in the image's.

        Boxes are clipped to the image; those without area left, which lie on the padding alone, are dropped.

        Args:
            detections: As the network sees the image.
            whole_pixels: Whether edges are rounded to whole pixels of the image.
        """
        boxes = np.clip(self.boxes_out(detections.boxes), 0, 2 * [self.image_width, self.image_height])
        if whole_pixels:
            boxes = to_whole_pixels(boxes)
        solid = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
        return Detections(boxes[solid], detections.scores[solid], detections.labels[solid])

    def _scale(self) -> Floats:
        height, width = self.scaled
        return np.tile([width / self.image_width, height / self.image_height], 2)

    def _shift(self) -> Floats:
        return np.tile(np.asarray(self.origin, np.float64), 2)
