"""COCO files without their images, for scoring: detections are measured by boxes and sizes, and these are stated."""

import posixpath
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.geometry.image_decoder import MAX_PIXELS
from humbleyolo.inputs.file_names import IMAGE_FORMATS, is_archive, suffix
from humbleyolo.inputs.folder import FolderSource, Source
from humbleyolo.inputs.image_info import ImageInfo
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput, Ledger, shorten
from humbleyolo.labels.formats import coco
from humbleyolo.labels.image_lookup import ImageLookup
from humbleyolo.labels.image_names import without_parents
from humbleyolo.labels.label_set import read_content
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions, UncheckedImage
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.validate import validate
from humbleyolo.params.one_line import is_one_line
from humbleyolo.storage.png import encode_png

_GREY = 230  # of the pictures in place of the images
_NO_THUMB = np.zeros((32, 32), np.uint8)
_ALONE = "of labels without their images, a COCO file alone can be scored, since it states their sizes"


def open_labels(path: Path) -> Source:
    """Open labelled images, or a COCO file alone: by itself, or in a folder or archive without images.

    Raises:
        UserError: If there is nothing that can be scored.
    """
    if path.is_file() and not is_archive(path.name) and not zipfile.is_zipfile(path):
        return LabelsAlone(_OneFile(path))
    source = open_source(path)
    return source if source.images() else LabelsAlone(source)


class _OneFile(FolderSource):
    """A file of labels by itself."""

    def __init__(self, path: Path) -> None:
        Source.__init__(self, str(path))
        self._path, self.names = path.parent, (path.name,)


class LabelsAlone(Source):
    """COCO files without images. In place of each image is a grey one of the size stated.

    Raises:
        UserError: If they are no COCO files.
    """

    def __init__(self, files: Source) -> None:
        super().__init__(files.name)
        self._files, self.names, self.left_out = files, files.names, files.left_out
        self._sizes: dict[str, tuple[int, int]] = {}
        self._why = coco.detect(files)
        if not self._why:
            files.close()
            raise UserError(f"{files.name}: holds no images; {_ALONE}. Give images and labels, or a COCO file")

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file of labels, or the grey picture in an image's place; see `Source.open`."""
        if name in self._sizes:
            yield BytesIO(encode_png(np.full(self._sizes[name], _GREY, np.uint8)))
        elif name not in self.names:
            raise BadInput("image-missing", shorten(name), "labels alone hold no images")
        else:
            with self._files.open(name) as file:
                yield file

    def start(self, name: str, count: int) -> bytes:
        """Return a file's first bytes; see `Source.start`."""
        return self._files.start(name, count) if name in self.names else super().start(name, count)

    def close(self) -> None:
        """Close the archive, if it is one."""
        self._files.close()

    def reader(self, options: ReadOptions, ledger: Ledger) -> SourceReader:
        """Return a reader that takes the names of images as the files have them."""
        return _StatedReader(self, options, ledger)

    def collect(self, options: ReadOptions, ledger: Ledger) -> LabelledSet:
        """Read the labels by the rules for labelled images, with the sizes as stated.

        Raises:
            UserError: If another format is asked for, or no image is in them.
        """
        if options.format not in ("auto", "coco"):
            raise UserError(f"{self.name}: --format {options.format}: its images are missing; {_ALONE}")
        content = read_content(self.reader(options, ledger), "coco", coco.read)
        labelled = validate(self, content, options, ledger, _stated)
        self._sizes = {image.path: (image.height, image.width) for image in labelled.images}
        labelled.format, labelled.why = "coco", self._why
        return labelled


class _StatedNames(ImageLookup):
    """Names of images that need not be there."""

    def find(self, wanted: str, *_folders: str, anywhere: bool = False) -> str:  # noqa: ARG002 - as above
        """Return a name as a path inside a folder.

        Raises:
            BadInput: If it is no name.
        """
        path = without_parents(posixpath.normpath(wanted.replace("\\", "/")).lstrip("/"))
        if path in ("", ".", "..") or not is_one_line(path):
            raise BadInput("unsafe-path", shorten(wanted), "must be a name or a path in one line")
        return path


class _StatedReader(SourceReader):
    """A reader of labels without images."""

    @cached_property
    def images(self) -> ImageLookup:
        """Any name is that of an image."""
        return _StatedNames([])


def _stated(_: Source, images: Iterable[UncheckedImage]) -> Iterator[tuple[UncheckedImage, ImageInfo | BadInput]]:
    """Yield each image with the facts that its labels state."""
    for one in images:
        if not one.height or not one.width or min(one.height, one.width) < 1:
            why = "without the image its labels must state height and width; add them, or give the images"
            yield one, BadInput("size-missing", "no size", why, one.where)
        elif one.height * one.width > MAX_PIXELS:
            found = f"{one.width} x {one.height} pixels"
            yield one, BadInput("image-too-large", found, f"at most {MAX_PIXELS // 10**6} million", one.where)
        else:
            kind = IMAGE_FORMATS.get(suffix(one.path), "")
            yield one, ImageInfo(kind, one.height, one.width, 1, one.path, 0, _NO_THUMB)
