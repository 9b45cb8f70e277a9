"""The rules that divide labelled images into train, val and test, and the search for images in two of them."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.errors import UserError
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.ledger import BadInput, Ledger
from humbleyolo.labels.near_duplicates import find_near_duplicates
from humbleyolo.params.sections import Fractions, Split

ONE_LIST = "an image is in one list; correct the lists"
_KEEP = ("test", "val", "train")  # of near-duplicates in two splits, the one in the first of these stays


def divide(images: Sequence[LabelledImage], rule: Split, seed: int, ledger: Ledger) -> dict[str, list[LabelledImage]]:
    """Return the images of each split, in their order.

    `by: lists` follows the folder's lists. `hash` goes by the image's content and the seed, so that adding images
    moves none. `group` does the same by group: the first bracket of the pattern in an image's path, or without a
    pattern the labels' own group. `stratify` gives each split its share of every class, as nearly as whole images
    allow; then adding images may move a few old ones.

    Images in no list or in two, and images without a group, go to the ledger.

    Raises:
        UserError: If a split stays empty.
    """
    if rule.by == "lists":
        chosen = _by_lists(images, ledger)
    else:
        keys = [_key(image, rule, ledger) for image in images]
        if rule.stratify:
            chosen = _stratified(images, keys, rule.fractions, seed)
        else:
            chosen = [None if key is None else _split_at(_place(key, seed), rule.fractions) for key in keys]
    result: dict[str, list[LabelledImage]] = {split: [] for split in SPLITS}
    for image, split in zip(images, chosen, strict=True):
        if split is not None:
            result[split].append(image)
    empty = [split for split in SPLITS if not result[split]]
    if empty and images and not ledger.errors:
        if rule.by == "lists":
            fix = "the folder's lists name none; set by: hash and give fractions"
        else:
            wanted = rule.fractions.model_dump()
            fix = f"of {len(images)} images and fractions {wanted}; label more, or raise its fraction"
        raise UserError(f"no image is left for {' and '.join(empty)}: {fix}")
    return result


def drop_leaks(splits: dict[str, list[LabelledImage]], ledger: Ledger) -> dict[str, list[LabelledImage]]:
    """Report near-duplicates that are in two splits; return the splits without them.

    The one in test stays, before the one in val, before the one in train, so that scores stay honest.
    """
    images = [image for split in _KEEP for image in splits[split]]
    owner = [split for split in _KEEP for _ in splits[split]]
    dropped: set[str] = set()
    for pair in find_near_duplicates([image.info for image in images]):
        kept, leaked = images[pair.first], images[pair.second]
        if owner[pair.first] == owner[pair.second] or leaked.path in dropped or kept.path in dropped:
            continue
        found = f"in {owner[pair.second]}"
        what = "is the same file as" if pair.same else "looks like"
        why = f"{what} {kept.path} in {owner[pair.first]}; put both in one split, or delete one"
        ledger.problem(leaked.path, BadInput("leak", found, why), f"dropped from {owner[pair.second]}")
        dropped.add(leaked.path)
    return {split: [one for one in some if one.path not in dropped] for split, some in splits.items()}


def first_split(splits: Sequence[str]) -> str | None:
    """Return the first of test, val, train that is among some; None if none is."""
    return next((split for split in _KEEP if split in splits), None)


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


def _key(image: LabelledImage, rule: Split, ledger: Ledger) -> str | None:
    """Return the text that decides about an image: its content's hash, or its group."""
    if rule.by == "hash":
        return image.info.sha256
    if rule.group:
        match = re.search(rule.group, image.path)
        if match:
            return match.group(1) if match.re.groups else match.group(0)
        why = f"its path does not match {rule.group!r}"
    elif image.group is not None:
        return image.group
    else:
        why = "the labels give none; set the pattern in group"
    ledger.problem(image.path, BadInput("no-group", "no group", why), "image dropped")
    return None


def _place(key: str, seed: int) -> float:
    """Return a number in [0, 1) that the key and the seed alone decide."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:6], "big") / 2**48


def _split_at(place: float, fractions: Fractions) -> str:
    total = fractions.train + fractions.val + fractions.test
    if place * total < fractions.train:
        return "train"
    return "val" if place * total < fractions.train + fractions.val else "test"


def _stratified(
    images: Sequence[LabelledImage], keys: Sequence[str | None], fractions: Fractions, seed: int
) -> list[str | None]:
    """Divide each stratum by itself: the units (an image, or a group) whose rarest class is the same."""
    frequency = Counter(label for image in images for label in image.labels)
    classes: dict[str, set[str]] = defaultdict(set)
    for image, key in zip(images, keys, strict=True):
        if key is not None:
            classes[key].update(image.labels)
    strata: dict[str, list[str]] = defaultdict(list)
    for key, labels in classes.items():
        strata[min(labels, key=lambda label: (frequency[label], label), default="")].append(key)
    chosen = {}
    for members in strata.values():
        members.sort(key=lambda key: (_place(key, seed), key))
        for position, key in enumerate(members):
            chosen[key] = _split_at((position + 0.5) / len(members), fractions)
    return [None if key is None else chosen[key] for key in keys]
