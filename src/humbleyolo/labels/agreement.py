"""Several label sets of one folder, such as XML beside a CSV of the same boxes: compared by image, and joined."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import stem_of
from humbleyolo.inputs.folder import IMAGE_BYTES, Source
from humbleyolo.inputs.image_info import upright_size
from humbleyolo.inputs.ledger import BadInput, Finding, Ledger, short_name, shorten
from humbleyolo.labels.label_set import MISSING, SILENT, LabelSet
from humbleyolo.labels.labelled_image import ReadOptions, UncheckedBox, UncheckedImage
from humbleyolo.params.class_names import is_class_name
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.storage.array_types import Floats

TOLERANCE_PX = 1.01  # between corners: pixels counted from 0 or from 1, whole pixels or fractions with few digits
_FIX = "Say which to read (--format of a command, format in params.yaml), or correct one"


def agreed(source: Source, sets: Sequence[LabelSet], options: ReadOptions, ledger: Ledger) -> LabelSet:
    """Return one set for all, if they say the same of the images that several speak of.

    It is the first of those that speak of most images and name classes. It gets the images that others alone speak
    of. The evidence and the ledger say so. Lists, groups and flags that the set lacks come from the others.

    Raises:
        UserError: If a set has mistakes in images that others speak of, two differ, or numbers of classes have no
            names. It names the first difference. Mistakes in other images go into the ledger.
    """
    speaking = [one for one in sets if one.content.images or one.problems()] or list(sets[:1])
    head = f"{source.name}: fits {len(sets)} formats: {'; '.join(f'{one.format} ({one.why})' for one in sets)}"
    named = [one for one in speaking if not one.numbered]
    for one in speaking:
        if bad := _in_common(source, one, speaking):
            raise UserError(f"{head}.", f"  {one.format} has mistakes: {first_few([*map(str, bad)], 1, '; ')}", _FIX)
    if not named:
        raise UserError(
            f"{head}.", "  None names its classes; give classes in the order of their numbers, and format"
        )
    alike = _alike_but_case(speaking)
    chosen = max(named, key=lambda one: len({image.path for image in one.content.images}))
    evidence, formats = [chosen.why], [chosen.format]
    unlisted = _not_listed(speaking)
    images = counted(len({one.path for one in chosen.content.images}), "image")
    for other in sets:
        if other is chosen:
            continue
        if other not in speaking:
            evidence.append(f"{other} speaks of no image")
            continue
        pairs = _pairs(chosen, other)
        numbers = _require_same(source, options, (chosen, other), pairs, head)
        _take_lists(chosen, other, pairs, ledger)
        _take_flags(source, options, (chosen, other), pairs, ledger)
        _take_background(chosen, other, pairs, ledger)
        both = len({path for path, mine, theirs in pairs if mine and theirs})
        gone = sum(row.kind == MISSING for row in other.problems())
        if own := _take_labelled(chosen, other, pairs):
            formats.append(other.format)
            same = f"says the same of {counted(both, 'image')}, and has " if both else "has "
            evidence.append(f"{other} {same}{counted(own, 'other')}{numbers}")
        else:
            lacks = any(mine and _has_boxes(mine) and not theirs for _, mine, theirs in pairs)
            of_some = f" of the {counted(both, 'image')} that it has" if lacks else ""
            same = f"says the same{of_some}{numbers}" if both or not gone else ""
            more = f"names {counted(gone, 'image')} that {'is' if gone == 1 else 'are'} not here" if gone else ""
            evidence.append(f"{other} {', and '.join(filter(None, (same, more)))}")
    ledger.rows += chosen.ledger.rows
    chosen.content.joined = unlisted
    if len(formats) > 1:
        note = BadInput(
            "label-sets", "; ".join([f"{chosen} has {images}", *evidence[1:]]), f"all are read, as one set{alike}"
        )
    else:
        note = BadInput("label-sets", "; ".join(evidence[1:]), f"{chosen} is read alone")
    ledger.note(".", note, "joined" if len(formats) > 1 else "not read")
    chosen.format, chosen.why = ", ".join(formats), "; ".join(evidence)
    return chosen


def _not_listed(sets: Sequence[LabelSet]) -> tuple[frozenset[str], ...]:
    """Return the paths of the images of each set without lists, but those of sets with lists."""
    paths = [frozenset(image.path for image in one.content.images) for one in sets]
    listed = [any(image.splits for image in one.content.images) for one in sets]
    known = frozenset[str]().union(*(some for some, it in zip(paths, listed, strict=True) if it))
    return tuple(some - known for some, it in zip(paths, listed, strict=True) if not it)


def _in_common(source: Source, one: LabelSet, sets: Sequence[LabelSet]) -> list[Finding]:
    """Return a set's mistakes in images that other sets speak of; all, if it speaks of none."""
    others = {image.path for other in sets if other is not one for image in other.content.images}
    problems = [row for row in one.problems() if row.kind != MISSING]  # no set can have an image that is not here
    mine = {image.path for image in one.content.images}
    if len(sets) == 1 or not problems:
        return []
    if not mine or not others:
        return problems
    lone = {stem_of(path) for path in source.images() if path not in others}
    return [row for row in one.problems_of(mine & others, lone) if row.kind != MISSING] if mine & others else []


