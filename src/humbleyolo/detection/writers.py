"""Detections as files: JSON, CSV, COCO, and labels for a person to correct in a labelling tool.

    json    {"images": [{"file", "width", "height", "limit_reached",
            "detections": [{"label", "score", "box": [x0, y0, x1, y1]}]}]}
    jsonl   an image or a frame per line: {"file", "frame", "seconds", "width", "height", "limit_reached",
            "detections"}
    csv     image,label,score,xmin,ymin,xmax,ymax,width,height,limit_reached; a row without a box for an image without
            detections; of videos the columns frame,seconds too
    coco    a COCO dataset, with the score of each annotation beside it
    yolo    a folder: labels/*.txt, classes.txt beside them (LabelImg), data.yaml and train.txt (Ultralytics)
    voc     a folder: Annotations/*.xml, ImageSets/Main (LabelImg, CVAT)
    cvat    a folder: annotations.xml, CVAT for images 1.1

Boxes are pixels of the upright image. JSON and CSV round them to a thousandth of a pixel, scores to 6 digits.
"""

import csv
import io
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from humbleyolo.dataset.coco_json import CocoWriter, to_json
from humbleyolo.detection.image_paths import NamedImage
from humbleyolo.detection.output_formats import FOLDERS, FRAME_FORMATS
from humbleyolo.detection.result import Result
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.inputs.image_info import ImageInfo
from humbleyolo.labels.formats import cvat, voc, yolo
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.writing import WrittenImage, WrittenSet
from humbleyolo.storage.atomic import write_output
from humbleyolo.storage.new_folder import new_folder

_CSV_COLUMNS = ("image", "label", "score", "xmin", "ymin", "xmax", "ymax", "width", "height", "limit_reached")
_OF_FRAMES = ("frame", "seconds")
_FOLDERS = dict(zip(FOLDERS, (yolo, voc, cvat), strict=True))
NOTHING_FOUND = "nothing_found.md"
_LOOK = (
    "Nothing was found on these images. Their labels have no box, which says that nothing is there. Look at each "
    "before you train on it."
)


class Writer:
    """A writer of results, one by one. A context manager: its output is whole only when that ends well."""

    def __enter__(self) -> Self:
        with ExitStack() as self._stack:
            self.start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self.end()

    def start(self) -> None:
        """Open the output, and write its beginning."""

    def add(self, image: NamedImage, result: Result) -> None:
        """Write the result of one image.

        Raises:
            UserError: If it cannot be written beside those before it.
        """
        raise NotImplementedError

    def fail(self, image: NamedImage, reason: str) -> None:
        """Note an image that could not be read; most formats have no place for it."""

    def end(self) -> None:
        """Write the end."""


def make_writer(
    to: str,
    output: Path | None,
    stdout: BinaryIO,
    head: dict[str, Any],
    *,
    copy_images: bool = False,
    videos: bool = False,
) -> Writer:
    """Return the writer of a format.

    Args:
        to: One of `output_formats.FORMATS`, without the parts.
        output: A file, or a folder for `yolo`, `voc` and `cvat`; None: standard output.
        stdout: Standard output, as bytes.
        head: Facts of the run for the JSON; `classes` are the class names.
        copy_images: Copies of the images beside the labels, for `yolo`, `voc` and `cvat`.
        videos: Frames of videos among the images.

    Raises:
        UserError: If format, output and copies do not go together.
    """
    if videos and to not in FRAME_FORMATS:
        raise UserError(f"--format {to} is of pictures; of videos and addresses it is {', '.join(FRAME_FORMATS)}")
    if to in _FOLDERS:
        if output is None:
            raise UserError(f"--format {to} writes a folder; say where with --output FOLDER")
        return _FolderWriter(to, output, tuple(head["classes"]), copy_images=copy_images)
    if copy_images:
        raise UserError(f"--copy-images goes with {', '.join(_FOLDERS)}, not with {to}")
    if to == "csv":
        return _CsvWriter(output, stdout, head, videos=videos)
    kind: type[_FileWriter] = {"json": _JsonWriter, "jsonl": _JsonLinesWriter, "coco": _CocoWriter}[to]
    return kind(output, stdout, head)


class _FileWriter(Writer):
    """One file or standard output, written as results come."""

    def __init__(self, output: Path | None, stdout: BinaryIO, head: dict[str, Any]) -> None:
        self._output, self._file, self._head = output, stdout, head

    def start(self) -> None:
        if self._output is not None:
            self._file = self._stack.enter_context(write_output(self._output))

    def end(self) -> None:
        self._file.flush()


class _JsonWriter(_FileWriter):
    def start(self) -> None:
        super().start()
        self._between, self._failed = b"\n", list[dict[str, str]]()
        self._file.write(to_json(self._head)[:-1] + b',"images":[')

    def add(self, image: NamedImage, result: Result) -> None:
        self._file.write(self._between + to_json(line_of(image, result)))
        self._between = b",\n"

    def fail(self, image: NamedImage, reason: str) -> None:
        self._failed.append({"file": image.shown, "error": reason})

    def end(self) -> None:
        self._file.write(b'\n],"errors":' + to_json(self._failed) + b"}\n")
        super().end()


