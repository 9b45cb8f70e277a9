"""The rules that hold for every format: from the content of label files to images that can be trained on."""

import difflib
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import LISTS, is_of_other_tool, is_other_archive, suffix
from humbleyolo.inputs.folder import IMAGE_BYTES, FolderSource, Source
from humbleyolo.inputs.image_info import ImageInfo, bombs_refused, check_ending, inspect_image
from humbleyolo.inputs.ledger import BadInput, Ledger, shorten
from humbleyolo.labels import box_rules
from humbleyolo.labels.labelled_image import (
    Corners,
    LabelledImage,
    LabelledSet,
    ReadOptions,
    UncheckedBox,
    UncheckedImage,
    UncheckedSet,
)
from humbleyolo.labels.unlabelled import report_unlabelled, wanting
from humbleyolo.params.class_names import is_class_name
from humbleyolo.process.cluster import Cluster, find_cluster
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.storage.array_types import Floats

ROTATED = "exif-rotation"
"""Kind of the mistake of an image that EXIF rotates, if nobody says which of its two sides the boxes refer to.

Its cause is `displayed` or `stored` where the labels fit this side alone, else empty.
"""

_THREADS = 2  # Pillow decodes without the interpreter's lock
_MOST_COMPARED = 1000  # class names that a suggestion is picked from
_READ = (*LISTS, ".labels")  # lists of images and of Roboflow's classes
_SHOWN = 3  # files in a note
_AHEAD = 64  # images decoded before they are asked for
_FEW = 4  # images whose threads would take longer to start than they save
_SENT_BYTES = 1 << 24  # of images sent to a worker at a time, if one alone is not more

_SentFile = bytes | Path | BadInput
Inspected = tuple[UncheckedImage, ImageInfo | BadInput]
Inspect = Callable[[Source, list[UncheckedImage]], Iterator[Inspected]]


def validate(
    source: Source,
    unchecked: UncheckedSet,
    options: ReadOptions,
    ledger: Ledger,
    inspect: Inspect | None = None,
    unlabelled: Sequence[UncheckedImage] = (),
) -> LabelledSet:
    """Apply the rules to the result of a format's reader.

    Every image is read and decoded once, unless the facts about images come from `inspect`. Mistakes go into the
    ledger and raise nothing here; see `Ledger.stop_on_errors`. `unlabelled` are the other images of the source.

    Raises:
        UserError: If there is no image, and no mistake that explains it.
    """
    report_left_out(source, ledger)
    once = _once_each(unchecked.images, ledger)
    if not unchecked.all_images:
        report_unlabelled(source, once, unchecked.background, ledger)
    found = {box.label for one in once for box in one.boxes if is_class_name(box.label)}
    classes = options.classes or unchecked.classes or tuple(sorted(found))
    known = frozenset(classes)
    images = []
    short: dict[str, bool] = {}
    for image, info in (inspect or inspected_images)(source, once):
        if isinstance(info, BadInput):
            ledger.problem(image.path, info, "image dropped")
            continue
        if misnamed := check_ending(image.path, info):
            ledger.note(image.path, misnamed, f"read as {info.kind}")
        if info.below_zero:
            why = "they become black; add to all pixels what makes the lowest 0"
            ledger.warn(image.path, BadInput("pixels-below-zero", "numbers under 0", why))
        with ledger.reporting(image.label_file, "image dropped"):
            told = len(ledger.rows)
            checked = _checked(image, info, known, options, ledger)
            if image.lost:
                slight = sum(row.cause == box_rules.SLIGHTLY for row in ledger.rows[told:])
                short[image.path] = image.lost == slight
            if not _loses_too_much(image, checked, ledger):
                images.append(checked)
    if not images and not ledger.errors:
        raise UserError(f"{source.name}: no labelled image found; give a folder with images and their labels")
    listed = frozenset(split for one in once for split in one.splits)
    kept = {one.path for one in images}
    gone = (*once, *wanting(unlabelled, once, unchecked.all_images, ledger))
    left_out = {one.path: one.splits for one in gone if one.path not in kept}
    return LabelledSet(images, classes, ledger, listed, left_out, short)


