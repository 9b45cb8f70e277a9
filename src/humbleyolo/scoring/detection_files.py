"""Detections as detectors write them: COCO results, YOLO text with scores, CSV, and what `predict` writes.

    JSON    a list of {"image_id", "category_id", "bbox", "score"}: Detectron2, MMDetection, Ultralytics, `evaluate`
    JSON    {"images", "annotations"} with a score per annotation; {"images": [{"file", "detections"}]} (`predict`)
    YOLO    a folder or zip of .txt, a file an image: class, centre x, y, width, height (fractions), score
    CSV     a line a box: image, class, score, and corners in pixels, under one of the names in `_COLUMNS`

Nothing is joined here: images and classes are names or numbers as the file has them.
"""

import re
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humbleyolo.errors import SCREEN, ProblemsError, UserError
from humbleyolo.evaluation.result_files import entries, wrong_numbers
from humbleyolo.inputs.file_names import is_about_all, is_labelled
from humbleyolo.inputs.folder import LABEL_BYTES
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput, Ledger, shorten
from humbleyolo.inputs.parsing.csv import Row, take_rows
from humbleyolo.inputs.parsing.json import get, parse
from humbleyolo.inputs.parsing.text import decode, numbered_lines, parse_integer, parse_number
from humbleyolo.labels.source_reader import TEXT_BYTES
from humbleyolo.storage.array_types import Floats, Ints

Key = int | str  # a number, or a name
_DIGITS = 18  # of an id; COCO and its kin have ids of 64 bits at most
_MOST = 10_000_000  # detections, about 1 GB with all that is computed of them
_FOUND = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|-?\d\S*")  # values in a message
_TABLES = (".tsv", ".tab", ".txt")  # endings of what may be CSV with another name
_KNOWN = "give a JSON file of COCO results, a folder of YOLO text with scores, a CSV file, or a model"
_COLUMNS: dict[str, tuple[str, ...]] = {  # names of columns in any case, the best first
    "image": ("image", "image_path", "file_name", "filename", "file", "path", "image_name", "image_id", "imageid"),
    "class": ("label", "class_name", "name", "labelname", "category", "class", "category_id", "class_id", "cls"),
    "score": ("score", "confidence", "conf", "probability", "prob"),
}
_CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"))
_LTWH = ("left", "top", "width", "height")


@dataclass(frozen=True, eq=False)
class DetectionFile:
    """D detections of I images and C classes, named as the file names them.

    Attributes:
        path: The file or folder.
        kind: Its format in words.
        images: Names or numbers of images, each once; also of those without a detection, if the file says so.
        classes: Names or numbers of classes, each once.
        image_rows: (D,) indices into `images`.
        class_rows: (D,) indices into `classes`.
        boxes: (D, 4) left, top, width, height in pixels; if `relative` centre x, y, width, height as fractions.
        scores: (D,) 0 to 1.
        relative: Boxes are fractions of the image.
        left_out: Files that hold no detections.
    """

    path: Path
    kind: str
    images: tuple[Key, ...]
    classes: tuple[Key, ...]
    image_rows: Ints
    class_rows: Ints
    boxes: Floats
    scores: Floats
    relative: bool
    left_out: tuple[str, ...]

    def __len__(self) -> int:
        """Return D."""
        return len(self.scores)


