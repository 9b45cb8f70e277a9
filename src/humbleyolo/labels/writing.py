"""A labelled dataset written out again, for any other tool: what all formats share."""

import posixpath
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.errors import UserError
from humbleyolo.labels.folder import IMAGE_BYTES, FolderSource, Source, suffix
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.ledger import BadInput, Ledger
from humbleyolo.storage.atomic import cannot_write

Images = Literal["copy", "link"]
_EXTENSIONS = {"BMP": ".bmp", "GIF": ".gif", "JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp"}


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """One image to be written.

    Attributes:
        image: The image in its source.
        name: File name in the new folder: no folders, and its stem is nobody else's.
        split: `train`, `val`, `test`, or None.
    """

    image: LabelledImage
    name: str
    split: str | None

    @property
    def stem(self) -> str:
        """The name without extension."""
        return posixpath.splitext(self.name)[0]


@dataclass(frozen=True, slots=True)
class WrittenSet:
    """What a format's `write` is given.

    Attributes:
        items: The images, by name.
        classes: Class names in the order of their indices.
        folder: An empty folder to write into.
    """

    items: Sequence[WrittenImage]
    classes: tuple[str, ...]
    folder: Path

    def splits(self) -> dict[str, list[WrittenImage]]:
        """The items of each split that has any."""
        found: dict[str, list[WrittenImage]] = {}
        for split in SPLITS:
            if some := [item for item in self.items if item.split == split]:
                found[split] = some
        return found

    def text(self, path: str, content: str) -> None:
        """Write one UTF-8 file; folders are made."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8", newline="\n")


def exact(value: float) -> str:
    """Return a number in as few digits as give the same float back; whole numbers without a point."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def make_items(records: Sequence[LabelledImage], ledger: Ledger) -> list[WrittenImage]:
    """Name the images: by their own name, with folders in front of it where two share a stem.

    Names that differ by case or Unicode form alone count as shared, because not every disk tells them apart.
    What was renamed is noted in the ledger. An image in two lists goes to the first of test, val, train.
    """
    stems: dict[str, int] = {}
    for record in records:
        stem = _folded(posixpath.splitext(posixpath.basename(record.path))[0])
        stems[stem] = stems.get(stem, 0) + 1
    taken: set[str] = set()
    items = []
    for record in records:
        path, ending = posixpath.splitext(record.path)
        own = posixpath.basename(path)
        stem = own
        if stems[_folded(own)] > 1:
            stem = "_".join(part for part in path.split("/") if part not in ("images", "JPEGImages"))
        number = 1
        free = stem
        while _folded(free) in taken:
            number += 1
            free = f"{stem}_{number}"
        taken.add(_folded(free))
        if is_misnamed(record):
            ending = _EXTENSIONS[record.info.kind]
        name = free + ending
        if name != posixpath.basename(record.path):
            why = "names must differ by more than case, folder or extension, and say the right format"
            ledger.note(
                record.path, BadInput("renamed", posixpath.basename(record.path), why), f"named {name}"
            )
        split = next((one for one in ("test", "val", "train") if one in record.splits), None)
        items.append(WrittenImage(record, name, split))
    return sorted(items, key=lambda item: item.name)


def is_misnamed(record: LabelledImage) -> bool:
    """Return whether the image's name says another format than its bytes."""
    known = {".jpeg": ".jpg", ".tiff": ".tif"}
    ending = suffix(record.path)
    return known.get(ending, ending) != _EXTENSIONS[record.info.kind]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def place_images(source: Source, items: Sequence[WrittenImage], folder: Path, images: Images) -> None:
    """Copy or link every image into a folder.

    Raises:
        UserError: Where images in an archive should be linked.
    """
    if images == "link" and not isinstance(source, FolderSource):
        raise UserError(f"{source.name}: images in an archive cannot be linked; copy them")
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        if isinstance(source, FolderSource) and images == "link":
            (folder / item.name).symlink_to(source.path_of(item.image.path))
        else:
            (folder / item.name).write_bytes(source.read(item.image.path, IMAGE_BYTES))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends without an error, and else goes away.

    Raises:
        UserError: Where something is at `path` already, or it cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path}: is there already; give a folder that does not exist, or remove it")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            path.rmdir()
        partial.rename(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


Write = Callable[[WrittenSet], None]
