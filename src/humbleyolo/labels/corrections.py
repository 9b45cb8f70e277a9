"""Images that lie in a folder twice, byte by byte: labelled alike, or with labels that correct the others."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from humbleyolo.labels.agreement import same_boxes
from humbleyolo.labels.folder import is_correction
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.ledger import BadInput, Ledger

_Copy = tuple[str, LabelledImage]  # the part's name, and the image


def merge_copies(images: Sequence[_Copy], ledger: Ledger) -> list[LabelledImage]:
    """Return the images without copies from other parts.

    Labels in a part called `corrections...` replace those of the same picture in other parts, which keeps its
    place and its split. Other copies must agree: their labels are a mistake if they differ, and the first is kept.
    Copies that agree stay if they are in two splits or in one part, for the rules about splits and look-alikes.
    """
    copies: dict[str, list[_Copy]] = defaultdict(list)
    for part, image in images:
        copies[image.info.sha256].append((part, image))
    new: Counter[str] = Counter()
    kept = []
    for some in copies.values():
        if len({part for part, _ in some}) == 1:
            kept += _drop_equal([image for _, image in some], ledger, one_part=True)
            new.update(part for part, _ in some if _corrects(part))
            continue
        better = [image for part, image in some if _corrects(part)]
        plain = [image for part, image in some if not _corrects(part)]
        if better:
            _drop_equal(better, ledger)
            plain = [_corrected(image, better[0], ledger) for image in plain] or better[:1]
        kept += _drop_equal(plain, ledger)
    for part, count in new.items():
        why = "in no other part byte by byte; added as new images"
        ledger.note(part, BadInput("corrects-nothing", f"{count} images", why), "kept")
    return kept


def _corrects(part: str) -> bool:
    return any(map(is_correction, part.split("/")))


def _corrected(image: LabelledImage, better: LabelledImage, ledger: Ledger) -> LabelledImage:
    """Return an image with the labels of its correction."""
    if _labels(image) == _labels(better):
        why = f"{image.path} is the same picture with the same labels"
        ledger.note(better.path, BadInput("labelled-again", "a correction that changes nothing", why), "kept once")
        return image
    why = f"labelled again in {better.label_file}; these labels are used"
    found = f"{len(image.labels)} boxes in {image.label_file}"
    ledger.note(image.path, BadInput("labelled-again", found, why), f"{len(better.labels)} boxes in their place")
    return replace(
        image,
        label_file=better.label_file,
        boxes=better.boxes,
        labels=better.labels,
        flags=better.flags,
        where=better.where,
        splits=image.splits or better.splits,
        group=image.group or better.group,
    )


def _labels(image: LabelledImage) -> Counter[tuple[object, ...]]:
    rows = zip(image.labels, image.flags, image.boxes.tolist(), strict=True)
    return Counter((label, flags, *corners) for label, flags, corners in rows)


def _drop_equal(images: Sequence[LabelledImage], ledger: Ledger, *, one_part: bool = False) -> list[LabelledImage]:
    """Return the first of some copies, and those that agree in another split or `one_part`.

    The others go to the ledger.
    """
    first, *others = images
    kept = [first]
    for other in others:
        same = same_boxes(first.labels, first.boxes, other.labels, other.boxes)
        if same and (one_part or (first.splits and other.splits and first.splits != other.splits)):
            kept.append(other)
        elif same:
            why = f"{first.path} is the same picture with the same labels"
            ledger.note(other.path, BadInput("same-image", "there twice", why), "kept once")
        else:
            found = f"labelled otherwise in {other.label_file} than in {first.label_file}"
            why = (
                f"is the same picture as {first.path}; delete one, or put the right one into a folder"
                " beside them whose name begins with corrections"
            )
            ledger.problem(other.path, BadInput("labels-differ", found, why), "image dropped")
    return kept
