"""Detections as files: JSON, CSV, COCO, and labels that a labelling tool opens so that a person corrects them.

    json    {"images": [{"file", "width", "height", "detections": [{"label", "score", "box": [x0, y0, x1, y1]}]}]}
    csv     image,label,score,xmin,ymin,xmax,ymax,width,height; a row without a box where nothing was found
    coco    a COCO dataset, with the score of each annotation beside it
    yolo    a folder: labels/*.txt, classes.txt beside them (LabelImg), data.yaml and train.txt (Ultralytics)
    voc     a folder: Annotations/*.xml, ImageSets/Main (LabelImg, CVAT)
    cvat    a folder: annotations.xml, CVAT for images 1.1

Boxes are pixels of the upright image. JSON and CSV round them to a thousandth of a pixel, scores to 6 digits.
"""

import csv
import io
import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import numpy as np

from humbleyolo.dataset.coco import CocoWriter
from humbleyolo.detection.image_paths import NamedImage
from humbleyolo.detection.result import Result
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.labels.formats import cvat, voc, yolo
from humbleyolo.labels.image_info import ImageInfo
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.writing import WrittenImage, WrittenSet, new_folder
from humbleyolo.storage.atomic import atomic_write

_CSV_COLUMNS = ("image", "label", "score", "xmin", "ymin", "xmax", "ymax", "width", "height")
_FOLDERS = {"yolo": yolo, "voc": voc, "cvat": cvat}
FORMATS = ("json", "csv", "coco", *_FOLDERS)


