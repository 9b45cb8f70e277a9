"""The canvas: large images are shrunk, with their boxes."""

import numpy as np

from humbleyolo.drawing.canvas import shrink


def test_a_large_image_is_shrunk_with_its_boxes() -> None:
    image = np.zeros((100, 400, 3), np.uint8)
    image[50:, 200:] = 255
    smaller, boxes = shrink(image, np.array([[200.0, 50, 400, 100]]), 40)
    assert smaller.shape == (10, 40, 3)
    np.testing.assert_allclose(boxes, [[20, 5, 40, 10]])
    assert (smaller[5:, 20:] == 255).all()
    same, _ = shrink(image, boxes, 400)
    assert same is image
