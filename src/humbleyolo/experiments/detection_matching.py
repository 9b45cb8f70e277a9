"""Detections of a file, joined to the images and classes of labels; what cannot be joined is told.

A number may be read in several ways. That of an image is an id of the labels' COCO file, or is in the file's name.
That of a class is an id too, or counts from 0 or from 1. A reading by which all is known is taken. If several fit, or
none fits whole, the boxes decide. The reading is taken by which far more of the surest lie on objects of their class.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.experiments.detection_files import DetectionFile, Key, is_number
from humbleyolo.experiments.scored_labels import ScoredLabels
from humbleyolo.labels.file_names import is_image
from humbleyolo.labels.folder import LABEL_BYTES
from humbleyolo.labels.image_lookup import ImageLookup
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.json import get, parse
from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.storage.array_types import Bools, Ints

IMAGE_IDS = ("file", "name")
CATEGORIES = ("ids", "0", "1", "coco91")
_UNKNOWN, _NOT_SCORED, _AMBIGUOUS = -1, -2, -3
_COCO_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # ids of 1 to 90 that COCO's 80 classes do not have
_COCO91 = [number for number in range(1, 91) if number not in _COCO_GAPS]
_SUREST = 5000  # detections that decide between readings
_LEAST_HITS, _HIT_IOU = 3, 0.5
_FEW = 20  # where less than one of so many lies on an object, a note asks if the reading is right
_SHOWN = 3  # names in a line


@dataclass(frozen=True, eq=False)
class Joined:
    """Detections on the images of labels, in the labels' classes.

    Attributes:
        detections: D rows.
        told: Lines about how they were joined, and about those that were not.
    """

    detections: DetectionTable
    told: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Reading:
    """A way to read the images or the classes of a file: the index of each, negative if there is none."""

    option: str  # value that chooses it
    words: str
    index: Ints


def join(found: DetectionFile, labels: ScoredLabels, image_ids: str | None, categories: str | None) -> Joined:
    """Join detections to labels.

    `image_ids` is one of `IMAGE_IDS`; `categories` is one of `CATEGORIES`, names in order from 0 with commas between
    them, or a COCO file with the categories. None: found out.

    Raises:
        UserError: If nothing can be joined, or numbers can be read in two ways and the boxes do not tell which. Also
            for a reading of numbers where there are names alone.
    """
    images = _image_readings(found, labels, image_ids)
    classes = _class_readings(found, labels, categories)
    by_image, by_class, why = _choose(found, labels, images, classes)
    rows = np.flatnonzero(_joined(found, by_image, by_class))
    told = [f"images: {by_image.words}; classes: {by_class.words}{why}"]
    told += [f"note: {line}" for line in _not_joined(found, by_image, by_class)]
    told += [f"note: {line}" for line in _without(labels, by_image.index[found.image_rows[rows]])]
    hits = _hits(found, labels, by_image, by_class)
    if hits * _FEW < min(len(rows), _SUREST, len(labels.truths)):
        few = f"only {hits:,}" if hits else "none"
        told.append(f"note: {few} of the surest lie on an object of their class: are these images and classes right?")
    if found.left_out:
        told.append(f"note: no detections in {_listed(found.left_out)}")
    return Joined(_table(found, labels, by_image, by_class, rows), tuple(told))


def _image_readings(found: DetectionFile, labels: ScoredLabels, chosen: str | None) -> list[_Reading]:
    """Return the ways to read the file's images; names have one alone."""
    lookup = ImageLookup([image.path for image in labels.items])
    others = ImageLookup(sorted(labels.others))
    index_of = {image.path: number for number, image in enumerate(labels.items)}
    named = np.full(len(found.images), _UNKNOWN, np.int64)
    numbers = {at: key for at, key in enumerate(found.images) if isinstance(key, int)}
    for at, key in enumerate(found.images):
        if isinstance(key, str):
            place = _find(lookup, key)
            if place == _UNKNOWN and _find(others, key) != _UNKNOWN:
                place = _NOT_SCORED
            named[at] = index_of[place] if isinstance(place, str) else place
    if (named == _UNKNOWN).all() and all(is_number(str(key)) for key in found.images):
        numbers = {at: int(key) for at, key in enumerate(found.images)}  # written as texts
    if not numbers:
        _refuse_option("--image-ids", chosen, found, "images")
        return [_Reading("", "by their names", named)]
    stems = _by_number(image.path for image in labels.items)
    rest = _by_number(labels.others)
    files = " and ".join(labels.ids.files[:2])
    ways: list[tuple[str, str, Mapping[int, int]]] = [
        ("file", f"image_id is the id in {files}", labels.ids.images),
        ("name", "image_id is the number in the file's name", {key: index_of[path] for key, path in stems.items()}),
    ]
    readings = []
    for option, words, known in ways:
        index = named.copy()
        for at, key in numbers.items():
            other = _NOT_SCORED if option == "name" and key in rest else _UNKNOWN
            index[at] = known.get(key, other)
        if known and chosen in (None, option):
            readings.append(_Reading(option, words, index))
    if not readings:
        clash = "; two COCO files give ids to different images: score one --split" if labels.ids.files else ""
        raise UserError(
            f"{found.path}: its image_id are numbers such as {next(iter(numbers.values()))}, and the labels have no "
            f"such numbers (ids of a COCO file, or numbers as file names){clash}"
        )
    return readings


