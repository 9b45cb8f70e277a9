"""The images that a command line names: files, folders, patterns and zip archives."""

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self

from humbleyolo.detection.image_input import read_file
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.labels.file_names import IMAGE_FORMATS, is_image, is_labelled, is_text
from humbleyolo.labels.folder import IMAGE_BYTES, FolderSource, Source, ZipSource
from humbleyolo.labels.ledger import BadInput

_NO_PICTURE = f"no picture of a known kind ({', '.join(IMAGE_FORMATS)})"


@dataclass(frozen=True)
class NamedImage:
    """An image file that a path named.

    Attributes:
        shown: Name for people and results: its path, or `archive.zip/path/in/it`.
        name: Path below the folder or archive that was named, or its file name; with `/`.
        read: Function that returns the file's bytes, or raises a `UserError`.
    """

    shown: str
    name: str
    read: Callable[[], bytes]


class NamedImages:
    """All images under some paths, sorted within each path. A context manager: archives stay open inside.

    Args:
        paths: Files, folders (with the folders in them), zip archives, or patterns such as `photos/**/*.jpg`.
            An image that is named twice is there once.

    Attributes:
        items: The images.
        left_out: (path, reason) of files that are no pictures of a known kind, or cannot be read, such as links to
            folders. Label files are in `label_files`.
        label_files: Files beside the images, in folders and archives, that may be labels. They are not read.

    Raises:
        ProblemsError: With every path that does not exist or holds no images.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.items: list[NamedImage] = []
        self.left_out: list[tuple[str, str]] = []
        self.label_files: list[str] = []
        self._seen: set[str] = set()
        problems = []
        with ExitStack() as stack:
            for path in paths:
                try:
                    self._add(path, stack)
                except UserError as error:
                    problems.append(str(error))
            if problems:
                raise ProblemsError("no pictures to look at", problems)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _add(self, path: str, stack: ExitStack) -> None:
        if not os.path.lexists(path) and glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - any path, absolute ones too
            pictures = [one for one in matches if is_image(one)]
            if not pictures:
                raise UserError(f"{path}: matches {len(matches)} files, none of them a picture")
            self._leave_out(one for one in matches if Path(one).is_file())
            self._add_files(pictures)
        elif Path(path).is_dir():
            self._add_source(FolderSource(Path(path)))
        elif Path(path).suffix.lower() == ".zip":
            self._add_source(stack.enter_context(ZipSource(Path(path))))
        elif Path(path).exists():
            self._add_files([path])
        else:
            raise UserError(f"{path}: no such file or folder")

    def _add_source(self, source: Source) -> None:
        names = source.images()
        if not names:
            raise UserError(
                f"{source.name}: holds {len(source.names)} files, none of them a picture; known are "
                f"{', '.join(IMAGE_FORMATS)}"
            )
        self.left_out += [(f"{source.name}/{name}", reason) for name, reason in source.left_out]
        self.label_files += [name for name in source.names if is_labelled(name) and not is_image(name)]
        self._leave_out((Path(source.name) / name).as_posix() for name in source.names)
        for name in names:
            shown = (Path(source.name) / name).as_posix()
            if self._is_new(shown):
                self.items.append(NamedImage(shown, name, partial(_read_from, source, name, shown)))

    def _add_files(self, paths: Iterable[str]) -> None:
        for path in paths:
            if self._is_new(path):
                shown = Path(path).as_posix()
                self.items.append(NamedImage(shown, PurePosixPath(shown).name, partial(read_file, Path(path))))

    def _leave_out(self, files: Iterable[str]) -> None:
        """Note the files that are neither pictures of a known kind nor, by their names, labels."""
        self.left_out += [(file, _NO_PICTURE) for file in files if not is_image(file) and not is_text(file)]

    def _is_new(self, path: str) -> bool:
        place = os.path.abspath(path)  # noqa: PTH100 - inside an archive too; links stay as they are
        new = place not in self._seen
        self._seen.add(place)
        return new


def _read_from(source: Source, name: str, shown: str) -> bytes:
    try:
        return source.read(name, IMAGE_BYTES)
    except BadInput as error:
        raise UserError(f"{shown}: cannot be read: {error.what}: {error.why}") from None
