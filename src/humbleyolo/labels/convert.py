"""A labelled folder in one format, written in another: `humbleyolo convert`."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import is_archive
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput, Finding, Ledger
from humbleyolo.labels.formats.registry import WRITABLE, collect
from humbleyolo.labels.image_lists import ONE_LIST
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions
from humbleyolo.labels.writing import Placement, WrittenSet, name_images, place_images
from humbleyolo.process.terminal import counted
from humbleyolo.storage.new_folder import new_folder


@dataclass(frozen=True, slots=True)
class Converted:
    """The result of a conversion.

    Attributes:
        read_as: Format that was read; `because`: the evidence for it.
        images: Images written; likewise `boxes`.
        rows: The ledger.
    """

    read_as: str
    because: str
    images: int
    boxes: int
    rows: list[Finding]


def convert(source: Path, target: Path, to: str, options: ReadOptions, how: Placement = "copy") -> Converted:
    """Write a labelled folder or archive in another format, in a new folder.

    Boxes keep every digit: reading the result gives coordinates that differ by less than 1e-6 pixels. Splits,
    classes and background images go along. Facts that the new format has no place for get a note. Boxes are
    those of the upright image. The source may be the folder of a generated dataset too. The target must be
    missing or empty. If its name ends in `.zip`, it becomes an archive; `to` is one of `registry.WRITABLE`.

    Raises:
        UserError: If the source cannot be read, the target not written, or the format is not known.
        ProblemsError: For mistakes in the source, with all of them, if `on_problem` is `error`.
    """
    if to not in WRITABLE:
        raise UserError(f"format {to!r} cannot be written; allowed: {', '.join(WRITABLE)}")
    if source.is_dir() and source.resolve() in target.resolve().parents:
        raise UserError(f"{target}: lies in {source}, which is read and never written to; give another place")
    if how == "link" and is_archive(target.name):
        raise UserError(f"{target}: an archive holds no links; copy the images, or give a folder")
    chosen = WRITABLE[to]
    ledger = Ledger(options.on_problem)
    with open_source(source) as opened:
        labelled = collect(opened, options, ledger)
        for image in labelled.images:
            if len(image.splits) > 1:
                error = BadInput("split-lists", f"in {' and '.join(image.splits)}", ONE_LIST)
                ledger.problem(image.path, error, "kept in the first of test, val, train")
        ledger.stop_on_errors(opened.name)
        if not labelled.images:
            raise UserError(f"{source}: nothing left of {counted(labelled.images_seen, 'image')}: each has problems")
        items = name_images(labelled.images, ledger)
        _note_losses(to, labelled, ledger)
        with new_folder(target) as folder:
            place_images(opened, items, folder / chosen.IMAGES, how)
            chosen.write(WrittenSet(items, labelled.classes, folder))
    boxes = sum(len(item.image.labels) for item in items)
    return Converted(labelled.format, labelled.why, len(items), boxes, ledger.rows)


def _note_losses(to: str, labelled: LabelledSet, ledger: Ledger) -> None:
    """Note the facts that the format has no place for: all but boxes, their classes, and splits."""
    flags = Counter(flag for image in labelled.images for some in image.flags for flag in some)
    groups = {image.group for image in labelled.images if image.group}
    used = {label for image in labelled.images for label in image.labels}
    lost: list[tuple[str, str]] = []
    if to == "yolo":
        told = {flag: counted(flags[flag], f"{flag} box", f"{flag} boxes") for flag in sorted(flags)}
        lost += [("flag-lost", text) for text in told.values()]
    if to != "csv" and groups:
        lost.append(("group-lost", counted(len(groups), "group of images", "groups of images")))
    if to in ("csv", "voc", "labelme", "label_studio"):
        lost += [("class-lost", f"class {name} has no box") for name in labelled.classes if name not in used]
    for kind, found in lost:
        ledger.note(".", BadInput(kind, found, f"{to} has no place for it"), "not written")
