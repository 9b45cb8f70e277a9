"""Pairs of an image and its text file, for the formats that have one text file an image."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice

from humbleyolo.inputs.file_names import is_image, is_labelled, splits_of_folder, stem_of
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.labels.image_names import without_hash
from humbleyolo.labels.labelled_image import UncheckedImage
from humbleyolo.labels.source_reader import TEXT_BYTES, SourceReader
from humbleyolo.process.terminal import counted, first_few

_FOLDERS = {"images": "labels", "Images": "Labels", "IMAGES": "LABELS", "JPEGImages": "labels", "img": "labels"}
_FOLDERS |= {"image_2": "label_2"}  # KITTI
_OTHER_FOLDERS = ("labels", "Labels", "annotations", "Annotations")  # likewise, if there is no such label
_OTHER_TEXT = re.compile(r"((predefined_)?classes|train|valid|val|test|trainval)\.txt", re.I)
_NAMES = re.compile(r"(.*[_-])?(labels?|names?|class(es)?|categor(y|ies))([_-].*)?\.txt", re.I)
_DIGITS = re.compile(r"\d")
_LOOK_AT = 200  # label files that detection opens


def label_names(image: str) -> list[str]:
    """Return the places where an image's label may lie: beside `images`, with the image, or in `Label` below it."""
    stem = posixpath.splitext(image)[0]
    parts = stem.split("/")
    names = []
    for place in range(len(parts) - 2, -1, -1):  # the last folder of that name, as darknet and Ultralytics do
        if parts[place] in _FOLDERS:
            folders = dict.fromkeys([_FOLDERS[parts[place]], *_OTHER_FOLDERS])
            names = ["/".join([*parts[:place], folder, *parts[place + 1 :]]) + ".txt" for folder in folders]
            break
    folder, slash, name = stem.rpartition("/")
    return [*names[:1], f"{stem}.txt", *names[1:], f"{folder}{slash}Label/{name}.txt"]


def first_label(source: Source, fits: Callable[[str], bool]) -> str:
    """Return the first label file beside an image whose text `fits`; empty if none does. For detection."""
    names = _texts(source)
    if not names:
        return ""
    labels = source.texts
    if labels is None:
        found = (label for image in source.images() if (label := _label_of(image, names)))
        labels = source.texts = [*islice((label for label in found if source.head(label).strip()), _LOOK_AT)]
    if not labels:
        hashed = _hashed(names)
        labels = [some[0] for image in source.images() for name in label_names(image) if (some := hashed.get(name))]
    return source.first(labels[:_LOOK_AT], lambda data: fits(data.decode("utf-8-sig", "replace")), 2**20)


def read_pairs(
    reader: SourceReader, fits: Callable[[str], bool], fill: Callable[[UncheckedImage, str], None]
) -> list[UncheckedImage]:
    """Return the images that have a label file.

    `fits` knows a label file by its text, if there is no image beside it. `fill` adds the boxes in a label file's
    text to its image. Its BadInput, for a file without use, is reported.
    """
    images = []
    for path, label in _pairs(reader, fits):
        image = UncheckedImage(label, path, splits=splits_of_folder(path))
        with reader.ledger.reporting(label, "file dropped"):
            fill(image, reader.text(label))
            images.append(image)
    return images


