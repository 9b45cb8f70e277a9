"""Which images are for training, which for validation, which for the test, and whether any are in two of them."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.errors import UserError
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.ledger import BadInput, Ledger
from humbleyolo.labels.near_duplicates import find_near_duplicates

_KEEP = ("test", "val", "train")  # of twins in two splits, the one in the first of these stays


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How images are divided.

    Attributes:
        by: `lists`: as the folder says. `hash`: by the image's content and the seed, so that adding images
            moves none. `group`: likewise, but by group, so that images of one group stay together.
        fractions: Of train, val and test; not used by `lists`.
        group: A regular expression found in an image's path; its first bracket is the group. Empty takes the
            group that the labels give (the column `group` of a CSV).
        stratify: Give each split its share of every class, as nearly as whole images allow. Then adding
            images may move a few old ones.
        seed: Any number; another one divides differently.
    """

    by: Literal["lists", "hash", "group"]
    fractions: tuple[float, float, float]
    group: str
    stratify: bool
    seed: int


def divide(
    records: Sequence[LabelledImage], options: SplitOptions, ledger: Ledger
) -> dict[str, list[LabelledImage]]:
    """Return the records of each split, in their order.

    Images in no list or in two, and images without a group, go to the ledger.

    Raises:
        UserError: Where a split stays empty, or the pattern is wrong.
    """
    if options.by == "lists":
        chosen = _by_lists(records, ledger)
    else:
        keys = [_key(record, options, ledger) for record in records]
        chosen = _stratified(records, keys, options) if options.stratify else _by_hash(keys, options)
    result: dict[str, list[LabelledImage]] = {split: [] for split in SPLITS}
    for record, split in zip(records, chosen, strict=True):
        if split is not None:
            result[split].append(record)
    empty = [split for split in SPLITS if not result[split]]
    wanted = dict(zip(SPLITS, options.fractions, strict=True))
    if empty and records and not ledger.errors:
        if options.by == "lists":
            fix = "the folder's lists name none; set by: hash and give fractions"
        else:
            fix = f"of {len(records)} images and fractions {wanted}; label more, or raise its fraction"
        raise UserError(f"no image is left for {' and '.join(empty)}: {fix}")
    return result


def drop_leaks(splits: dict[str, list[LabelledImage]], ledger: Ledger) -> dict[str, list[LabelledImage]]:
    """Report images that look alike and are in two splits; return the splits without them.

    Of twins the one in test stays, before the one in val, before the one in train, so that scores stay
    honest.
    """
    records = [record for split in _KEEP for record in splits[split]]
    owner = [split for split in _KEEP for _ in splits[split]]
    dropped: set[str] = set()
    for pair in find_near_duplicates([record.info for record in records]):
        kept, leaked = records[pair.first], records[pair.second]
        if owner[pair.first] == owner[pair.second] or leaked.path in dropped or kept.path in dropped:
            continue
        found = f"in {owner[pair.second]}"
        what = "is the same file as" if pair.same else "looks like"
        why = f"{what} {kept.path} in {owner[pair.first]}; put both in one split, or delete one"
        ledger.problem(leaked.path, BadInput("leak", found, why), f"dropped from {owner[pair.second]}")
        dropped.add(leaked.path)
    return {split: [one for one in some if one.path not in dropped] for split, some in splits.items()}


def _by_lists(records: Sequence[LabelledImage], ledger: Ledger) -> list[str | None]:
    if records and not any(record.splits for record in records):
        why = "nothing here says train, val or test; set split.by to hash or group, and give fractions"
        ledger.problem(".", BadInput("split-lists", "no lists", why), "all images dropped")
        return [None] * len(records)
    chosen: list[str | None] = []
    for record in records:
        splits = record.splits
        if len(splits) != 1:
            found = f"in {' and '.join(splits)}" if splits else "in no list"
            done = f"kept in {_first(splits)} alone" if splits else "image dropped"
            error = BadInput("split-lists", found, "an image is in one list; correct the lists")
            ledger.problem(record.path, error, done)
        chosen.append(_first(splits))
    return chosen


def _first(splits: Sequence[str]) -> str | None:
    return next((split for split in _KEEP if split in splits), None)


def _key(record: LabelledImage, options: SplitOptions, ledger: Ledger) -> str | None:
    """Return what decides about an image: its content, or its group."""
    if options.by == "hash":
        return record.info.sha256
    if not options.group:
        if record.group is None:
            error = BadInput("no-group", "no group", "the labels give none; set the pattern in group")
            ledger.problem(record.path, error, "image dropped")
        return record.group
    try:
        match = re.search(options.group, record.path)
    except re.error as wrong:
        raise UserError(f"split.group {options.group!r} is not a regular expression: {wrong}") from None
    if match is None:
        error = BadInput("no-group", "no group", f"its path does not match {options.group!r}")
        ledger.problem(record.path, error, "image dropped")
        return None
    return match.group(1) if match.re.groups else match.group(0)


def _by_hash(keys: Sequence[str | None], options: SplitOptions) -> list[str | None]:
    return [None if key is None else _split_at(_place(key, options.seed), options.fractions) for key in keys]


def _place(key: str, seed: int) -> float:
    """Return a number in [0, 1) that the key and the seed alone decide."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _split_at(place: float, fractions: tuple[float, float, float]) -> str:
    train, val, test = fractions
    total = train + val + test
    if place * total < train:
        return "train"
    return "val" if place * total < train + val else "test"


def _stratified(
    records: Sequence[LabelledImage], keys: Sequence[str | None], options: SplitOptions
) -> list[str | None]:
    """Divide each stratum by itself: the units (an image, or a group) whose rarest class is the same."""
    frequency = Counter(label for record in records for label in record.labels)
    classes: dict[str, set[str]] = defaultdict(set)
    for record, key in zip(records, keys, strict=True):
        if key is not None:
            classes[key].update(record.labels)
    strata: dict[str, list[str]] = defaultdict(list)
    for key, labels in classes.items():
        strata[min(labels, key=lambda label: (frequency[label], label), default="")].append(key)
    chosen = {}
    for members in strata.values():
        members.sort(key=lambda key: (_place(key, options.seed), key))
        for position, key in enumerate(members):
            chosen[key] = _split_at((position + 0.5) / len(members), options.fractions)
    return [None if key is None else chosen[key] for key in keys]
