"""The first images of a split as one picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from humbleyolo.dataset.archive import Archive, ArchiveWriter
from humbleyolo.drawing.preview import write_preview
from humbleyolo.storage.png import encode_png


@pytest.mark.parametrize(("height", "width", "count"), [(64, 64, 30), (1, 1, 1), (8, 200, 3), (1000, 700, 2)])
def test_a_preview_of_any_shape(tmp_path: Path, height: int, width: int, count: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    with ArchiveWriter(tmp_path / "train.zip", ["chat"]) as writer:
        for index in range(count):
            writer.add(f"{index:06d}.png", encode_png(pixels), height, width, [(0, 0, width, height)], [0])
    with Archive(tmp_path / "train.zip") as archive:
        write_preview(tmp_path / "one.png", archive)
        write_preview(tmp_path / "two.png", archive)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as image:
        assert image.width < 4000
        assert image.height < 4000
        assert len(image.getcolors(1 << 24) or []) > 3
