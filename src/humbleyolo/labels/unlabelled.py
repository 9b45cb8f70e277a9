"""Images of a labelled source that no label file could be read for."""

import posixpath
from collections import Counter
from collections.abc import Iterable

from humbleyolo.inputs.file_names import is_label, splits_of_folder, stem_of
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import BadInput, Ledger
from humbleyolo.labels.labelled_image import UncheckedImage
from humbleyolo.process.terminal import counted


def unlabelled_images(source: Source, images: Iterable[UncheckedImage]) -> list[UncheckedImage]:
    """Return the images of a source that no label file could be read for, each with the split of its folders."""
    claimed = {one.path for one in images}
    return [
        UncheckedImage(path, path, splits=splits_of_folder(path)) for path in source.images() if path not in claimed
    ]


def report_unlabelled(source: Source, images: list[UncheckedImage], background: str, ledger: Ledger) -> None:
    """Report each image without a label in a folder that has some with; other folders get one note each."""
    declare = f"declare it background with {background}" if background else "take it away"
    claimed = {one.path for one in images}
    folders = {posixpath.dirname(name) for name in claimed}
    others: Counter[str] = Counter()
    used = {one.label_file for one in images}
    unused = {stem_of(name): name for name in source.names if is_label(name) and name not in used}
    for name in source.images():
        if name in claimed:
            continue
        if posixpath.dirname(name) in folders:
            why = f"no label file speaks of it; label it, or {declare}"
            if other := unused.get(stem_of(name)):
                why = f"no label file speaks of it, but {other} has its name; if that is its label, mend or move it"
            ledger.problem(name, BadInput("label-missing", "an image without a label", why), "image dropped")
        else:
            others[posixpath.dirname(name) or "."] += 1
    for folder, count in others.items():
        why = "no label file speaks of this folder"
        ledger.note(folder, BadInput("not-read", counted(count, "image"), why), "not read")


def wanting(
    unlabelled: Iterable[UncheckedImage], images: Iterable[UncheckedImage], all_images: bool, ledger: Ledger
) -> list[UncheckedImage]:
    """Return the images that want a label: all if `all_images` need one, else those of folders that have labels.

    A folder has labels if one of its images is labelled, or if a file in it has a mistake and gave no image.
    """
    read = {".", *(one.label_file for one in images)}
    folders = {posixpath.dirname(one.path) for one in images}
    folders |= {posixpath.dirname(row.file) for row in ledger.errors if row.file not in read}
    return [one for one in unlabelled if all_images or posixpath.dirname(one.path) in folders]