def report_left_out(source: Source, ledger: Ledger, but: tuple[str, ...] = ()) -> None:
    """Note each file that is not read, `but` those under some folders; files of other tools are one note.

    An archive of labels is a mistake, and one that cannot be looked into a warning.
    """
    for name, reason in source.left_out:
        if name in source.unread and not name.startswith(but):
            ledger.problem(name, BadInput("archive-not-read", "an archive with labels", reason), "not read")
        elif is_other_archive(name) and not name.startswith(but):
            ledger.warn(name, BadInput("archive-not-read", "not read", reason), "not read")
        elif not name.startswith(but):
            ledger.note(name, BadInput("not-read", name, reason), "not read")
    unknown = (name for name in source.names if is_of_other_tool(name) and suffix(name) not in _READ)
    if others := [name for name in unknown if not name.startswith(but)]:
        found = f"{counted(len(others), 'file')} of other tools: {first_few(others, _SHOWN)}"
        ledger.note(".", BadInput("not-read", found, "no format here has them"), "not read")


def _once_each(images: Iterable[UncheckedImage], ledger: Ledger) -> list[UncheckedImage]:
    """Sort by path. An image that two label files claim is kept once: a mistake, unless both say the same.

    So a list of all images may lie beside those of train, val and test, whose splits are kept.
    """
    kept: dict[str, UncheckedImage] = {}
    for one in images:
        first = kept.setdefault(one.path, one)
        if first is one:
            continue
        if first.label_file != one.label_file and _says(first) == _says(one) and not first.lost + one.lost:
            why = f"{first.label_file} says the same of it"
            ledger.note(one.label_file, BadInput("labelled-twice", one.path, why, one.where), "read once")
            first.splits = tuple(sorted({*first.splits, *one.splits}))
        else:
            why = f"is labelled in {first.label_file} {first.where}".rstrip() + " already; keep one"
            error = BadInput("labelled-twice", one.path, why, one.where)
            ledger.problem(one.label_file, error, "these labels dropped")
            known = {(box.label, box.corners) for box in first.boxes}
            first.lost += one.lost + sum((box.label, box.corners) not in known for box in one.boxes)
    return [kept[name] for name in sorted(kept)]


def _says(image: UncheckedImage) -> tuple[bool, list[tuple[str, Corners]]]:
    """Return all that a label file says of an image's boxes, but for flags."""
    return image.relative, sorted((box.label, box.corners) for box in image.boxes)


def inspected_images(source: Source, images: list[UncheckedImage]) -> Generator[Inspected]:
    """Yield each image with the facts about its file, in order; some are decoded ahead, here or on a cluster."""
    if cluster := find_cluster():
        groups = cluster.map_in_order(_inspect_sent, _files_to_send(source, images, cluster))
        with closing(groups), tqdm(images, desc="images", disable=None, leave=False) as bar:
            yield from zip(bar, chain.from_iterable(groups), strict=True)
        return

    def look(one: UncheckedImage) -> ImageInfo | BadInput:
        try:
            return inspect_image(source.read(one.path, IMAGE_BYTES))
        except BadInput as error:
            return error

    with bombs_refused(), ThreadPoolExecutor(_THREADS) as pool:
        for start in tqdm(range(0, len(images), _AHEAD), desc="images", unit_scale=_AHEAD, disable=None, leave=False):
            some = images[start : start + _AHEAD]
            looked = pool.map(look, some) if len(some) > _FEW else map(look, some)
            yield from zip(some, looked, strict=True)


def _files_to_send(source: Source, images: list[UncheckedImage], cluster: Cluster) -> Iterator[list[_SentFile]]:
    """Yield groups of files for workers: a path where they see the folder, else the contents."""
    group, held = list[_SentFile](), 0
    for one in images:
        path = source.path_of(one.path) if isinstance(source, FolderSource) else None
        try:
            seen = path is not None and cluster.shares(path) and os.access(path, os.R_OK)
            group.append(
                path if path and seen and path.stat().st_size <= IMAGE_BYTES else source.read(one.path, IMAGE_BYTES)
            )
        except BadInput as error:
            group.append(error)
        held += len(group[-1]) if isinstance(group[-1], bytes) else 0
        if len(group) >= _AHEAD or held > _SENT_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def _inspect_sent(files: Sequence[_SentFile]) -> list[ImageInfo | BadInput]:
    found: list[ImageInfo | BadInput] = []
    with bombs_refused():
        for file in files:
            try:
                if isinstance(file, BadInput):
                    raise file
                found.append(inspect_image(file.read_bytes() if isinstance(file, Path) else file))
            except BadInput as error:
                found.append(error)
    return found


