"""The images that a command line names: files, folders, patterns, zip archives, and lists of files."""

import glob
import os
from bisect import bisect_right
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self, overload

from humbleyolo.detection.image_input import read_file
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.inputs.file_names import IMAGE_FORMATS, is_image, is_labelled, is_text
from humbleyolo.inputs.folder import IMAGE_BYTES, FolderSource, Source, ZipSource
from humbleyolo.inputs.joined_source import open_split
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.inputs.parsing.text import refuse_encoding
from humbleyolo.process.terminal import counted, printable

_NO_PICTURE = f"no picture of a known kind ({', '.join(IMAGE_FORMATS)})"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class FoundClip:
    """A clip in a folder, or among the files of a pattern.

    Attributes:
        path: Its path.
        name: Its path below the folder, or its file name; with `/`.
        beside_pictures: True if the folder or pattern has pictures too.
    """

    path: str
    name: str
    beside_pictures: bool


class _Images(Sequence[NamedImage]):
    """Images made from their names as they are asked for, so that a million take the memory of their names."""

    def __init__(self) -> None:
        self._parts: list[tuple[Source | None, list[str]]] = []
        self._ends: list[int] = []

    def add(self, source: Source | None, names: list[str]) -> None:
        """Append files of a source, or of the disk if it is None."""
        if names:
            self._parts.append((source, names))
            self._ends.append(len(self) + len(names))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> NamedImage: ...

    @overload
    def __getitem__(self, index: slice) -> list[NamedImage]: ...

    def __getitem__(self, index: int | slice) -> NamedImage | list[NamedImage]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        part = bisect_right(self._ends, index)
        source, names = self._parts[part]
        name = names[index - (self._ends[part - 1] if part else 0)]
        if source is None:
            shown = Path(name).as_posix()
            return NamedImage(shown, PurePosixPath(shown).name, partial(read_file, Path(name)))
        shown = _shown_in(source, name)
        return NamedImage(shown, name, partial(_read_from, source, name, shown))


