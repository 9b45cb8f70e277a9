"""The rules that divide labelled images into train, val and test, and the search for images in two of them."""

import posixpath
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.dataset.split_size import is_small
from humbleyolo.inputs.ledger import BadInput, Ledger, short_name, shorten_text
from humbleyolo.inputs.near_duplicates import find_copies, find_near_duplicates
from humbleyolo.labels.image_lists import ONE_LIST, first_split
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.params.sections import Split
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.splits.split_units import cut, join_units, target_ends

_IGNORE = "near_duplicates: ignore (`init --near-duplicates ignore`)"
_FIXED = f"{_IGNORE} is for a fixed camera or a microscope"
_LISTS_OR_HASH = "correct the lists, or set split.by: hash (`init --split hash`)"
_APART = {
    "lists": f"{_LISTS_OR_HASH}, or split.{_IGNORE} if they are meant",
    "fractions": "set split.near_duplicates: together, or ignore (`init --near-duplicates ignore`) if they are meant",
}
_SHOWN = 3  # images of a group in a message


@dataclass(slots=True)
class Division:
    """Labelled images, divided.

    Attributes:
        images: All images.
        chosen: Split of each; None for one that is left out.
        alike: Groups of near-duplicates in one split, by index; of equal files, if near-duplicates are ignored.
        lost: Texts about images left out and classes that cannot be learned.
        notes: Texts about images taken from train, groups kept together, and splits that are too small.
    """

    images: Sequence[LabelledImage]
    chosen: list[str | None]
    alike: list[list[int]]
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def splits(self) -> dict[str, list[LabelledImage]]:
        """Images of each split, in their order."""
        pairs = list(zip(self.images, self.chosen, strict=True))
        return {split: [image for image, own in pairs if own == split] for split in SPLITS}

    def lines(self) -> list[str]:
        """Return the number of images of each split, what is lost, and the notes."""
        return [_shares(self.chosen), *self.lost, *self.notes]


def divide(
    images: Sequence[LabelledImage], rule: Split, seed: int, ledger: Ledger, listed: Container[str] = ()
) -> Division:
    """Divide images by the rule.

    `by: lists` follows the folder's lists. Val and test, if no image is listed so, are taken from train as by `hash`.
    Splits in `listed`, whose images were left out, are not. `hash` sorts images by their content and the seed,
    and cuts them at the fractions. `group` does the same with groups: the first bracket of the pattern in an image's
    path, or without a pattern the labels' own group.
    `near_duplicates: together` makes one unit of images that look alike; see `split_units.cut`.

    Images in no list or in two, images without a group, near-duplicates in two splits, and a split without an image
    go to the ledger. A class that train lacks gets a warning. Of near-duplicates those in test stay, before those in
    val, so that scores stay honest.
    """
    infos, lost = [image.info for image in images], []
    alike = find_copies(infos) if rule.near_duplicates == "ignore" else find_near_duplicates(infos)
    if rule.by == "lists":
        result = Division(images, _by_lists(images, ledger), alike, lost=_off_lists(images))
        lost = [split for split in ("val", "test") if split in listed and split not in result.chosen]
        parts = ["train", *(split for split in ("val", "test") if split not in (*result.chosen, *lost))]
        keys = {i: images[i].info.sha256 for i, split in enumerate(result.chosen) if split == "train" and parts[1:]}
    else:
        result, parts = Division(images, [None] * len(images), alike), list(SPLITS)
        found = {index: _key(image, rule, ledger) for index, image in enumerate(images)}
        keys = {index: key for index, key in found.items() if key is not None}
    if rule.by == "lists":
        _note_unlisted(result, ledger)
    if keys:
        _cut(result, keys, parts, rule, seed, ledger)
    _drop_leaks(result, rule.by, ledger)
    empty = [split for split in SPLITS if split not in result.chosen]
    if empty and any(result.chosen) and not (ledger.on_problem == "error" and ledger.errors):
        why = f"all images in the list of {' and '.join(lost)} were left out; mend them, or take the list away"
        if not lost:
            why = _why_empty(images, alike, rule, len(set(keys.values())), len(parts))
        what = f"no image is left for {' and '.join(empty)}"
        ledger.problem(".", BadInput("split-empty", what, why), "stopped")
    if not empty:
        result.notes += _small_splits(result, rule)
        _warn_of_untaught(result, ledger)
    return result


def divide_by_lists_alone(images: Sequence[LabelledImage], ledger: Ledger) -> Division:
    """Return the images as the folder's own lists have them, with near-duplicates in two of these as problems."""
    alike = find_near_duplicates([image.info for image in images])
    result = Division(images, [first_split(image.splits) for image in images], alike)
    _note_unlisted(result, ledger)
    _drop_leaks(result, "lists", ledger)
    _warn_of_untaught(result, ledger)
    return result


