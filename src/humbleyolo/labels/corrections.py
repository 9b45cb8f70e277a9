"""Images that lie in a folder twice, byte for byte: labelled alike, or with labels that correct the others."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from humbleyolo.inputs.file_names import is_correction
from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.inputs.near_duplicates import find_near_duplicates
from humbleyolo.labels.agreement import same_boxes
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.process.terminal import counted, first_few

_Copy = tuple[str, LabelledImage]  # the part's name, and the image
_Unlabelled = tuple[str, str, tuple[str, ...], Callable[[], bytes]]  # the part's name, path, splits, and content
_SHOWN = 3  # images named in a line


def merge_copies(images: Sequence[_Copy], ledger: Ledger) -> list[LabelledImage]:
    """Return the images without copies from other parts.

    Labels in a part called `corrections...` replace those of the same picture in other parts, which keeps its
    place and its split. Other copies must agree: their labels are a mistake if they differ, and the first is kept.
    Copies that agree stay if they are in two splits or in one part, for the rules about splits and look-alikes. Of
    one part those in no list go, if another is in one: pictures that were copied into `train` and `test`.
    """
    copies: dict[str, list[_Copy]] = defaultdict(list)
    for part, image in images:
        copies[image.info.sha256].append((part, image))
    new: list[_Copy] = []
    kept = []
    for some in copies.values():
        if len({part for part, _ in some}) == 1:
            kept += _drop_equal([image for _, image in some], ledger, one_part=True)
            new += [copy for copy in some if _corrects(copy[0])]
            continue
        better = [image for part, image in some if _corrects(part)]
        plain = [image for part, image in some if not _corrects(part)]
        if better:
            _drop_equal(better, ledger)
            plain = [_corrected(image, better[0], ledger) for image in plain] or better[:1]
        kept += _drop_equal(plain, ledger)
    _warn_of_new(new, kept, ledger)
    return sorted(kept, key=lambda image: image.path)


def place_unlabelled(images: Sequence[_Copy], others: Iterable[_Unlabelled], ledger: Ledger) -> list[_Copy]:
    """Give corrections of images that have no labels elsewhere the place and the split of these.

    `others` are the images without usable labels. Those that are corrected lack no label any more.
    """
    known = {image.info.sha256 for part, image in images if not _corrects(part)}
    better: dict[str, list[_Copy]] = defaultdict(list)
    for part, image in images:
        if _corrects(part) and image.info.sha256 not in known:
            better[image.info.sha256].append((part, image))
    placed: list[_Copy] = []
    for part, path, splits, read in others:
        copies: list[_Copy] = []
        if better and not _corrects(part):
            with suppress(BadInput):
                copies = better.pop(hashlib.sha256(read()).hexdigest(), [])
        if copies:
            first = _drop_equal([image for _, image in copies], ledger)[0]
            found, why = "no usable label in its place", f"labelled in {first.label_file}; these labels are used"
            ledger.note(path, BadInput("labelled-again", found, why), _count(first))
            placed.append((part, replace(first, path=path, splits=splits)))
    paths = {image.path for _, image in placed}
    ledger.rows = [row for row in ledger.rows if row.kind != "label-missing" or row.file not in paths]
    done = {image.info.sha256 for _, image in placed}
    return [*(copy for copy in images if copy[1].info.sha256 not in done), *placed]


def _warn_of_new(new: Sequence[_Copy], kept: Sequence[LabelledImage], ledger: Ledger) -> None:
    """Warn of corrections that correct nothing, with the image that each looks like."""
    if not new:
        return
    alike = find_near_duplicates([image.info for image in kept])
    added = {image.path for _, image in new}
    twins: dict[str, str] = {}
    for group in alike:
        old = [kept[place].path for place in group if kept[place].path not in added]
        twins |= {kept[place].path: old[0] for place in group if old}
    for part in dict.fromkeys(part for part, _ in new):
        paths = [image.path for one, image in new if one == part]
        shown = [f"{path} (looks like {twins[path]})" if path in twins else path for path in paths]
        found = f"{counted(len(paths), 'image')}: {first_few(shown, _SHOWN)}"
        why = "no other part has the same file, so it is new; to correct an image, copy its file unchanged"
        ledger.warn(part, BadInput("corrects-nothing", found, why))


def _corrects(part: str) -> bool:
    return any(map(is_correction, part.split("/")))


def _corrected(image: LabelledImage, better: LabelledImage, ledger: Ledger) -> LabelledImage:
    """Return an image with the labels of its correction."""
    if _labels(image) == _labels(better):
        why = f"{image.path} is the same picture with the same labels"
        ledger.note(better.path, BadInput("labelled-again", "a correction that changes nothing", why), "kept once")
        return image
    why = f"labelled again in {better.label_file}; these labels are used"
    found = f"{_count(image)} in {image.label_file}"
    ledger.note(image.path, BadInput("labelled-again", found, why), f"{_count(better)} in their place")
    return replace(
        image,
        label_file=better.label_file,
        boxes=better.boxes,
        labels=better.labels,
        flags=better.flags,
        where=better.where,
        areas=better.areas,
        splits=image.splits,
        group=image.group or better.group,
    )


def _count(image: LabelledImage) -> str:
    return counted(len(image.labels), "box", "boxes")


def _labels(image: LabelledImage) -> Counter[tuple[object, ...]]:
    rows = zip(image.labels, image.flags, image.boxes.tolist(), strict=True)
    return Counter((label, flags, *corners) for label, flags, corners in rows)


def _drop_equal(images: Sequence[LabelledImage], ledger: Ledger, *, one_part: bool = False) -> list[LabelledImage]:
    """Return the first of some copies, and those in `one_part`, or that agree in another split.

    The others go to the ledger. If the first is in no list, it takes the split of the next that is in one.
    """
    first, *others = sorted(images, key=lambda image: one_part and not image.splits)
    kept = [first]
    for other in others:
        same = same_boxes(first.labels, first.boxes, other.labels, other.boxes)
        apart = first.splits and other.splits and first.splits != other.splits
        if same and (apart or (one_part and bool(first.splits) == bool(other.splits))):
            kept.append(other)
        elif same:
            why = f"{first.path} is the same picture with the same labels"
            ledger.note(other.path, BadInput("same-image", "there twice", why), "kept once")
            kept[0] = replace(kept[0], splits=kept[0].splits or other.splits)
        else:
            found = f"labelled otherwise in {other.label_file} than in {first.label_file}"
            why = (
                f"is the same picture as {first.path}; delete one, or put the right one into a folder"
                " beside them whose name begins with corrections"
            )
            if one_part:  # frames of a still film may be equal
                ledger.warn(other.path, BadInput("labels-differ", found, why))
                kept.append(other)
            else:
                ledger.problem(other.path, BadInput("labels-differ", found, why), "image dropped")
    return kept
