"""A split as a folder of archives, which are read as one sequence of images.

all.zip                 if one archive holds them all
0.zip, 10.zip, 11.zip   if more are needed; `archive_choice` tells which holds an image

The images of an archive follow those of the archives before it, and ids count through all of them.
"""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Self

from humbleyolo.dataset.archive import Archive, ArchivedImage, GroundTruth
from humbleyolo.dataset.archive_choice import is_part, list_parts
from humbleyolo.errors import UserError
from humbleyolo.pipeline.remedies import make_missing
from humbleyolo.storage.atomic import cannot_write, make_folder
from humbleyolo.storage.partial_files import finished_path

ENDING = ".zip"

_FIX = make_missing("generate")
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}  # which Windows writes into folders, as others write hidden files


class ArchivedSplit:
    """Reader of a split, in order, without holding it. A context manager.

    One archive is open at a time, so that there may be many.

    Args:
        folder: The folder of its archives.

    Attributes:
        path: The folder.
        paths: The archives, in order.
        categories: Names of the classes, in the order of the labels.

    Raises:
        UserError: If an archive is missing, damaged, or not of this split, or other files are in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.paths = [folder / f"{name}{ENDING}" for name in list_parts(folder, ENDING, _FIX)]
        _refuse_others(folder)
        self._open: tuple[Path, Archive] | None = None
        counts = []
        self.categories: tuple[str, ...] = ()
        for path in self.paths:
            archive = self._archive(path)
            counts.append(len(archive))
            self.categories = self.categories or archive.categories
            if archive.categories != self.categories:
                self.close()
                raise UserError(f"{path}: has other classes than {self.paths[0].name}; {_FIX}")
        self._bounds = [0, *accumulate(counts)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the archive that is open."""
        if self._open:
            self._open[1].close()
        self._open = None

    def __len__(self) -> int:
        """Return the number of images."""
        return self._bounds[-1]

    def __iter__(self) -> Iterator[ArchivedImage]:
        """Yield every image, in order."""
        return self.images()

    def images(self, start: int = 0, stop: int | None = None) -> Iterator[ArchivedImage]:
        """Yield images number `start` (from 0) to `stop` (without it; None: to the end), in order.

        Raises:
            UserError: If an image is damaged, or the annotations do not match it.
        """
        for archive, first, last, before in self._spans(start, stop):
            for image in archive.images(first, last):
                image.image_id += before
                yield image

    def truths(self, start: int = 0, stop: int | None = None) -> Iterator[GroundTruth]:
        """Yield the ground truth of images `start` to `stop`, without reading the images.

        Raises:
            UserError: If the annotations are not as `ArchiveWriter` writes them.
        """
        for archive, first, last, before in self._spans(start, stop):
            for truth in archive.truths(first, last):
                truth.image_id += before
                yield truth

    def _spans(self, start: int, stop: int | None) -> Iterator[tuple[Archive, int, int, int]]:
        """Yield each archive that holds some of the images, the range there, and the number of images before it."""
        start, stop, _ = slice(start, stop).indices(len(self))
        for path, (low, high) in zip(self.paths, pairwise(self._bounds), strict=True):
            if max(start, low) < min(stop, high):
                yield self._archive(path), max(start, low) - low, min(stop, high) - low, low

    def _archive(self, path: Path) -> Archive:
        """Return an archive. One that was open before stays so for those who still read it."""
        if self._open is None or self._open[0] != path:
            self._open = None
            self._open = path, Archive(path)
        return self._open[1]


def begin_split(folder: Path) -> Path:
    """Make the folder of a split, and take away the archives of an earlier run.

    Raises:
        UserError: If that is not possible, or other files are in the folder.
    """
    _refuse_others(make_folder(folder))
    for path in sorted(folder.iterdir()):
        if _is_archive((finished_path(path) or path).name):
            try:
                path.unlink()
            except OSError as error:
                raise cannot_write(path, error) from None
    return folder


def _refuse_others(folder: Path) -> None:
    """Refuse files and folders that are no archives of a split: they would be left out without a word."""
    for name in sorted(path.name for path in folder.iterdir()):
        if not _is_archive(name) and not name.startswith(".") and name.lower() not in _OF_SYSTEMS:
            raise UserError(
                f"{folder / name}: is no archive of this split, and would be left out; put images, labels and "
                "corrections into the folder of dataset.inputs, and take this away"
            )


def _is_archive(name: str) -> bool:
    """Return whether a file of this name is an archive of a split."""
    return name.endswith(ENDING) and is_part(name.removesuffix(ENDING))
