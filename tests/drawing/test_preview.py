"""Some images of a split as one picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from humbleyolo.dataset.archive import Archive, ArchiveWriter
from humbleyolo.drawing import preview
from humbleyolo.drawing.palette import class_colour
from humbleyolo.drawing.preview import write_changed, write_preview
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
        assert image.width <= 1600
        assert image.height <= 1250
        assert len(image.getcolors(1 << 24) or []) > 3


@pytest.mark.parametrize(
    ("size", "count"),
    [
        pytest.param(size, count, marks=[pytest.mark.slow] * (count == 24 or (size[1] > 400 and count == 40)))
        for size in ((48, 64), (450, 600), (600, 450), (600, 60))
        for count in (1, 24, 40)
    ],
)
def test_a_preview_of_photographs_fits_a_screen(count: int, size: tuple[int, int], tmp_path: Path) -> None:
    height, width = size
    data, box = encode_png(np.zeros((height, width, 3), np.uint8)), (width / 3, height / 3, width / 3, height / 3)
    with ArchiveWriter(tmp_path / "train.zip", ["chat"]) as writer:
        for index in range(count):
            writer.add(f"{index:02}.png", data, height, width, [box], [0])
    with Archive(tmp_path / "train.zip") as archive:
        write_preview(tmp_path / "preview.png", archive)
    with Image.open(tmp_path / "preview.png") as image:
        assert image.width <= 1600
        assert image.height <= 1250
        solid = (np.asarray(image.convert("RGB")) == class_colour(0)).all(axis=-1)
    tags = np.lib.stride_tricks.sliding_window_view(solid, (15, 3)).all(axis=(2, 3))  # outlines are narrower
    assert tags.sum() >= min(count, 24)  # each as high as letters of 11 pixels need


def test_photographs_of_any_size_get_tiles_of_one_size_in_rows_that_fit_a_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid: list[Image.Image] = []
    lay = preview.contact_sheet
    monkeypatch.setattr(preview, "contact_sheet", lambda tiles, **words: laid.extend(tiles) or lay(tiles, **words))
    with ArchiveWriter(tmp_path / "train.zip", ["chat"]) as writer:
        for index, (height, width) in enumerate(((48, 64), (900, 500), (300, 700), (640, 640)) * 2):
            pixels = np.zeros((height, width, 3), np.uint8)
            writer.add(f"{index}.png", encode_png(pixels), height, width, [(5, 5, 30, 30)], [0])
    with Archive(tmp_path / "train.zip") as archive:
        write_preview(tmp_path / "preview.png", archive)
    assert len(laid) == 8
    assert len({tile.size for tile in laid}) == 1
    with Image.open(tmp_path / "preview.png") as image:
        assert max(laid[0].size) >= 256
        assert image.width <= 1600


@pytest.mark.parametrize(("height", "width", "count"), [(64, 64, 12), (16, 24, 1), (320, 240, 5), (300, 600, 12)])
def test_changed_images_have_tiles_of_one_size_with_the_boxes_of_their_own(
    tmp_path: Path, height: int, width: int, count: int
) -> None:
    images = np.full((count, height, width, 3), 90, np.uint8)
    boxes = np.array([[4.0, 4.0, 12.0, 12.0]])
    none = np.zeros((0, 4)), np.zeros(0, np.int32), np.zeros(0, np.int64)
    write_changed(tmp_path / "none.png", images, *none, ["chat"])
    for last in (0, count - 1):
        path = tmp_path / f"{last}.png"
        write_changed(path, images, boxes, np.zeros(1, np.int32), np.array([last]), ["chat"])
        with Image.open(path) as image, Image.open(tmp_path / "none.png") as bare:
            assert image.size == bare.size
            assert image.width <= 1200
            (rows, cols) = np.nonzero((np.asarray(image) != np.asarray(bare)).any(axis=-1))
            across, down = (image.width - 14) / min(count, 4), image.height / (-(-count // 4))
            assert np.ptp(cols) < across
            assert np.ptp(rows) < down
            assert (cols.min() // across, rows.mean() // down) == (last % 4, last // 4)
