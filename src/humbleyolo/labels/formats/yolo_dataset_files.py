"""What a YOLO dataset says about itself: class names, and which images are in which split."""

import posixpath
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from humbleyolo.labels.label_file_pairs import label_names
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.text import parse_integer
from humbleyolo.labels.source_reader import SourceReader

_KEYS = {"train": "train", "valid": "val", "val": "val", "test": "test"}
_YAML_BYTES = 2**18  # some ten thousand names; more would take minutes to parse


@dataclass
class Declared:
    """Class names in the order of their indices, and (split, list file or folder) for each list."""

    names: tuple[str, ...] = ()
    lists: list[tuple[str, str]] = field(default_factory=list)


def declared(context: SourceReader) -> Declared:
    """Read `data.yaml`, `*.data`, `*.names`, `classes.txt`. Different names in two of them are a mistake."""
    result = Declared()
    described: list[tuple[str, tuple[str, ...]]] = []
    for name in context.source.names:
        base = PurePosixPath(name).name
        try:
            if base in ("data.yaml", "data.yml", "dataset.yaml"):
                described.append((name, _from_yaml(context, name, result)))
            elif base.endswith(".data"):
                _from_data(context, name, result)
            elif base.endswith(".names") or base == "classes.txt":
                described.append((name, _lines(context, name)))
        except BadInput as error:
            context.ledger.problem(name, error, "file dropped")
    for name, names in described:
        if result.names and names and names != result.names:
            why = f"{described[0][0]} says {shorten(', '.join(result.names))}; make them agree"
            differ = BadInput("class-names-differ", shorten(", ".join(names)), why)
            context.ledger.problem(name, differ, "file dropped")
        result.names = result.names or names
    if not result.lists:
        labels = {label for image in context.finder.images for label in label_names(image)}  # of test.jpg
        result.lists = [
            (_KEYS[path.stem], name)
            for name in context.source.ending(".txt")
            if (path := PurePosixPath(name)).stem in _KEYS and len(path.parts) <= 2 and name not in labels
        ]
    return result


def _lines(context: SourceReader, name: str) -> tuple[str, ...]:
    """Return one class name a line. A blank line at the end is none; elsewhere it would move every index."""
    text = context.text(name)
    if text is None:
        return ()
    lines = text.rstrip().split("\n")
    names = tuple(line.strip() for line in lines)
    if names == ("",):
        raise BadInput("no-class-names", "an empty file", "one class name a line")
    _check(names)
    return names


def _check(names: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            why = "one class name a line, in the order of the indices"
            raise BadInput("class-name", "a blank line", why, f"line {number}")
        if name in seen:
            why = "is there twice; each index needs its own name"
            raise BadInput("class-name", shorten(name), why, f"line {number}")
        seen.add(name)


def _from_data(context: SourceReader, name: str, result: Declared) -> None:
    """Read darknet's `key = value` lines; paths in it are those of the machine that trained."""
    classes = None
    for line in (context.text(name) or "").split("\n"):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            continue
        if key == "classes":
            classes = parse_integer(value, "classes")
        elif key in _KEYS:
            _add_list(context, name, _KEYS[key], value, result)
    names_here = [other for other in context.source.names if other.endswith(".names")]
    if (
        classes is not None
        and len(names_here) == 1
        and len(found := _lines(context, names_here[0])) != classes
    ):
        raise BadInput(
            "class-count", f"classes = {classes}", f"{names_here[0]} holds {len(found)}; make them agree"
        )


def _from_yaml(context: SourceReader, name: str, result: Declared) -> tuple[str, ...]:
    text = context.text(name, _YAML_BYTES)
    try:
        values = YAML(typ="safe", pure=True).load(text or "")
    except (YAMLError, ValueError, RecursionError, TypeError, OverflowError) as error:
        why = "must be YAML with names, train and val"
        raise BadInput("yaml", shorten(str(error).strip().split("\n")[-1]), why) from None
    if not isinstance(values, dict) or "names" not in values:
        raise BadInput("yaml", shorten(values), "must have the key names: a list, or indices with names")
    names = _names(values["names"])
    count = values.get("nc", len(names))
    if count != len(names):
        raise BadInput("class-count", f"nc: {shorten(count)}", f"names holds {len(names)}; make them agree")
    for key, split in _KEYS.items():
        entries = values.get(key)
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, str):
                if entry:
                    _add_list(context, name, split, entry, result)
            elif entry is not None:
                why = "must be the path of a list or a folder, or a list of paths; correct it"
                wrong = BadInput("yaml", f"{key} {shorten(entry)}", why)
                context.ledger.problem(name, wrong, "list dropped")
    return names


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        if sorted(value, key=str) != sorted(range(len(value)), key=str):
            raise BadInput("yaml", f"names {shorten(list(value))}", "indices must run from 0 without gaps")
        value = [value[index] for index in range(len(value))]
    if not isinstance(value, list):
        raise BadInput("yaml", f"names {shorten(value)}", "must be a list, or indices with names")
    for one in value:
        if not isinstance(one, str):
            raise BadInput("yaml", f"name {shorten(one)}", "must be a text; put it in quotes")
    names = tuple(value)
    _check(names)
    return names


def _add_list(context: SourceReader, name: str, split: str, entry: str, result: Declared) -> None:
    """Find a list file or a folder of images by the end of a path that was written on another machine."""
    path = entry.replace("\\", "/")
    tail = posixpath.normpath(path).lstrip("/")
    while tail.startswith("../"):
        tail = tail.removeprefix("../")
    here = posixpath.dirname(name)
    folders = {posixpath.dirname(image) for image in context.finder.images}
    folders |= {posixpath.dirname(folder) for folder in folders}
    while tail and tail != ".":
        for candidate in (posixpath.normpath(posixpath.join(here, tail)), tail):
            if candidate in context.source.names or candidate in folders:
                result.lists.append((split, candidate))
                return
        tail = tail.partition("/")[2]
    why = "no such list or folder here; correct the path"
    context.ledger.problem(
        name, BadInput("list-points-nowhere", f"{split}: {shorten(entry)}", why), "list dropped"
    )
