"""Image files of every kind of badness."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import Files, Maker, encoded, picture, png_of, wrong_crc
from PIL import Image, ImageOps

from humbleyolo.labels import box_rules as box_rules
from humbleyolo.labels.image_info import inspect_image
from humbleyolo.labels.ledger import Finding

LINE = "0 0.5 0.5 0.5 0.5\n"


def files(data: bytes, name: str = "a.png", **more: bytes | str) -> Files:
    label = name.rpartition(".")[0] + ".txt"
    return {name: data, label: LINE, "ok.png": picture(5), "ok.txt": LINE, "classes.txt": "cat\n"} | more


FRAMES = [Image.new("L", (40, 20), n) for n in (0, 99)]


@pytest.mark.parametrize(
    ("data", "name", "kind", "says"),
    [
        (b"", "a.png", "image-empty", "0 bytes"),
        (b"<html><body>404", "a.jpg", "image-unreadable", "<html>"),
        (picture()[:-300], "a.png", "image-damaged", "whole"),
        (picture(kind="JPEG")[:-300], "a.jpg", "image-damaged", "truncated"),
        (wrong_crc(), "a.png", "image-damaged", "IDAT"),
        (encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), "a.gif", "image-animated", "2 frames"),
        (png_of(20_000, 20_000), "a.png", "image-too-large", "million pixels"),
        (png_of(9_500, 9_500), "a.png", "image-too-large", "89 million"),
        (b"\x00\x01\x02", "a.tif", "image-unreadable", "GIF, TIFF"),
    ],
)
def test_refused(one: Callable[..., Finding], data: bytes, name: str, kind: str, says: str) -> None:
    row = one(files(data, name))
    assert (row.kind, row.file, row.done) == (kind, name, "image dropped")
    assert says in str(row)


def test_another_format_than_the_name_says_is_noted(make: Maker) -> None:
    data = make.read(files(picture(), "a.jpg"))
    assert [(row.severity, row.kind, row.file) for row in data.ledger.rows] == [("note", "image-misnamed", "a.jpg")]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_modes(make: Maker, mode: str) -> None:
    name, kind = ("a.jpg", "JPEG") if mode in ("CMYK", "YCbCr") else ("a.png", "PNG")
    data = encoded(Image.new(mode, (40, 20)), kind)
    assert len(make.read(files(data, name)).images) == 2


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_odd_sizes(make: Maker, size: tuple[int, int]) -> None:
    record = make.read(files(encoded(Image.new("L", size)))).images[0]
    assert (record.width, record.height) == size
    assert record.boxes.tolist() == [[size[0] / 4, size[1] / 4, size[0] * 3 / 4, size[1] * 3 / 4]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_is_declared(make: Maker, orientation: int) -> None:
    """The box stays around the same pixels, whichever way the label was meant."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[3:9, 5:17] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(pixels)
    data = encoded(image, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    rows, cols = np.nonzero(upright[..., 0])
    truth = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
    head = "image,label,xmin,ymin,xmax,ymax\n"
    stored = make.read({"a.png": data, "l.csv": head + "a.png,x,5,3,17,9\n"}, exif="stored").images[0]
    shown = make.read(
        {"a.png": data, "l.csv": head + "a.png,x," + ",".join(map(str, truth)) + "\n"}, exif="displayed"
    ).images[0]
    assert stored.boxes.tolist() == [truth] == shown.boxes.tolist()
    assert (stored.height, stored.width) == upright.shape[:2] == (shown.height, shown.width)
    rows_found = make.findings({"a.png": data, "l.csv": head + "a.png,x,5,3,17,9\n"})
    assert [row.kind for row in rows_found] == (["exif-rotation"] if orientation > 1 else [])


def test_turning_covers_every_orientation() -> None:
    assert box_rules.turn(np.array([0.0, 0, 1, 1]), 6, (20, 40)).tolist() == [19, 0, 20, 1]


def test_names(make: Maker) -> None:
    """Spaces and both Unicode forms are read; an NFC label finds an NFD file."""
    head = "image,label,xmin,ymin,xmax,ymax\n"
    content: Files = {
        "a b.png": picture(1),
        "e\u0301.png": picture(2),
        "l.csv": head + "a b.png,x,1,1,2,2\n\u00e9.png,x,1,1,2,2\n",
    }
    assert len(make.read(content).images) == 2
    content |= {"\u00e9.png": picture(3)}
    assert [row.file for row in make.findings(content)] == ["e\u0301.png"]


def test_names_that_differ_by_case_are_two_files(make: Maker) -> None:
    head = "image,label,xmin,ymin,xmax,ymax\n"
    content: Files = {"a.png": picture(1), "A.png": picture(2), "l.csv": head + "a.png,x,1,1,2,2\nA.png,x,3,1,4,2\n"}
    assert [record.path for record in make.read(content).images] == ["A.png", "a.png"]


def test_looking_at_an_image_does_not_change_it(tmp_path: Path) -> None:
    data = picture()
    assert inspect_image(data).sha256 == inspect_image(bytes(data)).sha256
    assert inspect_image(picture(1)).perceptual != inspect_image(data).perceptual
