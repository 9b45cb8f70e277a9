"""The letterbox that fits an image to the network, and takes boxes back."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from humbleyolo.geometry.boxes import to_whole_pixels
from humbleyolo.geometry.detections import Detections
from humbleyolo.storage.array_types import Floats, Rgb


@dataclass(frozen=True)
class Letterbox:
    """An image scaled to fit the network's input, whole, in the middle, padded if the shapes differ.

    Attributes:
        image_height: Height of the image, pixels.
        image_width: Width of the image, pixels.
        height: Height of the network's input, pixels.
        width: Width of the network's input, pixels.
    """

    image_height: int
    image_width: int
    height: int
    width: int

    @property
    def scaled(self) -> tuple[int, int]:
        """(height, width) of the scaled image inside the padding, at least 1 pixel each."""
        if self.height * self.image_width <= self.width * self.image_height:  # the height limits
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
        """Return an image (image_height, image_width, 3) as the network sees it, (height, width, 3).

        `fill` is the grey value of the padding, 0 to 255. Of the right size, the image itself is returned.
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

        Boxes are clipped to the image, and their edges rounded to its pixels on demand. Those without area left
        lie on the padding alone and are dropped.
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
