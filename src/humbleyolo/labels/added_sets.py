"""Sets of new images inside a labelled folder, such as those that `next` writes: told apart, and put into train."""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from humbleyolo.inputs.file_names import is_correction, is_image, stem_of
from humbleyolo.labels.label_set import LabelSet
from humbleyolo.labels.labelled_image import LabelledImage, ReadOptions, UncheckedSet
from humbleyolo.labels.parts import Evidence, Part, make_part

Detect = Callable[..., Evidence]

TO_CORRECT, BY_EYE = "to-correct", "nothing-found"
"""Folders that `next` writes: images with proposed boxes, and images without."""

_MOST = 100  # sub-folders looked into; see `parts`
_DESCRIPTION = re.compile(r"data(set)?\.ya?ml|[^/]+\.data|ImageSets/Main/[^/]+\.txt")
_OF_MANY = (".json", ".jsonl", ".csv", ".xml")


def part_off(
    part: Part, options: ReadOptions, detect: Detect, read_sets: Callable[[Part], Sequence[LabelSet]]
) -> list[Part]:
    """Return a part, and those of its sub-folders that are sets of their own in a format that the rest is not in.

    Such a sub-folder holds all images that its labels speak of, and no other labels speak of these. Two sets that
    speak of the same images stay one part, to be compared. `read_sets` reads the sets of a part.
    """
    if not part.fits or options.format != "auto":
        return [part]
    inside: dict[str, list[str]] = defaultdict(list)
    for name in part.source.names:
        inside[name.partition("/")[0] if "/" in name else ""].append(name)
    if len(inside) > _MOST:
        return [part]
    own: dict[str, Part] = {}  # sub-folder: itself, if it has images and is in one format
    for folder, names in inside.items():
        if folder and any(map(is_image, names)):
            one = make_part(part.source, folder, names, options, detect)
            own |= {folder: one} if len(one.fits) == 1 else {}
    rest = [name for folder, names in inside.items() if folder not in own for name in names]
    main = set(make_part(part.source, "", rest, options, detect, own).fits) if any(map(is_image, rest)) else set()
    if not main and own:
        main = {_usual_format(own)}
    found = {folder: one for folder, one in own.items() if not main & one.fits.keys()}
    fits = dict(part.fits)  # detection opens few files of the whole
    for one in found.values():
        fits |= one.fits
    found = _apart(found, read_sets(replace(part, fits=fits))) if found else {}
    if not found:
        return [part]
    names = [name for folder, some in inside.items() if folder not in found for name in some]
    left = replace(make_part(part.source, "", sorted(names), options, detect, found), name=part.name)
    return [left, *(replace(one, name=posixpath.join(part.name, folder)) for folder, one in found.items())]


def _usual_format(own: dict[str, Part]) -> str:
    """Return the format of most images; those that `next` proposed labels of do not count if there are others."""
    before = {folder: one for folder, one in own.items() if folder not in (TO_CORRECT, BY_EYE)} or own
    images: Counter[str] = Counter()
    for one in before.values():
        images[next(iter(one.fits))] += len(one.source.images())
    return max(images, key=images.__getitem__)


def _apart(found: dict[str, Part], sets: Iterable[LabelSet]) -> dict[str, Part]:
    """Return the sub-folders whose images one set alone speaks of, with boxes, and with label files in them."""
    speaking: dict[str, set[str]] = defaultdict(set)
    mixed: set[str] = set()
    boxes: set[str] = set()
    for one in sets:
        formats = {folder for folder, part in found.items() if one.format in part.fits}
        for image in one.content.images:
            folder, home = (path.partition("/")[0] if "/" in path else "" for path in (image.path, image.label_file))
            speaking[folder].add(one.format)
            mixed |= {folder, home} if folder != home else set()
            mixed |= formats if folder not in formats else set()
            boxes |= {folder} if image.boxes or image.lost else set()
    return {
        folder: part
        for folder, part in found.items()
        if speaking[folder] == {*part.fits} and folder in boxes and folder not in mixed
    }


def put_into_train(
    images: Sequence[LabelledImage], names: Sequence[str], parts: Sequence[tuple[str, Container[str]]]
) -> list[LabelledImage]:
    """Return images, with those of added sets in train if lists divide others and no list names any of the set.

    A set is added if it is a part without lists. So is a sub-folder that `next` wrote, or one that describes itself,
    as no folder with lists does. Images of one set that are in no list stay so. Corrections do too.

    Args:
        images: All images.
        names: All files of the source.
        parts: Name of each part, and the splits that its lists or its name give; one of empty name is the source.
    """
    if not any(listed for _, listed in parts):
        return list(images)
    by_part: dict[str, list[LabelledImage]] = defaultdict(list)
    deepest = sorted((name for name, _ in parts), key=len, reverse=True)
    for image in images:
        by_part[next(name for name in deepest if image.path.startswith(f"{name}/" if name else ""))].append(image)
    added: set[str] = set()
    for name, listed in parts:
        if any(map(is_correction, name.split("/"))):
            continue
        some = by_part[name]
        added |= {one.path for one in some} if not listed else _added(some, names)
    return [
        replace(one, splits=("train",), unlisted=True) if one.path in added and not one.splits else one
        for one in images
    ]


def put_joined_into_train(content: UncheckedSet) -> None:
    """Put the images of a joined label set into train, if lists divide those of another and name none of its own."""
    listed = {one.path for one in content.images if one.splits}
    added = {path for paths in content.joined if listed and not paths & listed for path in paths}
    for image in content.images:
        if image.path in added:
            image.splits, image.unlisted = ("train",), True


def _added(images: Sequence[LabelledImage], names: Sequence[str]) -> set[str]:
    """Return the paths of images in sub-folders of one set that are sets of their own, and in no list."""
    top = posixpath.commonpath(
        [posixpath.dirname(path) for one in images for path in (one.path, one.label_file)] or [""]
    )
    below = f"{top}/" if top else ""
    folders: dict[str, list[LabelledImage]] = defaultdict(list)
    for one in images:
        folder, slash, _ = one.path.removeprefix(below).partition("/")
        folders[f"{below}{folder}/" if slash else ""].append(one)
    listed = [folder for folder, some in folders.items() if any(one.splits for one in some)]
    told = any(_describes_itself(folder, folders[folder], names) for folder in listed)
    result: set[str] = set()
    for folder, some in folders.items():
        whole = folder and folder not in listed and all(one.label_file.startswith(folder) for one in some)
        if whole and not told and _describes_itself(folder, some, names):
            result |= {one.path for one in some}
        result |= {one.path for one in some if _is_of_next(one.path)}
    return result


def _is_of_next(path: str) -> bool:
    """Tell if an image lies in a folder that `next` wrote, or one whose name begins so."""
    return any(folder.startswith((TO_CORRECT, BY_EYE)) for folder in path.split("/")[:-1])


def _describes_itself(folder: str, images: Sequence[LabelledImage], names: Iterable[str]) -> bool:
    """Tell if a folder has a file about all its images: their classes, their list, or all their labels."""
    if any(_DESCRIPTION.fullmatch(name.removeprefix(folder)) for name in names if name.startswith(folder)):
        return True
    labels = {one.label_file for one in images}
    [label] = labels if len(labels) == 1 else [""]
    return label.startswith(folder) and label.endswith(_OF_MANY) and stem_of(label) != stem_of(images[0].path)
