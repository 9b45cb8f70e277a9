"""An image in any form that programs hold one in, as an upright RGB array."""

import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from humbleyolo.errors import UserError
from humbleyolo.geometry.image_decoder import BROKEN, FORMATS, decode_rgb, grey_to_rgb, open_image, pillow_to_rgb
from humbleyolo.inputs.image_info import count_pictures
from humbleyolo.storage.array_types import Rgb, Uint8s

ImageLike = str | os.PathLike[str] | Image.Image | Uint8s

_pillow_changed = threading.Lock()  # its limit, and filters of warnings, belong to the process, not to a thread


class ReadImage(NamedTuple):
    """An image, read.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright.
        frames: Number of pages or frames in its file, of which this is the first; 1 for an array or a Pillow image.
    """

    pixels: Rgb
    frames: int


def read_image(image: ImageLike, max_pixels: int) -> ReadImage:
    """Return an image upright and in RGB; transparent pixels lie on black.

    Args:
        image: A path; a Pillow image, whose EXIF orientation is applied; or an array of uint8. Shapes of arrays:
            (H, W) or (H, W, 1) grey, (H, W, 3) RGB (not OpenCV's BGR), (H, W, 4) RGB and alpha.
        max_pixels: Largest number of pixels, checked before decoding.

    Raises:
        UserError: If it cannot be read, is too large, or is no image.
    """
    if isinstance(image, np.ndarray):
        return ReadImage(_from_array(image, max_pixels), 1)
    if isinstance(image, Image.Image):
        _check_pixels(*image.size[::-1], max_pixels, "the image")
        return ReadImage(pillow_to_rgb(image, "the image"), 1)  # to count, it would be read anew, edits lost
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        return decode_image(read_file(path), str(path), max_pixels)
    raise wrong_kind(image)


def wrong_kind(image: object) -> UserError:
    """Return the error for what is no image."""
    return UserError(
        f"a picture is given as {type(image).__name__}; it can be a path, a Pillow image or a NumPy array"
        + ("; cv2.imread gives None for a file that it cannot read" if image is None else "")
    )


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def decode_image(data: bytes, name: str, max_pixels: int, formats: tuple[str, ...] = FORMATS) -> ReadImage:
    """Return the image in a file, upright and in RGB.

    Args:
        data: Bytes of the file.
        name: Name of the file in errors.
        max_pixels: Largest number of pixels, checked before decoding.
        formats: Pillow's names of the formats that are opened, whatever the name says.

    Raises:
        UserError: If the bytes are not a whole image of these formats, or it is too large.
    """
    if not data:
        raise UserError(f"{name}: cannot be read as an image: it is empty")
    size, frames = (0, 0), 1
    with _own_limit() as pillows:
        try:
            with open_image(data, formats) as image:
                size = image.size
                _check_pixels(*size[::-1], max_pixels, name)
                with suppress(*BROKEN):  # those behind the first are damaged
                    frames = count_pictures(image)
        except UnidentifiedImageError as error:  # its text has a memory address in it, unless a fix is known
            none_of = f"it is none of {', '.join(formats)}, or damaged at its start"
            why = str(error) if "; " in str(error) else none_of
            raise UserError(f"{name}: cannot be read as an image: {why}") from None
        except BROKEN:
            pass  # told when it is decoded
    large = math.prod(size) > (pillows or math.inf)  # of this process; another thread may have changed it now
    with _own_limit() if large else nullcontext():
        return ReadImage(decode_rgb(data, name), frames)  # its error tells of a header that could not be read


@contextmanager
def _own_limit() -> Iterator[int | None]:
    """Have Pillow open images of any size, without warnings of these or of damage behind the first page.

    Yields the limit that holds outside; None where there is none.
    """
    with _pillow_changed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield before
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _check_pixels(height: int, width: int, max_pixels: int, name: str) -> None:
    if height * width > max_pixels:
        raise UserError(
            f"{name}: has {width} x {height} pixels, more than the {max_pixels:,} allowed; shrink it, or allow "
            "more (max_pixels, --max-pixels)"
        )


def _from_array(pixels: Uint8s, max_pixels: int) -> Rgb:
    shape = "x".join(map(str, pixels.shape))
    right = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4))
    if pixels.dtype != np.uint8 or not right or not pixels.size:
        raise UserError(
            f"a picture is an array of {pixels.dtype}, shape {shape}; it must be uint8, 0 to 255, of shape "
            "(height, width), (height, width, 1), (height, width, 3) or (height, width, 4)"
        )
    _check_pixels(pixels.shape[0], pixels.shape[1], max_pixels, "the array")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return grey_to_rgb(pixels.reshape(pixels.shape[:2]))
    if pixels.shape[2] == 4:
        return pillow_to_rgb(Image.fromarray(np.ascontiguousarray(pixels), "RGBA"), "the array")
    return np.ascontiguousarray(pixels)
