"""Detections of a file as columns, gathered one by one."""

import re
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humbleyolo.errors import SCREEN, ProblemsError, UserError
from humbleyolo.evaluation.result_files import wrong_numbers
from humbleyolo.inputs.parsing.text import parse_number
from humbleyolo.labels.formats.csv_columns import Columns
from humbleyolo.storage.array_types import Floats, Ints

Key = int | str  # a number, or a name
_DIGITS = 18  # of an id; COCO and its kin have ids of 64 bits at most
_MOST = 10_000_000  # detections, about 1 GB with all that is computed of them
_FOUND = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|-?\d\S*")  # values in a message


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
            Those of a table with `columns` are the numbers as they stand.
        scores: (D,) 0 to 1.
        relative: Boxes are fractions of the image.
        left_out: Files that hold no detections.
        columns: Columns of a table whose boxes the labels settle.
        has_ids: Texts may be ids in the labels' COCO file, and are not names for certain.
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
    columns: Columns | None = None
    has_ids: bool = False

    def __len__(self) -> int:
        """Return D."""
        return len(self.scores)


class Rows:
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

    def made(
        self, kind: str, *, relative: bool = False, columns: Columns | None = None, has_ids: bool = False
    ) -> DetectionFile:
        """Return all of it.

        Raises:
            ProblemsError: If there are mistakes.
            UserError: If there is no detection, or boxes of pixels look like fractions.
        """
        self.stop()
        images, labels, boxes, scores = (np.array(column) for column in self.columns)
        if not len(scores):
            raise UserError(f"{self.path}: is {kind}, but holds no detection, so that there is nothing to score")
        if not relative and not columns and boxes.max() <= 1:
            raise UserError(f"{self.path}: boxes up to {boxes.max():g} look like fractions; they must be in pixels")
        return DetectionFile(
            self.path, kind, tuple(self.images), tuple(self.classes),
            images.astype(np.int64), labels.astype(np.int64), boxes.reshape(-1, 4), scores, relative,
            tuple(self.left_out), columns, has_ids,
        )  # fmt: skip


def number_or_nan(text: str, name: str) -> float:
    """Return a number; `nan` and `inf`, which some tools write, as such, so that one rule tells of them."""
    return float(text) if text.lower().lstrip("+-") in ("nan", "inf") else parse_number(text, name)


def is_number(text: str) -> bool:
    """Return True for a whole number that may be an id: of decimal digits, 18 at most."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
