"""The facts about an image file: damage, size, rotation, and what finds its near-duplicates."""

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from humbleyolo.geometry.image_decoder import BROKEN, FORMATS, MAX_PIXELS, declared_white, open_image, to_8_bit
from humbleyolo.inputs.file_names import IMAGE_FORMATS, suffix
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.params.value_types import Exif
from humbleyolo.storage.array_types import Uint8s

_THUMB = 32  # pixels each way of the small grey picture that near-duplicates are compared by
_ORIENTATION = 0x0112  # EXIF tag
_SUBFILE = 254  # TIFF tag, whose first bit marks a smaller copy of another page
_ALLOWED = f"one of {', '.join(FORMATS)}, whole"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The facts about an image file.

    Attributes:
        kind: Format of the bytes, whatever the name says: `PNG`, `JPEG` ...
        height: Height as stored, pixels; likewise `width`.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        sha256: Hash of the file's bytes, hex.
        perceptual: Perceptual hash of 64 bits, most of which similar pictures share.
        thumb: (32, 32) uint8 grey, the whole picture.
        greys: Darkest and lightest grey.
        below_zero: It has pixels under 0, which become black.
        length: Bytes of the file.
    """

    kind: str
    height: int
    width: int
    orientation: int
    sha256: str
    perceptual: int
    thumb: Uint8s
    greys: tuple[int, int] = (0, 255)
    below_zero: bool = False
    length: int = 0


@contextmanager
def bombs_refused() -> Iterator[None]:
    """Make Pillow raise, not warn, if an image declares very many pixels. To be entered by one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Odd tags beside the pixels are nobody's mistake.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        yield


def inspect_image(data: bytes) -> ImageInfo:
    """Return the facts about an image file, having decoded all of it.

    The file is opened only as one of `FORMATS`; its bytes say which.

    Raises:
        BadInput: If it is empty, is none of those, is cut off or damaged, moves, or declares more than
            `MAX_PIXELS` pixels (found before decoding).
    """
    if not data:
        raise BadInput("image-empty", "0 bytes", "the file must hold an image; copy it again")
    try:
        with _open(data) as image:
            width, height = image.size
            kind = "JPEG" if image.format == "MPO" else str(image.format)  # MPO: a telephone's JPEG and more
            frames = count_pictures(image)
            if frames > 1:
                thing = "page" if kind == "TIFF" else "frame"
                raise BadInput("image-animated", f"{frames} {thing}s", f"must be one picture; save each {thing}")
            orientation = image.getexif().get(_ORIENTATION, 1)
            image.draft("L", (4 * _THUMB, 4 * _THUMB))  # JPEG: all bytes are read, fewer pixels made of them
            image.load()
            low = image.getextrema()[0] if image.mode in ("F", "I") else 0
            grey = to_8_bit(image, declared_white(image)).convert("L")  # 8 bits, as every image is decoded
            darkest, lightest = (int(value) for value in grey.getextrema() if isinstance(value, int | float))
            thumb = np.asarray(grey.resize((_THUMB, _THUMB), Image.Resampling.BOX))
        if kind == "PNG":  # decoding passes over the CRC of the pixels, verifying does not
            with _open(data) as image:
                image.verify()
    except UnidentifiedImageError as error:
        found, _, why = str(error).partition("; ")
        if not why:
            found, why = f"starts with {shorten(data[:16])}", "copy or export it again"
        raise BadInput("image-unreadable", found, f"must be {_ALLOWED}; {why}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        pixels = re.search(r"\d+", str(error))
        raise _too_large(f"{int(pixels.group()):,} pixels" if pixels else str(error)) from None
    except BROKEN as error:
        raise BadInput("image-damaged", shorten(str(error)), f"must be {_ALLOWED}; copy or export it again") from None
    return ImageInfo(
        kind=kind,
        height=height,
        width=width,
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        sha256=hashlib.sha256(data).hexdigest(),
        perceptual=perceptual_hash(thumb),
        thumb=thumb,
        greys=(darkest, lightest),
        below_zero=isinstance(low, int | float) and low < 0,
        length=len(data),
    )


def count_pictures(image: ImageFile) -> int:
    """Return the number of different pictures in a file. A telephone's JPEG and HEIC have a first one that counts."""
    frames: int = getattr(image, "n_frames", 1)
    if image.format in ("JPEG", "MPO", "HEIF") or frames == 1:
        return 1
    if image.format != "TIFF":
        return frames
    pages = 0
    for frame in reversed(range(frames)):  # so that it ends at the first page
        image.seek(frame)
        pages += not frame or not getattr(image, "tag_v2", {}).get(_SUBFILE, 0) & 1
    return pages


def upright_size(data: bytes, exif: Exif) -> tuple[int, int]:
    """Return the (height, width) that boxes refer to, by the header alone.

    Raises:
        BadInput: If the header cannot be read.
    """
    try:
        with _open(data) as image:
            width, height = image.size
            turned = exif != "stored" and int(image.getexif().get(_ORIENTATION, 1)) >= 5
    except (*BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInput("image-damaged", shorten(str(error)), f"must be {_ALLOWED}") from None
    return (width, height) if turned else (height, width)


def check_ending(name: str, info: ImageInfo) -> BadInput | None:
    """Return the mistake in a file's name that says another format than its bytes; None if it is right."""
    if IMAGE_FORMATS.get(suffix(name), "") == info.kind:
        return None
    endings = " or ".join(end for end, kind in IMAGE_FORMATS.items() if kind == info.kind)
    return BadInput("image-misnamed", f"a {info.kind} file", f"its name should end in {endings}; rename it")


def _open(data: bytes) -> ImageFile:
    """Read the header."""
    image = open_image(data)
    if image.size[0] * image.size[1] > MAX_PIXELS:
        image.close()
        raise _too_large(f"{image.size[0] * image.size[1]:,} pixels")
    return image


def _too_large(found: str) -> BadInput:
    allowed = f"at most {MAX_PIXELS // 10**6} million pixels are decoded"
    return BadInput("image-too-large", found, f"{allowed}; shrink it")


# rows 1 to 8 of the discrete cosine transform of `_THUMB` values
_COSINES = np.cos(np.pi * np.arange(1, 9)[:, None] * (2 * np.arange(_THUMB) + 1) / (2 * _THUMB))


def perceptual_hash(thumb: Uint8s) -> int:
    """Return a bit for each of the 64 lowest frequencies of a (32, 32) grey picture: 1 above their median."""
    spectrum = _COSINES @ thumb.astype(np.float64) @ _COSINES.T  # (8, 8)
    return int.from_bytes(np.packbits((spectrum > np.median(spectrum)).ravel()).tobytes(), "big")
