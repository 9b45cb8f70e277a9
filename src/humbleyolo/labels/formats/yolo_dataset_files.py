"""The files about a YOLO dataset: class names, and the images of each split."""

import posixpath
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import LISTS, is_image, split_of_list
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import parse_integer
from humbleyolo.labels.formats.yaml_class_names import class_names
from humbleyolo.labels.image_names import without_parents
from humbleyolo.labels.label_file_pairs import label_names
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import first_few

_KEYS = {"train": "train", "valid": "val", "val": "val", "test": "test"}
_LISTS_OF_NAMES = ("classes.txt", "_darknet.labels")  # LabelImg's, and Roboflow's for darknet
_OWN_LISTS = tuple(f"{key}.txt" for key in _KEYS)  # others are told by their first line
_YAML = "must be YAML with names, train and val"
_TWICE = re.compile(r'found duplicate key "([^"]*)"')
_SHOWN = 3  # files in a line
_YAML_BYTES = 2**18  # some ten thousand names; more would take minutes to parse


@dataclass
class Declared:
    """Contents of the files about a dataset.

    Attributes:
        names: All class names; `files`: the files with names.
        by_folder: Class names in the order of their indices, by the folder of the file that has them.
        lists: (split, list or folder) for each list.
        broken: A file with names has a mistake, and its names are not known.
        keypoint_columns: Numbers after the box in each line of a pose dataset (`kpt_shape`).
    """

    names: tuple[str, ...] = ()
    files: list[str] = field(default_factory=list)
    by_folder: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lists: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False
    keypoint_columns: int = 0

    def names_for(self, label_file: str) -> tuple[str, ...]:
        """Return the names of a label file's numbers: those of the nearest folder around it; else all files' own.

        Raises:
            BadInput: If no folder around it has names, and those of others differ.
        """
        for folder in PurePosixPath(label_file).parents:
            if names := self.by_folder.get("" if str(folder) == "." else str(folder)):
                return names
        if len({*self.by_folder.values()}) > 1:
            some = first_few(self.files, _SHOWN)
            why = f"no folder around it has class names, and these differ: {some}; add a classes.txt"
            raise BadInput("class-names-differ", "class numbers alone", why)
        return self.names


def read_dataset_files(reader: SourceReader) -> Declared:
    """Read `data.yaml` (or YAML of another name with names and lists), `*.data`, `*.names`, and lists of class names.

    Raises:
        UserError: If two in one folder differ and mistakes are skipped: numbers would get wrong names.
    """
    result = Declared()
    described: list[tuple[str, tuple[str, ...]]] = []
    naming: list[str] = []
    for name in reader.source.names:
        base = PurePosixPath(name).name
        in_yaml = base in ("data.yaml", "data.yml", "dataset.yaml") or _is_dataset_yaml(reader, name)
        with reader.ledger.reporting(name, "file dropped"):
            if in_yaml or base.endswith(".names") or base in _LISTS_OF_NAMES:
                naming.append(name)
                described.append((name, _from_yaml(reader, name, result) if in_yaml else names_listed(reader, name)))
            elif base.endswith(".data"):
                _from_data(reader, name, result)
    result.broken = len(described) < len(naming)
    first: dict[str, str] = {}
    for name, names in described:
        folder = posixpath.dirname(name)
        if names and names != result.by_folder.setdefault(folder, names):
            why = f"{first[folder]} says {shorten(', '.join(result.by_folder[folder]))}; make them agree"
            reader.ledger.problem(name, BadInput("class-names-differ", shorten(", ".join(names)), why), "stopped")
            if reader.ledger.on_problem != "error":
                raise UserError(f"{reader.source.name}: {reader.ledger.rows[-1]}")
        if names:
            first.setdefault(folder, name)
            if names != (top := next(iter(result.by_folder.values()))):
                why = f"{result.files[0]} says {shorten(', '.join(top))}; each labels those below its own folder"
                reader.ledger.warn(name, BadInput("class-names-differ", shorten(", ".join(names)), why))
            result.names = tuple(dict.fromkeys([*result.names, *names]))
            result.files.append(name)
    if not result.lists:
        labels = {label for image in reader.images.paths for label in label_names(image)}  # of test.jpg
        result.lists = [
            (split, name)
            for name in reader.source.ending(*LISTS)
            if (split := split_of_list(name)) and name.count("/") <= 1 and name not in labels
            if PurePosixPath(name).name in _OWN_LISTS or _lists_images(reader, name)
        ]
    return result


def _lists_images(reader: SourceReader, name: str) -> bool:
    """Tell if a file's first line is an image's name."""
    return is_image(reader.source.head(name).decode("utf-8-sig", "replace").lstrip().partition("\n")[0].rstrip())


def names_listed(reader: SourceReader, name: str) -> tuple[str, ...]:
    """Return one class name a line. A blank line at the end is none; elsewhere it would move every index.

    Raises:
        BadInput: For such a line, a comment, a name that is there twice, or an empty file.
    """
    names = tuple(line.strip() for line in reader.text(name).rstrip().split("\n"))
    if names == ("",):
        raise BadInput("no-class-names", "an empty file", "one class name a line")
    comments = [place for place, name in enumerate(names) if name.startswith("# ")]
    if comments and len(comments) < len(names):
        why = (
            "a comment would be a class, and move the index of each after it; take it out, or name it in a data.yaml"
        )
        raise BadInput("class-name", shorten(names[comments[0]]), why, f"line {comments[0] + 1}")
    _check(names, [f"line {number}" for number, _ in enumerate(names, 1)])
    return names