def _alike_but_case(sets: Sequence[LabelSet]) -> str:
    """Return a text about class names that differ by case alone from one set to another; empty if none do."""
    spellings: dict[str, dict[str, None]] = defaultdict(dict)
    for one in sets:
        for image in one.content.images:
            for box in image.boxes:
                spellings[box.label.casefold()].setdefault(box.label)
    alike = [" and ".join(map(short_name, names)) for names in spellings.values() if len(names) > 1]
    if not alike:
        return ""
    are = f"{first_few(alike, 2)} differ by case alone"
    return f"; {are}, and are classes of their own: if they are one, write them alike"


def _require_same(
    source: Source, options: ReadOptions, sets: tuple[LabelSet, LabelSet], pairs: Sequence["_Pair"], head: str
) -> str:
    """Refuse two sets that differ; return the names that numbers of the other set got, as text.

    Raises:
        UserError: If they differ, or the other set has numbers of classes alone and boxes in images of its own.
    """
    other = sets[1]
    numbers = _name_numbers(source, options, pairs) if other.numbered else ""
    differ: dict[str, str] = {}
    for path, mine, theirs in pairs:
        if mine and theirs and (difference := _difference(source, options, mine, theirs)):
            differ.setdefault(path, difference)
    if differ:
        path, first = next(iter(differ.items()))
        others = [f"  and {len(differ) - 1:,} more of the images differ"] if len(differ) > 1 else []
        raise UserError(f"{head}. They differ{numbers}:", f"  {path}: {first}", *others, _FIX)
    own = [theirs for _, mine, theirs in pairs if theirs and not mine and theirs.boxes]
    if other.numbered and own:
        found = f"{other} has class numbers alone, and labels {counted(len(own), 'image')} that {sets[0]} does not"
        fix = "Add classes.txt beside them, a name a line in the order of the numbers, or give classes"
        raise UserError(f"{head}.", f"  {found}", fix)
    return numbers


_Pair = tuple[str, UncheckedImage | None, UncheckedImage | None]  # an image's path, and what two sets say of it


def _pairs(chosen: LabelSet, other: LabelSet) -> list[_Pair]:
    """Return what both say of each image, by path; None if one does not speak of it."""
    mine = {image.path: image for image in chosen.content.images}
    theirs: dict[str, list[UncheckedImage | None]] = defaultdict(list)
    for image in other.content.images:
        theirs[image.path].append(image)
    return [(path, mine.get(path), image) for path in sorted({*mine, *theirs}) for image in theirs[path] or [None]]


def _difference(source: Source, options: ReadOptions, mine: UncheckedImage, theirs: UncheckedImage) -> str:
    """Return the first difference between what two sets say of an image; empty if they say the same."""
    if len(mine.boxes) != len(theirs.boxes):
        return f"{_place(mine)} has {_count(mine)}; {_place(theirs)} has {_count(theirs)}"
    corners = _pixels(source, options, mine, theirs)
    if corners is None or not mine.boxes:
        return ""  # an image that cannot be opened gets its own line in the ledger
    mine_px, theirs_px = corners
    labels = [[box.label for box in one.boxes] for one in (mine, theirs)]
    partners = _match(labels[0], mine_px, labels[1], theirs_px)
    if None not in partners:
        return ""
    unmatched = partners.index(None)
    distance = np.abs(theirs_px - mine_px[unmatched]).max(axis=1)
    distance[[partner for partner in partners if partner is not None]] = np.inf
    nearest = int(distance.argmin())
    first, second = mine.boxes[unmatched], theirs.boxes[nearest]
    return (
        f"{_place(mine, first)} says {_shown(first, mine_px[unmatched])}; "
        f"{_place(theirs, second)} says {_shown(second, theirs_px[nearest])}"
    )


