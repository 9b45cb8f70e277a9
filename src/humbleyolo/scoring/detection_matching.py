"""Detections of a file, joined to the images and classes of labels; what cannot be joined is told.

A number may be read in several ways. That of an image is an id of the labels' COCO file, or is in the file's name.
That of a class is an id too, or counts from 0 or from 1. A reading by which all is known is taken. If several fit, or
none fits whole, the boxes decide. The reading is taken by which far more of the surest lie on objects of their class.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.inputs.ledger import shorten
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.scoring.detection_csv import settle_boxes
from humbleyolo.scoring.detection_doubts import better_form, copies, exchanged_classes, far_boxes, missing_low_scores
from humbleyolo.scoring.detection_hits import LEAST_HITS, SUREST, count_hits, joined_rows, on_images
from humbleyolo.scoring.detection_rows import DetectionFile, Key, is_number
from humbleyolo.scoring.number_readings import (
    AMBIGUOUS,
    CLASH,
    NOT_LABELLED,
    NOT_SCORED,
    UNKNOWN,
    Reading,
    class_readings,
    image_readings,
    listed,
)
from humbleyolo.scoring.scored_labels import ScoredLabels
from humbleyolo.storage.array_types import Ints

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


def join(found: DetectionFile, labels: ScoredLabels, image_ids: str | None, categories: str | None) -> Joined:
    """Join detections to labels.

    `image_ids` is one of `IMAGE_IDS`. `categories` is one of `CATEGORIES`, a COCO file with the categories, or names
    in order with commas between them. `0:` or `1:` before names is the number of the first. None: found out.

    Raises:
        UserError: If nothing can be joined, or numbers can be read in two ways and the boxes do not tell which. Also
            for a reading of numbers where there are names alone.
    """
    images = image_readings(found, labels, image_ids)
    found, boxes = settle_boxes(found, labels, images[0])
    classes = class_readings(found, labels, categories)
    by_image, by_class, why = _choose(found, labels, images, classes)
    rows = np.flatnonzero(joined_rows(found, by_image, by_class))
    told = [f"boxes: {boxes}"] if boxes else []
    told += [f"images: {by_image.words}; classes: {by_class.words}{why}{_numbered(found, labels, by_class)}"]
    told += [f"note: {line}" for line in _not_joined(found, by_image, by_class)]
    told += [f"note: {line}" for line in _without(labels, by_image.index[found.image_rows[rows]], by_image.index)]
    hits = count_hits(found, labels, by_image, by_class)
    better = [*better_form(found, labels, [(by_image, by_class)], hits)]  # else classes look exchanged by chance
    doubts = [
        *(better or exchanged_classes(found, labels, by_image, by_class)),
        *far_boxes(found, labels, by_image, by_class),
    ]
    detections = on_images(found, labels, by_image, by_class, rows)
    told += [f"note: {line}" for line in (*doubts, *copies(detections), *missing_low_scores(detections))]
    if not doubts and hits * _FEW < min(len(rows), SUREST, len(labels.truths)):
        few = f"only {hits:,}" if hits else "none"
        told.append(f"note: {few} of the surest lie on an object of their class: are these images and classes right?")
    if found.left_out:
        told.append(f"note: no detections in {listed(found.left_out)}")
    return Joined(detections, tuple(told))


def _choose(
    found: DetectionFile, labels: ScoredLabels, images: Sequence[Reading], classes: Sequence[Reading]
) -> tuple[Reading, Reading, str]:
    """Return the reading of images and that of classes, and the reason in words if the boxes decided."""
    pairs: list[tuple[Reading, Reading]] = []
    for pair in product(images, classes):  # readings that say the same are one
        if not any(_are_same(pair, other) for other in pairs):
            pairs.append(pair)
    fitting = [pair for pair in pairs if joined_rows(found, *pair).any()]
    if not fitting:
        raise UserError(_nothing_joined(found, labels, *pairs[0]))
    whole = [pair for pair in fitting if _is_whole(found, *pair)]
    candidates = whole or fitting
    if len(candidates) == 1:
        return *candidates[0], ""
    hits = [count_hits(found, labels, *pair) for pair in candidates]
    order = np.argsort([-count for count in hits], kind="stable")
    best, second = (hits[at] for at in order[:2])
    if best < LEAST_HITS or best <= 2 * second:
        ways = [
            f"  {image.words}; {category.words}: {count} on an object of their class"
            + "".join(f" ({flag} {one.option})" for flag, one in _flags(image, category))
            for (image, category), count in zip(candidates, hits, strict=True)
        ]
        ask = f"and the {SUREST:,} surest boxes do not tell which; choose by the option:"
        none = f"and by none of them {'do many boxes' if best else 'does a box'} lie on an object of its class:"
        hints = [f"  {line}" for line in better_form(found, labels, candidates, best)]
        rest = ["  are ids counted from another number, or boxes in another form, or of other images?"]
        raise UserError(
            f"{found.path}: its numbers can be read in {len(candidates)} ways, {ask if best and not hints else none}",
            *hints,
            *ways,
            *(rest if not best and not hints else []),
        )
    why = f" (so {best:,} of the surest lie on an object of their class, read otherwise {second:,} at most)"
    return *candidates[order[0]], why


def _are_same(one: Sequence[Reading], other: Sequence[Reading]) -> bool:
    return all(np.array_equal(a.index, b.index) for a, b in zip(one, other, strict=True))


def _flags(image: Reading, category: Reading) -> Iterator[tuple[str, Reading]]:
    """Yield the options that choose a reading."""
    for flag, one in (("--image-ids", image), ("--categories", category)):
        if one.option:
            yield flag, one


def _is_whole(found: DetectionFile, images: Reading, classes: Reading) -> bool:
    """Tell if all is known: each class, and each image, be it one that is not scored."""
    return not (images.index[found.image_rows] == UNKNOWN).any() and not (classes.index == UNKNOWN).any()


def _numbered(found: DetectionFile, labels: ScoredLabels, classes: Reading) -> str:
    """Return the first class numbers with their names, where they are places in the labels' order of classes."""
    if classes.option not in ("0", "1"):
        return ""
    numbers = [(int(key), at) for at, key in enumerate(found.classes) if is_number(str(key))]
    known = sorted((number, classes.index[at]) for number, at in numbers if classes.index[at] >= 0)
    few = [f"{number} is {shorten(labels.classes[label])}" for number, label in known[:_SHOWN]]
    return f"; {first_few(few, _SHOWN, count=len(known))}"