def _refuse_option(option: str, chosen: str | None, found: DetectionFile, what: str) -> None:
    if chosen is not None:
        why = f"is for numbers, and {found.path} has its {what} by name; leave the option out"
        raise UserError(f"{option} {chosen}: {why}")


def _find(lookup: ImageLookup, name: str) -> str | int:
    """Return the image of a name or a path, with an image's extension or without; the kind of failure if none."""
    path = name.replace("\\", "/")
    folder, stem = posixpath.split(path)
    try:
        return lookup.find(name, "", moved=True) if is_image(path) else lookup.stem(stem, folder)
    except BadInput as error:
        return _AMBIGUOUS if error.kind == "image-ambiguous" else _UNKNOWN


def _by_number(paths: Iterable[str]) -> dict[int, str]:
    """Return the images whose names are numbers, by number; without numbers that two have."""
    found: dict[int, list[str]] = {}
    for path in paths:
        stem = PurePosixPath(path).stem
        if stem.isascii() and stem.isdecimal():
            found.setdefault(int(stem), []).append(path)
    return {number: some[0] for number, some in found.items() if len(some) == 1}


def _class_readings(found: DetectionFile, labels: ScoredLabels, chosen: str | None) -> list[_Reading]:
    """Return the ways to read the file's classes. A name of the labels is that class; digits else are a number."""
    label_of = {name: label for label, name in enumerate(labels.classes)}
    keys = [int(key) if is_number(str(key)) and key not in label_of else key for key in found.classes]
    named = np.array([label_of.get(key, _UNKNOWN) if isinstance(key, str) else _UNKNOWN for key in keys], np.int64)
    if not any(isinstance(key, int) for key in keys):
        _refuse_option("--categories", chosen, found, "classes")
        return [_Reading("", "by their names", named)]
    ways: list[tuple[str, str, Mapping[int, str]]] = [
        ("ids", "the number is the id in the labels", labels.ids.categories),
        ("0", "the number counts from 0", dict(enumerate(labels.classes))),
        ("1", "the number counts from 1", dict(enumerate(labels.classes, 1))),
    ]
    if len(labels.classes) == len(_COCO91):
        ways.append(("coco91", "the number is COCO's own, 1 to 90", dict(zip(_COCO91, labels.classes, strict=True))))
    if chosen is not None and chosen not in CATEGORIES:
        ways = [(chosen, f"as {chosen} says", _given_names(chosen))]
    readings = []
    for option, words, names in ways:
        index = named.copy()
        for at, key in enumerate(keys):
            if isinstance(key, int):
                index[at] = label_of.get(names.get(key, ""), _UNKNOWN)
        if names and chosen in (None, option):
            readings.append(_Reading(option, words, index))
    if not readings:
        raise UserError(f"--categories {chosen}: the labels are of another kind; allowed: names, a COCO file, 0, 1")
    return readings


def _given_names(given: str) -> dict[int, str]:
    """Return class names by number: those of a COCO file, or names in order from 0."""
    path = Path(given)
    if path.suffix.lower() != ".json":
        return dict(enumerate(name.strip() for name in given.split(",")))
    try:
        with path.open("rb") as file:
            root = parse(file.read(LABEL_BYTES))
        categories = get(root, "categories", list, "the file")
        return {get(one, "id", int, "a category"): get(one, "name", str, "a category") for one in categories}
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except BadInput as error:
        raise UserError(f"{path}: {error.where}: {error.what}: {error.why}") from None


def _choose(
    found: DetectionFile, labels: ScoredLabels, images: Sequence[_Reading], classes: Sequence[_Reading]
) -> tuple[_Reading, _Reading, str]:
    """Return the reading of images and that of classes, and the reason in words if the boxes decided."""
    pairs: list[tuple[_Reading, _Reading]] = []
    for pair in product(images, classes):  # readings that say the same are one
        if not any(_are_same(pair, other) for other in pairs):
            pairs.append(pair)
    fitting = [pair for pair in pairs if _joined(found, *pair).any()]
    if not fitting:
        raise UserError(_nothing_joined(found, labels, pairs[0][0]))
    whole = [pair for pair in fitting if _is_whole(found, *pair)]
    candidates = whole or fitting
    if len(candidates) == 1:
        return *candidates[0], ""
    hits = [_hits(found, labels, *pair) for pair in candidates]
    order = np.argsort([-count for count in hits], kind="stable")
    best, second = (hits[at] for at in order[:2])
    if best < _LEAST_HITS or best <= 2 * second:
        ways = [
            f"  {image.words}; {category.words}: {count} on an object of their class"
            + "".join(f" ({flag} {one.option})" for flag, one in _flags(image, category))
            for (image, category), count in zip(candidates, hits, strict=True)
        ]
        raise UserError(
            f"{found.path}: its numbers can be read in {len(candidates)} ways, and the {_SUREST:,} surest boxes do "
            "not tell which; choose by the option:",
            *ways,
        )
    why = f" (so {best:,} of the surest lie on an object of their class, read otherwise {second:,} at most)"
    return *candidates[order[0]], why


