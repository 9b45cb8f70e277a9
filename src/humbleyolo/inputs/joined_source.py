"""A labelled folder, archive, or folder of archives, opened as one source: a split of several archives is one too."""

from collections import defaultdict
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO
from zipfile import is_zipfile

from humbleyolo.dataset.archive import SPLITS, Archive
from humbleyolo.dataset.archive_choice import ALL, find_faults, is_part, list_parts
from humbleyolo.dataset.archived_split import ENDING
from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import about_all_of, is_archive, is_correction, is_labelled
from humbleyolo.inputs.folder import LINK, FolderSource, Source, ZipSource
from humbleyolo.process.terminal import first_few

_SHOWN = 5  # files and links that are not read
_BESIDE_SPLITS = {"ledger.csv", "summary.json", "preview.png"}  # in `data/dataset`


def open_source(path: Path) -> Source:
    """Open a folder, a zip archive, or a folder with archives in it.

    Archives are read if all else in the folder is folders that are each labelled by itself and files that are no
    labels. So are those called `corrections...`, and `train.zip`, `val.zip`, `test.zip`. The archives of a split are
    one source, as in `data/dataset/test`, and so are three such folders, as in `data/dataset`.

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
        if not is_archive(path.name) and not is_zipfile(path):
            raise UserError(f"{path}: is a single file; give the folder of images and labels, or a zip archive of it")
        return ZipSource(path)
    folder = FolderSource(path)
    if split := open_split(folder, path):
        return split
    archives = {name: name for name, _ in folder.left_out if "/" not in name and is_archive(name)}
    if archives and (joined := _join(path, folder, archives)):
        return joined
    if not folder.names:
        links = sorted(folder.left_out, key=lambda one: (one[1] != LINK, one[0]))
        some = first_few([f"{name}: {reason}" for name, reason in links], _SHOWN, "; ")
        lost = f" that are read ({some})" if some else ""
        raise UserError(f"{path}: holds no files{lost}; it should hold images and their labels")
    return folder


def open_split(folder: FolderSource, path: Path) -> Source | None:
    """Return the archives of a split, or of the splits of a dataset, as one source; None if `folder` is neither.

    Raises:
        UserError: If an archive of such a split is missing, or one of another run is beside it.
    """
    found = sorted(name for name, _ in folder.left_out if is_archive(name))
    corrections = {name: name for name in found if "/" not in name and is_correction(name)}
    archives = {name.removesuffix(ENDING): name for name in found if name not in corrections}
    places: dict[str, list[str]] = defaultdict(list)
    for name in archives:
        place, _, part = name.rpartition("/")
        places[place].append(part)
    if not archives or not all(map(is_part, (part for parts in places.values() for part in parts))):
        return None
    for place, parts in places.items():
        if find_faults(parts) != ([], []):
            if not any(_is_written(path / place / f"{part}{ENDING}") for part in parts):
                return None
            list_parts(path / place, ENDING, "copy the folder again, or run `dvc repro generate`")
    if found == [f"{ALL}{ENDING}"] and not folder.names:
        return ZipSource(path / found[0])
    is_dataset, is_split = places.keys() <= {*SPLITS}, places.keys() == {""}
    others = {*folder.names} - (_BESIDE_SPLITS if is_dataset else set())
    if others or not (is_dataset or is_split):
        return None
    joined = JoinedSource(path, archives | corrections, folder, beside=False)
    joined.ids_continue = True
    return joined


def _is_written(path: Path) -> bool:
    """Tell if an archive is one that `generate` wrote."""
    try:
        Archive(path).close()
    except UserError:
        return False
    return True


def _join(path: Path, folder: FolderSource, archives: dict[str, str]) -> Source | None:
    """Return a folder with those of its archives that are read; None if none is."""
    splits = {split: f"{split}.zip" for split in SPLITS if f"{split}.zip" in archives}
    for name, _ in folder.left_out:
        place, _, file = name.partition("/")
        if place in splits and is_part(file.removesuffix(ENDING)):
            old = splits[place]
            raise UserError(f"{path}: holds both {old} and {name}; remove {old}, which an earlier version wrote")
    corrections = {name: name for name in archives if is_correction(name)}
    about_all = about_all_of(folder.names)
    separate = not about_all
    if about_all:
        why = "makes all beside it one set without archives; put that set into a sub-folder, or take the archive away"
        folder.explain_archives(f"{about_all} {why}")
    only_splits = len(splits) + len(corrections) == len(archives) or not separate
    if splits and only_splits and not any("/" in name for name in folder.names):
        return JoinedSource(path, splits | corrections, folder, beside=False)
    chosen = archives if separate else corrections
    return JoinedSource(path, chosen, folder, beside=True) if chosen else None


class JoinedSource(Source):
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
        second, _, rest = file.partition("/")
        for archive, inside in ((first, file), (f"{first}/{second}", rest)):
            if archive in self._archives:
                return self._archives[archive], inside
        return self._folder, name

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file; see `Source.open`."""
        source, file = self._place(name)
        return source.open(file)

    def start(self, name: str, count: int) -> bytes:
        """Return a file's first bytes; see `Source.start`."""
        source, file = self._place(name)
        return source.start(file, count)

    def close(self) -> None:
        """Close the archives."""
        for archive in self._archives.values():
            archive.close()
