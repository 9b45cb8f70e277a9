"""Images and their boxes: as label files say (`Unchecked...`), and after every check (`Labelled...`)."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.inputs.image_info import ImageInfo
from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.params.sections import Labelled
from humbleyolo.params.value_types import Exif, LabelFormat, OnProblem
from humbleyolo.storage.array_types import Floats

Corners = tuple[float, float, float, float]  # left, top, right, bottom

FLAGS = ("crowd", "difficult", "occluded", "truncated")  # what formats say about a box beside its place


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Facts about a labelled folder that only the person who labelled can know.

    Attributes:
        format: The format's name, or `auto`.
        classes: Class names in the order of their indices; empty takes them from the data.
        one_based: Pascal VOC: the first pixel is 1 and the last belongs to the box (the devkit), not 0
            (LabelImg).
        exif: Image that boxes refer to if it has an EXIF rotation: as `displayed`, or as `stored`. `error`
            refuses such images, because tools differ.
        on_problem: See `Ledger`.
    """

    format: Literal["auto", LabelFormat] = "auto"
    classes: tuple[str, ...] = ()
    one_based: bool = False
    exif: Exif = "error"
    on_problem: OnProblem = "error"

    @classmethod
    def from_section(cls, params: Labelled) -> Self:
        """Return the values of a section of params.yaml."""
        return cls(params.format, tuple(params.classes), params.one_based, params.exif, params.on_problem)


@dataclass(frozen=True, slots=True)
class UncheckedBox:
    """A box as its label file says.

    Attributes:
        where: Line or element.
        label: Class name.
        corners: Pixels, or fractions of the image if the image is `relative`.
        flags: Some of `FLAGS`.
        area: Square pixels of the object itself, as COCO's `area`; NaN if the labels do not say.
    """

    where: str
    label: str
    corners: Corners
    flags: frozenset[str] = frozenset()
    area: float = math.nan


class Losing:
    """A holder of boxes or tracks that counts those that could not be read, in `lost`."""

    lost: int

    @contextmanager
    def losing(self) -> Iterator[None]:
        """Count the box that a BadInput keeps out, or the track, and let the error pass."""
        try:
            yield
        except BadInput:
            self.lost += 1
            raise


@dataclass(slots=True)
class UncheckedImage(Losing):
    """An image as its label file says.

    Attributes:
        label_file: Path of the label file in the source.
        path: Path of the image in the source.
        where: Element of the image in the label file; empty if the file is about one image.
        boxes: Boxes as labelled.
        height: Height in pixels, if the label file says; likewise `width`.
        relative: Corners are fractions of the image's width and height.
        slack: Distance that a box may cross the border because the format's own digits are few: pixels, or
            fractions.
        splits: Lists of the source that hold the image: `train`, `val`, `test`.
        group: Name of the images that stay together, if the source says.
        lost: Number of its boxes that could not be read, at least.
        unlisted: As of `LabelledImage`.
    """

    label_file: str
    path: str
    where: str = ""
    boxes: list[UncheckedBox] = field(default_factory=list)
    height: int | None = None
    width: int | None = None
    relative: bool = False
    slack: float = 0.0
    splits: tuple[str, ...] = ()
    group: str | None = None
    lost: int = 0
    unlisted: bool = False

    def add_split(self, split: str) -> None:
        """Note a list that holds the image."""
        self.splits = tuple(sorted({*self.splits, split}))


@dataclass(slots=True)
class UncheckedSet:
    """The result of a format's `read`.

    Attributes:
        images: Images that label files speak of.
        classes: Class names in the order that the format declares; empty if it declares none.
        all_images: The reader itself accounted for every image of the source.
        background: Fix for an image without objects: how a label declares it; empty if it cannot.
        joined: Paths of the images that no set with lists speaks of, for each set without lists, if it is several.
    """

    images: list[UncheckedImage] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    all_images: bool = False
    background: str = ""
    joined: tuple[frozenset[str], ...] = ()

    def add(self, images: Iterable[UncheckedImage], classes: Iterable[str]) -> None:
        """Add the images of one label file, and the class names that it declares."""
        self.images += images
        self.classes = tuple(dict.fromkeys([*self.classes, *classes]))


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image whose labels passed every check.

    Attributes:
        label_file: Path of the label file in the source.
        path: Path of the image in the source.
        height: Height in pixels, upright (EXIF applied); likewise `width`.
        boxes: (M, 4) float64 xyxy pixels of the upright image, inside it, with an area.
        labels: (M,) class names.
        flags: (M,) sets of `FLAGS`.
        where: (M,) line or element of each box in `label_file`.
        splits: Lists of the source that hold the image.
        group: Name of the images that stay together, if the source says.
        info: Facts about the image file.
        areas: (M,) square pixels of the objects themselves, NaN where labels do not say; empty if they never do.
        unlisted: It is in train because it is of a set that no list speaks of; see `added_sets`.
    """

    label_file: str
    path: str
    height: int
    width: int
    boxes: Floats
    labels: tuple[str, ...]
    flags: tuple[frozenset[str], ...]
    where: tuple[str, ...]
    splits: tuple[str, ...]
    group: str | None
    info: ImageInfo
    areas: tuple[float, ...] = ()
    unlisted: bool = False

    @property
    def boxes_ltwh(self) -> Floats:
        """(M, 4) left, top, width, height, pixels."""
        return xyxy_to_ltwh(self.boxes)


@dataclass(slots=True)
class LabelledSet:
    """A labelled dataset whose images passed every check.

    Attributes:
        images: Images kept, by path.
        classes: Class names in the order of their indices.
        ledger: Findings on the way.
        listed: Splits that lists of the source name, also of images that were dropped.
        left_out: Lists that hold each image that is not in the data for a mistake, by path.
        short: Paths of images that lost boxes, dropped or not: True if each box only crosses the border by little.
        format: Name of the format read; `why`: the evidence for it.
    """

    images: list[LabelledImage]
    classes: tuple[str, ...]
    ledger: Ledger
    listed: frozenset[str] = frozenset()
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    short: dict[str, bool] = field(default_factory=dict)
    format: str = ""
    why: str = ""

    @property
    def images_seen(self) -> int:
        """Number of images, those left out among them."""
        return len(self.images) + len(self.left_out)
