"""Label Studio: its JSON, JSON-MIN, CSV and TSV exports.

Places are percent of the image, and turns are about the upper left.

    [{"data": {"image": "/data/upload/1/1a2b3c4d-a.jpg"}, "annotations": [{"result": [{"original_width",
        "original_height", "value": {x, y, width, height, rotation, "rectanglelabels": ["cat"]}}]}]}]

A task is labelled once it has an annotation that was not cancelled; an empty one declares background. Of several
annotations of an image one is read: the ground truth if one is marked so, else the newest; a note says so.
Predictions are not labels. CSV and TSV are JSON-MIN as a table, with JSON in the columns of regions.
Uploaded images have a hash before their name here, which their files need not have.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.labels.file_names import is_image
from humbleyolo.labels.formats.field_tables import (
    Entry,
    FieldTable,
    FieldTables,
    LabelFile,
    from_ltwh,
    from_points,
    no_rule,
    number,
    numbers,
    places,
)
from humbleyolo.labels.formats.shapes import around_ellipse, note_no_area, note_turned
from humbleyolo.labels.image_names import path_in, without_hash
from humbleyolo.labels.labelled_image import FLAGS, Corners, UncheckedBox
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.json import get, get_size, parse
from humbleyolo.labels.parsing.text import decode
from humbleyolo.labels.writing import WrittenImage, WrittenSet

IMAGES = "images"
_MARKS = ("ground_truth", "updated_at", "created_at")  # of the annotation that is read, best last
_PLACED = {"x", "y", "height", "radiusX", "points", "rle", "vertices"}  # fields of a region's place
_Annotation = tuple[dict[str, Any], list[Any], str]  # with its results and its place


def _entries(file: LabelFile) -> Iterator[Entry]:
    """Yield the labelled images of one export as JSON."""
    yield from _of_tasks(file, places(file.root if isinstance(file.root, list) else [file.root], ""))


def _rows(file: LabelFile) -> Iterator[Entry]:
    """Yield the labelled images of one export as CSV or TSV.

    Raises:
        BadInput: If it is no such table, or has no regions.
    """
    text = decode(file.root)
    tabs = "\t" in text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter="\t" if tabs else ",", strict=True)
    tasks: list[tuple[Any, str]] = []
    try:
        for row in reader:
            with file.reader.ledger.reporting(file.name, "line dropped", where := f"line {reader.line_num}"):
                tasks.append(({key: _cell(text) for key, text in row.items() if key}, where))
    except csv.Error as error:
        raise BadInput("csv", shorten(str(error)), "must be CSV as Label Studio exports it; export as JSON") from None
    if not any(isinstance(value, list) for task, _ in tasks for value in task.values()):
        why = "none has regions: in Label Studio export as JSON, or label with rectangles"
        raise BadInput("no-region", f"columns {shorten(', '.join(reader.fieldnames or ()))}", why)
    yield from _of_tasks(file, tasks)


def _cell(text: str | None) -> Any:
    """Return what a column holds: a list, if it begins as JSON of a list of objects, else its text, as `[draft]`.

    A broken list of objects is a mistake, since as text it would declare background.
    """
    return parse(text.encode()) if text and re.match(r"\s*\[\s*(\{|\]\s*$)", text) else text


def _of_tasks(file: LabelFile, tasks: Sequence[tuple[Any, str]]) -> Iterator[Entry]:
    """Yield the labelled images of tasks, each with its place."""
    images: dict[str, list[_Annotation]] = defaultdict(list)
    splits: dict[str, tuple[str, ...]] = {}
    predicted = 0
    for task, where in tasks:
        with file.reader.ledger.reporting(file.name, "task dropped", where):
            data = get(task, "data", dict, where, task)
            name = _image_name(data, where)
            images[name] += _annotations(file, task, where)
            splits[name] = (data["split"],) if data.get("split") in SPLITS else ()
            predicted += bool(task.get("predictions"))
    if predicted:
        error = BadInput("predictions", f"predictions in {predicted} tasks", "a model made them; they are no labels")
        file.reader.ledger.note(file.name, error, "not read")
    for name, some in images.items():
        if some:
            _, results, where = _chosen(file, name, some)
            yield _entry(file, name, splits[name], results, where)


def _image_name(data: Any, where: str) -> str:
    """Return the name of the image that a task is about: the one value that is an image's, or `image`."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, dict) else {}
    names = {key: name for key, value in texts.items() if is_image(name := path_in(value))}
    chosen = names.get("image") or names.get("img") or (next(iter(names.values())) if len(names) == 1 else "")
    if not chosen:
        found = shorten(", ".join(texts)) if texts else "no text"
        raise BadInput("image-missing", found, "one field of data must name an image, such as image", where)
    return chosen


