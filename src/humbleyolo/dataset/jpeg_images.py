"""Images of a split that are kept as JPEGs, and decoded when they are asked for.

images.npy            (B,) uint8     the files of all images, one behind the other
image_offsets.npy     (N + 1,) int64     image n is the bytes offsets[n] to offsets[n + 1]
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from humbleyolo.errors import UserError
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.storage.array_types import Ints, Uint8s
from humbleyolo.storage.npy import appended_bytes, write_array

OFFSETS = "image_offsets"
"""Name of the array that tells JPEGs from pixels; without it, `images.npy` holds pixels."""


class JpegImages:
    """Pixels (N, H, W, 3), read as an array is: indices are those of NumPy along the first axis.

    Args:
        packed: (B,) the files.
        offsets: (N + 1,) where each begins, and the end.
        height: H.
        width: W.
        name: The file's name in errors.

    Raises:
        UserError: The offsets do not divide the files; on reading: a file is no image of this size.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, packed: Uint8s, offsets: Ints, height: int, width: int, name: str) -> None:
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(packed) or (np.diff(offsets) < 0).any():
            raise UserError(f"{name}: its bytes are not divided by {OFFSETS}.npy; run `dvc repro encode`")
        self.stored = (packed, offsets)
        self.shape = (len(offsets) - 1, height, width, 3)
        self._name = name

    def __len__(self) -> int:
        """Return N."""
        return self.shape[0]

    def __getitem__(self, which: Any) -> Uint8s:
        """Return the pixels of an image, (H, W, 3), or of those of a slice or an array, (n, H, W, 3)."""
        rows, places = np.unique(np.arange(len(self))[which], return_inverse=True)  # each is decoded once
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for image, row in zip(pixels, rows.tolist(), strict=True):
            image[:] = self._decode(row)
        return pixels[places]

    def part(self, start: int, stop: int) -> "JpegImages":
        """Return images `start` to `stop` (without it), with a copy of their files, which can be sent away."""
        packed, offsets = self.stored
        first, last = offsets[start], offsets[stop]
        _, height, width, _ = self.shape
        return JpegImages(np.array(packed[first:last]), offsets[start : stop + 1] - first, height, width, self._name)

    def _decode(self, row: int) -> Uint8s:
        packed, offsets = self.stored
        found = decode_rgb(packed[offsets[row] : offsets[row + 1]].tobytes(), f"{self._name}, image {row}")
        if found.shape != self.shape[1:]:
            raise UserError(f"{self._name}, image {row}: is of shape {found.shape}; run `dvc repro encode`")
        return found


Images = Uint8s | JpegImages


def pack(images: Uint8s, quality: int) -> list[bytes]:
    """Return images (N, H, W, 3) as JPEG files of a quality of 1 to 100, with all of their colour."""
    packed = []
    for pixels in images:
        with io.BytesIO() as file:
            Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
            packed.append(file.getvalue())
    return packed


@contextmanager
def jpeg_writer(folder: Path) -> Iterator[Callable[[int, Sequence[bytes]], None]]:
    """Write `images.npy` and its offsets into a folder; what is yielded appends some, after their first number.

    Raises:
        UserError: If a file cannot be written.
    """
    ends = [0]
    with appended_bytes(folder / "images.npy") as append:

        def write(start: int, packed: Sequence[bytes]) -> None:
            if start != len(ends) - 1:
                raise ValueError(f"image {start} comes where {len(ends) - 1} is due")
            for one in packed:
                append(one)
                ends.append(ends[-1] + len(one))

        yield write
    write_array(folder / f"{OFFSETS}.npy", np.array(ends, np.int64))
