"""CVAT for images 1.1 and CVAT for video 1.1 XML.

Images: `<image name width height>` holds `<box label xtl ytl xbr ybr occluded>`. Video: `<track label>` holds
boxes by frame; the image of frame 13 is the one whose name ends in 13, such as `frame_000013.png`. A box with
`outside="1"` is not there. Between the boxes of a track CVAT moves it in a straight line, and after the last
one it stays. So does this reader, on the frames whose images are there.

Turned boxes, polygons, closed polylines, ellipses, masks and cuboids give the box around them. Those of one class and
one `group_id` are one object, as in CVAT's own COCO files. Plain boxes of a group are an object each.
Points, skeletons of them, and open lines have no area: they are left out, with a note. Other shapes are mistakes.
"""

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from xml.sax.saxutils import escape, quoteattr

from humbleyolo.inputs.file_names import splits_in
from humbleyolo.inputs.folder import LABEL_BYTES, LOOKED_AT, Source
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.inputs.parsing.xml import Element, stream
from humbleyolo.labels.formats.cvat_shapes import CORNERS, SLACK, read_corners, read_flags
from humbleyolo.labels.formats.cvat_video import Tracks
from humbleyolo.labels.formats.shapes import one_box_per_group
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.writing import WrittenImage, WrittenSet, exact

IMAGES = "images"


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    name = source.first(source.ending(".xml")[:LOOKED_AT], lambda data: b"<annotations>" in data[:4096])
    return f"{name} is XML with <annotations>" if name else ""


def read(reader: SourceReader) -> UncheckedSet:
    """Return the images of every CVAT file; see `registry.Format`."""
    result = UncheckedSet(background="an <image> without shapes")
    for name in reader.source.ending(".xml"):
        with reader.ledger.reporting(name, "file dropped"):
            file = _CvatFile(name, reader)
            for element in stream(reader.source.read(name, LABEL_BYTES)):
                file.take(element)
            result.add([*file.images, *file.tracks.images()], file.classes)
    return result


class _CvatFile:
    """One CVAT file, taken element by element."""

    def __init__(self, name: str, reader: SourceReader) -> None:
        self.name, self.reader, self.report = name, reader, reader.ledger.reporting
        self.classes: list[str] = []
        self.other_classes: set[str] = set()  # declared for shapes that seldom have an area
        self.images: list[UncheckedImage] = []
        self.tracks = Tracks(name, reader)

    def take(self, element: Element) -> None:
        """Take one child of the root."""
        if element.tag == "meta":
            self._meta(element)
        elif element.tag == "image":
            with self.report(self.name, "image dropped"):
                self._image(element)
        elif element.tag == "track":
            with self.report(self.name, "track dropped"), self.tracks.losing():
                self.tracks.add(element)
        elif element.tag not in ("annotations", "version", "dumped"):
            why = "a CVAT file holds version, meta, image or track"
            raise BadInput("xml", f"<{element.tag}>", why, element.where)

    def _meta(self, meta: Element) -> None:
        for parent in _descendants(meta):
            if parent.tag == "label" and parent.all("name"):
                kind = parent.find("type")
                boxes = kind is None or kind.text in ("", "any", "rectangle", "polygon", "mask")
                name = parent.child("name").text
                if boxes and parent.find("parent") is None:
                    self.classes.append(name)
                else:
                    self.other_classes.add(name)
            if parent.all("start_frame") and parent.all("stop_frame"):
                with suppress(BadInput):  # of no use then
                    self.tracks.ends = parent.child("start_frame").integer(), parent.child("stop_frame").integer()
            if parent.tag == "original_size":
                self.tracks.size = parent.child("height").integer(), parent.child("width").integer()

    def _image(self, element: Element) -> None:
        wanted = element.attribute("name")
        here = posixpath.dirname(self.name)
        subset = element.attributes.get("subset", "")
        folders = [f"{here}/{part}".strip("/") for part in (f"images/{subset}", "images", subset, "")]
        try:
            path = self.reader.images.find(wanted, *folders)
        except BadInput as error:
            raise error.at(element.where) from None
        image = UncheckedImage(
            label_file=self.name,
            path=path,
            where=element.where,
            height=element.size("height"),
            width=element.size("width"),
            slack=SLACK,
            splits=splits_in(subset) or splits_in(self.name),
        )
        shapes: list[tuple[UncheckedBox, str | None]] = []
        with self.report(self.name, "box dropped"), image.losing():
            element.refuse_text()
        for shape in element.children:
            with self.report(self.name, "box dropped"), image.losing():
                corners = read_corners(shape, self.name, self.reader)
                if corners is None:
                    continue
                box = UncheckedBox(shape.where, shape.attribute("label"), corners, read_flags(shape))
                group = shape.attributes.get("group_id", "0")
                shapes.append((box, None if shape.tag == "box" or group == "0" else group))
        image.boxes = one_box_per_group(shapes, self.name, self.reader.ledger)
        self._declare(image.boxes)
        self.images.append(image)

    def _declare(self, boxes: list[UncheckedBox]) -> None:
        """Count a class that is declared for other shapes among the classes, if one of these gave a box."""
        if self.classes:
            self.classes += [box.label for box in boxes if box.label in self.other_classes]


def _descendants(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _descendants(child)


def write(out: WrittenSet) -> None:
    """Write `annotations.xml`, CVAT for images 1.1. Coordinates have all their digits."""
    extra = sorted({flag for item in out.items for some in item.image.flags for flag in some} - {"occluded"})
    declared = "".join(
        f"<attribute><name>{flag}</name><mutable>False</mutable><input_type>checkbox</input_type>"
        "<default_value>false</default_value><values>false</values></attribute>"
        for flag in extra
    )
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "<version>1.1</version>"]
    lines.append("<meta><task><labels>")
    lines += [
        f"<label><name>{escape(name)}</name><attributes>{declared}</attributes></label>" for name in out.classes
    ]
    lines.append("</labels></task></meta>")
    for number, item in enumerate(out.items):
        lines += _image_lines(number, item, extra)
    out.text("annotations.xml", "\n".join([*lines, "</annotations>", ""]))


def _image_lines(number: int, item: WrittenImage, extra: list[str]) -> list[str]:
    image = item.image
    subset = f" subset={quoteattr(item.split)}" if item.split else ""
    size = f'width="{image.width}" height="{image.height}"'
    lines = [f'<image id="{number}" name={quoteattr(item.name)}{subset} {size}>']
    for box, label, flags in zip(image.boxes.tolist(), image.labels, image.flags, strict=True):
        place = " ".join(f'{name}="{exact(value)}"' for name, value in zip(CORNERS, box, strict=True))
        known = "".join(f'<attribute name="{flag}">{str(flag in flags).lower()}</attribute>' for flag in extra)
        occluded = int("occluded" in flags)
        head = f'<box label={quoteattr(label)} source="manual" occluded="{occluded}" {place} z_order="0">'
        lines.append(f"{head}{known}</box>")
    return [*lines, "</image>"]