def _annotations(file: LabelFile, task: Any, where: str) -> list[_Annotation]:
    """Return a task's annotations that were not cancelled."""
    if "annotation_id" in task or "annotator" in task:  # JSON-MIN: each list of records is a control's
        lists = [value for value in task.values() if isinstance(value, list)]
        records = [one for some in lists for one in some if isinstance(one, dict)]
        return [(task, [{**one, "value": one} for one in records], where)]
    result: list[_Annotation] = []
    key = "annotations" if "annotations" in task else "completions"
    for annotation, place in places(get(task, key, list, where, []), f"{where}.{key}"):
        if get(annotation, "was_cancelled", bool, place, default=False) or annotation.get("skipped") is True:
            error = BadInput("cancelled", "an annotation", "it was cancelled, which declares nothing", place)
            file.reader.ledger.note(file.name, error, "not read")
        else:
            result.append((annotation, get(annotation, "result", list, place), f"{place}.result"))
    return result


def _chosen(file: LabelFile, name: str, some: list[_Annotation]) -> _Annotation:
    """Return the annotation to read: the ground truth, else the newest, else the last; a note tells of the others."""
    if len(some) == 1:
        return some[0]
    rank = [
        tuple(str(one.get(key) or "") if key != "ground_truth" else one.get(key) is True for key in _MARKS)
        for one, _, _ in some
    ]
    best = max(range(len(some)), key=lambda place: (rank[place], place))
    why = f"{some[best][2]} is read: the ground truth, else the newest"
    error = BadInput("annotators", f"{len(some)} annotations of {shorten(name)}", why)
    file.reader.ledger.note(file.name, error, "the others not read")
    return some[best]


def _entry(file: LabelFile, name: str, splits: tuple[str, ...], results: list[Any], where: str) -> Entry:
    """Return an image with its regions: those results that have a place. The label may be a result of its own."""
    labels: dict[Any, list[Any]] = {}
    regions: dict[Any, tuple[Any, str]] = {}
    unplaced: dict[Any, tuple[Any, str]] = {}  # a class without a place: a mistake, unless its region has the same id
    others = 0
    for index, result in enumerate(results):
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, dict):
            others += 1
            continue
        key = result["id"] if isinstance(result.get("id"), str) else index
        found = next((value[field] for field in value if field.endswith("labels")), None)
        if isinstance(found, list):
            labels[key] = found
        if _PLACED & value.keys():
            regions.setdefault(key, (result, f"{where}[{index}]"))
        elif found is None:
            others += 1
        else:
            unplaced.setdefault(key, (result, f"{where}[{index}]"))
    if others:
        error = BadInput("no-region", f"{others} results", "they have no place in the image", where)
        file.reader.ledger.note(file.name, error, "not read")
    shapes = [({**result, "labels": labels.get(key)}, place) for key, (result, place) in (unplaced | regions).items()]
    sizes = [(one.get("original_height"), one.get("original_width")) for one, _ in shapes]
    size = next((pair for pair in sizes if all(type(side) is int for side in pair)), (None, None))
    return Entry(name, where, shapes, size, splits=splits, relative=True)


def _shape(file: LabelFile, shape: Any, where: str) -> tuple[UncheckedBox, None] | None:
    value, ledger = get(shape, "value", dict, where), file.reader.ledger
    if get(shape, "image_rotation", (int, float), where, 0) % 360:
        why = "the image was turned in Label Studio; turn the file, and label it as it is"
        raise BadInput("image-turned", f"image_rotation {shape['image_rotation']}", why, where)
    if "rle" in value or "vertices" in value:
        raise no_rule("brush" if "rle" in value else "vector", "rectangle, ellipse, polygon", where)
    if "points" in value:
        corners = from_points(value["points"], where)
    elif "radiusX" in value:
        corners = _turned(file, shape, where, around_ellipse(*numbers(value, "x y radiusX radiusY", where)))
    elif "height" in value:
        x, y, width, height = numbers(value, "x y width height", where)
        corners = _turned(file, shape, where, from_ltwh(x, y, width, height))
    elif "x" in value and "width" in value and not {"rectanglelabels", "ellipselabels"} & value.keys():
        note_no_area("keypoint", where, file.name, ledger)
        return None
    else:
        raise no_rule(f"a region with {', '.join(value)}", "rectangle, ellipse, polygon", where)
    labels = get(shape, "labels", list, where, [])
    if len(labels) != 1 or not isinstance(labels[0], str):
        why = "a region must have one class; choose one"
        raise BadInput("no-class-names", f"labels {shorten(labels)}", why, where)
    meta = get(shape, "meta", dict, where, {}).get("text")
    flags = frozenset(flag for flag in FLAGS if isinstance(meta, list) and flag in meta)
    left, top, right, bottom = (one / 100 for one in corners)
    return UncheckedBox(where, labels[0], (left, top, right, bottom), flags), None


