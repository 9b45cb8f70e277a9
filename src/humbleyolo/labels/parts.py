"""Labelled sub-folders and archives of one folder, each read by itself, and the union of them."""

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import IO

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import is_about_all, is_correction, is_image, is_labelled, splits_of_folder
from humbleyolo.inputs.folder import IMAGE_BYTES, Source
from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.labels.corrections import merge_copies, place_unlabelled
from humbleyolo.labels.formats.yolo_dataset_files import read_dataset_files
from humbleyolo.labels.labelled_image import LabelledImage, LabelledSet, ReadOptions
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.validate import report_left_out
from humbleyolo.process.terminal import counted, first_few

Evidence = Mapping[str, str]  # format: the evidence for it
_MOST = 100  # sub-folders looked into one by one; more are one set, as are a class or a scene a folder
_SHOWN = 8  # parts named in the evidence
_EXPLAINED = 3  # parts whose own evidence is shown


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a folder that is a labelled set of its own.

    Attributes:
        name: Its sub-folder or archive; empty for the folder itself without its corrections.
        source: Its files.
        fits: Formats that it fits.
        class_names: Names that its own files give to class numbers; empty if none do.
    """

    name: str
    source: Source
    fits: Evidence
    class_names: tuple[str, ...]

    def __str__(self) -> str:
        return self.name or "the folder itself"


class SubSource(Source):
    """Some files of a source, named from one of its folders on; an empty `folder` is the top.

    Args:
        source: All files.
        folder: Their folder.
        names: Their names in `source`, sorted.
        without: Folders and archives of `source` that are left out.
    """

    def __init__(self, source: Source, folder: str, names: Iterable[str], without: Iterable[str] = ()) -> None:
        super().__init__(f"{source.name}/{folder}" if folder else source.name)
        self._source, self._prefix = source, f"{folder}/" if folder else ""
        self.names = tuple(name.removeprefix(self._prefix) for name in names)
        others = tuple(f"{one}/" for one in without)
        for name, why in source.left_out:
            if name.startswith(self._prefix) and not f"{name}/".startswith(others):
                self.left_out.append((name.removeprefix(self._prefix), why))
        self.unread = frozenset(name.removeprefix(self._prefix) for name in source.unread)
        self.archives = () if folder else tuple(name for name in source.archives if f"{name}/" not in others)

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file; see `Source.open`."""
        return self._source.open(self._prefix + name)

    def start(self, name: str, count: int) -> bytes:
        """Return a file's first bytes; see `Source.start`."""
        return self._source.start(self._prefix + name, count)

    def head(self, name: str) -> bytes:
        """Return a file's first bytes, kept in the whole source; see `Source.head`."""
        return self._source.head(self._prefix + name)


def make_part(
    source: Source,
    folder: str,
    names: Iterable[str],
    options: ReadOptions,
    detect: Callable[[Source], Evidence],
    without: Iterable[str] = (),
) -> Part:
    """Return some files of a source as a part; see `SubSource` for the arguments."""
    inside = SubSource(source, folder, names, without)
    fits: Evidence = detect(inside) if options.format == "auto" else {options.format: "as told"}
    own: tuple[str, ...] = ()
    if "yolo" in fits:
        own = read_dataset_files(SourceReader(inside, options, Ledger("error"))).names
    return Part(folder, inside, fits, own)


def find_parts(source: Source, options: ReadOptions, detect: Callable[[Source], Evidence]) -> list[Part]:
    """Return the parts of a source, and theirs in their place; none if it is one labelled set.

    Sub-folders are parts if each has images, and their formats or class names differ. Archives beside them always
    are, and so is what is called `corrections...`, however deep it lies. `detect` finds the formats of a source.
    """

    def part(folder: str, names: Iterable[str], without: Iterable[str] = ()) -> Part:
        return make_part(source, folder, names, options, detect, without)

    def inner(one: Part) -> list[Part]:
        found = find_parts(one.source, options, detect)
        return [replace(each, name=posixpath.join(one.name, each.name).rstrip("/")) for each in found] or [one]

    folders: dict[str, list[str]] = defaultdict(list)
    for name in source.names:
        folder, slash, _ = name.partition("/")
        folders[folder if slash else ""].append(name)
    found = {
        folder: names for folder, names in folders.items() if any(map(is_labelled if folder else is_about_all, names))
    }
    if "" in found and options.format == "auto" and _strays(source, folders[""], detect):
        del found[""]
    corrections, rest = _corrections(source.names)
    if corrections and any(map(is_labelled, rest)):
        parts = [part("", rest, corrections), *(part(folder, names) for folder, names in corrections.items())]
    elif "" in found:
        return []
    elif len(found) == 1 and not source.archives:
        [(folder, names)] = found.items()
        one = Part(folder, SubSource(source, folder, names), {}, ())
        parts = inner(one)
        return [] if parts == [one] else parts
    elif source.archives:
        parts = [part(folder, names) for folder, names in found.items()]
    elif len(found) > _MOST or not all(any(map(is_image, names)) for names in found.values()):
        return []
    else:
        parts = [part(folder, names) for folder, names in found.items()]
        formats = {frozenset(one.fits) for one in parts if one.fits}
        named = {one.class_names for one in parts if one.class_names}
        if len(formats) < 2 and len(named) < 2:
            return []
    return [each for one in parts for each in inner(one)]


