"""CSV tables of boxes: a line a box.

    image,label,xmin,ymin,xmax,ymax
    a.jpg,cat,10,20,30.5,40
    empty.jpg,,,,,              background, declared

These are the project's own columns. More are read if they are there: `width`, `height`, `split`, `group`, and the
flags `crowd`, `difficult`, `occluded`, `truncated`; others are ignored. `filename` stands for `image`, and `class`
for `label`, as TensorFlow's tools write them. `csv_columns` knows other tables; a note says how they are read. A
table of two columns, a name and a number, orders the classes or names their numbers; so does `label_map`. Texts of
`keras_text` are read too.
"""

import csv
import io
import posixpath
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.inputs.file_names import IMAGE_FORMATS, split_of_word, splits_in, suffix
from humbleyolo.inputs.folder import HEAD_BYTES, IMAGE_BYTES, LABEL_BYTES, Source
from humbleyolo.inputs.image_info import upright_size
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.csv import Row, header_of, refuse_lines, take_rows, values_of
from humbleyolo.inputs.parsing.text import parse_flag, parse_size
from humbleyolo.labels.class_numbers import doubt_count_from_one, find_count_from_one
from humbleyolo.labels.formats.class_table import class_table
from humbleyolo.labels.formats.csv_columns import (
    OWN,
    Columns,
    fold,
    is_whole,
    map_columns,
    refuse_turned,
    settle,
    to_corners,
)
from humbleyolo.labels.formats.keras_text import detect_keras_text, read_keras_text
from humbleyolo.labels.formats.label_map import name_numbers, read_label_maps
from humbleyolo.labels.labelled_image import FLAGS, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.writing import WrittenSet, exact
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Floats

IMAGES = "images"
_NO_OBJECT = re.compile(r"\s*(no|none|nothing|nan|null|empty|background)(?![^\W_])", re.I)
_SCORES = ("conf", "confidence", "prob", "probability", "score")  # columns of a detector
_MOST_OPENED = 50  # images opened to tell two readings apart


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    for name in source.ending(".csv"):
        if columns := _columns_of(source.head(name)):
            return f"{name} has the columns {', '.join(OWN)}" if columns.own else f"{name} has columns of boxes"
    return detect_keras_text(source)


def _columns_of(head: bytes) -> Columns | None:
    """Return the columns of a table of boxes, also of one that leaves two readings."""
    text = head.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    if len(head) >= HEAD_BYTES:
        text = text.rpartition("\n")[0]
    try:
        return map_columns(text)
    except BadInput:
        return Columns("", "", (), ())


