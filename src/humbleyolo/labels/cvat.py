"""CVAT for images 1.1 and CVAT for video 1.1 XML.

Images: `<image name width height>` holds `<box label xtl ytl xbr ybr occluded>`. Video: `<track label>` holds
boxes by frame; the image of frame 13 is the one whose name ends in 13, such as `frame_000013.png`. A box with
`outside="1"` is not there. Between the boxes of a track CVAT moves it in a straight line, and after the last
one it stays: so does this reader, on the frames whose images are there. A box with a rotation gives the box
around it, with a note; shapes that are not boxes are left out, with a note.
"""

import bisect
import math
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import PurePosixPath

from humbleyolo.labels.context import Context, split_in
from humbleyolo.labels.ledger import BadInput
from humbleyolo.labels.markup import Element, stream
from humbleyolo.labels.record import Corners, RawBox, RawRecord, Reading
from humbleyolo.labels.source import LABEL_BYTES, Source

_LOOK_AT = 5
_NUMBER_AT_END = re.compile(r"(\d{1,18})$", re.ASCII)
_SLACK = 0.01  # CVAT writes two decimals
_TEXTS = ("attribute",)


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    for name in source.ending(".xml")[:_LOOK_AT]:
        try:
            if b"<annotations>" in source.read(name)[:4096]:
                return f"{name} is XML with <annotations>"
        except BadInput:
            continue
    return ""


def read(context: Context) -> Reading:
    """Return the images of every CVAT file; see `formats.Format`."""
    reading = Reading()
    for name in context.source.ending(".xml"):
        data = context.bytes(name, LABEL_BYTES)
        if data is None:
            continue
        one = _File(name, context)
        try:
            for element in stream(data):
                one.take(element)
        except BadInput as error:
            context.ledger.problem(name, error, "file dropped")
            continue
        reading.records += one.finish()
        reading.classes += tuple(label for label in one.classes if label not in reading.classes)
    return reading


