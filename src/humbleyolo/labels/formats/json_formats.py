"""CreateML, imagefolder, Datumaro and Supervisely: JSON formats, a row each.

    CreateML      [{"image", "annotations": [{"label", "coordinates": {x, y of the centre, width, height}}]}]; by
                  Apple's description with "imagefilename" and "annotation"
    imagefolder   metadata.jsonl, a line an image: {"file_name", "objects": {"bbox": [[left, top, width, height]],
                  "categories": [...]}}, as Hugging Face's `datasets` has it; numbers need `classes`
    Datumaro      {"categories", "items": [{"id", "image", "annotations": [{"type", "label_id", "bbox"}]}]}
    Supervisely   ds/ann/a.jpg.json about ds/img/a.jpg: {"size", "objects": [{"classTitle", "points"}]}

Supervisely's tools count whole pixels and include the last one. A rectangle with fractions, or one that ends at the
border, has the corners themselves. Polygons, masks, ellipses, circles, cuboids and turned boxes give the box
around them; points and lines have no area. Other shapes are mistakes.
"""

import posixpath
from collections.abc import Iterator
from typing import Any

from humbleyolo.inputs.file_names import splits_in, splits_of_folder
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get, get_size, parse
from humbleyolo.inputs.parsing.text import decode
from humbleyolo.labels.formats.field_tables import (
    Entry,
    FieldTable,
    LabelFile,
    declared,
    first,
    from_centre,
    from_ltwh,
    from_points,
    listed,
    no_rule,
    number,
    numbers,
    places,
)
from humbleyolo.labels.formats.masks import mask_corners, points_corners
from humbleyolo.labels.formats.shapes import around_turned, note_no_area
from humbleyolo.labels.labelled_image import FLAGS, UncheckedBox
from humbleyolo.process.terminal import counted

_NO_AREA = ("point", "points", "polyline", "line", "graph")
_OF_ALL = ("label", "caption", "hash_key", "tabular", "feature_vector")  # Datumaro: of the whole image


def _createml(file: LabelFile) -> Iterator[Entry]:
    for place, item in enumerate(file.root if isinstance(file.root, list) else [file.root]):
        with file.reader.ledger.reporting(file.name, "image dropped", where := f"[{place}]"):
            declared(item, "annotations|annotation", where)
            shapes = first(item, "annotations|annotation", list, where)
            yield Entry(first(item, "image|imagefilename", str, where), where, places(shapes, f"{where}.annotations"))


def _createml_shape(_file: LabelFile, shape: Any, where: str) -> tuple[UncheckedBox, None]:
    values = numbers(get(shape, "coordinates", dict, where), "x y width height", where)
    x, y, width, height = values
    return UncheckedBox(where, get(shape, "label", str, where), from_centre(x, y, width, height)), None


def _imagefolder(file: LabelFile) -> Iterator[Entry]:
    file.classes = file.reader.options.classes
    for place, line in enumerate(decode(file.root).split("\n"), 1):
        if not line.strip():
            continue
        with file.reader.ledger.reporting(file.name, "line dropped", where := f"line {place}"):
            item = parse(line.encode())
            objects = get(item, "objects", (dict, list), where)
            if isinstance(objects, dict):
                boxes = first(objects, "bbox|bboxes", list, where)
                labels = first(objects, "categories|category|labels|label", list, where)
                if len(boxes) != len(labels):
                    found = f"{counted(len(boxes), 'box', 'boxes')}, {counted(len(labels), 'class', 'classes')}"
                    raise BadInput("columns", found, "must be as many", where)
                objects = [{"bbox": box, "label": label} for box, label in zip(boxes, labels, strict=True)]
            size = get_size(item, "height", where), get_size(item, "width", where)
            yield Entry(get(item, "file_name", str, where), where, places(objects, f"{where}, objects"), size)
            if not file.classes and any(
                isinstance(one, dict) and isinstance(one.get("label"), int) for one in objects
            ):
                fix = "give classes in the order of the numbers"
                raise BadInput("no-class-names", "only class numbers", fix)


def _imagefolder_shape(file: LabelFile, shape: Any, where: str) -> tuple[UncheckedBox, None]:
    left, top, width, height = listed(first(shape, "bbox|bboxes", list, where), 4, where)
    label = first(shape, "label|category|categories", (str, int), where)
    if type(label) is int:
        file.numbers[label] += bool(file.classes)
    label = label if isinstance(label, str) else file.named(label, where)
    return UncheckedBox(where, label, from_ltwh(left, top, width, height)), None


