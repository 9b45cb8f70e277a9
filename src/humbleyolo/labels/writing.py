"""Labels and images written out for another tool: the part that all formats share."""

import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import IMAGE_FORMATS, suffix
from humbleyolo.inputs.folder import IMAGE_BYTES, FolderSource, Source
from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.labels.image_lists import first_split
from humbleyolo.labels.image_names import fold_name
from humbleyolo.labels.labelled_image import LabelledImage

Placement = Literal["copy", "link"]
_EXTENSIONS = {kind: ending for ending, kind in IMAGE_FORMATS.items()}
_EXTENSIONS |= {"HEIF": ".heic", "JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """One image to be written.

    Attributes:
        image: The image in its source.
        name: Path in the new folder; no other image has it, whatever the ending.
        split: `train`, `val`, `test`, or None.
        unseen: True if a program found nothing on it, and no person has looked: Pascal VOC marks it as not verified.
    """

    image: LabelledImage
    name: str
    split: str | None
    unseen: bool = False

    @property
    def stem(self) -> str:
        """The name without extension."""
        return posixpath.splitext(self.name)[0]


@dataclass(frozen=True, slots=True)
class WrittenSet:
    """The argument of a format's `write`.

    Attributes:
        items: The images, by name.
        classes: Class names in the order of their indices.
        folder: An empty folder to write into.
    """

    items: Sequence[WrittenImage]
    classes: tuple[str, ...]
    folder: Path

    def splits(self, rest: str = "") -> dict[str, list[WrittenImage]]:
        """The images of each split that has any; those without a split come last, under the name `rest`."""
        found = {split: [item for item in self.items if item.split == split] for split in SPLITS}
        if rest:
            found[rest] = [item for item in self.items if item.split is None]
        return {split: some for split, some in found.items() if some}

    def text(self, path: str, content: str) -> None:
        """Write one UTF-8 file; folders are made."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8", newline="\n")


def exact(value: float) -> str:
    """Return a number in as few digits as give the same float back; whole numbers without a point."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def name_images(images: Sequence[LabelledImage], ledger: Ledger) -> list[WrittenImage]:
    """Name the images: by their own name, with folders in front of it if two share a stem.

    Names that differ by case or Unicode form alone count as shared, because not every disk tells them apart.
    The ledger notes each new name. An image in two lists goes to the first of test, val, train.
    """
    stems = Counter(fold_name(posixpath.splitext(posixpath.basename(image.path))[0]) for image in images)
    taken: set[str] = set()
    items = []
    for image in images:
        path, ending = posixpath.splitext(image.path)
        old = posixpath.basename(image.path)
        stem = posixpath.basename(path)
        if stems[fold_name(stem)] > 1:
            stem = "_".join(part for part in path.split("/") if part not in ("images", "JPEGImages"))
        number = 1
        free = stem
        while fold_name(free) in taken:
            number += 1
            free = f"{stem}_{number}"
        taken.add(fold_name(free))
        kind = image.info.kind
        name = free + (ending if IMAGE_FORMATS[suffix(image.path)] == kind else _EXTENSIONS[kind])
        if name != old:
            why = "names must differ by more than case, folder or extension, and say the right format"
            ledger.note(image.path, BadInput("renamed", old, why), f"named {name}")
        items.append(WrittenImage(image, name, first_split(image.splits)))
    return sorted(items, key=lambda item: item.name)


def place_images(source: Source, items: Sequence[WrittenImage], folder: Path, how: Placement) -> None:
    """Copy or link every image into a folder.

    Raises:
        UserError: For a link to an image in an archive.
    """
    if how == "link" and not isinstance(source, FolderSource):
        raise UserError(f"{source.name}: images in an archive cannot be linked; copy them")
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        if isinstance(source, FolderSource) and how == "link":
            (folder / item.name).symlink_to(source.path_of(item.image.path))
        else:
            (folder / item.name).write_bytes(source.read(item.image.path, IMAGE_BYTES))
