"""PNG files are what other programs read."""

import io

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from humbleyolo.storage.png import encode_png

shapes = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)), st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))
)


@settings(deadline=None)
@given(hnp.arrays(np.uint8, shapes))
def test_pillow_reads_the_same_pixels(pixels: npt.NDArray[np.uint8]) -> None:
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        image.verify()
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert image.mode == ("L" if pixels.ndim == 2 else "RGB")
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_large_noise_and_slices() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (301, 500, 3), np.uint8)
    for pixels in (noise, noise[..., 0], noise[::2, ::3], noise[::-1]):
        with Image.open(io.BytesIO(encode_png(pixels))) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_plain_ground_takes_little_room() -> None:
    assert len(encode_png(np.full((64, 64), 7, np.uint8))) < 200
    assert len(encode_png(np.full((64, 64, 3), (7, 80, 200), np.uint8))) < 300
