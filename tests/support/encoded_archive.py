"""A small split of pictures of several sizes and kinds, and its encoding."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from split_writer import write_split

from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid
from humbleyolo.storage.png import encode_png

GRID = Grid(height=36, width=50, rows=3, cols=5, boxes=2, classes=3)
FILL = 114
NAMES = ["chat", "rat", "日本"]
ARRAYS = ("images", "targets", "boxes", "labels", "offsets", "sizes")


def write_archive(path: Path, images: int = 23) -> Path:
    """Pictures of several sizes and kinds with 0 to 3 objects each."""
    rng = np.random.default_rng(5)
    with write_split(path, NAMES) as archive:
        for number in range(images):
            height, width = [(36, 50), (20, 61), (90, 30)][number % 3]
            pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
            if number % 4 == 3:
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "JPEG")
                data = buffer.getvalue()
            else:
                data = encode_png(pixels if number % 2 else pixels[..., 0])
            lengths = rng.uniform(1, 20, (number % 4, 2))
            corners = rng.uniform(0, 1, (number % 4, 2)) * ((width, height) - lengths)
            labels = rng.integers(0, 3, number % 4)
            archive.add(f"{number:06}.png", data, height, width, np.concatenate([corners, lengths], axis=1), labels)
    return path


def encode(archive: Path, folder: Path, grid: Grid = GRID) -> Path:
    list(encode_split(archive, grid, FILL, folder, 0))
    return folder
