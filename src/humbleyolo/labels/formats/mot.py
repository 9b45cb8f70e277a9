"""MOT: `seq/gt/gt.txt` about the frames `seq/img1/000001.jpg`; a line a box.

    frame,track,left,top,width,height,considered,class,visibility

Classes are the lines of `gt/labels.txt` (as Datumaro and CVAT write it), else `classes`, else those of the MOT
benchmark; numbers run from 1. A box that is not considered is a crowd; one with visibility 0 is occluded. Frames
without a line are background, as everywhere in MOT. The benchmark counts pixels from 1 (`one_based`), Datumaro from
0. A sequence is a group.
"""

import configparser
import posixpath
import re

from humbleyolo.inputs.file_names import splits_of_folder
from humbleyolo.inputs.folder import LABEL_BYTES, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines, parse_integer, parse_number
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import counted

_NAMES = (
    "pedestrian",
    "person on vehicle",
    "car",
    "bicycle",
    "motorbike",
    "non motorized vehicle",
    "static person",
    "distractor",
    "occluder",
    "occluder on the ground",
    "occluder full",
    "reflection",
)
_MOST_COLUMNS = 10  # of detections; ground truth has nine
_FRAME = re.compile("[0-9]{1,9}")
_MOST = 0.95  # of the frames with lines, that have an image
_PLACES = ("left", "top", "width", "height")
_LINE = re.compile(rb"\s*\d+(\.0*)?,-?\d+(\.0*)?(,-?[\d.]+(e-?\d+)?){4,}\s*")


def _files(source: Source) -> list[str]:
    return [name for name in source.ending(".txt") if f"/{name}".endswith("/gt/gt.txt")]


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    for name in _files(source):
        if _LINE.fullmatch(source.head(name).split(b"\n", 1)[0]):
            return f"{name} has lines of a frame, a track, and a box"
    return ""


def read(reader: SourceReader) -> UncheckedSet:
    """Return the frames of every sequence; see `registry.Format`."""
    result = UncheckedSet(background="a frame without a line in gt.txt")
    for name in _files(reader.source):
        with reader.ledger.reporting(name, "file dropped"):
            sequence = _Sequence(reader, name)
            sequence.read()
            result.images += sequence.frames.values()
    return result


class _Sequence:
    """One sequence."""

    def __init__(self, reader: SourceReader, name: str) -> None:
        self.reader, self.name = reader, name
        self.root = posixpath.dirname(posixpath.dirname(name))
        self.facts = self._facts()
        folder = posixpath.normpath(posixpath.join(self.root, self.facts.get("imdir", "img1"))).removeprefix(".")
        self.frames: dict[int, UncheckedImage] = {}
        for path in reader.images.paths:
            stem = posixpath.splitext(posixpath.basename(path))[0]
            if posixpath.dirname(path) == folder and stem.isascii() and stem.isdecimal():
                image = UncheckedImage(name, path, f"frame {int(stem)}", group=self.root or None, slack=0.01)
                image.splits = splits_of_folder(name)
                for key, side in (("imheight", "height"), ("imwidth", "width")):
                    if key in self.facts:
                        setattr(image, side, parse_integer(self.facts[key], key))
                self.frames[int(stem)] = image
        if not self.frames:
            raise BadInput("image-missing", folder, "holds no images named by numbers; add the frames there")

    def _facts(self) -> dict[str, str]:
        """Return what `seqinfo.ini` says, by names in small letters."""
        file = posixpath.join(self.root, "seqinfo.ini")
        parser = configparser.RawConfigParser()
        if file in self.reader.source.names:
            try:
                parser.read_string(self.reader.text(file))
            except configparser.Error as error:
                raise BadInput("ini", shorten(str(error)), f"{file} must be lines of a name, = and a value") from None
        return dict(parser["Sequence"]) if "Sequence" in parser else {}

    def read(self) -> None:
        """Add the boxes to their frames."""
        labels = posixpath.join(posixpath.dirname(self.name), "labels.txt")
        names = self.reader.options.classes or _NAMES
        if labels in self.reader.source.names:
            names = tuple(line for _, line in numbered_lines(self.reader.text(labels)))
        ignored = 0
        lines = numbered_lines(self.reader.text(self.name, LABEL_BYTES))
        self._refuse_frames_from_zero(lines)
        for number, line in lines:
            with self.reader.ledger.reporting(self.name, "box dropped", f"line {number}"):
                columns = [text.strip() for text in line.split(",")]
                image = self._frame(columns[0])
                with image.losing():
                    box = self._box(columns, names, f"line {number}")
                ignored += "crowd" in box.flags
                image.boxes.append(box)
        if ignored:
            why = "their seventh column says that they are not considered"
            error = BadInput("ignored", counted(ignored, "box", "boxes"), why)
            self.reader.ledger.note(self.name, error, "read as crowds")

    def _refuse_frames_from_zero(self, lines: list[tuple[int, str]]) -> None:
        """Raise BadInput if images are numbered from 0: they follow each other, or nearly all lines fit only then."""
        last = max(self.frames) + 1
        firsts = {line.partition(",")[0].strip().partition(".")[0] for _, line in lines}
        named = {int(first) for first in firsts if _FRAME.fullmatch(first)}
        if 0 not in self.frames or 0 in named or last not in named:
            return
        most = _MOST * len(named)
        fits, shifted = (sum(number - by in self.frames for number in named) for by in (0, 1))
        if len(self.frames) == last or shifted >= most > fits:
            why = f"frames are counted from 1, and frame {last} has boxes: add 1 to the images' numbers"
            raise BadInput("frame-numbers", f"images numbered 0 to {last - 1}", why)

    def _frame(self, text: str) -> UncheckedImage:
        """Return the frame of a number; BadInput if there is none."""
        frame = _whole(text, "the frame")
        if frame not in self.frames:
            raise BadInput("image-missing", f"frame {frame}", "no image has that number; add it")
        return self.frames[frame]

    def _box(self, columns: list[str], names: tuple[str, ...], where: str) -> UncheckedBox:
        if not 6 <= len(columns) <= _MOST_COLUMNS:
            found = f"{len(columns)} columns: {shorten(','.join(columns))}"
            raise BadInput(
                "columns", found, f"must be frame,track,left,top,width,height, and {_MOST_COLUMNS} at most"
            )
        left, top, width, height = (
            parse_number(text, name) for text, name in zip(columns[2:6], _PLACES, strict=True)
        )
        shift = 1.0 if self.reader.options.one_based else 0.0
        considered, visible = (
            parse_number(columns[place], "a column") if len(columns) > place else 1.0 for place in (6, 8)
        )
        label = _whole(columns[7], "the class") if len(columns) > 7 else -1
        number = label if label > 0 else len(names) == 1  # without a class: the only one there is
        if not 1 <= number <= len(names):
            found = f"class {label}"
            raise BadInput("unknown-class", found, f"allowed: 1 to {len(names)}: {shorten(', '.join(names))}")
        flags = frozenset(["crowd"] * (considered == 0) + ["occluded"] * (len(columns) == 9 and visible == 0))
        corners = (left - shift, top - shift, left - shift + width, top - shift + height)
        return UncheckedBox(where, names[number - 1], corners, flags)


def _whole(text: str, name: str) -> int:
    """Return a whole number, also as some tools write it, `2.0`."""
    if not (value := parse_number(text, name)).is_integer():
        raise BadInput("not-an-integer", shorten(text), f"{name} must be a whole number; correct it")
    return int(value)
