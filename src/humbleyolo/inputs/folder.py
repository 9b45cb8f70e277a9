"""A labelled folder, or the zip archive that a tool exported, read through one interface and never written to.

Nothing is unpacked or written. Only names that were listed as it was opened can be read: no path leads out of it.
"""

import lzma
import os
import stat
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Self

from humbleyolo.errors import UserError
from humbleyolo.inputs.archive_names import names_of
from humbleyolo.inputs.file_names import IMAGE_FORMATS, is_archive, is_image, is_labelled, is_other_archive, suffix
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.params.one_line import is_one_line

LABEL_BYTES = 512 * 2**20  # the largest label file read whole
STREAMED_BYTES = 2**31  # the largest that is read entry by entry; LVIS's train file is 1.1 GB
IMAGE_BYTES = 512 * 2**20
HEAD_BYTES = 2**16  # of a file, by which formats know it
LOOKED_AT = 50  # files of an ending that a format opens to know its own
_MOST_HEADS = 500  # kept at a time

LINK = "a link to a folder, which is not followed"
"""Reason not to read a folder; copy it, or give the folder that it leads to."""

_NESTED = "an archive inside a set of labels; unpack it, or put the set into a sub-folder beside the archive"
_OTHER_ARCHIVE = "an archive that is no zip archive; unpack it, or make a zip archive of it"
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, NotImplementedError, RuntimeError)


class Source(ABC):
    """Files by name. Names are relative, with `/`, sorted.

    Attributes:
        name: Name of the source in messages.
        names: Names of all files.
        left_out: (name, reason) of files that are not read: links to folders, devices, unsafe names.
        unread: Names in `left_out` of archives that hold labels.
        archives: Archives among the files, each read as a folder with the archive's name.
        ids_continue: Ids of the COCO files in a folder count on from one to the next, as in a split of archives.
        texts: The first text labels that are not empty, once `label_file_pairs` has looked for them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.names: tuple[str, ...] = ()
        self.left_out: list[tuple[str, str]] = []
        self.unread: frozenset[str] = frozenset()
        self.archives: tuple[str, ...] = ()
        self.ids_continue = False
        self.texts: list[str] | None = None
        self._heads: dict[str, bytes] = {}

    @abstractmethod
    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file, to be read piece by piece.

        Raises:
            BadInput: If it cannot be opened; or read, while the context lasts.
        """

    def start(self, name: str, count: int) -> bytes:
        """Return a file's first `count` bytes, or all if it has fewer.

        Raises:
            BadInput: If it cannot be read.
        """
        with self.open(name) as file:
            return file.read(count)

    def read(self, name: str, limit: int = LABEL_BYTES) -> bytes:
        """Return a file's bytes. Never takes or unpacks more than `limit`.

        Raises:
            BadInput: If it cannot be read, or holds more than `limit` bytes.
        """
        data = self.start(name, limit + 1)
        if len(data) > limit:
            raise BadInput("too-large", f"more than {limit:,} bytes", "larger files are not read; split or shrink it")
        return data

    def head(self, name: str) -> bytes:
        """Return a file's first `HEAD_BYTES`, kept for the next format that asks; empty if it cannot be read."""
        if name not in self._heads:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            try:
                self._heads[name] = self.start(name, HEAD_BYTES)
            except BadInput:
                self._heads[name] = b""
        return self._heads[name]

    def close(self) -> None:  # noqa: B027  (a folder has nothing to close)
        """Let go of what was opened."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def first(self, names: Iterable[str], fits: Callable[[bytes], bool], limit: int = HEAD_BYTES) -> str:
        """Return the first of some files whose first `limit` bytes fit; empty if none does.

        Files that cannot be read do not fit.
        """
        for name in names:
            with suppress(BadInput):
                data = self.head(name)
                if fits(self.start(name, limit) if len(data) == HEAD_BYTES < limit else data):
                    return name
        return ""

    @cached_property
    def _by_suffix(self) -> dict[str, list[str]]:
        result: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            result[suffix(name)].append(name)
        return result

    def images(self) -> list[str]:
        """Names that end like an image's, sorted."""
        return self.ending(*IMAGE_FORMATS)

    def ending(self, *endings: str) -> list[str]:
        """Names with one of the extensions given (lower case, with the dot), sorted."""
        return sorted(name for one in endings for name in self._by_suffix.get(one, ()))


