"""Label Studio: its JSON, JSON-MIN, CSV and TSV exports.

Places are percent of the image, and turns are about the upper left.

    [{"data": {"image": "/data/upload/1/1a2b3c4d-a.jpg"}, "annotations": [{"result": [{"original_width",
        "original_height", "value": {x, y, width, height, rotation, "rectanglelabels": ["cat"]}}]}]}]

A task is labelled once it has an annotation that was not cancelled; an empty one declares background. Of several
annotations of a task one is read: the ground truth if one is marked so, else the newest; a note says so.
Predictions are not labels. CSV and TSV are JSON-MIN as a table, with JSON in the columns of regions.
Uploaded images have a hash before their name here, which their files need not have.
"""

import csv
import io
import json
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.inputs.file_names import is_image
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get, get_size, parse
from humbleyolo.inputs.parsing.text import decode
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
from humbleyolo.labels.formats.json_min import (
    PLACED,
    controls_in,
    is_json_min,
    place_of,
    refuse_several_images,
    results_of,
)
from humbleyolo.labels.formats.shapes import around_ellipse, note_no_area, note_turned
from humbleyolo.labels.image_names import path_in, without_hash
from humbleyolo.labels.labelled_image import FLAGS, Corners, UncheckedBox
from humbleyolo.labels.writing import WrittenImage, WrittenSet

IMAGES = "images"
_MARKS = ("ground_truth", "updated_at", "created_at")  # of the annotation that is read, best last
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
    images: dict[tuple[str, str], list[_Annotation]] = defaultdict(list)  # by name and task
    splits: dict[str, tuple[str, ...]] = {}
    predicted, controls = 0, controls_in(tasks)
    here = {posixpath.basename(path) for path in file.reader.images.paths} if controls else set()
    for task, where in tasks:
        with file.reader.ledger.reporting(file.name, "task dropped", where):
            data = get(task, "data", dict, where, task)
            some = _annotations(file, task, where)
            if is_json_min(task):
                refuse_several_images(task, _images_in(data), controls, here, where)
            name = _image_name(data, _shown(some), where)
            images[name, repr(task.get("id"))] += some
            splits[name] = (data["split"],) if data.get("split") in SPLITS else ()
            predicted += bool(task.get("predictions"))
    if predicted:
        error = BadInput("predictions", f"predictions in {predicted} tasks", "a model made them; they are no labels")
        file.reader.ledger.note(file.name, error, "not read")
    for (name, _), some in images.items():
        if some:
            _, results, where = _chosen(file, name, some)
            yield _entry(file, name, splits[name], results, where)


def _image_name(data: Any, shown: Set[str], where: str) -> str:
    """Return the name of the image that a task is about: the one value that is an image's, or `image`.

    `shown` are the names of what its regions lie in, one of which may be that of a field.
    """
    texts = {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, dict) else {}
    names = _images_in(data)
    if len(names) > 1 and len(shown) > 1:
        why = f"the task has several images, {', '.join(names)}; label each in a task of its own"
        raise BadInput("image-ambiguous", f"regions in {', '.join(sorted(shown))}", why, where)
    named = next((names[key] for key in names if key in shown), "")
    only = next(iter(names.values())) if len(names) == 1 else ""
    chosen = named or names.get("image") or names.get("img") or only
    if not chosen:
        found = shorten(", ".join(texts)) if texts else "no text"
        raise BadInput("image-missing", found, "one field of data must name an image, such as image", where)
    return chosen


def _images_in(data: Any) -> dict[str, str]:
    """Return the names of images in the fields of a task's data."""
    fields = data.items() if isinstance(data, dict) else ()
    return {key: name for key, value in fields if isinstance(value, str) and is_image(name := path_in(value))}


def _shown(annotations: Sequence[_Annotation]) -> set[str]:
    """Return the names of what the regions of annotations lie in, if the export says them."""
    results = [one for _, some, _ in annotations for one in some if isinstance(one, dict)]
    placed = [one for one in results if isinstance(value := one.get("value"), dict) and PLACED & value.keys()]
    return {one["to_name"] for one in placed if isinstance(one.get("to_name"), str)}


def _annotations(file: LabelFile, task: Any, where: str) -> list[_Annotation]:
    """Return a task's annotations that were not cancelled."""
    if is_json_min(task):
        return [(task, results_of(task), where)]
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
    """Return an image with its regions: those results that have a place."""
    shapes, others = _regions(results, where)
    if others:
        error = BadInput("no-region", f"{others} results", "they have no place in the image", where)
        file.reader.ledger.note(file.name, error, "not read")
    sizes = [(one.get("original_height"), one.get("original_width")) for one, _ in shapes]
    size = next((pair for pair in sizes if all(type(side) is int for side in pair)), (None, None))
    return Entry(name, where, shapes, size, splits=splits, relative=True)


def _regions(results: Sequence[Any], where: str) -> tuple[list[tuple[Any, str]], int]:
    """Return the regions among results, each with all its labels, and the number of results without a place.

    A label may be a result of its own, with the id of its region and, as a rule, its place. A script may have
    given several regions one id. A label without a region is returned too: a mistake.
    """
    by_id: dict[Any, list[tuple[Any, str]]] = defaultdict(list)
    for index, result in enumerate(results):
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict) and (PLACED & value.keys() or _labels_of(value) is not None):
            key = result["id"] if isinstance(result.get("id"), str) else index
            by_id[key].append((result, f"{where}[{index}]"))
    shapes = []
    for some in by_id.values():
        first: dict[Any, tuple[Any, str]] = {}  # by place
        told: dict[Any, list[Any]] = defaultdict(list)
        for result, at in some:
            place = place_of(result["value"])
            first.setdefault(place, (result, at))
            told[place] += [one for one in _labels_of(result["value"]) or () if one not in told[place]]
        without = told.get((), [])  # a place
        placed = [place for place in first if place] or [()]
        for place in [place for place in placed if told[place]] or placed:
            result, at = first[place]
            more = [one for one in without if one not in told[place]]
            shapes.append(({**result, "labels": told[place] + more}, at))
    return shapes, len(results) - sum(map(len, by_id.values()))


def _labels_of(value: dict[str, Any]) -> list[Any] | None:
    """Return the labels in a result's value; None if it has none."""
    return next((found for key in value if key.endswith("labels") and isinstance(found := value[key], list)), None)


def _shape(file: LabelFile, shape: Any, where: str) -> tuple[UncheckedBox, None] | None:
    value, ledger = get(shape, "value", dict, where), file.reader.ledger
    if get(shape, "image_rotation", (int, float), where, 0) % 360:
        why = "the image was turned in Label Studio; turn the file, and label it as it is"
        raise BadInput("image-turned", f"image_rotation {shape['image_rotation']}", why, where)
    if get(shape, "item_index", int, where, 0):
        why = "the task shows several images, which are not read; label each in a task of its own"
        raise BadInput("image-ambiguous", f"item_index {shape['item_index']}", why, where)
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
