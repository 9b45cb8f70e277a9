"""Image files of all modes and orientations as RGB, and damaged ones."""

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from humbleyolo.errors import UserError
from humbleyolo.geometry.image_decoder import declared_white, decode_rgb
from humbleyolo.storage.png import encode_png

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def file_bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# What the EXIF standard says that each orientation asks a viewer to do with the stored pixels.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_bytes(Image.fromarray(RGB), kind, exif=exif, **options)
    np.testing.assert_array_equal(decode_rgb(data, "x"), UPRIGHT[orientation](RGB))


def test_exif_orientation_is_applied_to_images_that_are_not_rgb() -> None:
    exif = Image.Exif()
    exif[274] = 6
    for mode in ("L", "LA", "P", "RGBA", "1", "I;16"):
        pixels = (RGB[..., 0] > 99) * np.uint8(255)
        image = Image.fromarray(pixels).convert("I" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray((pixels.astype(np.uint16)) * 257)
        data = file_bytes(image, "PNG", exif=exif)
        np.testing.assert_array_equal(decode_rgb(data, mode)[..., 0], np.rot90(pixels, -1), err_msg=mode)


def test_jpeg_with_orientation() -> None:
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:, :16] = 255
    exif = Image.Exif()
    exif[274] = 8
    found = decode_rgb(file_bytes(Image.fromarray(stored), "JPEG", exif=exif, quality=100), "x")
    assert found.shape == (32, 16, 3)
    np.testing.assert_allclose(found, np.rot90(stored), atol=3)


def grey(values: list[list[int]]) -> np.ndarray:
    return np.repeat(np.array(values, np.uint8)[:, :, None], 3, axis=2)


def test_every_mode_becomes_rgb() -> None:
    steps = np.array([[0, 51, 255]], np.uint8)
    assert decode_rgb(file_bytes(Image.fromarray(steps), "PNG"), "L").tolist() == grey([[0, 51, 255]]).tolist()
    one = Image.fromarray(np.array([[True, False, True]]))
    assert decode_rgb(file_bytes(one, "PNG"), "1").tolist() == grey([[255, 0, 255]]).tolist()
    palette = Image.new("P", (3, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1, 0])
    expected = [[[10, 20, 30], [40, 50, 60], [10, 20, 30]]]
    assert decode_rgb(file_bytes(palette, "PNG"), "P").tolist() == expected
    assert decode_rgb(file_bytes(palette, "GIF"), "P").tolist() == expected
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # cyan absent: red
    np.testing.assert_allclose(decode_rgb(file_bytes(cmyk, "JPEG"), "CMYK")[0, 0], [255, 0, 0], atol=8)


def test_deep_grey_is_scaled_and_not_cut_off() -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert decode_rgb(file_bytes(Image.fromarray(deep), "PNG"), "I;16").tolist() == grey([[0, 1, 128, 255]]).tolist()
    assert decode_rgb(file_bytes(Image.fromarray(deep), "TIFF"), "I;16").tolist() == grey([[0, 1, 128, 255]]).tolist()
    floats = np.array([[0.0, 0.2, 1.0, -1]], np.float32)
    assert decode_rgb(file_bytes(Image.fromarray(floats), "TIFF"), "F").tolist() == grey([[0, 51, 255, 0]]).tolist()
    odd = np.array([[np.nan, np.inf, 0.5]], np.float32)
    assert decode_rgb(file_bytes(Image.fromarray(odd), "TIFF"), "F").tolist() == grey([[0, 255, 128]]).tolist()