def _turned(file: LabelFile, shape: Any, where: str, corners: Corners) -> Corners:
    """Return the box around a shape that is turned about its own x and y, in percent."""
    value = shape["value"]
    angle = number(value, "rotation", where, 0)
    if not angle:
        return corners
    height, width = get_size(shape, "original_height", where), get_size(shape, "original_width", where)
    if not height or not width:
        why = "a turned region needs original_width and original_height; export again"
        raise BadInput("size-missing", f"rotation {angle:g}", why, where)
    note_turned(f"rotation {angle:g}", where, file.name, file.reader.ledger)
    scale = np.array([width, height]) / 100  # percent to pixels, in which angles are true
    x, y = numbers(value, "x y", where)
    if "radiusX" in value:
        across, down = value["radiusX"] * scale[0], value["radiusY"] * scale[1]
        box = np.array(around_ellipse(x * scale[0], y * scale[1], across, down, angle)).reshape(2, 2) / scale
    else:
        left, top, right, bottom = corners
        points = (np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) - [x, y]) * scale
        cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        points = points @ np.array([[cos, sin], [-sin, cos]]) / scale + [x, y]
        box = np.stack([points.min(axis=0), points.max(axis=0)])
    (left, top), (right, bottom) = box.tolist()
    return left, top, right, bottom


def _find(file: LabelFile, entry: Entry) -> str:
    """Return the path of an image, whose file may lack the hash before its name."""
    names = dict.fromkeys([entry.image, without_hash(entry.image)])
    for name in names:
        with suppress(BadInput):
            return file.reader.images.find(name, *file.near, anywhere=True)
    return file.reader.images.find(entry.image, *file.near, anywhere=True)


_BACKGROUND = "an annotation whose result is []"
_WORDS = (
    "annotations result",
    "annotations data",
    "completions data",
    "annotation_id annotator",
    "original_width label",
)
_JSON = FieldTable(_WORDS, _entries, _shape, _BACKGROUND, opens=b"", but="items images categories", find=_find)
_CSV = FieldTable(
    _WORDS[3:4], _rows, _shape, "a line without regions", opens=b"", endings=(".csv", ".tsv"), find=_find
)
_TABLES = FieldTables((_JSON, _CSV))
detect, read = _TABLES.detect, _TABLES.read


def write(out: WrittenSet) -> None:
    """Write `tasks.json`, and `labeling_config.xml` with the classes. Images are those of a local storage.

    A split is a field of the task's data; flags are texts in a region's meta.
    """
    tasks = [_task(item, place) for place, item in enumerate(out.items, 1)]
    out.text("tasks.json", json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in out.classes)
    head = '<View>\n  <Image name="image" value="$image"/>\n  <RectangleLabels name="label" toName="image">\n'
    out.text("labeling_config.xml", f"{head}{labels}  </RectangleLabels>\n</View>\n")


def _task(item: WrittenImage, place: int) -> dict[str, Any]:
    image = item.image
    percent = image.boxes_ltwh / [image.width, image.height, image.width, image.height] * 100
    results = [
        {
            "id": f"{place}-{index}",
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": image.width,
            "original_height": image.height,
            "image_rotation": 0,
            "value": dict(zip(("x", "y", "width", "height"), box, strict=True))
            | {"rotation": 0, "rectanglelabels": [label]},
        }
        | ({"meta": {"text": sorted(flags)}} if flags else {})
        for index, (box, label, flags) in enumerate(zip(percent.tolist(), image.labels, image.flags, strict=True))
    ]
    data = {"image": f"/data/local-files/?d={quote(f'{IMAGES}/{item.name}')}"} | (
        {"split": item.split} if item.split else {}
    )
    return {"id": place, "data": data, "annotations": [{"result": results, "was_cancelled": False}]}