def _not_joined(found: DetectionFile, images: Reading, classes: Reading) -> Iterator[str]:
    """Yield a line for each kind of detections that are left out."""
    kinds = {
        UNKNOWN: "the labels do not have",
        NOT_SCORED: "are not scored (of another split, or without labels)",
        AMBIGUOUS: "several have (a name in two folders)",
    }
    for kind, words in kinds.items():
        keys = np.flatnonzero(images.index == kind)
        count = int(np.count_nonzero(np.isin(found.image_rows, keys)))
        if count:
            on = listed([found.images[at] for at in keys], "image")
            yield f"{counted(count, 'detection')} on {on} that {words}"
    for kind, words in (
        (UNKNOWN, f"that {classes.lacking}"),
        (NOT_LABELLED, "whose name in --categories no label has"),
    ):
        keys = np.flatnonzero(classes.index == kind)
        count = int(np.count_nonzero(np.isin(found.class_rows, keys)))
        if count:
            of = listed([found.classes[at] for at in keys], "class", "classes")
            yield f"{counted(count, 'detection')} of {of} {words}"
    known = images.index[images.index >= 0]
    if twice := len(known) - len(np.unique(known)):
        yield f"{counted(twice, 'image')} named in two ways, with the detections of both"


def _without(labels: ScoredLabels, images: Ints, known: Ints) -> Iterator[str]:
    """Yield a line about images without a detection, with the list that all of the file's `known` images are of."""
    rest = np.setdiff1d(np.arange(len(labels.items)), images)
    if not len(rest):
        return
    few = listed([labels.names[at] for at in rest])
    splits = [set(image.splits) for image in labels.items]
    theirs = [splits[at] for at in known.tolist() if at >= 0]
    alone = set.intersection(*theirs) if theirs and not set.intersection(*splits) else set()
    hint = f"; --split {alone.pop()} scores the images of that list alone" if len(alone) == 1 else ""
    yield f"no detection on {len(rest)} of {counted(len(labels.items), 'image')} ({few}){hint}"


def _nothing_joined(found: DetectionFile, labels: ScoredLabels, images: Reading, classes: Reading) -> str:
    theirs: Sequence[Key]
    if (images.index >= 0).any():
        what, theirs, ours = "a class", found.classes, labels.classes
        names = "names must be equal to the letter: rename them in one of both"
        numbers = any(is_number(str(key)) for key in theirs)
        given = f"--categories {classes.option} has no class of the labels under these numbers"
        fix = names if not numbers else given if classes.chosen else "say them with --categories"
    elif (images.index == AMBIGUOUS).any():
        what, ours = "one image", labels.names
        theirs = [key for key, index in zip(found.images, images.index, strict=True) if index == AMBIGUOUS]
        fix = "several images have such a name, in other folders: write paths in place of names"
    else:
        what, theirs, ours, fix = "an image", found.images, labels.names, "give the labels of these images"
        if labels.ids.files and not labels.ids.images:
            fix = CLASH
    told = f"it has {listed(theirs)}, the labels {listed(ours)}; {fix}"
    return f"{found.path}: no detection is of {what} of the labels; {told}"
