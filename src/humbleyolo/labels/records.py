"""An image and its boxes: as a label file says (`RawRecord`), and after every check (`Record`)."""

from dataclasses import dataclass, field
from typing import Literal

from humbleyolo.labels.image_info import Facts
from humbleyolo.labels.ledger import OnProblem
from humbleyolo.storage.array_types import Floats

Corners = tuple[float, float, float, float]  # left, top, right, bottom
Exif = Literal["error", "displayed", "stored"]

FLAGS = ("crowd", "difficult", "occluded", "truncated")  # what formats say about a box beside its place


@dataclass(frozen=True, slots=True)
class Options:
    """What only the person who labelled can know.

    Attributes:
        format: A name in `formats.FORMATS`, or `auto`.
        classes: The class names in the order of their indices; empty takes them from the data.
        one_based: Pascal VOC: the first pixel is 1 and the last belongs to the box (the devkit), not 0
            (LabelImg).
        exif: What boxes on an image with an EXIF rotation refer to: the image as `displayed`, or as `stored`.
            `error` refuses such images, because tools differ.
        on_problem: See `Ledger`.
    """

    format: str = "auto"
    classes: tuple[str, ...] = ()
    one_based: bool = False
    exif: Exif = "error"
    on_problem: OnProblem = "error"


@dataclass(frozen=True, slots=True)
class RawBox:
    """A box as its label file says.

    Attributes:
        where: Line or element.
        label: Class name.
        corners: In pixels, or in fractions of the image where the record is `relative`.
        flags: Some of `FLAGS`.
    """

    where: str
    label: str
    corners: Corners
    flags: frozenset[str] = frozenset()


@dataclass(slots=True)
class RawRecord:
    """An image as its label file says.

    Attributes:
        file: The label file.
        where: The element of the image in it; empty where the file is about one image.
        image: Path of the image in the source.
        boxes: As labelled.
        height: Uint8s, where the label file says; likewise `width`.
        relative: Corners are fractions of the image's width and height.
        slack: How far a box may cross the border because the format's own digits are few: pixels, or
            fractions.
        splits: Lists of the source that hold the image: `train`, `val`, `test`.
        group: What keeps images together, where the source says.
    """

    file: str
    image: str
    where: str = ""
    boxes: list[RawBox] = field(default_factory=list)
    height: int | None = None
    width: int | None = None
    relative: bool = False
    slack: float = 0.0
    splits: tuple[str, ...] = ()
    group: str | None = None


@dataclass(slots=True)
class Reading:
    """What a format's `read` returns: images, and the class names in the order that the format declares."""

    records: list[RawRecord] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    all_images: bool = False  # the reader itself accounted for every image of the source
    background: str = ""  # how a label says that an image holds nothing, where it can


@dataclass(frozen=True, slots=True)
class Record:
    """An image whose labels passed every check.

    Attributes:
        file: The label file.
        image: Path of the image in the source.
        height: Uint8s, upright (EXIF applied); likewise `width`.
        boxes: (M, 4) float64 xyxy pixels of the upright image, inside it, with an area.
        labels: (M,) class names.
        flags: (M,) what else is known of each box.
        where: (M,) line or element of each box in `file`.
        splits: Lists of the source that hold the image.
        group: What keeps images together, where the source says.
        facts: Of the image file.
    """

    file: str
    image: str
    height: int
    width: int
    boxes: Floats
    labels: tuple[str, ...]
    flags: tuple[frozenset[str], ...]
    where: tuple[str, ...]
    splits: tuple[str, ...]
    group: str | None
    facts: Facts