def _note_unlisted(division: Division, ledger: Ledger) -> None:
    """Note the images of sets that were added to a folder with lists, which put them into train."""
    if unlisted := [image for image in division.images if image.unlisted]:
        tops = {image.path.partition("/")[0] if "/" in image.path else image.label_file for image in unlisted}
        some = shorten_text(first_few(sorted(tops), _SHOWN))
        text = f"{counted(len(unlisted), 'image')} of a set that no list names, in train: {some}"
        ledger.note(".", BadInput("split-added", "a set in no list", text), "put into train")
        division.notes.append(text)


def _small_splits(division: Division, rule: Split) -> list[str]:
    """Return a text if val or test is too small to tell how good a model is, with the remedy."""
    splits = division.splits
    small = [
        split
        for split in ("val", "test")
        if is_small(len(splits[split]), sum(len(one.labels) for one in splits[split]))
    ]
    if not small:
        return []
    parts, used = rule.fractions, sum(map(len, splits.values()))
    share = used * min(getattr(parts, split) for split in small) / (parts.train + parts.val + parts.test)
    fix = "label more"
    if rule.by == "lists" and not is_small(round(share), round(share)):
        fix = "`init --split hash` helps"
    are = "are" if small[1:] else "is"
    return [f"{' and '.join(small)} {are} too small to judge a model: {fix}"]


def _warn_of_untaught(division: Division, ledger: Ledger) -> None:
    """Warn of each class that has boxes in val or test and none in train."""
    counts = {
        split: Counter(label for image in images for label in image.labels)
        for split, images in division.splits.items()
    }
    if not division.splits["train"]:
        return
    missing = sorted((counts["val"] | counts["test"]).keys() - counts["train"].keys())
    for name in missing:
        where = " and ".join(f"{counts[split][name]} in {split}" for split in ("val", "test") if counts[split][name])
        found = f"class {short_name(name)} has 0 boxes in train, {where}"
        why = "a class that is never learned is never found; put images of it into train"
        ledger.warn(".", BadInput("class-not-in-train", found, why))
    if missing:
        some = shorten_text(", ".join(short_name(name) for name in missing))
        which = counted(len(missing), "class", "classes")
        division.lost.append(f"no box in train of {which} that val or test has: {some}")


def _drop_leaks(division: Division, by: str, ledger: Ledger) -> None:
    """Report groups of near-duplicates that are in two splits, and leave out their images but those in one split."""
    images, chosen = division.images, division.chosen
    groups, division.alike = division.alike, []
    before = chosen.count(None)
    for members in groups:
        owners = {index: owner for index in members if (owner := chosen[index])}
        kept = first_split(list(owners.values()))
        leaked = [index for index, owner in owners.items() if owner != kept]
        if not leaked:
            division.alike.append(members)
            continue
        stay = {images[index].info.sha256: images[index] for index, owner in owners.items() if owner == kept}
        first = next((index for index in leaked if images[index].info.sha256 in stay), leaked[0])
        same = stay.get(images[first].info.sha256)
        twin = same or next(iter(stay.values()))
        why = f"{'is the same file as' if same else 'looks like'} {twin.path} in {kept}"
        if members[2:]:
            why += f", in a group of {_shares(owners.values())}"
        fix = "put both in one split, or delete one" if same else _APART["lists" if by == "lists" else "fractions"]
        for index in leaked:
            found, done = f"in {chosen[index]}", f"dropped from {chosen[index]}"
            if index == first:
                ledger.problem(images[index].path, BadInput("leak", found, f"{why}; {fix}"), done)
            else:
                ledger.note(
                    images[index].path, BadInput("leak", found, f"in the group of {images[first].path}"), done
                )
            chosen[index] = None
    if dropped := chosen.count(None) - before:
        division.lost.append(f"without {dropped} that look like images of another split")


def others(images: Sequence[LabelledImage]) -> str:
    """Return the paths of a group after the first, a few of them; without the folder if it is that of the first."""
    folder, *folders = (posixpath.dirname(image.path) for image in images[:_SHOWN])
    names = [image.path for image in images[1:_SHOWN]]
    beside = [posixpath.basename(name) if own == folder else name for name, own in zip(names, folders, strict=True)]
    return first_few(beside, _SHOWN - 1, count=len(images) - 1)


def _by_lists(images: Sequence[LabelledImage], ledger: Ledger) -> list[str | None]:
    if images and not any(image.splits for image in images):
        why = "nothing here says train, val or test; set split.by to hash or group, and give fractions"
        ledger.problem(".", BadInput("split-lists", "no lists", why), "all images dropped")
        return [None] * len(images)
    for image in images:
        splits = image.splits
        if len(splits) != 1:
            found = f"in {' and '.join(splits)}" if splits else "in no list"
            done = f"kept in {first_split(splits)} alone" if splits else "image dropped"
            error = BadInput("split-lists", found, ONE_LIST)
            ledger.problem(image.path, error, done)
    return [first_split(image.splits) for image in images]