class NamedImages:
    """All images under some paths, sorted within each path. A context manager: archives stay open inside.

    Args:
        paths: Files, folders (with the folders in them), zip archives, or patterns such as `photos/**/*.jpg`.
            An image that is named twice is there once.
        listed: A file with the path of an image per line; they are looked for when they are read.
        is_clip: Function that tells a clip by its path; None: clips are files like others.

    Attributes:
        items: The images.
        left_out: (path, reason) of files that are no pictures of a known kind, or cannot be read, such as links to
            folders. Label files are in `label_files`.
        clips: Clips in folders, and of patterns.
        label_files: Files beside the images, in folders and archives, that may be labels. They are not read.

    Raises:
        ProblemsError: With every path that does not exist or holds no images.
    """

    def __init__(
        self, paths: Sequence[str], listed: Path | None = None, is_clip: Callable[[str], bool] | None = None
    ) -> None:
        self.items = _Images()
        self.clips: list[FoundClip] = []
        self._is_clip = is_clip or (lambda _: False)
        self.left_out: list[tuple[str, str]] = []
        self.label_files: list[str] = []
        self._seen: set[str] | None = set() if len(paths) + bool(listed) > 1 else None
        problems = []
        with ExitStack() as stack:
            for path in paths:
                try:
                    self._add(path, stack)
                except UserError as error:
                    problems.append(printable(str(error)))
            if listed:
                try:
                    self._add_list(listed)
                except UserError as error:
                    problems.append(printable(str(error)))
            if problems:
                raise ProblemsError("no pictures to look at", problems)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _add(self, path: str, stack: ExitStack) -> None:
        if is_pattern(path):
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - any path, absolute ones too
            pictures = [one for one in matches if is_image(one)]
            files = ((Path(one).as_posix(), Path(one).name) for one in matches if Path(one).is_file())
            if not self._leave_out(files, beside_pictures=bool(pictures)) and not pictures:
                none = f"{counted(len(matches), 'file')}, none of them a picture" if matches else "no file"
                raise UserError(f"{path}: matches {none}")
            self._add_files(pictures)
        elif Path(path).is_dir():
            folder = FolderSource(Path(path))
            self._add_source(stack.enter_context(open_split(folder, Path(path)) or folder))
        elif Path(path).suffix.lower() == ".zip":
            self._add_source(stack.enter_context(ZipSource(Path(path))))
        elif Path(path).exists():
            self._add_files([path])
        else:
            raise UserError(f"{path}: no such file or folder")

    def _add_source(self, source: Source) -> None:
        names = source.images()
        files = ((_shown_in(source, name), name) for name in source.names)
        if not self._leave_out(files, beside_pictures=bool(names)) and not names:
            raise UserError(
                f"{source.name}: holds {counted(len(source.names), 'file')}, none of them a picture; known are "
                f"{', '.join(IMAGE_FORMATS)}"
            )
        self.left_out += [(f"{source.name}/{name}", reason) for name, reason in source.left_out]
        self.label_files += [name for name in source.names if is_labelled(name) and not is_image(name)]
        self.items.add(source, [name for name in names if self._is_new(_shown_in(source, name))])

    def _add_list(self, listed: Path) -> None:
        data = read_file(listed)
        try:
            refuse_encoding(data)
        except BadInput as error:
            raise UserError(f"{listed}: is {error.what}, {error.why}") from None
        text = data.removeprefix(BOM_UTF8).decode("utf-8", "surrogateescape")
        paths = [line for line in text.splitlines() if line.strip()]
        if not paths:
            raise UserError(f"{listed}: names no image; it holds the path of one per line")
        self._seen = set() if self._seen is None else self._seen  # a list can name one twice
        self._add_files(paths)

    def _add_files(self, paths: Iterable[str]) -> None:
        self.items.add(None, [path for path in paths if self._is_new(path)])

    def _leave_out(self, files: Iterable[tuple[str, str]], *, beside_pictures: bool) -> bool:
        """Note the clips, and the files that are neither pictures of a known kind nor, by their names, labels.

        Args:
            files: The path and name of each file.
            beside_pictures: True if there are pictures among them.

        Returns:
            True if some are clips.
        """
        before = len(self.clips)
        for path, name in files:
            if is_image(name) or is_text(name):
                continue
            if self._is_clip(path) and Path(path).is_file():  # not inside an archive
                self.clips.append(FoundClip(path, name, beside_pictures))
            else:
                self.left_out.append((path, _NO_PICTURE))
        return len(self.clips) > before

    def _is_new(self, path: str) -> bool:
        if self._seen is None:  # a folder or an archive by itself names nothing twice
            return True
        place = os.path.abspath(path)  # noqa: PTH100 - inside an archive too; links stay as they are
        new = place not in self._seen
        self._seen.add(place)
        return new


def is_pattern(path: str) -> bool:
    """Tell a pattern such as `photos/*.jpg` from the name of a file."""
    return not os.path.lexists(path) and glob.has_magic(path)


def file_of(path: str | Path) -> tuple[int, int] | None:
    """Return what all names of a file share: links, and capitals where they are one; None if there is no file."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def replaced_by(places: Iterable[Path], sources: Iterable[str]) -> list[str]:
    """Return those of the places to write that are one of the source files, under whatever name."""
    there = {place: found for place in places if (found := file_of(place))}
    of_sources = {file_of(source) for source in sources} if there else set()
    return [str(place) for place, found in there.items() if found in of_sources]


def _shown_in(source: Source, name: str) -> str:
    return (Path(source.name) / name).as_posix()


def _read_from(source: Source, name: str, shown: str) -> bytes:
    try:
        return source.read(name, IMAGE_BYTES)
    except BadInput as error:
        raise UserError(f"{shown}: cannot be read: {error.what}: {error.why}") from None
