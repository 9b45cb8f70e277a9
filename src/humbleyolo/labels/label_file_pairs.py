"""Formats with one text file an image: which belongs to which."""

import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath

from humbleyolo.labels.folder import Source, suffix
from humbleyolo.labels.ledger import BadInput
from humbleyolo.labels.source_reader import SourceReader

_FOLDERS = {
    "images": "labels",
    "Images": "Labels",
    "IMAGES": "LABELS",
    "JPEGImages": "labels",
    "img": "labels",
}
_NO_LABELS = (
    "readme",
    "license",
    "licence",
    "classes",
    "predefined_classes",
    "train",
    "val",
    "valid",
    "test",
    "notes",
)


def label_names(image: str) -> list[str]:
    """Return where the label of an image may lie: in the folder beside `images`, or with the image."""
    stem = posixpath.splitext(image)[0]
    parts = stem.split("/")
    names = []
    for place in range(len(parts) - 2, -1, -1):  # the last folder of that name, as darknet and Ultralytics do
        if parts[place] in _FOLDERS:
            names.append("/".join([*parts[:place], _FOLDERS[parts[place]], *parts[place + 1 :]]) + ".txt")
            break
    return [*names, f"{stem}.txt"]


def pairs(context: SourceReader) -> list[tuple[str, str]]:
    """Return (image, label file) for each image that has one.

    An image without a label file, two images with one, and a label file without an image are mistakes.
    """
    names = frozenset(context.source.names)
    found: list[tuple[str, str]] = []
    owner: dict[str, str] = {}
    missing = []
    for image in context.finder.images:
        label = next((name for name in label_names(image) if name in names), None)
        if label is None:
            missing.append(image)
        elif label in owner:
            why = f"{owner[label]} has the same label file, {label}; give the images different names"
            context.ledger.problem(image, BadInput("label-shared", image, why), "image dropped")
        else:
            owner[label] = image
            found.append((image, label))
    folders = {posixpath.dirname(label) for label in owner}
    for image in missing:
        places = label_names(image)  # best where other labels lie
        place = next((name for name in places if posixpath.dirname(name) in folders), places[0])
        why = f"label it, or declare it background with an empty {place}"
        context.ledger.problem(image, BadInput("label-missing", "no label file", why), "image dropped")
    for name in context.source.ending(".txt"):
        if name in owner or posixpath.dirname(name) not in folders or _is_other_text(name):
            continue
        error = BadInput(
            "image-missing", "a label file without an image", "add the image or delete the label file"
        )
        context.ledger.problem(name, error, "file dropped")
    return found


def _is_other_text(name: str) -> bool:
    return PurePosixPath(name).name.lower().startswith(_NO_LABELS)


def some_pair(source: Source, fits: Callable[[str], bool], most: int = 200) -> str:
    """Return the first label file beside an image whose text `fits`; empty where none does. For detection."""
    names = frozenset(source.names)
    looked = 0
    for image in source.images():
        label = next((name for name in label_names(image) if name in names), None)
        if label is None or suffix(label) != ".txt":
            continue
        looked += 1
        try:
            if fits(source.read(label, 2**20).decode("utf-8-sig", "replace")):
                return label
        except BadInput:
            continue
        if looked >= most:
            break
    return ""
