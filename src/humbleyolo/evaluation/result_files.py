"""Result files of an evaluation: `detections.json` and `metrics.json`.

`detections.json` is in the COCO results format: one entry per detection, one line per entry, ids from 1.
`metrics.json` holds numbers by name, null if one does not exist, and under `per_class` the same by class.
"""

import json
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from humbleyolo.dataset.coco_json import RESULT_FIELDS, result_entry, to_json
from humbleyolo.errors import SCREEN, ProblemsError, UserError
from humbleyolo.metrics.tables import LONGEST_PX, DetectionTable
from humbleyolo.pipeline.remedies import make_again
from humbleyolo.storage.atomic import atomic_write
from humbleyolo.storage.json import read_json

FORMAT = 2  # of metrics.json; 1, which it did not say, had COCO's numbers and the mean IoU alone
_BLOCK, _LONGEST_ENTRY = 1 << 20, 1 << 16  # characters; with a mask an entry is long
_BLANKS = re.compile(r"[ \t\r\n]*")  # as JSON has them
_DECODER = json.JSONDecoder()
_REMEDY = make_again("evaluate")


def write_detections(path: Path, detections: DetectionTable) -> None:
    """Write detections by image, best score first, equal ones by class and box.

    Numbers are written in full, so that the same are read back.
    """
    rows = detections.file_order()
    with atomic_write(path) as file:
        file.write(b"[")
        for position, row in enumerate(rows):
            entry = result_entry(
                int(detections.images[row]) + 1,
                int(detections.labels[row]),
                detections.boxes_ltwh[row].tolist(),
                float(detections.scores[row]),
            )
            file.write(b"\n" if position == 0 else b",\n")
            file.write(to_json(entry))
        file.write(b"\n]\n" if len(rows) else b"]\n")


def read_detections(path: Path, image_count: int, class_count: int, remedy: str = _REMEDY) -> DetectionTable:
    """Read detections of images 1 to `image_count` and categories 1 to `class_count`.

    `remedy` is what to run if that fails.

    Raises:
        UserError: If the file is missing or is no such list; the text says what to run.
        ProblemsError: With the entries (the first 12) that cannot be scored: number, value, what is allowed.
    """
    images, boxes, labels, scores = array("q"), array("d"), array("q"), array("d")
    problems: list[str] = []
    with _readable(path, "list of COCO results", remedy), path.open(encoding="utf-8") as file:
        for number, entry in enumerate(entries(file)):
            wrong = [f"entry {number}: {text}" for text in _problems(entry, image_count, class_count)]
            problems += wrong
            if len(problems) >= SCREEN:
                break
            if not wrong:
                images.append(entry["image_id"] - 1)
                boxes.extend(entry["bbox"])
                labels.append(entry["category_id"] - 1)
                scores.append(entry["score"])
    if problems:
        raise ProblemsError.of_file(path, problems, remedy)
    return DetectionTable(
        image_count,
        np.array(images, np.int64),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(scores, np.float64),
    )


def entries(file: TextIO) -> Iterator[Any]:
    """Yield the values of a JSON list one by one, holding little of the file.

    `ijson.items` is quicker, but holds a name of every level in each: of 20,000 brackets a gigabyte. It ends at NaN,
    of which an entry's check tells more.

    Raises:
        ValueError: If it is no list, or has an entry that is too long to be a detection.
    """
    text, place, separator = file.read(_BLOCK), 0, ""
    while separator != "]":
        if len(text) - place < _LONGEST_ENTRY:
            text, place = text[place:] + file.read(_BLOCK), 0
        place = _skip(text, place)
        if not separator:
            if not text.startswith("[", place):
                raise ValueError("does not start with [")
            separator, place = "[", _skip(text, place + 1)
        if separator == "[" and text.startswith("]", place):
            place += 1
            break
        try:
            value, place = _DECODER.raw_decode(text, place)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        yield value
        place = _skip(text, place)
        separator = text[place : place + 1]
        place += 1
        if separator not in ("]", ","):
            raise ValueError(f"{separator!r} after an entry, or an entry of more than {_LONGEST_ENTRY} characters")
    if _BLANKS.sub("", text[place:] + file.read(_LONGEST_ENTRY)):
        raise ValueError("more after the list")


def _skip(text: str, place: int) -> int:
    """Return the place behind blanks."""
    return _BLANKS.match(text, place).end()  # type: ignore[union-attr]  # it matches nothing too


def read_metrics(path: Path, *names: str, remedy: str = _REMEDY) -> list[float | None]:
    """Read headline metrics by name; None if one does not exist. `remedy` is what to run if that fails.

    Raises:
        UserError: If the file is missing, damaged or of another format, or lacks one, as that of an older version.
    """
    with _readable(path, "JSON", remedy):
        metrics = read_json(path)
    if not isinstance(metrics, dict):
        raise UserError(f"{path}: is a {type(metrics).__name__}, not metrics by name; {remedy}")
    if metrics.get("format", FORMAT) != FORMAT:
        raise UserError(
            f"{path}: is of format {_shown(metrics['format'])}, which this version does not read; allowed: {FORMAT}; "
            f"{remedy}"
        )
    problems = [
        f"{name} is missing"
        if name not in metrics
        else f"{name} is {_shown(metrics[name])}; allowed: a finite number or null"
        for name in names
        if name not in metrics or not (metrics[name] is None or _is_number(metrics[name]))
    ]
    if problems:
        raise ProblemsError(str(path), problems, fix=f"written by another version? {remedy}")
    return [metrics[name] for name in names]


@contextmanager
def _readable(path: Path, kind: str, remedy: str) -> Iterator[None]:
    """Turn errors of reading into a `UserError` that says what to run."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {remedy}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is damaged, or no {kind} ({error}); {remedy}") from None


def _problems(entry: Any, image_count: int, class_count: int) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"{_shown(entry)} is not an object with {', '.join(RESULT_FIELDS)}"
        return
    if missing := [key for key in RESULT_FIELDS if key not in entry]:
        yield f"{', '.join(missing)} is missing"
        return
    for key, count in (("image_id", image_count), ("category_id", class_count)):
        if type(entry[key]) is not int or not 1 <= entry[key] <= count:
            yield f"{key} {_shown(entry[key])} is unknown; allowed: 1 to {count}"
    yield from wrong_numbers(entry["bbox"], entry["score"])


def wrong_numbers(box: Any, score: Any) -> Iterator[str]:
    """Yield the mistakes in the box and the score of a detection."""
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)) or min(box[2:]) < 0:
        yield (
            f"bbox {_shown(box)} is not allowed; allowed: four finite numbers: left, top, width, height, "
            "in pixels, the last two 0 or more"
        )
    if not _is_number(score):
        yield f"score {_shown(score)} is not allowed; allowed: a finite number"


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -LONGEST_PX <= value <= LONGEST_PX


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