def same_boxes(labels: Sequence[str], boxes: Floats, other_labels: Sequence[str], others: Floats) -> bool:
    """Tell if two images have the same boxes, (M, 4) pixels, and classes, within `TOLERANCE_PX`."""
    return len(boxes) == len(others) and None not in _match(labels, boxes, other_labels, others)


def _match(labels: Sequence[str], boxes: Floats, other_labels: Sequence[str], others: Floats) -> list[int | None]:
    """Pair each box with the nearest free one of its class; return the other's place, or None."""
    free = np.ones(len(others), bool)
    partners: list[int | None] = []
    for index, label in enumerate(labels):
        distance = np.abs(others - boxes[index]).max(axis=1)  # (M,)
        distance[~free | np.array([other != label for other in other_labels], bool)] = np.inf
        near = distance.min() <= TOLERANCE_PX
        partners.append(int(distance.argmin()) if near else None)
        free[distance.argmin()] &= not near
    return partners


def _place(image: UncheckedImage, box: UncheckedBox | None = None) -> str:
    where = box.where if box else image.where
    return f"{image.label_file}, {where}," if where else image.label_file


def _count(image: UncheckedImage) -> str:
    return counted(len(image.boxes), "box", "boxes") if image.boxes else "no boxes"


def _shown(box: UncheckedBox, corners: Floats) -> str:
    return f"{shorten(box.label)} ({', '.join(f'{value:.6g}' for value in corners)})"


def _pixels(
    source: Source, options: ReadOptions, mine: UncheckedImage, theirs: UncheckedImage
) -> tuple[Floats, Floats] | None:
    """Return the corners that both state, (M, 4) pixels; None if an image of unknown size cannot be opened."""
    size = (1, 1)
    if mine.relative or theirs.relative:
        stated = [(one.height, one.width) for one in (mine, theirs) if one.height and one.width]
        try:
            read = stated[0] if stated else upright_size(source.read(mine.path, IMAGE_BYTES), options.exif)
        except BadInput:
            return None
        size = (read[0] or 1, read[1] or 1)
    height, width = size
    scale = np.array([width, height, width, height], np.float64)
    first, second = (
        np.array([box.corners for box in one.boxes], np.float64).reshape(-1, 4) * (scale if one.relative else 1.0)
        for one in (mine, theirs)
    )
    return first, second


def _name_numbers(source: Source, options: ReadOptions, pairs: Sequence[_Pair]) -> str:
    """Give the other set's numbered classes the names of the boxes in their places; return them as text."""
    votes: Counter[tuple[str, str]] = Counter()
    for _, mine, theirs in pairs:
        corners = _pixels(source, options, mine, theirs) if mine and theirs and mine.boxes and theirs.boxes else None
        if corners and mine and theirs:
            distance = np.abs(corners[0][:, None] - corners[1][None]).max(axis=2)  # (mine, theirs)
            for row, column in np.argwhere(distance <= TOLERANCE_PX).tolist():
                votes[theirs.boxes[column].label, mine.boxes[row].label] += 1
    names: dict[str, str] = {}
    for (number, name), _ in votes.most_common():
        if number not in names and name not in names.values():
            names[number] = name
    for _, _, theirs in pairs:
        if theirs:
            theirs.boxes = [replace(box, label=names.get(box.label, f"class {box.label}")) for box in theirs.boxes]
    listed = sorted(names.items(), key=lambda one: int(one[0]))
    return f", with {', '.join(f'{number} as {name}' for number, name in listed)}" if listed else ""