def _datumaro(file: LabelFile) -> Iterator[Entry]:
    labels = get(get(file.root, "categories", dict, "the file"), "label", dict, "categories", {})
    names = places(get(labels, "labels", list, "categories.label", []), "categories.label.labels")
    file.classes = [get(one, "name", str, where) for one, where in names]
    subset = posixpath.splitext(posixpath.basename(file.name))[0]
    above = posixpath.dirname(posixpath.dirname(file.name))
    folders = (f"{above}/images/{subset}".lstrip("/"), f"{above}/images".lstrip("/"), *file.near)
    for item, where in places(get(file.root, "items", list, "the file"), "items"):
        with file.reader.ledger.reporting(file.name, "image dropped", where):
            picture = first(item, "image|media", dict, where, {})
            size = [int(one) for one in listed(picture["size"], 2, where)] if picture.get("size") else [None, None]
            path = get(picture, "path", str, where, "") or get(item, "id", str, where)
            declared(item, "annotations", where)
            shapes = places(get(item, "annotations", list, where), f"{where}.annotations")
            yield Entry(path, where, shapes, (size[0], size[1]), folders, splits_in(subset))


def _datumaro_shape(file: LabelFile, shape: Any, where: str) -> tuple[UncheckedBox, int | None] | None:
    kind, ledger = get(shape, "type", str, where), file.reader.ledger
    attributes = get(shape, "attributes", dict, where, {})
    if kind in (*_NO_AREA, *_OF_ALL):
        note_no_area(shorten(kind), where, file.name, ledger)
        return None
    if kind == "bbox":
        left, top, width, height = listed(shape.get("bbox"), 4, where)
        angle = number(attributes, "rotation", where, 0)
        corners = around_turned(from_ltwh(left, top, width, height), angle, where, file.name, ledger)
    elif kind in ("polygon", "ellipse"):  # an ellipse's points are the corners of its box
        corners = points_corners(get(shape, "points", list, where), where)
    elif kind == "cuboid_2d":
        corners = from_points(get(shape, "points", list, where), where)
    elif kind == "mask":
        corners = mask_corners(get(shape, "rle", dict, where), where)
    else:
        raise no_rule(kind, "bbox, polygon, ellipse, cuboid_2d, mask", where)
    flags = {flag for flag in FLAGS if attributes.get(flag) in (True, 1)}
    flags |= {"crowd"} if attributes.get("is_crowd") in (True, 1) else set()
    label = file.named(get(shape, "label_id", int, where), where)
    group = None if kind == "bbox" else get(shape, "group", int, where, 0) or None
    return UncheckedBox(where, label, corners, frozenset(flags)), group


def _supervisely(file: LabelFile) -> Iterator[Entry]:
    size = get(file.root, "size", dict, "the file")
    name = posixpath.basename(file.name).removesuffix(".json")
    above = posixpath.dirname(posixpath.dirname(file.name))
    folders = (f"{above}/img".lstrip("/"), f"{above}/images".lstrip("/"), *file.near)
    shapes = places(get(file.root, "objects", list, "the file"), "objects")
    file.size = get_size(size, "height", "size"), get_size(size, "width", "size")
    yield Entry(name, "", shapes, file.size, folders, splits_of_folder(file.name))


def _supervisely_shape(file: LabelFile, shape: Any, where: str) -> tuple[UncheckedBox, None] | None:
    kind = get(shape, "geometryType", str, where, "rectangle")
    if kind in _NO_AREA:
        note_no_area(shorten(kind), where, file.name, file.reader.ledger)
        return None
    if kind not in ("rectangle", "polygon"):
        raise no_rule(kind, "rectangle, polygon", where)
    points = get(get(shape, "points", dict, where), "exterior", list, where)
    left, top, right, bottom = from_points(points, where)
    height, width = file.size
    whole = all(value.is_integer() for value in (left, top, right, bottom))
    if kind == "rectangle" and whole and right < (width or 0) and bottom < (height or 0):
        right, bottom = right + 1, bottom + 1
    return UncheckedBox(where, get(shape, "classTitle", str, where), (left, top, right, bottom)), None


CREATEML = FieldTable(
    words=("image annotations", "imagefilename annotation"),
    but="data result categories items",
    opens=b"[",
    entries=_createml,
    shape=_createml_shape,
    background="an entry whose annotations are []",
)
IMAGEFOLDER = FieldTable(
    words=("file_name objects",),
    entries=_imagefolder,
    shape=_imagefolder_shape,
    background="a line whose objects have no bbox",
    numbered="imagefolder",
    endings=(".jsonl",),
)
DATUMARO = FieldTable(
    words=("categories items", "dm_format_version items"),
    but="images",
    entries=_datumaro,
    shape=_datumaro_shape,
    background="an item whose annotations are []",
)
SUPERVISELY = FieldTable(
    words=("objects size tags",),
    entries=_supervisely,
    shape=_supervisely_shape,
    background="a JSON file whose objects are []",
)
