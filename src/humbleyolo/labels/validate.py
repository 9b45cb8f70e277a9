"""The rules that hold for every format: from what label files say to records that can be trained on."""

import difflib
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from tqdm import tqdm

from humbleyolo.errors import UserError
from humbleyolo.labels import box_rules
from humbleyolo.labels.folder import IMAGE_BYTES, Source
from humbleyolo.labels.image_info import ImageInfo, bombs_refused, check_name, inspect
from humbleyolo.labels.labelled_image import (
    LabelledImage,
    LabelledSet,
    ReadOptions,
    UncheckedImage,
    UncheckedSet,
)
from humbleyolo.labels.ledger import BadInput, Ledger, shorten
from humbleyolo.storage.array_types import Floats

_THREADS = 2  # Pillow decodes without the interpreter's lock
_MOST_COMPARED = 1000  # class names that a suggestion is picked from
_AHEAD = 64  # images looked at before they are asked for


def validate(source: Source, reading: UncheckedSet, options: ReadOptions, ledger: Ledger) -> LabelledSet:
    """Apply the rules to what a format's reader returned.

    Every image is read and decoded once. What is wrong goes into the ledger; nothing is raised for it here,
    see `Ledger.stop_on_errors`.

    Raises:
        UserError: Where no image is left, or there are no classes.
    """
    for name, reason in source.left_out:
        ledger.note(name, BadInput("not-read", name, reason), "not read")
    raw = _once_each(reading.images, ledger)
    if not reading.all_images:
        _report_unlabelled(source, raw, reading.background, ledger)
    classes = _classes(reading, raw, options)
    known = frozenset(classes)
    images = []
    for one, facts in _looked_at(source, raw):
        if isinstance(facts, BadInput):
            ledger.problem(one.path, facts, "image dropped")
            continue
        if misnamed := check_name(one.path, facts):
            ledger.note(one.path, misnamed, f"read as {facts.kind}")
        try:
            images.append(_record(one, facts, known, options, ledger))
        except BadInput as error:
            ledger.problem(one.label_file, error, "image dropped")
    if not images and not ledger.errors:
        raise UserError(f"{source.name}: no labelled image found; give a folder with images and their labels")
    return LabelledSet(images, classes, ledger, images_seen=len(raw))


def _once_each(records: Iterable[UncheckedImage], ledger: Ledger) -> list[UncheckedImage]:
    """Sort by image; an image that two label files claim is a mistake, and the first is kept."""
    kept: dict[str, UncheckedImage] = {}
    for one in records:
        first = kept.setdefault(one.path, one)
        if first is not one:
            why = f"is labelled in {first.label_file} {first.where}".rstrip() + " already; keep one"
            ledger.problem(
                one.label_file, BadInput("labelled-twice", one.path, why, one.where), "these labels dropped"
            )
    return [kept[name] for name in sorted(kept)]


def _report_unlabelled(
    source: Source, records: list[UncheckedImage], background: str, ledger: Ledger
) -> None:
    """Every image in a folder where some are labelled must be labelled; other folders get one note each."""
    declare = f"declare it background with {background}" if background else "take it away"
    claimed = {one.path for one in records}
    folders = {posixpath.dirname(name) for name in claimed}
    others: Counter[str] = Counter()
    for name in source.images():
        if name in claimed:
            continue
        if posixpath.dirname(name) in folders:
            why = f"no label file speaks of it; label it, or {declare}"
            ledger.problem(name, BadInput("label-missing", "an image without a label", why), "image dropped")
        else:
            others[posixpath.dirname(name) or "."] += 1
    for folder, count in others.items():
        why = "no label file speaks of this folder"
        ledger.note(folder, BadInput("not-read", f"{count} images", why), "not read")


def _classes(reading: UncheckedSet, records: list[UncheckedImage], options: ReadOptions) -> tuple[str, ...]:
    if options.classes:
        return options.classes
    if reading.classes:
        return reading.classes
    return tuple(sorted({box.label for one in records for box in one.boxes if box_rules.is_name(box.label)}))


