"""Warnings about labels that need no model: tiny boxes, near-duplicates, rare classes."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.inputs.ledger import BadInput, Ledger, short_name
from humbleyolo.labels.labelled_image import LabelledImage, LabelledSet
from humbleyolo.process.terminal import counted
from humbleyolo.splits.split_rules import Division, others
from humbleyolo.splits.write_dataset import NO_BOX
from humbleyolo.storage.array_types import Floats

ENOUGH = 40  # boxes a class: with 43 to 51 of each boards have an AP50 of 0.94 (docs/photographs.md)
TINY_PX = 4.0  # a box with a side shorter than this
FAINT = 20  # greys of 255 between the darkest and the lightest pixel; 12 of 16 bits give 16
NEARLY = 0.85  # IoU above which two boxes are probably of one object
_NAMED = 10  # classes in a message
_UNSPOKEN = ("coco", "cvat")  # formats that list images, labelled or not: none without boxes is said to be done
_MOST_EMPTY = 0.25  # of the images of such a format
_SLIPS, _TIMES = 20, 10  # boxes: fewer may be of a mistyped class, if one spelled nearly so has so many times more
_SHORTEST, _SHORT_WORD, _LONGEST = 3, 4, 60  # letters and digits of names that are compared
_ROWS = 256  # boxes of one image compared with all others at a time, so that memory does not grow with their square


def add_findings(labelled: LabelledSet, division: Division, ledger: Ledger) -> None:
    """Add warnings about tiny boxes, boxes nearly twice there, rare classes, and near-duplicate images."""
    for record in labelled.images:
        _tiny(record, ledger)
        _nearly_twice(record, ledger)
        _nearly_one_grey(record, ledger)
    counts = Counter(label for record in labelled.images for label in record.labels)
    if labelled.images and not counts:
        ledger.problem(".", BadInput("no-box", "0 boxes in all", NO_BOX), "told")
    rare = [name for name in labelled.classes if counts[name] < ENOUGH]
    if few := [f"{short_name(name)} {counts[name]}" for name in rare]:
        more = f" and {counted(len(few) - _NAMED, 'other class', 'other classes')}" if few[_NAMED:] else ""
        found = ", ".join(few[:_NAMED]) + more
        why = f"with under {ENOUGH} boxes a class is seldom learned well; label more"
        ledger.warn(".", BadInput("few-examples", found, why))
    _without_boxes(labelled, ledger)
    _names_alike(labelled.classes, counts, ledger)
    _near_duplicates(division, ledger)


def _without_boxes(labelled: LabelledSet, ledger: Ledger) -> None:
    """Warn if many images have no box in a format that cannot tell an empty image from one not labelled yet."""
    empty = sum(not record.labels for record in labelled.images)
    if labelled.format in _UNSPOKEN and _MOST_EMPTY * len(labelled.images) < empty < len(labelled.images):
        why = f"are they done? {labelled.format} does not tell; label them, or leave them out: they teach background"
        found = f"{empty} of {counted(len(labelled.images), 'image')} without a box"
        ledger.warn(".", BadInput("many-without-box", found, why))


def _tiny(record: LabelledImage, ledger: Ledger) -> None:
    lengths = record.boxes[:, 2:] - record.boxes[:, :2]  # (M, 2)
    for index in np.flatnonzero((lengths < TINY_PX).any(axis=1)).tolist():
        width, height = lengths[index].tolist()
        why = f"a side under {TINY_PX:g} pixels: a slip of the mouse, or too small to be learned"
        found = f"{record.labels[index]} of {width:g} x {height:g} pixels"
        ledger.warn(record.label_file, BadInput("tiny-box", found, why, record.where[index]))


def _nearly_one_grey(record: LabelledImage, ledger: Ledger) -> None:
    """Warn of an image that is nearly of one grey: 12 bits in a file of 16, or a lens cap."""
    low, high = record.info.greys
    if high - low < FAINT:
        why = "of 0 to 255, so that next to nothing can be seen; if its pixels have 10 or 12 bits, stretch them to 16"
        ledger.warn(record.path, BadInput("faint-image", f"grey from {low} to {high}", why))


def _nearly_twice(record: LabelledImage, ledger: Ledger) -> None:
    for first, second, overlap in sorted(_near_pairs(record.boxes)):
        found = f"{record.labels[first]} and {record.labels[second]}, IoU {overlap:.2f}"
        why = f"nearly the same box as {record.where[first]}; one object has one box"
        ledger.warn(record.label_file, BadInput("nearly-twice", found, why, record.where[second]))


def _near_pairs(boxes: Floats) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs of boxes whose IoU is over `NEARLY`: two rows, the lower first, and the IoU.

    Their left edges are apart by less than 1 - `NEARLY` of the left one's width. So each box is compared with few.
    """
    order = np.argsort(boxes[:, 0], kind="stable")
    own = boxes[order]
    reach = own[:, 0] + (1 - NEARLY) * (own[:, 2] - own[:, 0])
    for start in range(0, len(own), _ROWS):
        rows = slice(start, start + _ROWS)
        stop = int(np.searchsorted(own[:, 0], reach[rows].max(), "right"))
        # (rows, columns), both from `start` on: each box with those after it alone
        overlaps = np.triu(pairwise_iou(own[rows], own[start:stop]), 1)
        for row, column in np.argwhere(overlaps > NEARLY).tolist():
            first, second = sorted(order[[start + row, start + column]].tolist())
            yield first, second, float(overlaps[row, column])