def _pairs(reader: SourceReader, fits: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Return (image, label file) for each image that has one.

    An image without a label file, two images with one, and a label file without an image are mistakes. A label whose
    name begins with a hash, as Label Studio exports them, is that of the image without, if it is the only one.
    """
    names = _texts(reader.source)
    found: list[tuple[str, str]] = []
    owner: dict[str, str] = {}
    missing = []
    hashed: dict[str, list[str]] | None = None
    paired = 0
    for image in reader.images.paths:
        label = _label_of(image, names)
        if label is None:
            hashed = _hashed(names) if hashed is None else hashed
            some = [one for name in label_names(image) for one in hashed.get(name, ()) if one not in owner]
            if len(some) > 1:
                why = f"may be of {first_few(some, 3)}; take the hash off the right one's name"
                reader.ledger.problem(
                    image, BadInput("label-ambiguous", "no label file of its name", why), "image dropped"
                )
                continue
            label = some[0] if some else None
            paired += len(some)
        if label is None:
            missing.append(image)
        elif label in owner:
            why = f"is that of {owner[label]} already; give the images different names"
            reader.ledger.problem(image, BadInput("label-shared", label, why), "image dropped")
        else:
            owner[label] = image
            found.append((image, label))
    if paired:
        why = "their names begin with a hash, which those of the images do not"
        reader.ledger.note(".", BadInput("hash-in-name", counted(paired, "label file"), why), "paired by the rest")
    folders = {posixpath.dirname(label) for label in owner}
    elsewhere = {stem_of(name): name for name in reader.source.ending(".txt") if name not in owner} if missing else {}
    for image in missing:
        places = label_names(image)  # best where other labels lie
        place = next((name for name in places if posixpath.dirname(name) in folders), places[0])
        why = f"label it, or declare it background with an empty {place}"
        if other := elsewhere.get(stem_of(image)):
            why = f"{other} has its name, where no label is looked for; if it is its label, move it to {place}"
        reader.ledger.problem(image, BadInput("label-missing", "no label file", why), "image dropped")
    for name in _without_image(reader.source, owner, folders, fits):
        unread = reader.images.unread(stem_of(name))
        kind, why = "image-format" if unread else "image-missing", unread or "add the image or delete the label file"
        if not unread and _may_be_names(reader.source, name):
            why = "if it is the list of class names, call it classes.txt; else add the image or delete the file"
        reader.ledger.problem(name, BadInput(kind, "a label file without an image", why), "file dropped")
    return found


def _without_image(
    source: Source, owned: Container[str], folders: set[str], fits: Callable[[str], bool]
) -> Iterator[str]:
    """Yield each label file without an image, in folders where others have one, or a text fits the format.

    Texts with a name of their own (`classes.txt`, `README.txt`), and lists of images, are no label files.
    """
    others: dict[str, list[str]] = defaultdict(list)
    folders = set(folders)
    for name in source.ending(".txt"):
        if name in owned or not is_labelled(name) or _OTHER_TEXT.fullmatch(posixpath.basename(name)):
            continue
        text = ""
        with suppress(BadInput):  # a file that cannot be read may be a label
            text = source.read(name, TEXT_BYTES).decode("utf-8-sig", "replace")
        if not is_image(text.lstrip().partition("\n")[0].rstrip()):
            others[posixpath.dirname(name)].append(name)
            folders |= {posixpath.dirname(name)} if fits(text) else set()
    for folder in sorted(folders & others.keys()):
        yield from others[folder]


def _may_be_names(source: Source, name: str) -> bool:
    """Tell by its name, or by lines that are words without digits, if a text may be a list of class names."""
    lines = source.head(name).decode("utf-8-sig", "replace").split("\n")
    words = [line.strip() for line in lines if line.strip()]
    return bool(_NAMES.fullmatch(posixpath.basename(name)) or (words and not any(map(_DIGITS.search, words))))


def _texts(source: Source) -> dict[str, str]:
    """Return the text files by their paths with the extension in small letters; of two alike the one written so."""
    names = source.ending(".txt")
    return {
        f"{posixpath.splitext(name)[0]}.txt": name for name in [*names, *(n for n in names if n.endswith(".txt"))]
    }


def _label_of(image: str, texts: Mapping[str, str]) -> str | None:
    return next((texts[name] for name in label_names(image) if name in texts), None)


def _hashed(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the labels whose names begin with a hash, by their names without it."""
    result: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        if (rest := without_hash(name)) != name:
            result[rest].append(name)
    return result
