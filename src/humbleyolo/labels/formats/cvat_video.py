"""CVAT for video: tracks, boxes by frame, and the boxes in between."""

import bisect
import posixpath
import re
from collections import defaultdict
from functools import cached_property
from pathlib import PurePosixPath

from humbleyolo.inputs.ledger import BadInput
from humbleyolo.inputs.parsing.xml import Element
from humbleyolo.labels.formats.cvat_shapes import SLACK, read_corners, read_flags
from humbleyolo.labels.labelled_image import Corners, Losing, UncheckedBox, UncheckedImage
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import first_few

_NUMBER_AT_END = re.compile(r"(\d{1,18})$", re.ASCII)


class Tracks(Losing):
    """The tracks of one CVAT file.

    Attributes:
        size: (height, width) of the frames in pixels, if the file says; `ends`: its first and its last frame.
        count: Tracks seen; `lost`: those that could not be read, which may be on any frame.
    """

    def __init__(self, name: str, reader: SourceReader) -> None:
        self.name, self.reader = name, reader
        self.size: tuple[int | None, int | None] = (None, None)
        self.ends: tuple[int, int] | None = None
        self.count = self.lost = 0
        self.frames: dict[int, list[UncheckedBox]] = defaultdict(list)

    def add(self, track: Element) -> None:
        """Take one `<track>`.

        Raises:
            BadInput: If it cannot be used as a whole.
        """
        self.count += 1
        label = track.attribute("label")
        track.refuse_text()
        boxes: dict[int, tuple[Element, Corners]] = {}
        for shape in track.children:
            corners = read_corners(shape, self.name, self.reader)
            if corners is None:
                continue
            frame = shape.integer("frame")
            if frame in boxes or frame < 0:
                raise BadInput("repeated-id", f"frame {frame}", "a track has one box a frame, from 0", shape.where)
            boxes[frame] = shape, corners
        for frame, (shape, corners) in boxes.items():
            if not shape.flag("outside"):
                self.frames[frame].append(UncheckedBox(shape.where, label, corners, read_flags(shape)))
        self._fill(label, boxes)

    def _fill(self, label: str, boxes: dict[int, tuple[Element, Corners]]) -> None:
        """Add the boxes of frames between those given, and after the last, on frames that have an image."""
        known = sorted(boxes)
        frames = sorted(self._images_by_frame)
        for frame in frames[bisect.bisect_left(frames, known[0]) :] if known else []:
            place = bisect.bisect_left(known, frame)
            shape, start = boxes[known[place - 1]]
            if frame in boxes or shape.flag("outside"):
                continue
            corners = start
            if place < len(known):
                shape_after, end = boxes[known[place]]
                part = (frame - known[place - 1]) / (known[place] - known[place - 1])
                if not shape_after.flag("outside"):
                    left, top, right, bottom = (a + (b - a) * part for a, b in zip(start, end, strict=True))
                    corners = (left, top, right, bottom)
            where = f"{shape.where}, carried to frame {frame}"
            self.frames[frame].append(UncheckedBox(where, label, corners, read_flags(shape)))

    @cached_property
    def _images_by_frame(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        here = posixpath.dirname(self.name)
        for path in self.reader.images.paths:
            number = _NUMBER_AT_END.search(PurePosixPath(path).stem)
            if number and (not here or path.startswith(here + "/")):
                found[int(number.group(1))].append(path)
        return found

    def images(self) -> list[UncheckedImage]:
        """Return the image of each frame; one without boxes is background. None if there are no tracks.

        Raises:
            BadInput: If the images are numbered from 1, as by ffmpeg, and the frames from 0.
        """
        if not self.count:
            return []
        numbers = [*self._images_by_frame]
        if numbers and self.ends and (min(numbers), max(numbers)) == (self.ends[0] + 1, self.ends[1] + 1):
            found = f"images numbered {min(numbers)} to {max(numbers)}"
            why = f"its frames are {self.ends[0]} to {self.ends[1]}: take 1 off the images' numbers"
            raise BadInput("frame-numbers", found, why)
        images = []
        for frame in sorted({*self._images_by_frame, *self.frames}):
            some = self._images_by_frame.get(frame, [])
            if len(some) != 1:
                who = f"the images {first_few(some, 3)} have" if some else "no image has"
                why = f"{who} that number at the end of its name; there must be one"
                error = BadInput("image-missing", f"frame {frame}", why)
                self.reader.ledger.problem(self.name, error, "frame dropped")
                continue
            image = UncheckedImage(self.name, some[0], f"frame {frame}", slack=SLACK)
            image.height, image.width = self.size
            image.boxes, image.lost = self.frames.get(frame, []), self.lost
            images.append(image)
        return images
