"""Image files of every kind of badness."""

import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import HEIC, Files, Maker, encoded, picture, png_of, wrong_crc
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import AppendingTiffWriter

from humbleyolo.errors import UserError
from humbleyolo.geometry import image_decoder
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.inputs.file_names import IMAGE_FORMATS
from humbleyolo.inputs.image_info import inspect_image
from humbleyolo.inputs.ledger import Finding
from humbleyolo.labels import box_rules as box_rules
from humbleyolo.labels.convert import convert
from humbleyolo.labels.labelled_image import ReadOptions

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
        (b"\x00\x01\x02", "a.tif", "image-unreadable", "TIFF, WEBP"),
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


@pytest.mark.parametrize("ending", sorted(IMAGE_FORMATS))
def test_every_ending_that_is_an_images_is_read(make: Maker, tmp_path: Path, ending: str) -> None:
    """Whatever the ending, the pixels that are looked at are those that are trained on."""
    kind = IMAGE_FORMATS[ending]
    data = HEIC if kind == "HEIF" else picture(kind=kind)
    (image,) = (one for one in make.read(files(data, f"a{ending.upper()}")).images if one.path != "ok.png")
    assert image.info.kind == kind
    assert decode_rgb(data, "a").shape == (image.height, image.width, 3)
    done = convert(make.folder(files(data, "a.png")), tmp_path / "out", "yolo", ReadOptions())
    assert not {row.kind for row in done.rows} - {"image-misnamed", "renamed"}  # the new name ends as it should
    assert not make.open(tmp_path / "out").ledger.rows


def test_heic_is_read_by_its_own_package_or_names_it(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = decode_rgb(HEIC, "a")
    assert abs(pixels[8, 4].astype(int) - (200, 40, 30)).max() < 12
    assert abs(pixels[8, 28].astype(int) - (20, 60, 220)).max() < 12
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setattr(Image, "ID", [kind for kind in Image.ID if kind != "HEIF"])
    image_decoder._heif_is_known.cache_clear()
    try:
        (row,) = (row for row in make.findings(files(HEIC, "a.heic")) if row.severity == "error")
        with pytest.raises(UserError, match="pip install 'pi-heif"):
            decode_rgb(HEIC, "a")
    finally:
        image_decoder._heif_is_known.cache_clear()
    assert row.kind == "image-unreadable"
    assert "a HEIC file" in row.what
    assert "uv sync --extra heif" in row.why


def test_pages_of_a_tiff(make: Maker) -> None:
    """A page that is a smaller copy of another is no second picture."""
    two = encoded(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:])
    (row,) = make.findings(files(two, "a.tif"))
    assert (row.kind, row.what) == ("image-animated", "2 pages")
    assert "save each page" in row.why
    file = io.BytesIO()
    with AppendingTiffWriter(file, new=True) as writer:
        for image, reduced in zip(FRAMES, (0, 1), strict=True):
            image.save(writer, "TIFF", tiffinfo={254: reduced})
            writer.newFrame()
    (image, _) = make.read(files(file.getvalue(), "a.tif")).images
    assert image.info.greys == (0, 0)


def test_bands_that_no_mode_holds_are_told(make: Maker) -> None:
    (row,) = make.findings(files(tiff_of_bands(5), "a.tif"))
    assert (row.kind, row.what) == ("image-unreadable", "a TIFF of 5 bands of 8 bits")
    assert "save it in" in row.why
    with pytest.raises(UserError, match="a TIFF of 5 bands"):
        decode_rgb(tiff_of_bands(5), "a")


def tiff_of_bands(bands: int, side: int = 8) -> bytes:
    pixels = bytes(range(side * side)) * bands
    after = 8 + 2 + 8 * 12 + 4
    entries = [
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, bands, after), (262, 3, 1, 1), (273, 4, 1, after + 2 * bands),
        (277, 3, 1, bands), (278, 4, 1, side), (279, 4, 1, len(pixels)),
    ]  # fmt: skip
    head = struct.pack("<2sHLH", b"II", 42, 8, len(entries))
    return head + b"".join(struct.pack("<HHLL", *one) for one in entries) + bytes(4) + b"\x08\0" * bands + pixels