def _looked_at(
    source: Source, records: list[UncheckedImage]
) -> Iterator[tuple[UncheckedImage, ImageInfo | BadInput]]:
    """Yield each record with what its image is, in order; images are decoded a few ahead."""

    def look(one: UncheckedImage) -> ImageInfo | BadInput:
        try:
            return inspect(source.read(one.path, IMAGE_BYTES))
        except BadInput as error:
            return error

    with bombs_refused(), ThreadPoolExecutor(_THREADS) as pool:
        for start in tqdm(
            range(0, len(records), _AHEAD), desc="images", unit_scale=_AHEAD, disable=None, leave=False
        ):
            some = records[start : start + _AHEAD]
            yield from zip(some, pool.map(look, some), strict=True)


def _record(
    one: UncheckedImage, facts: ImageInfo, known: frozenset[str], options: ReadOptions, ledger: Ledger
) -> LabelledImage:
    """Return the record of one image, its wrong boxes in the ledger and left out.

    Raises:
        BadInput: Where the image's size or rotation forbids to trust any of its boxes.
    """
    turned = facts.orientation != 1
    if turned and options.exif == "error":
        why = "say what its boxes refer to, the image as displayed or as stored: set exif"
        raise BadInput(
            "exif-rotation", f"{one.path} has EXIF orientation {facts.orientation}", why, one.where
        )
    upright = _upright_size(facts)
    height, width = (facts.height, facts.width) if options.exif == "stored" else upright
    said = (height if one.height is None else one.height, width if one.width is None else one.width)
    if said != (height, width):
        found = f"{one.path} is {width} x {height}, labelled as {said[1]} x {said[0]} (width x height)"
        why = "boxes of another size cannot be trusted; label the image again, or restore the one labelled"
        raise BadInput("size-differs", found, why, one.where)
    rows: dict[tuple[str, ...], int] = {}
    kept: list[tuple[Floats, str, frozenset[str], str]] = []
    for box in one.boxes:
        try:
            _check_name(box.label, known)
            corners = box_rules.to_pixels(box, one, (height, width), ledger)
            if options.exif == "stored" and turned:
                corners = box_rules.turn(corners, facts.orientation, (height, width))
            key = (box.label, *map(repr, corners.tolist()))
            if key in rows:
                why = f"the same box and class as {kept[rows[key]][3]}; delete one"
                raise BadInput("duplicate-box", shorten(box.label), why, box.where)
        except BadInput as error:
            ledger.problem(one.label_file, error.at(box.where), "box dropped")
            continue
        rows[key] = len(kept)
        kept.append((corners, box.label, box.flags, box.where))
    return LabelledImage(
        label_file=one.label_file,
        path=one.path,
        height=upright[0],
        width=upright[1],
        boxes=np.array([row[0] for row in kept], np.float64).reshape(-1, 4),
        labels=tuple(row[1] for row in kept),
        flags=tuple(row[2] for row in kept),
        where=tuple(row[3] for row in kept),
        splits=one.splits,
        group=one.group,
        info=facts,
    )


def _upright_size(facts: ImageInfo) -> tuple[int, int]:
    return (facts.width, facts.height) if facts.orientation >= 5 else (facts.height, facts.width)


def _check_name(label: str, known: frozenset[str]) -> None:
    """Raise BadInput where a class name is not one of those known."""
    if not box_rules.is_name(label):
        raise BadInput(
            "class-name", shorten(label), "a class name is printable text without spaces around it"
        )
    if label not in known:
        raise BadInput(
            "unknown-class", shorten(label), f"is not one of the classes; {_nearest(label[:200], known)}"
        )


@lru_cache(1000)
def _nearest(label: str, known: frozenset[str]) -> str:
    some = sorted(known)
    near = difflib.get_close_matches(label, some, n=1, cutoff=0.5) if len(some) <= _MOST_COMPARED else []
    return f"did you mean {near[0]}?" if near else f"allowed: {shorten(', '.join(some[:_MOST_COMPARED]))}"