class Writer(Protocol):
    """Takes results one by one. A context manager; what it writes is whole only when that ends well."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def add(self, item: NamedImage, result: Result) -> None:
        """Take the result of one picture.

        Raises:
            UserError: Where it cannot be written beside those before it.
        """

    def fail(self, item: NamedImage, reason: str) -> None:
        """Take note of a picture that could not be read."""


def make_writer(
    to: str, output: Path | None, stdout: BinaryIO, head: dict[str, Any], *, copy_images: bool = False
) -> Writer:
    """Return what writes a format.

    Args:
        to: One of `FORMATS`.
        output: A file, or a folder for `yolo`, `voc` and `cvat`; None: standard output.
        stdout: Standard output, as bytes.
        head: Of the JSON: what is known of the run; `classes` are the class names.
        copy_images: Whether `yolo`, `voc` and `cvat` get the pictures too.

    Raises:
        UserError: Where the two do not go together.
    """
    if to in _FOLDERS:
        if output is None:
            raise UserError(f"--format {to} writes a folder; say where with --output FOLDER")
        return _FolderWriter(to, output, tuple(head["classes"]), copy_images=copy_images)
    if copy_images:
        raise UserError(f"--copy-images goes with {', '.join(_FOLDERS)}, not with {to}")
    kind: type[_FileWriter] = {"json": _JsonWriter, "csv": _CsvWriter, "coco": _CocoWriter}[to]
    return kind(output, stdout, head)


class _FileWriter:
    """One file or standard output, written as results come."""

    def __init__(self, output: Path | None, stdout: BinaryIO, head: dict[str, Any]) -> None:
        self._output, self._file, self.head = output, stdout, head
        self._stack = ExitStack()
        self.count = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._output is not None:
                self._file = stack.enter_context(atomic_write(self._output))
            self._stack = stack.pop_all()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:
            stack.push(self._stack.__exit__)
            if kind is None:
                self.end()
                self._file.flush()
                return
            stack.pop_all()
        self._stack.__exit__(kind, error, trace)

    def text(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "backslashreplace"))

    def start(self) -> None:
        """Write what comes first."""

    def add(self, item: NamedImage, result: Result) -> None:
        """Write one result."""
        raise NotImplementedError

    def fail(self, item: NamedImage, reason: str) -> None:
        """Take note of a picture that could not be read."""

    def end(self) -> None:
        """Write what comes last."""


class _JsonWriter(_FileWriter):
    def start(self) -> None:
        self._failed: list[dict[str, str]] = []
        self.text(_json(self.head)[:-1] + ',"images":[')

    def add(self, item: NamedImage, result: Result) -> None:
        detections = [
            {"label": label, "score": score, "box": box} for label, score, box in _rounded_rows(result)
        ]
        one = {"file": item.shown, "width": result.width, "height": result.height, "detections": detections}
        self.text((",\n" if self.count else "\n") + _json(one))
        self.count += 1

    def fail(self, item: NamedImage, reason: str) -> None:
        self._failed.append({"file": item.shown, "error": reason})

    def end(self) -> None:
        self.text('\n],"errors":' + _json(self._failed) + "}\n")


class _CsvWriter(_FileWriter):
    def start(self) -> None:
        self._row(_CSV_COLUMNS)

    def add(self, item: NamedImage, result: Result) -> None:
        size = (result.width, result.height)
        for label, score, box in _rounded_rows(result):
            self._row((item.shown, label, score, *box, *size))
        if not len(result):
            self._row((item.shown, *[""] * 6, *size))

    def _row(self, values: tuple[Any, ...]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(values)
        self.text(line.getvalue())


class _CocoWriter(_FileWriter):
    def start(self) -> None:
        self._annotations = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is one
        self._coco = CocoWriter(self.head["classes"], {}, self._file, self._annotations)

    def add(self, item: NamedImage, result: Result) -> None:
        boxes, scores = xyxy_to_ltwh(result.boxes).tolist(), result.scores.tolist()
        fields = [{"score": score} for score in scores]
        self._coco.add(
            item.name, boxes, result.labels.tolist(), fields, width=result.width, height=result.height
        )

    def end(self) -> None:
        self._coco.end()
        self._annotations.seek(0)
        shutil.copyfileobj(self._annotations, self._file)


class _FolderWriter:
    """A folder of labels, in one of the formats of `humbleyolo.labels`."""

    def __init__(self, to: str, output: Path, classes: tuple[str, ...], *, copy_images: bool) -> None:
        self._to, self._output, self._classes, self._copy = to, output, classes, copy_images
        self._items: list[WrittenImage] = []
        self._taken: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._folder = self._stack.enter_context(new_folder(self._output))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is not None:
                self._stack.__exit__(kind, error, trace)
                return
            items = sorted(self._items, key=lambda item: item.name)
            export = WrittenSet(items, self._classes, self._folder)
            _FOLDERS[self._to].write(export)
            if self._to == "yolo":
                export.text("labels/classes.txt", "".join(f"{name}\n" for name in self._classes))

    def add(self, item: NamedImage, result: Result) -> None:
        stem = str(PurePosixPath(item.name).with_suffix("")).casefold()
        if stem in self._taken:
            raise UserError(
                f"{item.shown}: its labels would have the name of those of {self._taken[stem]}; rename one, or "
                "give their folder instead of the files"
            )
        self._taken[stem] = item.shown
        self._items.append(_labelled(item, result, "train" if self._to == "yolo" else None))
        if self._copy:
            target = self._folder / _FOLDERS[self._to].IMAGES / item.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(item.read())

    def fail(self, item: NamedImage, reason: str) -> None:
        """Nothing is written for a picture that could not be read."""


def _labelled(item: NamedImage, result: Result, split: str | None) -> WrittenImage:
    count = len(result)
    # Of the image file itself, these formats write only the size.
    facts = ImageInfo("", result.height, result.width, 1, "", 0, np.zeros((0, 0), np.uint8))
    record = LabelledImage(
        label_file="",
        path=item.name,
        height=result.height,
        width=result.width,
        boxes=result.boxes,
        labels=tuple(result.class_names.tolist()),
        flags=(frozenset(),) * count,
        where=("",) * count,
        splits=(),
        group=None,
        info=facts,
    )
    return WrittenImage(record, item.name, split)


def _rounded_rows(result: Result) -> list[tuple[str, float, list[float]]]:
    """Return (class name, score, box) of each detection."""
    scores, boxes = np.round(result.scores, 6).tolist(), np.round(result.boxes, 3).tolist()
    return list(zip(result.class_names.tolist(), scores, boxes, strict=True))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
