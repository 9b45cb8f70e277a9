"""Small labelled folders, made for each test."""

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from humbleyolo.errors import UserError
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Finding, Ledger
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions

Files = dict[str, bytes | str]


def picture(seed: int = 0, width: int = 40, height: int = 20, kind: str = "PNG", **save: object) -> bytes:
    """An image file whose content depends on the seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return encoded(Image.fromarray(pixels), kind, **save)


def encoded(image: Image.Image, kind: str = "PNG", **save: object) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


# 32 x 16 pixels, the left half (200, 40, 30), the right half (20, 60, 220)
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAA"
    "AERAAAEAAQAAAAABoAABAAAAAAAAAHAAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAAAADc"
    "aXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAA"
    "AwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFw"
    "AAAAIAAAAAEAAAAQAAAAAf///+AAAAAC////0AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAeG1kYXQAAABs"
    "KAGvEyGcnPj1JyL//0nyf+zVJ/2R3dF/7w0+/JLi/8roGpxvQMLo4IhADzEhdbwUfr/igmAPFKH6PewfgbwXOd8itcZQHSJWjFCscKqqqY1SlDGj"
    "S8TArkg65t5Al91l/4DoVpoi/BDdQynA"
)


def photo(seed: int) -> Image.Image:
    """Something like a photograph: smooth, with structure."""
    return Image.fromarray(_photo_pixels(seed))


@lru_cache(maxsize=256)
def photo_file(seed: int, kind: str = "PNG", **save: object) -> bytes:
    """A file of something like a photograph."""
    return encoded(photo(seed), kind, **save)


@lru_cache(maxsize=256)
def _photo_pixels(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (9, 12, 3), np.uint8))
    image = np.asarray(small.resize((120, 90), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def png_of(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def wrong_crc() -> bytes:
    """A PNG whose check sum of the pixels is not theirs."""
    data = bytearray(picture())
    place = data.index(b"IDAT")
    length = struct.unpack(">I", data[place - 4 : place])[0]
    data[place + 4 + length] ^= 1
    return bytes(data)


def under(folders: dict[str, Files]) -> Files:
    """Files in folders of their own."""
    return {f"{folder}/{name}": content for folder, files in folders.items() for name, content in files.items()}


def zipped(root: Path, name: str, files: Files) -> None:
    """Put an archive into a folder."""
    with zipfile.ZipFile(root / name, "w") as file:
        for path, content in files.items():
            file.writestr(path, content)


def voc(name: str, *boxes: str, width: int = 40, height: int = 20) -> str:
    """An XML file as LabelImg writes it."""
    objects = "".join(
        f"<object><name>{label}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
        f"<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>\n"
        for label, x1, y1, x2, y2 in (box.split() for box in boxes)
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>\n<filename>{name}</filename>\n{size}\n{objects}</annotation>\n"


# A label file of each format, about `a.png` of 40 x 20 pixels.
GOOD: dict[str, tuple[str, str]] = {
    "voc": ("a.xml", voc("a.png", "cat 1 2 3 4")),
    "yolo": ("a.txt", "0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.1 0.1\n"),
    "coco": (
        "a.json",
        '{"images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 40}], "categories": [{"id": 1, "name":'
        ' "cat"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0,'
        ' "segmentation": {"size": [20, 40], "counts": "5a0P1"}}]}',
    ),
    "cvat": (
        "a.xml",
        '<annotations><meta><task><labels><label><name>c</name></label></labels></task></meta><image id="0" '
        'name="a.png" width="40" height="20"><box label="c" xtl="1" ytl="2" xbr="3" ybr="4" rotation="5"/></image>'
        '<track id="0" label="c"><box frame="0" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"/></track></annotations>',
    ),
    "bbox_label_tool": ("a.txt", "2\n1 2 3 4\n5 6 7 8 cat\n"),
    "labelme": (
        "a.json",
        '{"imagePath": "a.png", "imageHeight": 20, "imageWidth": 40, "shapes": [{"label": "c", "shape_type": '
        '"rectangle", "points": [[1, 2], [3, 4]], "flags": {}}]}',
    ),
    "label_studio": (
        "a.json",
        '[{"id": 1, "data": {"image": "/data/upload/1/a.png"}, "annotations": [{"id": 1, "was_cancelled": '
        'false, "result": [{"id": "x", "type": "rectanglelabels", "original_width": 40, "original_height": 20, '
        '"value": {"x": 25, "y": 50, "width": 25, "height": 25, "rotation": 0, "rectanglelabels": ["cat"]}}]}]}]',
    ),
    "via": (
        "a.json",
        '{"a.png9": {"filename": "a.png", "size": 9, "regions": [{"shape_attributes": {"name": "rect", "x": 1, '
        '"y": 2, "width": 3, "height": 4}, "region_attributes": {"class": "cat"}}], "file_attributes": {}}}',
    ),
    "createml": (
        "a.json",
        '[{"image": "a.png", "annotations": [{"label": "cat", "coordinates": '
        '{"x": 5, "y": 6, "width": 4, "height": 2}}]}]',
    ),
    "datumaro": (
        "a.json",
        '{"dm_format_version": "1.0", "categories": {"label": {"labels": [{"name": "cat", "parent": ""}]}}, "items": '
        '[{"id": "a", "annotations": [{"id": 0, "type": "bbox", "attributes": {"occluded": true}, "group": 0, '
        '"label_id": 0, "bbox": [1, 2, 3, 4]}], "image": {"path": "a.png", "size": [20, 40]}}]}',
    ),
    "supervisely": (
        "a.png.json",
        '{"description": "", "tags": [], "size": {"height": 20, "width": 40}, "objects": [{"classTitle": "cat",'
        ' "geometryType": "rectangle", "tags": [], "points": {"exterior": [[1, 2], [5, 6]], "interior": []}}]}',
    ),
    "imagefolder": (
        "metadata.jsonl",
        '{"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": ["cat"]}}\n',
    ),
    "kitti": (
        "a.txt",
        "cat 0.00 1 -1.57 1.00 2.00 30.50 14.00 1.5 1.6 3.7 -16.5 2.3 58.4 -1.57\n"
        "DontCare -1 -1 -10 5.00 6.00 7.00 8.00 -1 -1 -1 -1000 -1000 -1000 -10\n",
    ),
    "mot": ("gt/gt.txt", "1,1,1,2,3,4,1,1,1.0\n1,2,5,6,7,8,0,2,0.0\n"),
    "oidv4": ("Label/a.txt", "Human face 1.5 2.0 10.25 12.0\nApple 3 4 9 9\n"),
    "open_images": ("a.csv", "ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/1,0.1,0.2,0.3,0.4\n"),
    "csv": ("a.csv", "image,label,xmin,ymin,xmax,ymax,split\na.png,cat,1,2,3,4,train\n"),
    "article": ("a.txt", "1 0 0\n10 10 4 4\n1\n0 0 1\n1 1 1 1\n0\n---\n"),
}
PATHS = {"mot": "img1/000001.png"}  # of that image in a folder of a format, if it is not `a.png`


def read_labelled(path: Path, options: ReadOptions | None = None) -> LabelledSet:
    """What a folder or archive holds, with mistakes treated as the policy says."""
    chosen = options or ReadOptions()
    with open_source(path) as source:
        labelled = collect(source, chosen, Ledger(chosen.on_problem))
        labelled.ledger.stop_on_errors(source.name)
        return labelled


class Maker:
    """Writes folders and archives, and reads them."""

    def __init__(self, top: Path) -> None:
        self.top, self.count = top, 0

    def folder(self, files: Files) -> Path:
        self.count += 1
        root = self.top / f"data{self.count}"
        root.mkdir()
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    def archive(self, files: Files) -> Path:
        self.count += 1
        path = self.top / f"data{self.count}.zip"
        with zipfile.ZipFile(path, "w") as file:
            for name, content in files.items():
                file.writestr(name, content)
        return path

    def read(self, files: Files, **options: object) -> LabelledSet:
        return self.open(self.folder(files), **options)

    def open(self, path: Path, **options: object) -> LabelledSet:
        return read_labelled(path, ReadOptions(**options))  # type: ignore[arg-type]

    def findings(self, files: Files, **options: object) -> list[Finding]:
        """Every row of the ledger, whatever became of the rest; not that an image went with its last box."""
        return self.findings_in(self.folder(files), **options)

    def findings_in(self, path: Path, **options: object) -> list[Finding]:
        """As `findings`, of a folder."""
        chosen = ReadOptions(**{"on_problem": "skip_box"} | options)  # type: ignore[arg-type]
        ledger = Ledger(chosen.on_problem)
        with open_source(path) as source:
            try:
                collect(source, chosen, ledger)
            except UserError:
                assert ledger.rows, "refused without a row"
        return [row for row in ledger.rows if row.kind != "box-lost"]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def one(make: Maker) -> Callable[..., Finding]:
    """Read files that hold exactly one mistake, and return it."""

    def read(files: Files, **options: object) -> Finding:
        rows = make.findings(files, **options)
        assert len(rows) == 1, [str(row) for row in rows]
        return rows[0]

    return read