def _checked(
    image: UncheckedImage, info: ImageInfo, known: frozenset[str], options: ReadOptions, ledger: Ledger
) -> LabelledImage:
    """Return one image with the boxes that pass; the others are in the ledger.

    Raises:
        BadInput: If the image's size or rotation forbids to trust any of its boxes.
    """
    upright, stored = _sides(info).values()
    height, width = stored if options.exif == "stored" else upright
    _check_size(image, info, (height, width), options)
    kept: dict[tuple[str, ...], tuple[UncheckedBox, Floats]] = {}
    for box in image.boxes:
        with ledger.reporting(image.label_file, "box dropped", box.where):
            with image.losing():
                _check_class(box.label, known)
                corners = box_rules.to_pixels(box, image, (height, width), ledger)
            if options.exif == "stored" and info.orientation != 1:
                corners = box_rules.turn(corners, info.orientation, (height, width))
            key = (box.label, *map(repr, corners.tolist()))
            if key in kept:
                why = f"the same box and class as {kept[key][0].where}; delete one"
                raise BadInput("duplicate-box", shorten(box.label), why)
            kept[key] = box, corners
    return LabelledImage(
        label_file=image.label_file,
        path=image.path,
        height=upright[0],
        width=upright[1],
        boxes=np.array([corners for _, corners in kept.values()], np.float64).reshape(-1, 4),
        labels=tuple(box.label for box, _ in kept.values()),
        flags=tuple(box.flags for box, _ in kept.values()),
        where=tuple(box.where for box, _ in kept.values()),
        splits=image.splits,
        group=image.group,
        info=info,
        areas=()
        if all(math.isnan(box.area) for box, _ in kept.values())
        else tuple(box.area for box, _ in kept.values()),
        unlisted=image.unlisted,
    )


def _loses_too_much(image: UncheckedImage, checked: LabelledImage, ledger: Ledger) -> bool:
    """Tell, with a note, if an image goes with the boxes that it lost: these would be taught as background."""
    if not image.lost or ledger.on_problem == "error" or (ledger.on_problem == "skip_box" and checked.labels):
        return False
    found = f"left out as a whole, without {image.lost} of its boxes"
    why = "the object would be taught as background; mend its labels"
    why += ", or set on_problem: skip_box" if checked.labels else ""
    ledger.note(image.path, BadInput("box-lost", found, why), "image dropped")
    return True


def _check_size(image: UncheckedImage, info: ImageInfo, size: tuple[int, int], options: ReadOptions) -> None:
    """Raise BadInput if boxes may refer to an image of another rotation or size."""
    if info.orientation != 1 and options.exif == "error":
        found = f"{image.path} has EXIF orientation {info.orientation}"
        why = "its boxes may be of the image as displayed (most tools) or as stored; "
        why += "give --exif displayed or --exif stored; for `dvc repro` set dataset.labelled.exif"
        fitting = [side for side, its_size in _sides(info).items() if _fits(image, its_size)]
        alone = fitting[0] if len(fitting) == 1 else ""
        why += f"; its labels fit the image only as {alone}" if alone else ""
        raise BadInput(ROTATED, found, why, image.where, alone)
    height, width = size
    if (said := _said(image, size)) != size:
        found = f"{image.path} is {width} x {height}, labelled as {said[1]} x {said[0]} (width x height)"
        why = "boxes of another size cannot be trusted; label the image again, or restore the one labelled"
        raise BadInput("size-differs", found, why, image.where)


def _sides(info: ImageInfo) -> dict[str, tuple[int, int]]:
    """Return the (height, width) of an image as displayed and as stored, in pixels."""
    stored = info.height, info.width
    return {"displayed": stored[::-1] if info.orientation >= 5 else stored, "stored": stored}


def _said(image: UncheckedImage, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) that the labels say; `size` where they do not."""
    return size[0] if image.height is None else image.height, size[1] if image.width is None else image.width


def _fits(image: UncheckedImage, size: tuple[int, int]) -> bool:
    """Tell if the labels may be those of an image of this (height, width)."""
    height, width = (side + image.slack + box_rules.SNAP_PX for side in size)
    inside = image.relative or all(box.corners[2] <= width and box.corners[3] <= height for box in image.boxes)
    return inside and _said(image, size) == size


def _check_class(label: str, known: frozenset[str]) -> None:
    """Raise BadInput if a class name is not one of those known."""
    if not is_class_name(label):
        raise BadInput("class-name", shorten(label), "a class name is printable text without spaces around it")
    if label not in known:
        raise BadInput("unknown-class", shorten(label), f"is not one of the classes; {_nearest(label[:200], known)}")


@lru_cache(1000)
def _nearest(label: str, known: frozenset[str]) -> str:
    some = sorted(known)
    near = difflib.get_close_matches(label, some, n=1, cutoff=0.5) if len(some) <= _MOST_COMPARED else []
    return f"did you mean {near[0]}?" if near else f"allowed: {shorten(', '.join(some[:_MOST_COMPARED]))}"
