"""CVAT for images 1.1 and CVAT for video 1.1 XML.

Images: `<image name width height>` holds `<box label xtl ytl xbr ybr occluded>`. Video: `<track label>` holds
boxes by frame; the image of frame 13 is the one whose name ends in 13, such as `frame_000013.png`. A box with
`outside="1"` is not there. Between the boxes of a track CVAT moves it in a straight line, and after the last
one it stays: so does this reader, on the frames whose images are there. A box with a rotation gives the box
around it, with a note; shapes that are not boxes are left out, with a note.
"""

import posixpath
from collections.abc import Callable, Iterator
from functools import partial
from xml.sax.saxutils import escape, quoteattr

from humbleyolo.labels.folder import LABEL_BYTES, Source
from humbleyolo.labels.formats.cvat_shapes import CORNERS, SLACK, note_other_shapes, read_corners, read_flags
from humbleyolo.labels.formats.cvat_video import Tracks
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput
from humbleyolo.labels.parsing.xml import Element, stream
from humbleyolo.labels.source_reader import SourceReader, split_in
from humbleyolo.labels.writing import WrittenImage, WrittenSet, exact

IMAGES = "images"
_LOOK_AT = 5


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    for name in source.ending(".xml")[:_LOOK_AT]:
        try:
            if b"<annotations>" in source.read(name)[:4096]:
                return f"{name} is XML with <annotations>"
        except BadInput:
            continue
    return ""


def read(context: SourceReader) -> UncheckedSet:
    """Return the images of every CVAT file; see `formats.Format`."""
    reading = UncheckedSet(background="an <image> without shapes")
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
        reading.images += one.finish()
        reading.classes = tuple(dict.fromkeys([*reading.classes, *one.classes]))
    return reading


class _File:
    """One CVAT file, taken element by element."""

    def __init__(self, name: str, context: SourceReader) -> None:
        self.name, self.context = name, context
        self.classes: list[str] = []
        self.images: list[UncheckedImage] = []
        self.tracks = Tracks(name, context)

    def take(self, element: Element) -> None:
        """Take one child of the root."""
        if element.tag == "annotations":
            return
        if element.tag == "meta":
            self._meta(element)
        elif element.tag == "image":
            self._guarded(partial(self._image, element), "image dropped")
        elif element.tag == "track":
            self._guarded(partial(self.tracks.add, element), "track dropped")
        elif element.tag not in ("version", "dumped"):
            why = "a CVAT file holds version, meta, image or track"
            raise BadInput("xml", f"<{element.tag}>", why, element.where)

    def finish(self) -> list[UncheckedImage]:
        """Return the file's images."""
        return self.images + self.tracks.images()

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
                self.tracks.size = parent.child("height").integer(), parent.child("width").integer()

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
        record = UncheckedImage(
            label_file=self.name,
            where=element.where,
            path=image,
            height=element.integer("height"),
            width=element.integer("width"),
            slack=SLACK,
            splits=(split,) if split else (),
        )
        for shape in element.children:
            self._guarded(partial(self._shape, shape, record), "box dropped")
        self.images.append(record)

    def _shape(self, shape: Element, record: UncheckedImage) -> None:
        if shape.tag == "box":
            corners = read_corners(shape, self.name, self.context)
            record.boxes.append(
                UncheckedBox(shape.where, shape.attribute("label"), corners, read_flags(shape))
            )
        else:
            note_other_shapes({shape.tag}, shape.where, self.name, self.context)


def _descendants(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _descendants(child)


def write(export: WrittenSet) -> None:
    """Write `annotations.xml`, CVAT for images 1.1. Coordinates have all their digits."""
    extra = sorted(
        {flag for item in export.items for some in item.image.flags for flag in some} - {"occluded"}
    )
    declared = "".join(
        f"<attribute><name>{flag}</name><mutable>False</mutable><input_type>checkbox</input_type>"
        "<default_value>false</default_value><values>false</values></attribute>"
        for flag in extra
    )
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations>",
        "<version>1.1</version>",
        "<meta><task><labels>",
    ]
    lines += [
        f"<label><name>{escape(name)}</name><attributes>{declared}</attributes></label>"
        for name in export.classes
    ]
    lines.append("</labels></task></meta>")
    for number, item in enumerate(export.items):
        lines += _image_lines(number, item, extra)
    export.text("annotations.xml", "\n".join([*lines, "</annotations>", ""]))


def _image_lines(number: int, item: WrittenImage, extra: list[str]) -> list[str]:
    record = item.image
    subset = f" subset={quoteattr(item.split)}" if item.split else ""
    size = f'width="{record.width}" height="{record.height}"'
    lines = [f'<image id="{number}" name={quoteattr(item.name)}{subset} {size}>']
    for box, label, flags in zip(record.boxes.tolist(), record.labels, record.flags, strict=True):
        place = " ".join(f'{name}="{exact(value)}"' for name, value in zip(CORNERS, box, strict=True))
        known = "".join(
            f'<attribute name="{flag}">{str(flag in flags).lower()}</attribute>' for flag in extra
        )
        occluded = int("occluded" in flags)
        head = f'<box label={quoteattr(label)} source="manual" occluded="{occluded}" {place} z_order="0">'
        lines.append(f"{head}{known}</box>")
    return [*lines, "</image>"]
