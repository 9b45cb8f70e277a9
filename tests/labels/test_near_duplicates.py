"""Near-duplicates among images of all modes."""

import io

import numpy as np
from PIL import Image

from humbleyolo.labels.image_info import inspect_image
from humbleyolo.labels.near_duplicates import find_near_duplicates


def tiff(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


def test_one_pixel_that_is_no_number_does_not_make_float_images_alike() -> None:
    pictures = [
        np.kron(np.random.default_rng(seed).uniform(0, 9, (8, 8)), np.ones((8, 8))) for seed in (0, 1, 2)
    ]
    for bad in (np.nan, np.inf, -np.inf):
        for picture in pictures:
            picture[0, 0] = bad
        assert find_near_duplicates([inspect_image(tiff(picture)) for picture in pictures]) == []
        copies = [
            pictures[0],
            np.nan_to_num(pictures[0], nan=0, posinf=9, neginf=0),
        ]  # alike but for the bad pixel
        (pair,) = find_near_duplicates([inspect_image(tiff(picture)) for picture in copies])
        assert not pair.same