def _names_alike(classes: Sequence[str], counts: Mapping[str, int], ledger: Ledger) -> None:
    """Warn of names that differ by case or marks, and of a rare class one letter from a common one."""
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(plain := _plain(name), name)
        if plain and other != name:
            why = f"is spelled nearly like {short_name(other)}; if they are one class, rename one"
            ledger.warn(".", BadInput("class-names-alike", f"class {short_name(name)}", why))
    common: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        if counts[name] > _TIMES:
            for spelling in _with_one_unknown(_plain(name)):
                common[spelling].append(name)
    for name in classes:
        near = {other for spelling in _with_one_unknown(_plain(name)) for other in common.get(spelling, [])}
        others = sorted(other for other in near if _one_letter(_plain(name), _plain(other)))
        other = max(others, key=lambda other: counts[other], default=name)
        if 0 < counts[name] < min(_SLIPS, counts[other] / _TIMES):
            why = f"is spelled nearly like {short_name(other)} ({counts[other]:,}); if they are one class, rename one"
            found = f"class {short_name(name)} ({counted(counts[name], 'box', 'boxes')})"
            ledger.warn(".", BadInput("class-names-alike", found, why))


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _with_one_unknown(plain: str) -> set[str]:
    """Return a name's spellings with one letter unknown, or one more: those of names one letter apart meet."""
    if not _SHORTEST <= len(plain) <= _LONGEST:
        return set()
    return {f"{plain[:at]}?{plain[at + width :]}" for at in range(len(plain) + 1) for width in (0, 1)}


def _one_letter(one: str, other: str) -> bool:
    """Tell if names that meet differ by a letter, and one that may be a slip: of `car` and `cat` it is none."""
    letters = ["".join(filter(str.isalpha, name)) for name in (one, other)]
    return letters[0] != letters[1] and (len(one) != len(other) or len(one) > _SHORT_WORD)


def _near_duplicates(division: Division, ledger: Ledger) -> None:
    """Warn of each group in one split; those in two are problems already."""
    for members in division.alike:
        images = [division.images[index] for index in members]
        how = "look alike" if len({image.info.sha256 for image in images}) > 1 else "are the same file"
        why = f"also {others(images)}; the scene counts {len(images)} times"
        ledger.warn(images[0].path, BadInput("near-duplicate", f"{counted(len(images), 'image')} {how}", why))
