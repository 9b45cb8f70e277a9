"""Any image as an upright array of 8-bit RGB."""

import io
import struct
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from humbleyolo.errors import UserError
from humbleyolo.process.extras import how_to_install
from humbleyolo.storage.array_types import Rgb, Uint8s

MAX_PIXELS = 89_000_000  # of one image, refused before decoding; Pillow's own warning comes at 89,478,485
_WHITE = 65535.0  # of 16 bits
_BITS, _SAMPLES, _MAX_SAMPLE = 258, 277, 281  # tags of a TIFF
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
"""Those that are opened, whatever a name says; others may start programs."""
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")  # brands
BROKEN = (
    OSError, SyntaxError, ValueError, RuntimeError, struct.error, EOFError, IndexError, KeyError, TypeError,
    OverflowError,
)  # fmt: skip
_UNREADABLE = (*BROKEN, Image.DecompressionBombError)


def decode_rgb(data: bytes, name: str) -> Rgb:
    """Return the pixels (H, W, 3) of an image file of one of `FORMATS`, upright.

    The EXIF orientation is applied. `to_8_bit` tells how other modes become RGB.

    Args:
        data: The file's bytes.
        name: Name of the file in errors.

    Raises:
        UserError: The bytes are not a whole image.
    """
    try:
        file = open_image(data)
    except _UNREADABLE as error:
        raise UserError(f"{name}: cannot be read as an image: {error}") from None
    with file:
        return pillow_to_rgb(file, name)


def open_image(data: bytes, formats: Iterable[str] = FORMATS) -> ImageFile:
    """Read the header of an image file as one of Pillow's formats; HEIF needs the package pi-heif.

    Raises:
        UnidentifiedImageError: If it is in none of them. The text has the reason, if one is known.
    """
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    known = brand in _HEIC and _heif_is_known()
    try:
        return Image.open(io.BytesIO(data), formats=[one for one in formats if one != "HEIF" or known])
    except UnidentifiedImageError:
        if brand in _HEIC and not known:
            text = "a HEIC file, for which the package pi_heif is missing; save it as JPEG, or install that with"
            raise UnidentifiedImageError(f"{text} {how_to_install('heif')}") from None
        if text := _odd_tiff(data):
            raise UnidentifiedImageError(text) from None
        raise


@lru_cache
def _heif_is_known() -> bool:
    """Have Pillow open HEIF, if pi-heif is there, and return if it is."""
    try:
        import pi_heif
    except ImportError:
        return False
    pi_heif.register_heif_opener()
    return True


def _odd_tiff(data: bytes) -> str:
    """Return the bands and bits of a TIFF that Pillow has no mode for, and the fix; empty if it is none."""
    try:
        directory = ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(directory.next)
        directory.load(file)
        bands, bits = directory.get(_SAMPLES, 1), directory.get(_BITS, (1,))
        odd = bool(bands > 4 or max(bits) > (8 if bands > 1 else 32))
    except BROKEN:
        return ""
    found = f"a TIFF of {bands} bands of {'/'.join(map(str, dict.fromkeys(bits)))} bits"
    return f"{found}; save it in 1 band of at most 16 bits, or 3 or 4 of 8 bits" * odd


def pillow_to_rgb(image: Image.Image, name: str) -> Rgb:
    """Return the pixels (H, W, 3) of a Pillow image, as `decode_rgb` does.

    Raises:
        UserError: The image was opened from a file that is not whole.
    """
    try:
        image.load()
        white = declared_white(image)  # turning drops the tags
        if image.getexif():
            image = ImageOps.exif_transpose(image)
        pixels = np.asarray(to_8_bit(image, white))
    except _UNREADABLE as error:
        raise UserError(f"{name}: cannot be read as an image: {error}") from None
    return pixels if pixels.ndim == 3 else grey_to_rgb(pixels)


def grey_to_rgb(pixels: Uint8s) -> Rgb:
    """Return grey (H, W) as (H, W, 3)."""
    rgb = np.empty((*pixels.shape, 3), np.uint8)
    for channel in range(3):  # three strided copies take a fifth of the time of one that broadcasts
        rgb[..., channel] = pixels
    return rgb


def declared_white(image: Image.Image) -> float:
    """Return the value of white in grey of more than 8 bits, by the largest sample or the bits that a TIFF states."""
    tags = getattr(image, "tag_v2", {})
    largest, bits = (tags.get(tag) for tag in (_MAX_SAMPLE, _BITS))
    if isinstance(largest, tuple):
        largest = max(largest, default=None)
    if isinstance(largest, int) and 0 < largest <= _WHITE:
        return float(largest)
    return 4095.0 if bits == (12,) else _WHITE


def to_8_bit(image: Image.Image, white: float) -> Image.Image:
    """Return an image of any mode in mode L or RGB.

    Transparent pixels are laid on black. Grey of 16 bits is scaled to 8 by `white`. Floats are scaled so that the
    highest finite value, or 1 if that is lower, becomes 255; NaN and what is under 0 become black, infinity white.
    """
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float64), posinf=np.inf, neginf=-np.inf)  # NaN is 0
        highest = white if image.mode != "F" else float(values[np.isfinite(values)].max(initial=1.0))
        return Image.fromarray(np.clip(values * (255.0 / highest), 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")