@pytest.mark.parametrize("tag", [281, None])
def test_deep_grey_is_scaled_by_what_a_tiff_declares(tag: int | None) -> None:
    """A camera of 12 bits, in a file of 16."""
    deep = Image.fromarray(np.array([[0, 2048, 4095]], np.uint16))
    data = file_bytes(deep, "TIFF", tiffinfo={tag: 4095}) if tag else file_bytes(deep, "TIFF")
    assert decode_rgb(data, "").tolist() == grey([[0, 128, 255] if tag else [0, 8, 16]]).tolist()
    with Image.open(io.BytesIO(data)) as image:
        assert declared_white(image) == (4095 if tag else 65535)
        image.tag_v2[258] = (12,)
        assert declared_white(image) == 4095


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_transparent_lies_on_black(mode: str) -> None:
    pixels = np.array([[[200, 200, 200, 0], [200, 200, 200, 255], [200, 200, 200, 51]]], np.uint8)
    data = file_bytes(Image.fromarray(pixels).convert(mode), "PNG")
    assert decode_rgb(data, mode).tolist() == grey([[0, 200, 40]]).tolist()


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparent_colour_lies_on_black(mode: str) -> None:
    image = Image.fromarray(np.array([[9, 200, 9]], np.uint8)).convert(mode)
    data = file_bytes(image, "PNG", transparency=(9, 9, 9) if mode == "RGB" else 9)
    assert decode_rgb(data, mode).tolist() == grey([[0, 200, 0]]).tolist()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000"])
def test_a_file_cut_short_is_refused_by_name(kind: str) -> None:
    data = file_bytes(Image.fromarray(np.tile(RGB, (9, 9, 1))), kind)
    assert decode_rgb(data, "whole").shape == (45, 63, 3)
    for part in (0, 1, len(data) // 3, len(data) // 2):
        with pytest.raises(UserError, match=r"photo 7\.png: cannot be read as an image"):
            decode_rgb(data[:part], "photo 7.png")


@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_files_never_end_in_anything_but_a_picture_or_an_error(
    kind: str, damage: list[tuple[int, int]]
) -> None:
    exif = Image.Exif()
    exif[274] = 6
    data = bytearray(file_bytes(Image.fromarray(RGB), kind, **({} if kind in ("GIF", "BMP") else {"exif": exif})))
    for place, value in damage:
        data[place % len(data)] = value
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch, contextlib.suppress(UserError):
        warnings.simplefilter("ignore")  # Pillow's own, of what it could make out all the same
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
        assert decode_rgb(bytes(data), "x").ndim == 3


def test_a_picture_too_large_to_be_true_is_refused() -> None:
    bomb = bytearray(file_bytes(Image.new("1", (8, 8)), "BMP"))
    bomb[18:26] = (60_000).to_bytes(4, "little") * 2
    with pytest.raises(UserError, match="cannot be read as an image"):
        decode_rgb(bytes(bomb), "bomb")


@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)),
    )
)
def test_our_own_png_files_are_read_as_pillow_reads_them(pixels: np.ndarray) -> None:
    data = encode_png(pixels)
    with Image.open(io.BytesIO(data)) as file:
        expected = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(decode_rgb(data, "x"), expected)
    np.testing.assert_array_equal(expected, pixels if pixels.ndim == 3 else np.dstack([pixels] * 3))


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_a_damaged_png_is_refused_or_a_picture(place: int, flip: int, rgb: bool) -> None:
    data = bytearray(encode_png(RGB if rgb else RGB[..., 0]))
    data[place % len(data)] ^= flip
    with contextlib.suppress(UserError):
        assert decode_rgb(bytes(data), "x").shape == RGB.shape


@pytest.mark.parametrize(
    ("height", "width", "count"), [(2, 3, 7), (2, 3, 0), (0, 3, 0), (2, 0, 2), (2**31, 2**31, 8)]
)
def test_a_png_file_that_promises_another_size_is_refused(height: int, width: int, count: int) -> None:
    """All checksums are right; the pixels are too few, or none."""
    with pytest.raises(UserError, match="x: cannot be read as an image"):
        decode_rgb(png_of(height, width, count), "x")


def test_what_follows_the_pixels_of_a_png_file_is_passed_over() -> None:
    assert decode_rgb(png_of(2, 3, 9), "x").shape == (2, 3, 3)


def png_of(height: int, width: int, count: int) -> bytes:
    """Return a grey PNG file whose header promises a size, with so many bytes of filters and pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(count)))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")
