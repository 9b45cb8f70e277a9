"""Detections as detectors write them: COCO results, YOLO text with scores, CSV, and what `predict` writes.

    JSON    a list of {"image_id", "category_id", "bbox", "score"}: Detectron2, MMDetection, Ultralytics, `evaluate`
    JSON    {"images", "annotations"} with a score per annotation; {"images": [{"file", "detections"}]} (`predict`)
    YOLO    a folder or zip of .txt, a file an image: class, centre x, y, width, height (fractions), score
    CSV     a line a box; see `detection_csv`

Nothing is joined here: images and classes are names or numbers as the file has them.
"""

from pathlib import Path
from typing import Any

from humbleyolo.errors import UserError
from humbleyolo.evaluation.result_files import entries
from humbleyolo.inputs.file_names import is_about_all, is_labelled
from humbleyolo.inputs.folder import LABEL_BYTES
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get, parse
from humbleyolo.inputs.parsing.text import decode, numbered_lines, parse_integer
from humbleyolo.labels.source_reader import TEXT_BYTES
from humbleyolo.scoring.detection_csv import read_csv
from humbleyolo.scoring.detection_rows import DetectionFile, Rows, number_or_nan

_TABLES = (".tsv", ".tab", ".txt")  # endings of what may be CSV with another name
_KNOWN = "give a JSON file of COCO results, a folder of YOLO text with scores, a CSV file, or a model"


def read_detection_file(path: Path) -> DetectionFile:
    """Read detections of any of these formats.

    Raises:
        UserError: If there are none, or the format is none of them.
        ProblemsError: With the mistakes in it, the first 12.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; {_KNOWN}")
    rows = Rows(path)
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
            return read_csv(rows)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except BadInput as error:
        place = f": {error.where}" if error.where else ""
        raise UserError(f"{path}{place}: {error.what}: {error.why}") from None
    known = "columns are read as CSV: separate them by commas, and let the name end in .csv; or " * (
        path.suffix.lower() in _TABLES
    )
    raise UserError(f"{path}: is no file of detections; {known}{_KNOWN}")


def _read_results(rows: Rows) -> DetectionFile:
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
    return rows.made("COCO results", has_ids=True)


def _take_result(rows: Rows, where: str, entry: Any, *, names: bool = True) -> None:
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


def _read_object(rows: Rows) -> DetectionFile:
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
        names = {get(one, "id", (int, str), "an image"): get(one, "file_name", str, "an image") for one in images}
        classes = {get(one, "id", int, "a category"): get(one, "name", str, "a category") for one in categories}
        for name in names.values():
            rows.images.setdefault(name, len(rows.images))
        for number, one in enumerate(annotations):
            for key, known, kinds in (("image_id", names, (int, float, str)), ("category_id", classes, (int, float))):
                if isinstance(one, dict) and type(one.get(key)) in kinds:
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


def _read_yolo(rows: Rows) -> DetectionFile:
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


def _take_line(rows: Rows, where: str, image: str, columns: list[str]) -> None:
    try:
        if len(columns) != 6:
            hint = "; without a score these are labels: let the detector write it (save_conf=True)"
            why = f"a line has 6: class x y width height score{hint if len(columns) == 5 else ''}"
            raise BadInput("columns", f"{len(columns)} columns", why)
        label = parse_integer(columns[0], "the class")
        *box, score = (number_or_nan(text, "a value") for text in columns[1:])
        if max(map(abs, box)) > 2:
            raise BadInput(
                "pixels", shorten(" ".join(columns)), "must be fractions of the image; these look like pixels"
            )
    except BadInput as error:
        rows.refuse(where, f"{error.what}: {error.why}")
    else:
        rows.add(where, image, label, box, score)
