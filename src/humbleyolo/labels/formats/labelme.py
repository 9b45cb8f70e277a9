"""LabelMe JSON, one file an image: shapes as lists of points in pixels.

A rectangle is two opposite corners in the order of the mouse, so any order is right. A circle is its centre
and a point on it. Polygons, turned rectangles (`oriented_rectangle`; X-AnyLabeling's `rotation`), and rectangles with
four points, give the box around them. A mask's whole pixels include the last one. X-AnyLabeling writes `difficult`
beside `flags`. Shapes of one class and one `group_id` are one object, as in LabelMe's own COCO
files. Points and lines have no area: they are left out, with a note; other shapes are mistakes. An
absolute `imagePath` counts by its last name.
"""

import json
import math
import posixpath
from typing import Any

from humbleyolo.inputs.file_names import splits_of_folder
from humbleyolo.inputs.folder import IMAGE_BYTES, LOOKED_AT, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get, get_size, parse
from humbleyolo.labels.formats.masks import points_corners
from humbleyolo.labels.formats.shapes import note_no_area, note_turned, one_box_per_group
from humbleyolo.labels.image_names import path_in
from humbleyolo.labels.labelled_image import FLAGS, Corners, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.misnamed_files import settle_misnamed
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.word_search import first_holding
from humbleyolo.labels.writing import WrittenSet

IMAGES = "images"
_VERSION = "5.4.1"  # of LabelMe, whose fields are written
_TURNED = ("oriented_rectangle", "rotation", "quadrilateral")
_BOXED = ("rectangle", "polygon", "circle", "mask", *_TURNED)
_NO_AREA = ("point", "points", "line", "linestrip")


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    names = source.ending(".json")[:LOOKED_AT]
    name = first_holding(source, names, (b'"shapes"', b'"imagePath"'), b'"imageData"')
    return f"{name} is JSON with shapes and imagePath" if name else ""


def read(reader: SourceReader) -> UncheckedSet:
    """Return the images that the JSON files describe; see `registry.Format`."""
    images = []
    for name in reader.source.ending(".json"):
        with reader.ledger.reporting(name, "file dropped"):
            data = reader.source.read(name, IMAGE_BYTES)  # it may hold the image itself
            images.append(_image(reader, name, parse(data)))
    return UncheckedSet(settle_misnamed(reader, images), background="a JSON file whose shapes are []")


def _image(reader: SourceReader, name: str, root: Any) -> UncheckedImage:
    where = "the file"
    image = UncheckedImage(
        label_file=name,
        path=_path(reader, name, root),
        height=get_size(root, "imageHeight", where),
        width=get_size(root, "imageWidth", where),
        splits=splits_of_folder(name),
    )
    shapes: list[tuple[UncheckedBox, int | str | None]] = []
    for number, shape in enumerate(get(root, "shapes", list, where)):
        place = f"shapes[{number}]"
        with reader.ledger.reporting(name, "box dropped", place), image.losing():
            kind = get(shape, "shape_type", str, place, "polygon")
            if kind in _NO_AREA:
                note_no_area(shorten(kind), place, name, reader.ledger)
                continue
            shapes.append((_box(kind, shape, place), get(shape, "group_id", (int, str), place, None)))
            if kind in _TURNED:
                note_turned(kind, place, name, reader.ledger)
    image.boxes = one_box_per_group(shapes, name, reader.ledger)
    return image


def _path(reader: SourceReader, name: str, root: Any) -> str:
    """Return the path of the image. A path of the machine where it was labelled counts by its last name."""
    wanted = path_in(get(root, "imagePath", str, "the file"))
    if wanted.startswith("/") or wanted[1:2] == ":":
        wanted = posixpath.basename(wanted)
    try:
        return reader.images.find_own(wanted, name, posixpath.dirname(name), "images")
    except BadInput as error:
        if error.kind != "image-missing" or not root.get("imageData"):
            raise
        why = "its picture is inside the JSON alone (imageData): let `labelme_export_json` write it, or save it as"
        raise BadInput(error.kind, error.what, f"{why} {posixpath.basename(wanted)} beside the JSON") from None


def _box(kind: str, shape: Any, place: str) -> UncheckedBox:
    if kind not in _BOXED:
        why = f"no rule gives its box; allowed: {', '.join((*_BOXED, *_NO_AREA))}; draw one of these"
        raise BadInput("not-a-box", shorten(kind), why)
    label = get(shape, "label", str, place)
    corners = _corners(kind, get(shape, "points", list, place), place)
    known = {"difficult": shape.get("difficult")} | get(shape, "flags", dict, place, {})
    return UncheckedBox(place, label, corners, frozenset(flag for flag in FLAGS if known.get(flag) is True))


def _corners(kind: str, points: list[Any], where: str) -> Corners:
    if not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise BadInput("json", f"points {shorten(points)}", "must be [[x, y], [x, y], ...]", where)
    left, top, right, bottom = points_corners([value for point in points for value in point], where)
    if kind == "mask" and all(value.is_integer() for value in (left, top, right, bottom)):
        right, bottom = right + 1, bottom + 1
    if kind != "circle":
        return left, top, right, bottom
    if len(points) != 2:
        raise BadInput("columns", f"{len(points)} points", "a circle has two: centre, and a point on it", where)
    (x, y), (on_x, on_y) = points
    radius = math.hypot(on_x - x, on_y - y)
    return x - radius, y - radius, x + radius, y + radius


def write(out: WrittenSet) -> None:
    """Write a JSON file an image: beside the images, or in a folder with the name of their split."""
    for item in out.items:
        image, folder = item.image, item.split or IMAGES
        shapes = [
            {
                "label": label,
                "points": [box[:2], box[2:]],
                "group_id": None,
                "shape_type": "rectangle",
                "flags": dict.fromkeys(sorted(flags), True),
            }
            for box, label, flags in zip(image.boxes.tolist(), image.labels, image.flags, strict=True)
        ]
        path = f"../{IMAGES}/{item.name}" if item.split else item.name
        content: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": path,
            "imageData": None,
        }
        content |= {"imageHeight": image.height, "imageWidth": image.width}
        out.text(f"{folder}/{item.stem}.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
