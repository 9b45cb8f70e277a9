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

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.errors import UserError
from humbleyolo.labels.archive_names import names_of
from humbleyolo.labels.file_names import (
    IMAGE_FORMATS,
    about_all_of,
    is_archive,
    is_correction,
    is_image,
    is_labelled,
    suffix,
)
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.params.class_names import is_one_line

LABEL_BYTES = 512 * 2**20  # the largest label file read whole
STREAMED_BYTES = 2**31  # the largest that is read entry by entry; LVIS's train file is 1.1 GB
IMAGE_BYTES = 512 * 2**20
HEAD_BYTES = 2**16  # of a file, by which formats know it
_MOST_HEADS = 500  # kept at a time

_NESTED = "an archive inside a set of labels; unpack it, or put the set into a sub-folder beside the archive"
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, NotImplementedError, RuntimeError)


class Source(ABC):
    """Files by name. Names are relative, with `/`, sorted.

    Attributes:
        name: Name of the source in messages.
        names: Names of all files.
        left_out: (name, reason) of files that are not read: links to folders, devices, unsafe names.
        unread: Names in `left_out` of archives that hold labels.
        archives: Archives among the files, each read as a folder with the archive's name.
        texts: The first text labels that are not empty, once `label_file_pairs` has looked for them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.names: tuple[str, ...] = ()
        self.left_out: list[tuple[str, str]] = []
        self.unread: frozenset[str] = frozenset()
        self.archives: tuple[str, ...] = ()
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


def open_source(path: Path) -> Source:
    """Open a folder, a zip archive, or a folder with archives in it.

    Archives are read if all else in the folder is folders that are each labelled by itself and files that are no
    labels. So are those called `corrections...`, and `train.zip`, `val.zip`, `test.zip` (as in `data/dataset`).

    Raises:
        UserError: If there is nothing to read.
    """
    try:
        path.stat()
    except PermissionError as error:
        raise UserError(f"{path}: cannot be looked at: {error.strerror}; make it readable") from None
    except (OSError, ValueError):
        raise UserError(f"{path}: no such file or folder; give a folder or zip archive of labelled images") from None
    if path.is_file():
        return ZipSource(path)
    folder = FolderSource(path)
    archives = {name: name for name, _ in folder.left_out if "/" not in name and is_archive(name)}
    if archives and (joined := _join(path, folder, archives)):
        return joined
    if not folder.names:
        lost = "".join(f" that are read ({name}: {reason})" for name, reason in folder.left_out[:1])
        raise UserError(f"{path}: holds no files{lost}; it should hold images and their labels")
    return folder


def _join(path: Path, folder: "FolderSource", archives: dict[str, str]) -> Source | None:
    """Return a folder with those of its archives that are read; None if none is."""
    splits = {split: f"{split}.zip" for split in SPLITS if f"{split}.zip" in archives}
    corrections = {name: name for name in archives if is_correction(name)}
    about_all = about_all_of(folder.names)
    separate = not about_all
    if about_all:
        why = "makes all beside it one set without archives; put that set into a sub-folder, or take the archive away"
        folder.explain_archives(f"{about_all} {why}")
    only_splits = len(splits) + len(corrections) == len(archives) or not separate
    if splits and only_splits and not any("/" in name for name in folder.names):
        return _JoinedSource(path, splits | corrections, folder, beside=False)
    chosen = archives if separate else corrections
    return _JoinedSource(path, chosen, folder, beside=True) if chosen else None


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
                    self.left_out.append(((here / name).as_posix(), "a link to a folder, which is not followed"))
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
        return _unsafe(name) or (_NESTED if is_archive(name) else "")

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


class _JoinedSource(Source):
    """Archives in a folder, each read as a folder of the name given, with the folder's other files `beside` them."""

    def __init__(self, path: Path, archives: dict[str, str], folder: FolderSource, *, beside: bool) -> None:
        super().__init__(str(path))
        self._folder = folder
        self._archives = {name: ZipSource(path / file) for name, file in archives.items()}
        for name, archive in self._archives.items() if beside else ():
            if not any(map(is_labelled, archive.names)):
                why = "".join(f"; {file}: {reason}" for file, reason in archive.left_out[:1])
                raise UserError(f"{path / name}: holds no images or labels{why}; export it again, or take it away")
        inside = self._archives.items()
        names = [f"{name}/{file}" for name, archive in inside for file in archive.names]
        self.names = tuple(sorted([*names, *(folder.names if beside else ())]))
        self.left_out = [(file, why) for file, why in folder.left_out if file not in archives.values()]
        self.left_out += [(f"{name}/{file}", why) for name, archive in inside for file, why in archive.left_out]
        self.unread = folder.unread - {*archives.values()}
        self.archives = tuple(archives) if beside else ()

    def _place(self, name: str) -> tuple[Source, str]:
        first, _, file = name.partition("/")
        return (self._archives[first], file) if first in self._archives else (self._folder, name)

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        source, file = self._place(name)
        return source.open(file)

    def start(self, name: str, count: int) -> bytes:
        source, file = self._place(name)
        return source.start(file, count)

    def close(self) -> None:
        for archive in self._archives.values():
            archive.close()


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