class _File:
    """One CVAT file, taken element by element."""

    def __init__(self, name: str, context: Context) -> None:
        self.name, self.context = name, context
        self.classes: list[str] = []
        self.records: list[RawRecord] = []
        self.size: tuple[int | None, int | None] = (None, None)
        self.frames: dict[int, list[RawBox]] = defaultdict(list)
        self.is_video = False

    def take(self, element: Element) -> None:
        """Take one child of the root."""
        if element.tag == "annotations":
            return
        if element.tag == "meta":
            self._meta(element)
        elif element.tag == "image":
            self._guarded(partial(self._image, element), "image dropped")
        elif element.tag == "track":
            self.is_video = True
            self._guarded(partial(self._track, element), "track dropped")
        elif element.tag not in ("version", "dumped"):
            why = "a CVAT file holds version, meta, image or track"
            raise BadInput("xml", f"<{element.tag}>", why, element.where)

    def finish(self) -> list[RawRecord]:
        """Return the file's images."""
        if self.is_video:
            self._spread_over_frames()
        return self.records

    def _guarded(self, work: Callable[[], None], done: str) -> None:
        try:
            work()
        except BadInput as error:
            self.context.ledger.problem(self.name, error, done)

    def _meta(self, meta: Element) -> None:
        for parent in _descendants(meta):
            if parent.tag == "label" and any(child.tag == "name" for child in parent.children):
                kind = parent.find("type")
                inner = parent.find("parent")
                boxes = kind is None or kind.text in ("", "any", "rectangle", "polygon", "mask")
                if boxes and inner is None:
                    self.classes.append(parent.child("name").text)
            if parent.tag == "original_size":
                self.size = parent.child("height").integer(), parent.child("width").integer()

    def _image(self, element: Element) -> None:
        wanted = element.attribute("name")
        here = posixpath.dirname(self.name)
        subset = element.attributes.get("subset", "")
        split = split_in(subset) or split_in(self.name)
        folders = [f"{here}/{part}".strip("/") for part in (f"images/{subset}", "images", subset, "")]
        try:
            image = self.context.finder.find(wanted, *folders)
        except BadInput as error:
            raise error.at(element.where) from None
        record = RawRecord(
            file=self.name,
            where=element.where,
            image=image,
            height=element.integer("height"),
            width=element.integer("width"),
            slack=_SLACK,
            splits=(split,) if split else (),
        )
        for shape in element.children:
            self._guarded(partial(self._shape, shape, record), "box dropped")
        self.records.append(record)

    def _shape(self, shape: Element, record: RawRecord) -> None:
        if shape.tag == "box":
            box = RawBox(shape.where, shape.attribute("label"), self._corners(shape), _flags(shape))
            record.boxes.append(box)
        elif shape.tag not in ("tag", *_TEXTS):
            error = BadInput("not-a-box", f"<{shape.tag}>", "only boxes are read", shape.where)
            self.context.ledger.note(self.name, error, "not read")

    def _corners(self, box: Element) -> Corners:
        left, top, right, bottom = (box.number(name) for name in ("xtl", "ytl", "xbr", "ybr"))
        angle = box.number("rotation") if "rotation" in box.attributes else 0.0
        if angle == 0:
            return left, top, right, bottom
        turn, x, y = math.radians(angle), (left + right) / 2, (top + bottom) / 2
        across = (abs(math.cos(turn)) * (right - left) + abs(math.sin(turn)) * (bottom - top)) / 2
        down = (abs(math.sin(turn)) * (right - left) + abs(math.cos(turn)) * (bottom - top)) / 2
        error = BadInput("rotated-box", f"rotation {angle:g}", "boxes here are upright", box.where)
        self.context.ledger.note(self.name, error, "the box around it taken")
        return x - across, y - down, x + across, y + down

    def _track(self, track: Element) -> None:
        label = track.attribute("label")
        boxes: dict[int, tuple[Element, Corners]] = {}
        shapes: set[str] = set()
        for shape in track.children:
            if shape.tag != "box":
                shapes.add(shape.tag)
                continue
            frame = shape.integer("frame")
            if frame in boxes or frame < 0:
                raise BadInput(
                    "repeated-id", f"frame {frame}", "a track has one box a frame, from 0", shape.where
                )
            boxes[frame] = shape, self._corners(shape)
        for tag in sorted(shapes - set(_TEXTS)):
            error = BadInput("not-a-box", f"<{tag}>", "only boxes are read", track.where)
            self.context.ledger.note(self.name, error, "not read")
        for frame, (shape, corners) in boxes.items():
            if not shape.flag("outside"):
                self.frames[frame].append(RawBox(shape.where, label, corners, _flags(shape)))
        self._fill(label, boxes)

    def _fill(self, label: str, boxes: dict[int, tuple[Element, Corners]]) -> None:
        """Add the boxes of frames between those given, and after the last, where there is an image."""
        known = sorted(boxes)
        for frame in self._images_by_frame:
            place = bisect.bisect_left(known, frame)
            if frame in boxes or not place or boxes[known[place - 1]][0].flag("outside"):
                continue
            shape, start = boxes[known[place - 1]]
            corners = start
            if place < len(known):
                shape_after, end = boxes[known[place]]
                part = (frame - known[place - 1]) / (known[place] - known[place - 1])
                moves = not shape_after.flag("outside")
                if moves:
                    left, top, right, bottom = (a + (b - a) * part for a, b in zip(start, end, strict=True))
                    corners = (left, top, right, bottom)
            where = f"{shape.where}, carried to frame {frame}"
            self.frames[frame].append(RawBox(where, label, corners, _flags(shape)))

    @cached_property
    def _images_by_frame(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        here = posixpath.dirname(self.name)
        for image in self.context.finder.images:
            number = _NUMBER_AT_END.search(PurePosixPath(image).stem)
            if number and (not here or image.startswith(here + "/")):
                found[int(number.group(1))].append(image)
        return found

    def _spread_over_frames(self) -> None:
        """Turn boxes by frame into one record an image; an image without boxes is background."""
        images = self._images_by_frame
        for frame in sorted({*images, *self.frames}):
            some = images.get(frame, [])
            if len(some) != 1:
                found = f"frame {frame}"
                why = (
                    f"the images {', '.join(some[:3])} have that number"
                    if some
                    else "no image has that number"
                )
                error = BadInput("image-missing", found, f"{why} at the end of its name; there must be one")
                self.context.ledger.problem(self.name, error, "frame dropped")
                continue
            record = RawRecord(file=self.name, where=f"frame {frame}", image=some[0], slack=_SLACK)
            record.height, record.width = self.size
            record.boxes = self.frames.get(frame, [])
            self.records.append(record)


def _descendants(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _descendants(child)


def _flags(shape: Element) -> frozenset[str]:
    flags = {"occluded"} if shape.flag("occluded") else set()
    for attribute in shape.all("attribute"):  # CVAT turns VOC's flags into attributes; so does this project
        name = attribute.attributes.get("name", "")
        if name in ("difficult", "truncated", "crowd") and attribute.text.lower() in ("1", "true"):
            flags.add(name)
    return frozenset(flags)
