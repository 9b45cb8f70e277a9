"""A picture is the same picture in whatever form it comes."""

import contextlib
import io
import math
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from humbleyolo.detection import image_input
from humbleyolo.detection.image_input import decode_image, read_image
from humbleyolo.errors import UserError
from humbleyolo.geometry.image_decoder import MAX_PIXELS, decode_rgb

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 9, 3), np.uint8)


def read(picture: object) -> np.ndarray:
    return read_image(picture, MAX_PIXELS).pixels  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "HSV"])
def test_a_pillow_image_is_read_as_its_file(mode: str, tmp_path: Path) -> None:
    grey = Image.fromarray(PIXELS[..., 0])
    image = grey.convert("I").convert(mode) if mode == "I;16" else Image.fromarray(PIXELS).convert(mode)
    path = tmp_path / ("a.png" if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "a.tif")
    if mode == "HSV":  # no file holds that
        np.testing.assert_array_equal(read(image), np.asarray(image.convert("RGB")))
        return
    image.save(path)
    np.testing.assert_array_equal(read(image), decode_rgb(path.read_bytes(), "a"))
    np.testing.assert_array_equal(read(path), read(image))
    np.testing.assert_array_equal(read(str(path)), read(image))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_is_applied_once(orientation: int, tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        upright = read(opened)
        np.testing.assert_array_equal(upright, read(tmp_path / "a.png"))
        from PIL import ImageOps

        np.testing.assert_array_equal(upright, read(ImageOps.exif_transpose(opened)))  # turned already
    assert upright.shape == ((9, 5, 3) if orientation > 4 else (5, 9, 3))


def test_arrays_grey_and_with_alpha() -> None:
    np.testing.assert_array_equal(read(PIXELS), PIXELS)
    grey = PIXELS[..., 0]
    for form in (grey, grey[..., None]):
        np.testing.assert_array_equal(read(form), np.repeat(grey[..., None], 3, axis=2))
    alpha = np.dstack([PIXELS, np.zeros((5, 9), np.uint8)])
    assert not read(alpha).any()  # what cannot be seen lies on black
    alpha[..., 3] = 255
    np.testing.assert_array_equal(read(alpha), PIXELS)
    np.testing.assert_array_equal(read(PIXELS[::-1, ::2]), PIXELS[::-1, ::2])


@pytest.mark.parametrize(
    "wrong",
    [
        PIXELS / 255,
        PIXELS.astype(np.int64),
        PIXELS[None],
        PIXELS[:, :, :2],
        PIXELS[:0],
        np.zeros(3, np.uint8),
        7,
        None,
        b"bytes",
    ],
)
def test_what_is_no_picture_is_refused(wrong: object) -> None:
    with pytest.raises(UserError, match="a picture is"):
        read(wrong)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.png: no such file"):
        read(tmp_path / "missing.png")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        read("a\0b.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(UserError, match=r"empty\.png: cannot be read as an image: it is empty"):
        read(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(UserError, match=r"text\.png: cannot be read as an image"):
        read(tmp_path / "text.png")
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)).save(file, "PNG")
    (tmp_path / "cut.png").write_bytes(file.getvalue()[:-1000])
    with pytest.raises(UserError, match=r"cut\.png: cannot be read as an image"):
        read(tmp_path / "cut.png")
    with Image.open(tmp_path / "cut.png") as opened, pytest.raises(UserError, match="the image: cannot be read"):
        read(opened)


def test_no_other_format_is_opened_whatever_the_name_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("a program was started"))
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PPM")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n0.5 setgray 0 0 64 64 rectfill\nshowpage\n"
    for data in (eps, file.getvalue()):
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(
            UserError, match=r"a\.png: cannot be read as an image: it is none of AVIF, BMP, GIF, HEIF"
        ):
            read(tmp_path / "a.png")
        with pytest.raises(UserError, match="cannot be read as an image"):
            decode_rgb(data, "a.png")


def declared_png(width: int, height: int) -> bytes:
    import struct
    import zlib

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9434, 10_000, 13_000, 14_000, 60_000])
def test_huge_images_are_refused_before_they_are_decoded(side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError, match="allowed"):
            decode_image(declared_png(side, side), "huge.png", MAX_PIXELS)