def _take_lists(chosen: LabelSet, other: LabelSet, pairs: Sequence[_Pair], ledger: Ledger) -> None:
    """Give the chosen set the lists and groups that only the other has; warn if the lists differ."""
    both = [(mine, theirs) for _, mine, theirs in pairs if mine and theirs]
    if not any(mine.splits for mine, _ in both):
        for mine, theirs in both:
            mine.splits = theirs.splits or mine.splits
    if not any(mine.group for mine, _ in both):
        for mine, theirs in both:
            mine.group = theirs.group or mine.group
    differ = [(mine, theirs) for mine, theirs in both if theirs.splits and mine.splits != theirs.splits]
    divides = len({theirs.splits for _, theirs in both}) > 1 or len({mine.splits for mine, _ in both}) == 1
    if differ and divides:  # a table of all images may be called `test.csv`
        mine, theirs = differ[0]
        found = f"in {' and '.join(mine.splits) or 'no list'} by {chosen}"
        differs = f"differs for {counted(len(differ), 'image')}; correct one"
        why = f"{other} says {' and '.join(theirs.splits)}, and {differs}"
        ledger.warn(mine.path, BadInput("split-lists", found, why))


def _take_background(chosen: LabelSet, other: LabelSet, pairs: Sequence[_Pair], ledger: Ledger) -> None:
    """Give the chosen set the images that only the other has, without boxes."""
    doubtful = {row.file for row in other.ledger.rows if row.severity != "note"}
    taken = {
        one.path: one
        for _, mine, one in pairs
        if one and not mine and not _has_boxes(one) and one.label_file not in doubtful
    }
    known = {row.file for row in chosen.ledger.errors if row.kind != SILENT}
    for path in known & taken.keys():
        del taken[path]
    chosen.content.images += taken.values()
    _forget_silent(chosen)
    for path, one in taken.items():
        why = f"{chosen} does not speak of it"
        ledger.note(path, BadInput("background-taken", f"background by {one.label_file}", why), "background")


def _take_labelled(chosen: LabelSet, other: LabelSet, pairs: Sequence[_Pair]) -> int:
    """Give the chosen set the images with boxes that only the other has, and its findings; return their number."""
    taken = [one for _, mine, one in pairs if one and not mine and _has_boxes(one)]
    if not taken:
        chosen.ledger.rows += [row for row in other.problems() if row.kind != MISSING]
        return 0
    ours, theirs = chosen.content, other.content
    if ours.classes or theirs.classes:
        undeclared = [one for one in (ours, theirs) if not one.classes]
        found = {box.label for one in undeclared for image in one.images for box in image.boxes}
        ours.classes = tuple(dict.fromkeys([*ours.classes, *theirs.classes, *sorted(filter(is_class_name, found))]))
    twice = {one.label_file for _, mine, one in pairs if one and mine} - {one.label_file for one in taken}
    ours.images += taken
    ours.all_images |= theirs.all_images
    ours.background = ours.background or theirs.background
    told = {(row.file, row.kind) for row in chosen.ledger.rows}
    chosen.ledger.rows += [
        row for row in other.ledger.rows if row.file not in twice and (row.file, row.kind) not in told
    ]
    _forget_silent(chosen)
    return len({one.path for one in taken})


def _has_boxes(image: UncheckedImage) -> bool:
    return bool(image.boxes or image.lost)


def _forget_silent(chosen: LabelSet) -> None:
    """Take out of the ledger that no label speaks of an image, for those that the set has by now."""
    known = {one.path for one in chosen.content.images}
    chosen.ledger.rows = [row for row in chosen.ledger.rows if row.kind != SILENT or row.file not in known]


def _take_flags(
    source: Source, options: ReadOptions, sets: tuple[LabelSet, LabelSet], pairs: Sequence[_Pair], ledger: Ledger
) -> None:
    """Give the boxes of the chosen set the flags that the other set has for them too."""
    for path, mine, theirs in pairs:
        if not mine or not theirs or not any(box.flags for box in theirs.boxes):
            continue
        if (corners := _pixels(source, options, mine, theirs)) is None:
            continue
        labels = [[box.label for box in one.boxes] for one in (mine, theirs)]
        taken: set[str] = set()
        for index, partner in enumerate(_match(labels[0], corners[0], labels[1], corners[1])):
            flags = theirs.boxes[partner].flags if partner is not None else frozenset[str]()
            taken |= flags - mine.boxes[index].flags
            mine.boxes[index] = replace(mine.boxes[index], flags=mine.boxes[index].flags | flags)
        if taken:
            why = f"{sets[0]} does not say so of all its boxes"
            found = f"{', '.join(sorted(taken))} by {theirs.label_file}"
            ledger.note(path, BadInput("flags-taken", found, why), "flags kept")