class _Rows:
    """Detections that come one by one, as columns; mistakes are kept until there are enough."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images: dict[Key, int] = {}
        self.classes: dict[Key, int] = {}
        self.columns = array("q"), array("q"), array("d"), array("d")
        self.problems: dict[str, tuple[str, int]] = {}  # by kind: the first with its place, and their number
        self.highest = 0.0  # score that was refused
        self.left_out: list[str] = []

    def add(self, where: str, image: Key, label: Key, box: Any, score: Any) -> None:
        """Add a detection, or its mistakes.

        Raises:
            ProblemsError: If there are more mistakes than are told.
            UserError: If there are more detections than are read.
        """
        wrong = list(wrong_numbers(box, score))
        if not wrong and not 0 <= score <= 1:
            wrong.append(f"score {score!r} is not allowed; allowed: 0 to 1")
            self.highest = max(self.highest, score)
        if wrong:
            for text in wrong:
                self.refuse(where, text)
            return
        images, labels, boxes, scores = self.columns
        images.append(self.images.setdefault(image, len(self.images)))
        labels.append(self.classes.setdefault(label, len(self.classes)))
        boxes.extend(box)
        scores.append(score)
        if len(scores) > _MOST:
            raise UserError(f"{self.path}: more than {_MOST:,} detections; leave out those of the lowest scores")

    def refuse(self, where: str, text: str) -> None:
        """Note a mistake. Those that say the same but for what was found are one kind, of which the first is told."""
        kind = _FOUND.sub("", text)
        first, count = self.problems.get(kind, (f"{where}: {text}", 0))
        self.problems[kind] = first, count + 1
        if len(self.problems) >= SCREEN:
            self.stop()

    def stop(self) -> None:
        """Raise the mistakes, if there are any."""
        if self.problems:
            told = [first + f" ({count - 1:,} more like it)" * (count > 1) for first, count in self.problems.values()]
            percent = f"scores up to {self.highest:g}: are they percent? divide them by 100"
            raise ProblemsError.of_file(self.path, told, percent if 2 < self.highest <= 100 else "")

    def made(self, kind: str, *, relative: bool = False) -> DetectionFile:
        """Return all of it.

        Raises:
            ProblemsError: If there are mistakes.
            UserError: If there is no detection, or boxes of pixels look like fractions.
        """
        self.stop()
        images, labels, boxes, scores = (np.array(column) for column in self.columns)
        if not len(scores):
            raise UserError(f"{self.path}: is {kind}, but holds no detection, so that there is nothing to score")
        if not relative and boxes.max() <= 1:
            raise UserError(f"{self.path}: boxes up to {boxes.max():g} look like fractions; they must be in pixels")
        return DetectionFile(
            self.path, kind, tuple(self.images), tuple(self.classes),
            images.astype(np.int64), labels.astype(np.int64), boxes.reshape(-1, 4), scores, relative,
            tuple(self.left_out),
        )  # fmt: skip


def read_detection_file(path: Path) -> DetectionFile:
    """Read detections of any of these formats.

    Raises:
        UserError: If there are none, or the format is none of them.
        ProblemsError: With the mistakes in it, the first 12.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; {_KNOWN}")
    rows = _Rows(path)
    try:
        if path.is_dir() or path.suffix.lower() == ".zip":
            return _read_yolo(rows)
        with path.open("rb") as file:
            start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith(b"["):
            return _read_results(rows)
        if start.startswith(b"{"):
            return _read_object(rows)
        if path.suffix.lower() == ".csv":
            return _read_csv(rows)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except BadInput as error:
        place = f": {error.where}" if error.where else ""
        raise UserError(f"{path}{place}: {error.what}: {error.why}") from None
    known = "columns are read as CSV: separate them by commas, and let the name end in .csv; or " * (
        path.suffix.lower() in _TABLES
    )
    raise UserError(f"{path}: is no file of detections; {known}{_KNOWN}")


def _read_results(rows: _Rows) -> DetectionFile:
    """Read a list of COCO results, entry by entry."""
    read = 0
    try:
        with rows.path.open(encoding="utf-8-sig") as file:
            for read, entry in enumerate(entries(file), 1):
                _take_result(rows, f"entry {read - 1}", entry)
    except ValueError as error:
        why = str(error).partition(": line ")[0]  # its place is that in a part of the file
        after = f" after entry {read - 1}" * (read > 0)
        raise UserError(f"{rows.path}: is damaged{after}, or no list of COCO results ({why})") from None
    return rows.made("COCO results")


def _take_result(rows: _Rows, where: str, entry: Any, *, names: bool = True) -> None:
    """Add an entry of results. A `file_name`, as newer versions of Ultralytics write it, says more than a number."""
    keys = ("image_id", "category_id", "bbox", "score")
    if not isinstance(entry, dict) or (missing := [key for key in keys if key not in entry]):
        told = f"no {', '.join(missing)}" if isinstance(entry, dict) else f"{shorten(entry)} is no object"
        rows.refuse(where, f"{told}; an entry of COCO results has {', '.join(keys)}")
        return
    image, label = _whole(entry["image_id"]), _whole(entry["category_id"])
    if names and isinstance(entry.get("file_name"), str) and entry["file_name"]:
        image = entry["file_name"]
    wrong = [(key, one) for key, one in (("image_id", image), ("category_id", label)) if type(one) not in (int, str)]
    for key, one in wrong:
        rows.refuse(where, f"{key} {shorten(one)} is not allowed; allowed: a whole number or a name")
    if not wrong:
        rows.add(where, image, label, entry["bbox"], entry["score"])