def test_what_is_wrong_with_a_file_is_told_in_the_same_words_every_time(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for data in (b"junk", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 cut"):
        path.write_bytes(data)
        with pytest.raises(UserError, match="cannot be read as an image") as told:
            read_image(path, 100)
        assert " at 0x" not in str(told.value)


def test_the_limit_is_in_pixels_for_every_form(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for form in (PIXELS, Image.fromarray(PIXELS), tmp_path / "a.png"):
        assert read_image(form, 45).pixels.shape == PIXELS.shape
        with pytest.raises(UserError, match="9 x 5 pixels, more than the 44 allowed"):
            read_image(form, 44)


def test_the_limit_may_be_above_that_of_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for pillows in (10, 30):  # it refuses from twice that on, and warns from there on
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(read_image(tmp_path / "a.png", 45).pixels, PIXELS)
        assert pillows == Image.MAX_IMAGE_PIXELS


def test_another_thread_that_changes_pillow_s_limit_does_not_bring_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the lock between the look at a picture and its decoding, and lets go before the latter."""
    entered, threads = threading.Event(), list[threading.Thread]()

    def change() -> None:
        with image_input._own_limit():
            entered.set()
            time.sleep(0.3)

    def count_pictures(image: Image.Image) -> int:
        threads.append(threading.Thread(target=change))
        threads[0].start()
        return 1

    def prod(size: tuple[int, int]) -> int:
        entered.wait(1)
        return size[0] * size[1]

    def decode(data: bytes, name: str) -> np.ndarray:
        threads[0].join()
        return decode_rgb(data, name)

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(image_input, "count_pictures", count_pictures)
    monkeypatch.setattr(image_input, "decode_rgb", decode)
    monkeypatch.setattr(image_input, "math", SimpleNamespace(prod=prod, inf=math.inf))
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    np.testing.assert_array_equal(decode_image(file.getvalue(), "a.png", 45).pixels, PIXELS)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_other_formats_are_refused_where_few_are_accepted() -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "TIFF")
    assert decode_image(file.getvalue(), "a", 100).pixels.shape == PIXELS.shape
    with pytest.raises(UserError, match="it is none of PNG, JPEG"):
        decode_image(file.getvalue(), "a", 100, ("PNG", "JPEG"))


def frames_of(path: Path) -> int:
    return read_image(path, 10**6).frames


@pytest.mark.parametrize("ending", ["tiff", "gif", "webp", "png"])
def test_pages_and_frames_are_counted(ending: str, tmp_path: Path) -> None:
    first, *others = [Image.new("RGB", (9, 5), colour) for colour in ("red", "green", "blue")]
    first.save(path := tmp_path / f"a.{ending}", save_all=True, append_images=others)
    assert frames_of(path) == 3
    first.save(path)
    assert frames_of(path) == 1


def test_a_page_that_was_chosen_and_changed_is_one_picture(tmp_path: Path) -> None:
    first, other = Image.new("RGB", (9, 5), "red"), Image.new("RGB", (9, 5), "blue")
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[other, first])
    with Image.open(tmp_path / "a.tiff") as image:
        for page in (1, 0):
            image.seek(page)
            image.putpixel((0, 0), (1, 2, 3))
            pixels, frames = read_image(image, 100)
            assert frames == 1
            assert pixels[0, 0].tolist() == [1, 2, 3]
            np.testing.assert_array_equal(pixels[1:], np.asarray((first, other)[page])[1:])


def test_a_jpeg_with_a_preview_in_it_is_one_picture(tmp_path: Path) -> None:
    image = Image.new("RGB", (9, 5), "red")
    image.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[image])
    assert frames_of(tmp_path / "a.jpg") == 1


def test_pages_that_are_damaged_behind_the_first_cost_nothing(tmp_path: Path) -> None:
    first, other = Image.new("L", (9, 5)), Image.new("L", (9, 5))
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[other])
    whole = (tmp_path / "a.tiff").read_bytes()
    for length in range(len(whole) - 1, len(whole) // 2, -7):
        (tmp_path / "a.tiff").write_bytes(whole[:length])
        with contextlib.suppress(UserError):
            assert frames_of(tmp_path / "a.tiff") in (1, 2)