def _off_lists(images: Sequence[LabelledImage]) -> list[str]:
    """Return texts about images in no list and in two, if there are lists at all."""
    of_none = sum(not image.splits for image in images)
    of_two = sum(len(image.splits) > 1 for image in images)
    texts = [f"without {counted(of_none, 'image')} in no list"] if 0 < of_none < len(images) else []
    return texts + ([f"{counted(of_two, 'image')} in two lists kept in one"] if of_two else [])


def _key(image: LabelledImage, rule: Split, ledger: Ledger) -> str | None:
    """Return the text that decides about an image: its content's hash, or its group."""
    if rule.by == "hash":
        return image.info.sha256
    if rule.group:
        match = re.search(rule.group, image.path)
        if match and (group := match.group(1 if match.re.groups else 0)):
            return group
        why = f"its path does not match {rule.group!r}" if not match else f"{rule.group!r} finds an empty group in it"
    elif image.group is not None:
        return image.group
    else:
        why = "the labels give none; set the pattern in group"
    ledger.problem(image.path, BadInput("no-group", "no group", why), "image dropped")
    return None


def _cut(
    division: Division, keys: Mapping[int, str], parts: Sequence[str], rule: Split, seed: int, ledger: Ledger
) -> None:
    """Divide the images that have a key among `parts`, in units of one key or, if so wanted, of near-duplicates."""
    groups = [some for members in division.alike if len(some := [index for index in members if index in keys]) > 1]
    together = groups if rule.near_duplicates == "together" else []
    units = join_units(keys, together)
    total = sum(getattr(rule.fractions, part) for part in parts)
    fractions = [getattr(rule.fractions, part) / total for part in parts]
    sizes = [len(unit) for unit in units]
    strata = _strata(division.images, units) if rule.stratify else None
    owners = cut(sizes, [min(keys[index] for index in unit) for unit in units], fractions, seed, strata)
    for unit, owner in zip(units, owners, strict=True):
        for index in unit:
            division.chosen[index] = parts[owner]
    counts = Counter(division.chosen)
    if rule.by == "lists":
        for part in parts[1:]:
            text = f"{counts[part]} of {counted(len(keys), 'image')} of train taken as {part}, which no list names"
            ledger.note(".", BadInput("split-taken", f"no list of {part}", text), f"{counts[part]} moved to {part}")
            division.notes.append(text)
    if together:
        which, largest = counted(len(together), "group"), counted(max(map(len, together)), "image")
        division.notes.append(f"{which} of look-alikes kept together, {largest} at most")
    wanted = [after - before for before, after in pairwise([0, *target_ends(len(keys), fractions)])]
    if max(sizes) > 1 and any(0 < counts[part] < target / 2 for part, target in zip(parts, wanted, strict=True)):
        why = f"one group has {max(sizes)} of {len(keys)} images, so that the fractions cannot be kept"
        fix = f"; {_FIXED}" if together else ""
        ledger.warn(".", BadInput("split-uneven", _shares(division.chosen), why + fix))


def _strata(images: Sequence[LabelledImage], units: Iterable[Sequence[int]]) -> list[str]:
    """Return the class of each unit that is the rarest of all; empty for a unit without objects."""
    frequency = Counter(label for image in images for label in image.labels)
    classes = [{label for index in unit for label in images[index].labels} for unit in units]
    return [min(labels, key=lambda label: (frequency[label], label), default="") for labels in classes]


def _why_empty(
    images: Sequence[LabelledImage], alike: Sequence[list[int]], rule: Split, units: int, parts: int
) -> str:
    """Return the reason with the fix.

    `units` is the number of different images, or groups, to be cut into `parts`.
    """
    largest = max(alike, key=len, default=[])
    if rule.by == "lists" and not any("train" in image.splits for image in images):
        return f"no list names an image of train; {_LISTS_OR_HASH}"
    if largest and (parts == 1 or units >= parts):
        some = [images[index] for index in largest]
        same = rule.near_duplicates == "ignore"
        how, fix = ("are the same file", "keep one") if same else ("look alike", _FIXED)
        return f"{len(largest)} of {len(images)} images {how} ({some[0].path}, {others(some)}); {fix}"
    thing = "group" if rule.by == "group" else "image"
    return f"{parts} splits need as many {thing}s that differ, not {units}; label more"


def _shares(owners: Iterable[str | None]) -> str:
    counts = Counter(owners)
    return ", ".join(f"{split} {counts[split]}" for split in SPLITS)