class FolderSource(Source):
    """The files under a folder. Links to files are followed (DVC makes them), links to folders are not."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        names = []
        for name in self._walk():
            if reason := _unsafe(name):
                self.left_out.append((shorten(name), reason))
            elif is_archive(name):
                self.left_out.append((name, _NESTED))
            elif is_other_archive(name):
                self.left_out.append((name, _OTHER_ARCHIVE))
            else:
                names.append(name)
        self.names = tuple(sorted(names))
        self.unread = frozenset(name for name, _ in self.left_out if is_archive(name) and _has_labels(path / name))

    def explain_archives(self, reason: str) -> None:
        """Give the reason why the archives beside the sub-folders are not read."""
        beside = [is_archive(name) and "/" not in name for name, _ in self.left_out]
        self.left_out = [(one[0], reason) if it else one for one, it in zip(self.left_out, beside, strict=True)]

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self._path, onerror=_cannot_list):
            here = Path(folder).relative_to(self._path)
            for name in list(folders):
                hidden = name.startswith(".") or name == "__MACOSX"
                linked = (Path(folder) / name).is_symlink()
                if hidden or linked:
                    folders.remove(name)
                if linked and not hidden:
                    self.left_out.append(((here / name).as_posix(), LINK))
            for name in files:
                if not name.startswith("."):
                    yield from self._regular((here / name).as_posix())

    def _regular(self, name: str) -> Iterator[str]:
        """Yield a name if it is a file's; else note it."""
        try:
            if stat.S_ISREG((self._path / name).stat().st_mode):
                yield name
            else:
                self.left_out.append((name, "neither a file nor a folder"))
        except OSError as error:
            self.left_out.append((name, f"cannot be looked at: {error.strerror}"))

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file; see `Source.open`."""
        try:
            with (self._path / name).open("rb") as file:
                yield file
        except OSError as error:
            raise BadInput("unreadable", error.strerror or "error", "the file must be readable") from None

    def start(self, name: str, count: int) -> bytes:
        """Return a file's first bytes; see `Source.start`."""
        with self.open(name) as file:
            size = os.fstat(file.fileno()).st_size  # asked for more, Python sets that much memory aside
            return file.read(min(size + 1, count))

    def path_of(self, name: str) -> Path:
        """Return a file's absolute path."""
        return (self._path / name).resolve()


class ZipSource(Source):
    """The files in a zip archive, read where they lie."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._lock = threading.Lock()
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            fix = "copy or export it again, or take it away"
            raise UserError(f"{path}: cannot be read as a zip archive: {error}; {fix}") from None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry, name in names_of(self._zip.infolist()):
            if name.endswith("/") or name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith("."):
                continue
            if reason := self._refused(entry, name):
                self.left_out.append((shorten(name) if _unsafe(name) else name, reason))
            else:
                self._entries[name] = entry
        self.names = tuple(sorted(self._entries))

    def _refused(self, entry: zipfile.ZipInfo, name: str) -> str:
        """Return the reason not to read an entry; empty if it is read."""
        if stat.S_ISLNK(entry.external_attr >> 16):
            return "a link, which is not followed"
        if entry.flag_bits & 1:
            return "encrypted"
        if name in self._entries:
            return "a second file of the same name; only the first is read"
        return _unsafe(name) or (_NESTED if is_archive(name) else _OTHER_ARCHIVE if is_other_archive(name) else "")

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file; see `Source.open`."""
        try:
            with self._lock, self._zip.open(self._entries[name]) as file:
                yield file
        except _DAMAGED as error:
            why = "the archive is damaged here; export it again"
            raise BadInput("unreadable", shorten(str(error)), why) from None

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


def _has_labels(path: Path) -> bool:
    """Tell if a file is a zip archive with a label file in it."""
    with suppress(zipfile.BadZipFile, OSError, ValueError, NotImplementedError), zipfile.ZipFile(path) as file:
        return any(is_labelled(name) and not is_image(name) for name in file.namelist())
    return False


def _unsafe(name: str) -> str:
    """Return the reason not to use a file's name; empty if it is used."""
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or name.partition("/")[0].endswith(":"):
        return "a path that leaves the folder; only relative paths with / are read"
    if not is_one_line(name):
        return "a name with characters that cannot be kept in one line or are not UTF-8; rename the file"
    return ""


def _cannot_list(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be listed: {error.strerror}; make it readable")
