"""Ways to read the numbers in a file of detections: as ids, as numbers in names of files, as places in a list.

A reading gives each image or class of the file its index among the labels' own, or the reason why it has none.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import is_image
from humbleyolo.inputs.folder import LABEL_BYTES
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get, parse
from humbleyolo.labels.image_lookup import ImageLookup
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.scoring.detection_rows import DetectionFile, Key, is_number
from humbleyolo.scoring.scored_labels import Ids, ScoredLabels
from humbleyolo.storage.array_types import Ints

IMAGE_IDS = ("file", "name")
CATEGORIES = ("ids", "0", "1", "coco91", "names")
UNKNOWN, NOT_SCORED, AMBIGUOUS, NOT_LABELLED = -1, -2, -3, -4
_SHOWN = 3  # names in a line
CLASH = "two COCO files give ids to different images: score one --split"
_COCO_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # ids of 1 to 90 that COCO's 80 classes do not have
_COCO91 = [number for number in range(1, 91) if number not in _COCO_GAPS]
_FIRST = re.compile("([01]):(.*)", re.DOTALL)  # names of the user's own, with the number of the first


@dataclass(frozen=True, eq=False)
class Reading:
    """A way to read the images or the classes of a file.

    Attributes:
        option: Value of the option that chooses it; empty if there is none.
        words: The way, in words.
        index: Index of each among the labels' own, else one of `UNKNOWN`, `NOT_SCORED`, `AMBIGUOUS` (images) and
            `NOT_LABELLED` (a class that the user's list has and the labels lack).
        chosen: The user asked for it.
    """

    option: str
    words: str
    index: Ints
    chosen: bool = False

    @property
    def lacking(self) -> str:
        """Object and verb of a sentence on the classes that are `UNKNOWN`."""
        return "the labels lack" if not self.chosen or self.option in CATEGORIES else "--categories does not name"


def listed(names: Sequence[Key], noun: str = "", plural: str = "") -> str:
    """Return the first names, with their number before them if a noun for them is given."""
    few = first_few([shorten(name) for name in names[:_SHOWN]], _SHOWN, count=len(names))
    return f"{counted(len(names), noun, plural)} ({few})" if noun else few


def image_readings(
    found: DetectionFile, labels: ScoredLabels, chosen: str | None = None, first: int = 0
) -> list[Reading]:
    """Return the ways to read the file's images; names have one alone, unless the labels have texts as ids.

    `first` is added to numbers, for a file that counts from another one.

    Raises:
        UserError: If the choice is for numbers and there are none, or nothing is known of numbers.
    """
    named = _by_name(found, labels)
    numbers = {at: key for at, key in enumerate(found.images) if isinstance(key, int)}
    if (named == UNKNOWN).all() and all(is_number(str(key)) for key in found.images):
        numbers = {at: int(key) for at, key in enumerate(found.images)}  # written as texts
    texts = found.has_ids and any(isinstance(key, str) for key in labels.ids.images)
    if not numbers and not texts:
        _refuse_option("--image-ids", chosen, found, "images")
        return [Reading("", "by their names", named)]
    readings = []
    if labels.ids.images and chosen in (None, "file"):
        by_id = named.copy()
        for at, key in enumerate(found.images):
            if at in numbers or texts:
                by_id[at] = _by_id(key, labels.ids, first)
        words = f"image_id is the id in {first_few(labels.ids.files, _SHOWN)}"
        readings.append(Reading("file", words, by_id))
    stems = _by_number((image.path, index) for index, image in enumerate(labels.items))
    if (stems or texts) and chosen in (None, "name"):
        rest = _by_number((path, NOT_SCORED) for path in labels.others)
        by_stem = named.copy()
        for at, key in numbers.items():
            by_stem[at] = stems.get(key + first, rest.get(key, UNKNOWN))
        words = "image_id is the number in the file's name" if numbers else "by their names"
        readings.append(Reading("name", words, by_stem))
    if not readings:
        clash = f"; {CLASH}" if labels.ids.files else ""
        raise UserError(
            f"{found.path}: its image_id are numbers such as {next(iter(numbers.values()))}, and the labels have no "
            f"such numbers (ids of a COCO file, or numbers as file names){clash}"
        )
    return readings


def _by_name(found: DetectionFile, labels: ScoredLabels) -> Ints:
    """Return the image of each name, and `UNKNOWN` for each number."""
    lookup = ImageLookup([image.path for image in labels.items])
    others = ImageLookup(sorted(labels.others))
    index_of = {image.path: number for number, image in enumerate(labels.items)}
    named = np.full(len(found.images), UNKNOWN, np.int64)
    for at, key in enumerate(found.images):
        if isinstance(key, str):
            place = _find(lookup, key)
            if place == UNKNOWN and _find(others, key) != UNKNOWN:
                place = NOT_SCORED
            named[at] = index_of[place] if isinstance(place, str) else place
    return named


def _by_id(key: Key, ids: Ids, first: int) -> int:
    """Return the image of an id, to the letter, or as a number to which `first` is added."""
    same: list[Key] = [key] if not first else []
    if is_number(str(key)):
        number = int(key) + first
        same += [number, str(number)]
    known = [ids.images[one] for one in same if one in ids.images]
    return known[0] if known else NOT_SCORED if any(one in ids.others for one in same) else UNKNOWN


def _refuse_option(option: str, chosen: str | None, found: DetectionFile, what: str) -> None:
    if chosen is not None:
        why = f"is for numbers, and {found.path} has its {what} by name; leave the option out"
        raise UserError(f"{option} {chosen}: {why}")


def _find(lookup: ImageLookup, name: str) -> str | int:
    """Return the image of a name or a path, with an image's extension or without; the kind of failure if none."""
    path = name.replace("\\", "/")
    folder, stem = posixpath.split(path)
    try:
        return lookup.find(name, "", anywhere=True) if is_image(path) else lookup.stem(stem, folder)
    except BadInput as error:
        return AMBIGUOUS if error.kind == "image-ambiguous" else UNKNOWN


def _by_number(paths: Iterable[tuple[str, int]]) -> dict[int, int]:
    """Return the value of each path whose name is a number, by number; without numbers that two have."""
    found: dict[int, list[int]] = {}
    for path, value in paths:
        stem = PurePosixPath(path).stem
        if stem.isascii() and stem.isdecimal():
            found.setdefault(int(stem), []).append(value)
    return {number: some[0] for number, some in found.items() if len(some) == 1}


def class_readings(found: DetectionFile, labels: ScoredLabels, chosen: str | None) -> list[Reading]:
    """Return the ways to read the file's classes.

    Digits are a number, if a way to read numbers was chosen. Else they may be a name that the labels have. In a file
    of digits alone that is one of the ways; beside other names it is the only one.

    Raises:
        UserError: If the choice is for numbers and there are none, or does not fit the labels.
    """
    label_of = {name: label for label, name in enumerate(labels.classes)}
    named = np.array([label_of.get(str(key), UNKNOWN) for key in found.classes], np.int64)
    digits = {at: int(key) for at, key in enumerate(found.classes) if is_number(str(key))}
    if not digits:
        _refuse_option("--categories", chosen, found, "classes")
        return [Reading("", "by their names", named)]
    mixed = len(digits) < len(found.classes)
    if mixed and chosen is None:  # beside names, what is a name of the labels is one
        digits = {at: number for at, number in digits.items() if named[at] == UNKNOWN}
        if not digits:
            return [Reading("", "by their names", named)]
    readings = []
    if (named >= 0).any() and not mixed and chosen in (None, "names"):
        readings.append(Reading("names", "by their names", named, chosen is not None))
    for option, words, names in _numberings(labels, chosen):
        index = named.copy()
        for at, number in digits.items():
            index[at] = label_of.get(names[number], NOT_LABELLED) if number in names else UNKNOWN
        readings.append(Reading(option, words, index, chosen is not None))
    if not readings:
        raise UserError(
            f"--categories {chosen}: the labels are of another kind; allowed: 0, 1, names as A,B, a COCO file"
        )
    return readings


def _numberings(labels: ScoredLabels, chosen: str | None) -> Iterator[tuple[str, str, Mapping[int, str]]]:
    """Yield the ways to number classes, those chosen: option, words, and names by number."""
    if chosen is not None and chosen not in CATEGORIES:
        yield from _given(chosen, labels)
        return
    ways: list[tuple[str, str, Mapping[int, str]]] = [
        ("ids", "the number is the id in the labels", labels.ids.categories),
        ("0", "the number counts from 0", dict(enumerate(labels.classes))),
        ("1", "the number counts from 1", dict(enumerate(labels.classes, 1))),
    ]
    if len(labels.classes) == len(_COCO91):
        ways.append(("coco91", "the number is COCO's own, 1 to 90", dict(zip(_COCO91, labels.classes, strict=True))))
    yield from (way for way in ways if way[2] and chosen in (None, way[0]))


def _given(chosen: str, labels: ScoredLabels) -> Iterator[tuple[str, str, Mapping[int, str]]]:
    """Yield the numberings that a COCO file or a list of names can mean: a list counts from 0 or from 1.

    Raises:
        UserError: If the labels have none of these names, or the file cannot be read.
    """
    if Path(chosen).suffix.lower() == ".json":
        lists = [(chosen, f"as {chosen} says", _names_by_id(Path(chosen)))]
    else:
        told = _FIRST.fullmatch(chosen)
        names = [name.strip() for name in (told[2] if told else chosen).split(",")]
        lists = [
            (f"{first}:{','.join(names)}", f"as --categories says, from {first}", dict(enumerate(names, first)))
            for first in ((int(told[1]),) if told else (0, 1))
        ]
    theirs = [*lists[0][2].values()]
    if not set(theirs) & set(labels.classes):
        raise UserError(
            f"--categories {shorten(chosen)}: has no class of the labels, which are {listed(labels.classes)}; names "
            "must be equal to the letter"
        )
    yield from lists


def _names_by_id(path: Path) -> dict[int, str]:
    """Return the class names of a COCO file by id."""
    try:
        with path.open("rb") as file:
            root = parse(file.read(LABEL_BYTES))
        categories = get(root, "categories", list, "the file")
        return {get(one, "id", int, "a category"): get(one, "name", str, "a category") for one in categories}
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except BadInput as error:
        raise UserError(f"{path}: {error.where}: {error.what}: {error.why}") from None