def _check(names: Sequence[str], lines: Sequence[str]) -> None:
    seen: set[str] = set()
    for name, line in zip(names, lines, strict=True):
        if not name:
            why = "each index needs a name, in the order of the indices"
            raise BadInput("class-name", "a blank name", why, line)
        if name in seen:
            why = "is there twice; each index needs its own name"
            raise BadInput("class-name", shorten(name), why, line)
        seen.add(name)


def _from_data(reader: SourceReader, name: str, result: Declared) -> None:
    """Read darknet's `key = value` lines; paths in it are those of the machine that trained."""
    classes = None
    for line in reader.text(name).split("\n"):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            continue
        if key == "classes":
            classes = parse_integer(value, "classes")
        elif key in _KEYS:
            _add_list(reader, name, _KEYS[key], value, result)
    names_here = [other for other in reader.source.names if other.endswith(".names")]
    if classes is None or len(names_here) != 1:
        return
    try:
        found = len(names_listed(reader, names_here[0]))
    except BadInput:
        return  # that file has its own row
    if found != classes:
        raise BadInput("class-count", f"classes = {classes}", f"{names_here[0]} holds {found}; make them agree")


def _is_dataset_yaml(reader: SourceReader, name: str) -> bool:
    """Tell if a YAML file of any name has class names beside lists or their number, as Ultralytics' files do."""
    with suppress(BadInput):
        values = _load_yaml(reader, name) if name.lower().endswith((".yaml", ".yml")) else None
        return isinstance(values, dict) and "names" in values and not values.keys().isdisjoint(("nc", *_KEYS))
    return False


def _load_yaml(reader: SourceReader, name: str) -> Any:
    text = reader.text(name, _YAML_BYTES)
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        raise _yaml_mistake(error) from None
    except (YAMLError, ValueError, RecursionError, TypeError, OverflowError) as error:
        raise BadInput("yaml", shorten(str(error).strip().split("\n")[-1]), _YAML) from None


def _yaml_mistake(error: MarkedYAMLError) -> BadInput:
    """Return the mistake that a parser of YAML tells, with its line."""
    problem = str(error.problem or error.context or "")
    where = f"line {error.problem_mark.line + 1}" if error.problem_mark else ""
    if twice := _TWICE.match(problem):
        return BadInput("yaml", f"the key {shorten(twice[1])}", "is there twice; keep one", where)
    return BadInput("yaml", shorten(problem.partition("\n")[0]), _YAML, where)


def _from_yaml(reader: SourceReader, name: str, result: Declared) -> tuple[str, ...]:
    values = _load_yaml(reader, name)
    if not isinstance(values, dict) or "names" not in values:
        raise BadInput("yaml", shorten(values), "must have the key names: a list, or indices with names")
    found = class_names(reader.text(name, _YAML_BYTES), values["names"])
    names = found.names
    _check(names, found.lines)
    if found.strange:
        reader.ledger.note(name, found.note, "read")
    count = values.get("nc", len(names))
    if count != len(names):
        raise BadInput("class-count", f"nc: {shorten(count)}", f"names holds {len(names)}; make them agree")
    root = values.get("path") or ""
    if not isinstance(root, str):
        raise BadInput("yaml", f"path {shorten(root)}", "must be a folder; correct it")
    match values.get("kpt_shape"):
        case [int(points), int(numbers)]:
            result.keypoint_columns = points * numbers
    for key, split in _KEYS.items():
        entries = values.get(key)
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, str):
                if entry:
                    _add_list(reader, name, split, entry, result, root)
            elif entry is not None:
                why = "must be the path of a list or a folder, or a list of paths; correct it"
                reader.ledger.problem(name, BadInput("yaml", f"{key} {shorten(entry)}", why), "list dropped")
    return names


def _add_list(reader: SourceReader, name: str, split: str, entry: str, result: Declared, root: str = "") -> None:
    """Find a list file or a folder of images by the end of a path that was written on another machine.

    `root` is the folder that it starts from, if not that of the file `name`. If it is there, no other is looked at.
    """
    here = posixpath.dirname(name)
    folders = {posixpath.dirname(image) for image in reader.images.paths}
    folders |= {posixpath.dirname(folder) for folder in folders}
    tails = _tails(entry)
    roots = [] if entry.startswith("/") or entry[1:2] == ":" else _tails(root)
    above = {str(parent) for one in reader.source.names for parent in PurePosixPath(one).parents}
    places = [joined for one in roots if (joined := posixpath.normpath(posixpath.join(here, one))) in above]
    strict = bool(places and places[0] == posixpath.normpath(posixpath.join(here, *roots[:1])))
    candidates = [posixpath.join(place, tail) for place in places for tail in tails[:1]]
    if not strict:
        candidates += [one for tail in tails for one in (posixpath.normpath(posixpath.join(here, tail)), tail)]
    for candidate in candidates:
        if candidate in reader.source.names or candidate in folders:
            result.lists.append((split, candidate))
            return
    under = f" under {root}" if root else ""
    why = f"no such list or folder here{under}; correct the path"
    error = BadInput("list-points-nowhere", f"{split}: {shorten(entry)}", why)
    if split == "train":
        reader.ledger.problem(name, error, "list dropped")
    else:  # tools name what was not exported; `split_rules` takes it from train, or divides anew
        reader.ledger.note(name, error, "list dropped")


def _tails(path: str) -> list[str]:
    """Return a path without `..` before it, and its shorter and shorter ends."""
    tail = without_parents(posixpath.normpath(path.replace("\\", "/")).lstrip("/"))
    parts = tail.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))] if tail not in ("", ".", "..") else []