def _are_same(one: Sequence[_Reading], other: Sequence[_Reading]) -> bool:
    return all(np.array_equal(a.index, b.index) for a, b in zip(one, other, strict=True))


def _flags(image: _Reading, category: _Reading) -> Iterator[tuple[str, _Reading]]:
    """Yield the options that choose a reading."""
    for flag, one in (("--image-ids", image), ("--categories", category)):
        if one.option:
            yield flag, one


def _joined(found: DetectionFile, images: _Reading, classes: _Reading) -> Bools:
    """Return the (D,) detections whose image is scored and whose class is known."""
    return (images.index[found.image_rows] >= 0) & (classes.index[found.class_rows] >= 0)


def _is_whole(found: DetectionFile, images: _Reading, classes: _Reading) -> bool:
    """Tell if all is known: each class, and each image, be it one that is not scored."""
    return not (images.index[found.image_rows] == _UNKNOWN).any() and not (classes.index < 0).any()


def _hits(found: DetectionFile, labels: ScoredLabels, images: _Reading, classes: _Reading) -> int:
    """Count the surest detections that lie on an object of their class."""
    rows = np.flatnonzero(_joined(found, images, classes))
    rows = rows[np.argsort(-found.scores[rows], kind="stable")[:_SUREST]]
    detections = _table(found, labels, images, classes, rows)
    return int(np.count_nonzero(nearest_truths(labels.truths, detections).own_iou >= _HIT_IOU))


def _table(
    found: DetectionFile, labels: ScoredLabels, images: _Reading, classes: _Reading, rows: Ints
) -> DetectionTable:
    """Return these rows as detections on the labels' images, in pixels."""
    image, boxes = images.index[found.image_rows[rows]], found.boxes[rows]
    if found.relative:
        sizes = np.array([[one.width, one.height] for one in labels.items], np.float64)[image]  # (D, 2)
        lengths = boxes[:, 2:] * sizes
        boxes = np.concatenate([boxes[:, :2] * sizes - lengths / 2, lengths], axis=1)
    return DetectionTable(
        labels.truths.image_count, image, boxes, classes.index[found.class_rows[rows]], found.scores[rows]
    )


def _not_joined(found: DetectionFile, images: _Reading, classes: _Reading) -> Iterator[str]:
    """Yield a line for each kind of detections that are left out."""
    kinds = {
        _UNKNOWN: "the labels do not have",
        _NOT_SCORED: "are not scored (of another split, or without labels)",
        _AMBIGUOUS: "several have (a name in two folders)",
    }
    for kind, words in kinds.items():
        keys = np.flatnonzero(images.index == kind)
        count = int(np.count_nonzero(np.isin(found.image_rows, keys)))
        if count:
            on = _listed([found.images[at] for at in keys], "image")
            yield f"{counted(count, 'detection')} on {on} that {words}"
    keys = np.flatnonzero(classes.index < 0)
    count = int(np.count_nonzero(np.isin(found.class_rows, keys)))
    if count:
        of = _listed([found.classes[at] for at in keys], "class", "classes")
        yield f"{counted(count, 'detection')} of {of} that the labels lack"
    known = images.index[images.index >= 0]
    if twice := len(known) - len(np.unique(known)):
        yield f"{counted(twice, 'image')} named in two ways, with the detections of both"


def _without(labels: ScoredLabels, images: Ints) -> Iterator[str]:
    """Yield a line about images without a detection."""
    rest = np.setdiff1d(np.arange(len(labels.items)), images)
    if len(rest):
        few = _listed([labels.names[at] for at in rest])
        yield f"no detection on {len(rest)} of {counted(len(labels.items), 'image')} ({few})"


def _nothing_joined(found: DetectionFile, labels: ScoredLabels, images: _Reading) -> str:
    theirs: Sequence[Key]
    if (images.index >= 0).any():
        what, theirs, ours = "a class", found.classes, labels.classes
        names = "names must be equal to the letter: rename them in one of both"
        fix = "say them with --categories" if any(is_number(str(key)) for key in theirs) else names
    elif (images.index == _AMBIGUOUS).any():
        what, ours = "one image", labels.names
        theirs = [key for key, index in zip(found.images, images.index, strict=True) if index == _AMBIGUOUS]
        fix = "several images have such a name, in other folders: write paths in place of names"
    else:
        what, theirs, ours, fix = "an image", found.images, labels.names, "give the labels of these images"
    told = f"it has {_listed(theirs)}, the labels {_listed(ours)}; {fix}"
    return f"{found.path}: no detection is of {what} of the labels; {told}"


def _listed(names: Sequence[Key], noun: str = "", plural: str = "") -> str:
    """Return the first names, with their number before them if a noun for them is given."""
    few = first_few([shorten(name) for name in names[:_SHOWN]], _SHOWN, count=len(names))
    return f"{counted(len(names), noun, plural)} ({few})" if noun else few