class _JsonLinesWriter(_FileWriter):
    def add(self, image: NamedImage, result: Result) -> None:
        self._line(line_of(image, result))

    def fail(self, image: NamedImage, reason: str) -> None:
        self._line({"file": image.shown, "error": reason})

    def _line(self, one: dict[str, Any]) -> None:
        self._file.write(to_json(one) + b"\n")
        self._file.flush()  # who reads a camera's lines waits for them


class _CsvWriter(_FileWriter):
    def __init__(self, output: Path | None, stdout: BinaryIO, head: dict[str, Any], *, videos: bool) -> None:
        super().__init__(output, stdout, head)
        self._videos = videos

    def start(self) -> None:
        super().start()
        self._write([(*_CSV_COLUMNS, *(_OF_FRAMES if self._videos else ()))])

    def add(self, image: NamedImage, result: Result) -> None:
        facts = (
            result.width,
            result.height,
            str(result.limit_reached).lower(),
            *([_frame_of(result).get(one, "") for one in _OF_FRAMES] if self._videos else []),
        )
        rows = [(image.shown, label, score, *box, *facts) for label, score, box in _rounded_rows(result)]
        self._write(rows or [(image.shown, *[""] * 6, *facts)])

    def _write(self, rows: Iterable[tuple[Any, ...]]) -> None:
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(rows)
        self._file.write(lines.getvalue().encode("utf-8", "backslashreplace"))
        if self._videos:
            self._file.flush()


class _CocoWriter(_FileWriter):
    def start(self) -> None:
        super().start()
        self._annotations = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is one
        self._coco = CocoWriter(self._head["classes"], {}, self._file, self._annotations)
        self._taken: dict[str, str] = {}

    def add(self, image: NamedImage, result: Result) -> None:
        _take(self._taken, image.name, image)
        boxes, fields = (xyxy_to_ltwh(result.boxes).tolist(), [{"score": one} for one in result.scores.tolist()])
        size = {"width": result.width, "height": result.height}
        self._coco.add(image.name, boxes, result.labels.tolist(), fields, **size)

    def end(self) -> None:
        self._coco.end()
        self._annotations.seek(0)
        shutil.copyfileobj(self._annotations, self._file)
        super().end()


class _FolderWriter(Writer):
    """A folder of labels, in one of the formats of `humbleyolo.labels`."""

    def __init__(self, to: str, output: Path, classes: tuple[str, ...], *, copy_images: bool) -> None:
        self._to, self._output, self._classes, self._copy = to, output, classes, copy_images
        self._written: list[WrittenImage] = []
        self._taken: dict[str, str] = {}

    def start(self) -> None:
        self._folder = self._stack.enter_context(new_folder(self._output))

    def end(self) -> None:
        images = sorted(self._written, key=lambda one: one.name)
        written = WrittenSet(images, self._classes, self._folder)
        _FOLDERS[self._to].write(written)
        if self._to == "yolo":
            written.text("labels/classes.txt", "".join(f"{name}\n" for name in self._classes))
        if unseen := [item.name for item in images if item.unseen]:
            written.text(NOTHING_FOUND, "\n".join([_LOOK, "", *(f"- {name}" for name in unseen), ""]))

    def add(self, image: NamedImage, result: Result) -> None:
        content = image.read() if self._copy else b""  # it may be gone since, and then it has no labels either
        _take(self._taken, str(PurePosixPath(image.name).with_suffix("")).casefold(), image)
        if self._copy:
            target = self._folder / _FOLDERS[self._to].IMAGES / image.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        self._written.append(_labelled(image, result, "train" if self._to == "yolo" else None))


def _take(taken: dict[str, str], name: str, image: NamedImage) -> None:
    """Note the name under which an image is written, with the image's path.

    Raises:
        UserError: If another image has that name.
    """
    if name in taken:
        raise UserError(
            f"{image.shown}: its labels would have the name of those of {taken[name]}; rename one, or give "
            "the folder that holds both"
        )
    taken[name] = image.shown


def _labelled(image: NamedImage, result: Result, split: str | None) -> WrittenImage:
    count, height, width = len(result), result.height, result.width
    labelled = LabelledImage(
        label_file="", path=image.name, height=height, width=width,
        boxes=result.boxes, labels=tuple(result.class_names.tolist()),
        flags=(frozenset(),) * count, where=("",) * count, splits=(), group=None,
        info=ImageInfo("", height, width, 1, "", 0, np.zeros((0, 0), np.uint8)),  # the size alone is written
    )  # fmt: skip
    return WrittenImage(labelled, image.name, split, unseen=not count)


def _rounded_rows(result: Result) -> list[tuple[str, float, list[float]]]:
    """Return D (class name, score, box)."""
    scores, boxes = np.round(result.scores, 6).tolist(), np.round(result.boxes, 3).tolist()
    return list(zip(result.class_names.tolist(), scores, boxes, strict=True))


def line_of(image: NamedImage, result: Result) -> dict[str, Any]:
    """Return a result as JSON has it."""
    detections = [dict(zip(("label", "score", "box"), row, strict=True)) for row in _rounded_rows(result)]
    facts = {"width": result.width, "height": result.height, "limit_reached": result.limit_reached}
    return {"file": image.shown, **_frame_of(result), **facts, "detections": detections}


def _frame_of(result: Result) -> dict[str, Any]:
    """Return number and time stamp of a video's frame; of an image nothing."""
    frame = result.video_frame
    return {} if frame is None else dict(zip(_OF_FRAMES, (frame.number, frame.seconds), strict=True))