def read(reader: SourceReader) -> UncheckedSet:
    """Return the images of every such table; see `registry.Format`."""
    result = UncheckedSet(background="a line that holds its name alone: name,,,,,")
    tables: list[str] = []
    names: dict[str, str] = {}  # by number
    for name in reader.source.ending(".csv"):
        if _columns_of(reader.source.head(name)):
            tables.append(name)
        elif len(header := header_of(reader.source.head(name))) == 2:
            with reader.ledger.reporting(name, "file dropped"):
                if own := class_table(reader.text(name, LABEL_BYTES)):
                    names |= own
                else:
                    found = f"columns {shorten(', '.join(header))}"
                    why = "no list of a name and a number for each class"
                    reader.ledger.note(name, BadInput("csv", found, why), "not read")
        elif "xmin" in ",".join(header):
            with reader.ledger.reporting(name, "file dropped", "line 1"):
                missing = [key for key in OWN if key not in header]
                hint = "; separate by commas" if any(mark in "".join(header) for mark in ";\t") else ""
                raise BadInput("csv", f"no column {', '.join(missing)}", f"needed: {','.join(OWN)}{hint}")
        else:
            found = f"columns {shorten(', '.join(header))}"
            reader.ledger.note(name, BadInput("csv", found, "no image with a box is among them"), "not read")
    mapped = {} if names else read_label_maps(reader)
    for name in tables:
        with reader.ledger.reporting(name, "file dropped"):
            text = reader.text(name, LABEL_BYTES)
            columns = map_columns(text) or map_columns(text[: HEAD_BYTES // 2].rpartition("\n")[0])
            if columns is None:
                raise BadInput("csv", "other columns further down", "each line must have the columns of the first")
            numbers = {*values_of(text, columns.label, columns.header)} if mapped else set()
            known = mapped if numbers <= {*mapped, ""} else {}  # numbers from 0 are no ids from 1
            result.images += _Table(reader, name, columns, names or known).read(text)
    labels = {box.label for image in result.images for box in image.boxes}
    if names and labels <= {*names.values()}:
        result.classes = tuple(dict.fromkeys(names.values()))
    name_numbers(reader, result.images)
    result.add(*read_keras_text(reader))
    return result


@dataclass(slots=True)
class _Line:
    """A box as its line says."""

    image: UncheckedImage
    box: UncheckedBox
    numbers: list[float]


class _Table:
    """One table of boxes. `names` are those of class numbers, if another table has them."""

    def __init__(self, reader: SourceReader, name: str, columns: Columns, names: dict[str, str]) -> None:
        self.reader, self.name, self.columns = reader, name, columns
        self.here = posixpath.dirname(name)
        told = reader.options.classes
        self.names = dict(zip(map(str, range(len(told))), told, strict=True)) or names
        self.images: dict[str, UncheckedImage] = {}
        self.lines: list[_Line] = []
        self.empty: Counter[str] = Counter()  # lines without numbers, by the words that there is no object
        self.as_floats = False  # the classes are whole numbers, which are written as floats

    def read(self, text: str) -> list[UncheckedImage]:
        """Return the images.

        Raises:
            BadInput: If the classes have no names, or the numbers two readings.
        """
        columns = self.columns
        if doubt := refuse_turned(columns.header or header_of(text), text, columns.own):
            self.reader.ledger.warn(self.name, doubt)
        self._warn_of_scores(text)
        if columns.guessed and len(self.names) == 1:  # the one class is told, so that no column need be
            columns.label, columns.guessed = "", False
        if (not columns.label and len(self.names) != 1) or (columns.numbered and not self.names):
            found = "only class numbers" if columns.numbered else "no column of classes"
            fix = "give classes in the order of the numbers" if columns.numbered else "give its one class in classes"
            fix += f", or call {shorten(columns.unsure)} label, if it is the class" if columns.unsure else ""
            raise BadInput("no-class-names", found, fix)
        self._settle_classes(text)
        self._refuse_count_from_one(text)
        lost = take_rows(text, self.name, self.reader.ledger, self._take, self._named, columns.header)
        self._note_empty()
        boxes = np.array([line.numbers for line in self.lines], np.float64).reshape(-1, 4)
        settle(columns, boxes, self._sizes)
        if not columns.own:
            why = "known by their names, or by what they hold"
            self.reader.ledger.note(self.name, BadInput("csv-columns", str(columns), why), "read so")
        for line, corners in zip(self.lines, to_corners(boxes, columns.readings[0]).tolist(), strict=True):
            line.image.boxes.append(replace(line.box, corners=tuple(corners)))
        for path in lost.of_image:
            self.images.setdefault(path, UncheckedImage(self.name, path))
        for path, image in self.images.items():
            image.lost, image.relative, image.slack = lost.count(path), columns.relative, 1e-6 * columns.relative
        return list(self.images.values())

    def _settle_classes(self, text: str) -> None:
        """Settle how whole numbers in the column of classes are read: as places in the list of names, or as names."""
        column = self.columns.label
        if not column or self.columns.numbered:
            return
        found = {value.strip() for value in values_of(text, column, self.columns.header)} - {""}
        if not found or not all(map(is_whole, found)):
            return
        numbers = {value.partition(".")[0] for value in found}
        self.as_floats = found != numbers
        self.columns.numbered = bool(self.names) and not (found | numbers) & {*self.names.values()}
        if self.as_floats or self.columns.numbered:
            what = "places in the list of classes" if self.columns.numbered else "names, without .0"
            shown = f"whole numbers in {column}: {shorten(', '.join(sorted(found)))}"
            self.reader.ledger.note(self.name, BadInput("csv-columns", shown, what), "read so")

    def _warn_of_scores(self, text: str) -> None:
        """Warn of a column of scores: the boxes may be a model's."""
        for name in header_of(text) if not self.columns.header else ():
            scores = values_of(text, name) if fold(name) in _SCORES else ()
            if any(re.fullmatch(r"0?\.\d*[1-9]\d*", one.strip()) for one in scores):
                why = "a model may have found these boxes, which are labels only after a person looked"
                self.reader.ledger.warn(self.name, BadInput("scores", f"numbers below 1 in the column {name}", why))

    def _refuse_count_from_one(self, text: str) -> None:
        """Raise BadInput if class numbers count from 1 where those of the names count from 0; warn if they may."""
        from_zero = {*self.names} == {*map(str, range(len(self.names)))}
        if from_zero and self.columns.numbered:
            values = values_of(text, self.columns.label, self.columns.header)
            numbers: Counter[int] = Counter()
            for value in filter(is_whole, values):
                numbers[int(value.strip().partition(".")[0])] += values[value]
            mistake = find_count_from_one(numbers, len(self.names))
            if mistake and self.reader.options.format == "auto":
                mistake.why += "; to read them as they are, name the format, `--format csv`"
                raise mistake
            if doubt := doubt_count_from_one(numbers, len(self.names)):
                self.reader.ledger.warn(self.name, doubt, "read as they are")

    def _named(self, row: Row) -> str:
        wanted, folders = row[self.columns.image], (self.here, f"{self.here}/images".strip("/"))
        if self.columns.own or "/" in wanted or "\\" in wanted or suffix(wanted) in IMAGE_FORMATS:
            return self.reader.images.find(wanted, *folders, anywhere=not self.columns.own)
        return self.reader.images.stem(wanted, *folders)

    def _take(self, line: int, row: Row) -> None:
        path, split = self._named(row), _split_in(row)
        image = self.images.get(path)
        if image is None:
            image = UncheckedImage(self.name, path, f"line {line}")
            if self.columns.size:  # a column without a name, as pandas writes its index, is none
                width, height = self.columns.size
                sizes = [parse_size(row[side], side) if row.get(side) else None for side in (width, height)]
                image.width, image.height = sizes if any(sizes) else (None, None)  # 0 x 0: not recorded
            image.group = row.get("group") or None
            image.splits = (split,) if split else splits_in(self.name)
            self.images[path] = image
        told = ("split", split, image.splits[0] if image.splits else None), ("group", row.get("group"), image.group)
        for key, value, known in told:
            if value and value != known:
                why = f"{image.where} says {shorten(known)}; an image has one"
                raise BadInput("csv", f"{key} {shorten(row[key])}", why)
        label = row[self.columns.label] if self.columns.label else next(iter(self.names.values()))
        refuse_lines(label, self.columns.label)
        texts = self.columns.texts(row)
        if not any(texts) and (not label or not self.columns.label):
            return
        if not any(texts) and _NO_OBJECT.match(label):
            self.empty[label] += 1
            return
        flags = frozenset(flag for flag in FLAGS if row.get(flag) and parse_flag(row[flag], flag))
        box = UncheckedBox(f"line {line}", self._class_name(label), (0.0, 0.0, 0.0, 0.0), flags)
        self.lines.append(_Line(image, box, self.columns.numbers(texts)))

    def _note_empty(self) -> None:
        """Note lines that say in words that there is no object, as `No finding` without numbers."""
        for label, count in self.empty.items():
            found = f"{shorten(label)} without a box in {counted(count, 'line')}"
            why = "by its name it is no object"
            self.reader.ledger.note(self.name, BadInput("no-object", found, why), "background")

    def _class_name(self, label: str) -> str:
        if not self.columns.numbered:
            return label.strip().partition(".")[0] if self.as_floats else label
        number = label.strip().partition(".")[0] if is_whole(label) else label
        if number not in self.names:
            allowed = shorten(", ".join(f"{key} {name}" for key, name in self.names.items()))
            raise BadInput("unknown-class", f"class {shorten(label)}", f"allowed: {allowed}")
        return self.names[number]

    def _sizes(self) -> Floats:
        """Return the width and height of each box's image, (M, 2); NaN for those that are not known or opened."""
        opened: dict[str, tuple[float, float]] = {}
        for image in {line.image.path: line.image for line in self.lines}.values():
            opened[image.path] = image.width or np.nan, image.height or np.nan
            if not (image.width and image.height) and len(opened) <= _MOST_OPENED:
                with suppress(BadInput):
                    data = self.reader.source.read(image.path, IMAGE_BYTES)
                    height, width = upright_size(data, self.reader.options.exif)
                    opened[image.path] = width or np.nan, height or np.nan
        return np.array([opened[line.image.path] for line in self.lines], np.float64)


def _split_in(row: Row) -> str:
    """Return the split that a row says, also by another word, as `valid`; empty if it says none."""
    word = row.get("split", "")
    if word and not (split := split_of_word(word)):
        raise BadInput("unknown-split", shorten(word), f"split must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")
    return split if word else ""


def write(out: WrittenSet) -> None:
    """Write `labels.csv`: a line a box, one without a box for background."""
    flags = [flag for flag in FLAGS if any(flag in some for item in out.items for some in item.image.flags)]
    group = ["group"] if any(item.image.group for item in out.items) else []
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*OWN, "width", "height", "split", *group, *flags])
    for item in out.items:
        image = item.image
        tail = [image.width, image.height, item.split or "", *(image.group or "" for _ in group)]
        rows = [
            [label, *map(exact, box), *tail, *(int(flag in some) for flag in flags)]
            for box, label, some in zip(image.boxes.tolist(), image.labels, image.flags, strict=True)
        ]
        for row in rows or [["", "", "", "", "", *tail, *("" for _ in flags)]]:
            writer.writerow([f"{IMAGES}/{item.name}", *row])
    out.text("labels.csv", file.getvalue())