def _whole(value: Any) -> Any:
    """Return a whole number as such, also where tools write it as `1.0`; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read_object(rows: _Rows) -> DetectionFile:
    """Read what `predict` writes: its own JSON, or a COCO dataset whose annotations have scores."""
    with rows.path.open("rb") as file:
        data = file.read(LABEL_BYTES + 1)
    if len(data) > LABEL_BYTES:
        raise BadInput("too-large", f"more than {LABEL_BYTES:,} bytes", "write COCO results, which may be larger")
    root = parse(data)
    images = get(root, "images", list, "the file", [])
    annotations = get(root, "annotations", list, "the file", [])
    if annotations and isinstance(annotations[0], dict) and "score" not in annotations[0]:
        raise BadInput("no-score", "annotations without a score", f"these are labels, no detections; {_KNOWN}")
    if "annotations" in root:
        categories = get(root, "categories", list, "the file", [])
        names = {get(one, "id", int, "an image"): get(one, "file_name", str, "an image") for one in images}
        classes = {get(one, "id", int, "a category"): get(one, "name", str, "a category") for one in categories}
        for name in names.values():
            rows.images.setdefault(name, len(rows.images))
        for number, one in enumerate(annotations):
            for key, known in (("image_id", names), ("category_id", classes)):
                if isinstance(one, dict) and type(one.get(key)) in (int, float):
                    one[key] = known.get(one[key], one[key])
            _take_result(rows, f"annotations[{number}]", one, names=False)
        return rows.made("a COCO dataset with scores")
    if not images or not isinstance(images[0], dict) or "detections" not in images[0]:
        raise BadInput(
            "json", "an object without detections", "is no COCO result, nor what `predict` writes; " + _KNOWN
        )
    for number, one in enumerate(images):
        where = f"images[{number}]"
        name = get(one, "file", str, where)
        rows.images.setdefault(name, len(rows.images))
        for found in get(one, "detections", list, where):
            box = get(found, "box", list, where)
            if len(box) == 4 and all(type(value) in (int, float) for value in box):
                box = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            rows.add(where, name, get(found, "label", str, where), box, found.get("score"))
    return rows.made("JSON of `predict`")


def _read_csv(rows: _Rows) -> DetectionFile:
    with rows.path.open("rb") as file:
        data = file.read(LABEL_BYTES + 1)
    if len(data) > LABEL_BYTES:
        raise BadInput("too-large", f"more than {LABEL_BYTES:,} bytes", "write COCO results, which may be larger")
    ledger = Ledger("skip")
    columns: dict[str, tuple[str, ...]] = {}

    def take(line: int, raw: Row) -> None:
        if not columns:
            columns.update(_columns_of(raw, rows.path))
        where = f"line {line}"
        image, label, score = (raw[columns[what][0]].strip() for what in _COLUMNS)
        texts = [raw[name].strip() for name in columns["box"]]
        key: Key = image
        if columns["image"][0].lower() in ("image_id", "imageid") and is_number(image):
            key = int(image)
        if not image:
            raise BadInput("csv", "no image", "each line names its image")
        if not label and not score and not any(texts):  # an image without detections, as `predict` writes it
            rows.images.setdefault(key, len(rows.images))
            return
        box = [_number(text, name) for text, name in zip(texts, columns["box"], strict=True)]
        if columns["box"] != columns["ltwh"]:
            box = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
        rows.add(where, key, label, box, _number(score, columns["score"][0]))

    take_rows(decode(data), str(rows.path), ledger, take, lambda _: "")
    for row in ledger.errors:
        rows.refuse(str(row.where), f"{row.what}: {row.why}")
    return rows.made("CSV")


def _number(text: str, name: str) -> float:
    """Return a number; `nan` and `inf`, which some tools write, as such, so that one rule tells of them."""
    return float(text) if text.lower().lstrip("+-") in ("nan", "inf") else parse_number(text, name)


def is_number(text: str) -> bool:
    """Return True for a whole number that may be an id: of decimal digits, 18 at most."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def _columns_of(row: Row, path: Path) -> dict[str, tuple[str, ...]]:
    """Return the names of the columns to read: image, class, score, box; and `ltwh`, if they are these.

    Raises:
        ProblemsError: If one is missing.
    """
    names = {name.lower(): name for name in row}
    found = {what: tuple(names[one] for one in some if one in names)[:1] for what, some in _COLUMNS.items()}
    boxes = [tuple(names[one] for one in some) for some in (*_CORNERS, _LTWH) if all(one in names for one in some)]
    known = {what: " or ".join(some[:4]) for what, some in _COLUMNS.items()}
    known["box"] = " or ".join(",".join(some) for some in (*_CORNERS, _LTWH))
    found["box"] = boxes[0] if boxes else ()
    if missing := [f"no column for the {what}: {known[what]}" for what in found if not found[what]]:
        raise ProblemsError(f"{path}: its columns are {shorten(','.join(row))}", missing)
    found["ltwh"] = tuple(names.get(one, "") for one in _LTWH)
    return found


def _read_yolo(rows: _Rows) -> DetectionFile:
    with open_source(rows.path) as source:
        texts = source.ending(".txt")
        rows.left_out = [name for name in texts if not is_labelled(name) or is_about_all(name)]
        names = sorted({*texts} - {*rows.left_out})
        if not names:
            raise UserError(f"{rows.path}: is no model and holds no .txt file of an image; {_KNOWN}")
        for name in names:
            image = name.removesuffix(name[-4:])
            rows.images.setdefault(image, len(rows.images))
            for number, line in numbered_lines(decode(source.read(name, TEXT_BYTES))):
                _take_line(rows, f"{name}: line {number}", image, line.split())
    return rows.made("YOLO text", relative=True)


def _take_line(rows: _Rows, where: str, image: str, columns: list[str]) -> None:
    try:
        if len(columns) != 6:
            hint = "; without a score these are labels: let the detector write it (save_conf=True)"
            why = f"a line has 6: class x y width height score{hint if len(columns) == 5 else ''}"
            raise BadInput("columns", f"{len(columns)} columns", why)
        label = parse_integer(columns[0], "the class")
        *box, score = (_number(text, "a value") for text in columns[1:])
        if max(map(abs, box)) > 2:
            raise BadInput(
                "pixels", shorten(" ".join(columns)), "must be fractions of the image; these look like pixels"
            )
    except BadInput as error:
        rows.refuse(where, f"{error.what}: {error.why}")
    else:
        rows.add(where, image, label, box, score)