def _strays(source: Source, names: Iterable[str], detect: Callable[[Source], Evidence]) -> list[str]:
    """Return JSON, CSV and XML files beside sub-folders, if all that is there is such and holds no labels."""
    about = [name for name in names if is_about_all(name)]
    plain = all(name.lower().endswith((".json", ".csv", ".xml")) for name in about)
    return about if plain and not detect(SubSource(source, "", about)) else []


def _corrections(names: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the names in each folder of corrections that holds labels or images, and all other names."""
    found: dict[str, list[str]] = defaultdict(list)
    rest: list[str] = []
    for name in names:
        folders = name.split("/")[:-1]
        depth = next((depth for depth, folder in enumerate(folders, 1) if is_correction(folder)), 0)
        (found["/".join(folders[:depth])] if depth else rest).append(name)
    return {folder: some for folder, some in found.items() if any(map(is_labelled, some))}, rest


def names_for(part: Part, parts: Sequence[Part], options: ReadOptions, ledger: Ledger) -> tuple[str, ...]:
    """Return the names of a part's class numbers.

    They are its own if two parts differ, else those that the person gave, else the names that the parts share.
    """
    named = {one.class_names: one for one in parts if one.class_names}
    if "yolo" not in part.fits or len(named) > 1 or options.classes or part.class_names:
        return (part.class_names if len(named) > 1 else ()) or options.classes
    for names, owner in named.items():
        why = f"it has no class names of its own; those of {owner} are used"
        ledger.note(".", BadInput("class-names-shared", f"{part}", why), "read")
        return names
    return ()


def refuse_unlabelled(source: Source, parts: Sequence[Part]) -> None:
    """Stop if a part fits no format.

    Raises:
        UserError: If so; it names each such part.
    """
    bad = [one for one in parts if not one.fits]
    if bad:
        lines = [
            f"  {one}: no known labels among {counted(len(one.source.names), 'file')}, "
            f"images: {len(one.source.images()):,}"
            for one in bad
        ]
        head = f"{source.name}: of {len(parts)} parts, each read by itself, {len(bad)} without labels"
        raise UserError(head, *lines, "Label these, or take them out of the folder")


def unite(source: Source, parts: Sequence[tuple[Part, LabelledSet]], ledger: Ledger) -> LabelledSet:
    """Return the union of the parts, each read by itself. Paths get the part's name before them.

    Classes are the union by name, in order of appearance. Images of a part without lists are in the split that
    the part's name says. An image that several parts hold is kept once; see `corrections`.
    """
    inside = tuple(f"{part.name}/" if part.name else "" for part, _ in parts)
    report_left_out(source, ledger, inside)
    for name in source.names:
        if "/" not in name and is_about_all(name) and not any(part.name == "" for part, _ in parts):
            why = "it is in none of the formats, so that the folders beside it are read one by one"
            ledger.note(name, BadInput("not-read", name, why), "not read")
    images: list[tuple[str, LabelledImage]] = []
    unlabelled = []
    for part, labelled in parts:
        for row in labelled.ledger.rows:
            ledger.rows.append(replace(row, file=posixpath.normpath(posixpath.join(part.name, row.file))))
        splits = () if any(image.splits for image in labelled.images) else splits_of_folder(f"{part.name}/")
        for image in labelled.images:
            label_file, path = posixpath.join(part.name, image.label_file), posixpath.join(part.name, image.path)
            moved = replace(image, label_file=label_file, path=path, splits=image.splits or splits)
            images.append((part.name, moved))
        for name in sorted({*part.source.images()} - {image.path for image in labelled.images}):
            read = partial(part.source.read, name, IMAGE_BYTES)
            unlabelled.append((part.name, posixpath.join(part.name, name), splits_of_folder(name) or splits, read))
    merged = merge_copies(place_unlabelled(images, unlabelled, ledger), ledger)
    used = {image.path for image in merged}
    return LabelledSet(
        images=sorted(merged, key=lambda image: image.path),
        classes=tuple(dict.fromkeys(name for _, labelled in parts for name in labelled.classes)),
        ledger=ledger,
        listed=frozenset(split for part, labelled in parts for split in splits_listed(part, labelled)),
        left_out={
            path: splits or splits_of_folder(f"{part.name}/")
            for part, labelled in parts
            for name, splits in labelled.left_out.items()
            if (path := posixpath.join(part.name, name)) not in used
        },
        short={
            posixpath.join(part.name, path): slight
            for part, labelled in parts
            for path, slight in labelled.short.items()
        },
        format=", ".join(dict.fromkeys(labelled.format for _, labelled in parts)),
        why=f"it has {_evidence(parts)}",
    )


def splits_listed(part: Part, labelled: LabelledSet) -> frozenset[str]:
    """Return the splits that a part's lists name, or else its name; none of corrections, whose images have theirs."""
    if any(map(is_correction, part.name.split("/"))):
        return frozenset()
    return labelled.listed or frozenset(splits_of_folder(f"{part.name}/"))


def _evidence(parts: Sequence[tuple[Part, LabelledSet]]) -> str:
    """Return the parts and their formats in a line, with the evidence if they are few."""
    few = len(parts) <= _EXPLAINED
    texts = [f"{part} ({labelled.format}{f', because {labelled.why}' if few else ''})" for part, labelled in parts]
    return f"{counted(len(parts), 'part')}: {first_few(texts, _SHOWN)}"
