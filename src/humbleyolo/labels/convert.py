"""A labelled folder in one format, written in another: `humbleyolo convert`."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.labels.folder import open_source
from humbleyolo.labels.formats.registry import FORMATS, WRITABLE, collect
from humbleyolo.labels.labelled_image import LabelledImage, LabelledSet, ReadOptions
from humbleyolo.labels.ledger import BadInput, Finding, Ledger
from humbleyolo.labels.writing import Images, WrittenSet, make_items, new_folder, place_images


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion did.

    Attributes:
        read_as: Format that was read; `because`: what told.
        images: Written; likewise `boxes`.
        rows: The ledger.
    """

    read_as: str
    because: str
    images: int
    boxes: int
    rows: list[Finding]


def convert(source: Path, target: Path, to: str, options: ReadOptions, images: Images = "copy") -> Converted:
    """Write a labelled folder or archive in another format, in a new folder.

    Boxes keep every digit: reading the result gives coordinates that differ by less than 1e-6 pixels. Splits,
    classes and background images go along; what the new format has no place for gets a note. Boxes are those of
    the upright image.

    Args:
        source: Folder or zip archive, in any format; also the folder of a generated dataset.
        target: A folder that does not exist yet, or is empty.
        to: One of `formats.WRITABLE`.
        options: How the source is read.
        images: Whether image files are copied or linked to.

    Raises:
        UserError: Where the source cannot be read, the target not written, or the format is not known.
        ProblemsError: With every mistake in the source, where `on_problem` is `error`.
    """
    if to not in WRITABLE:
        raise UserError(f"format {to!r} cannot be written; allowed: {', '.join(WRITABLE)}")
    if source.is_dir() and source.resolve() in target.resolve().parents:
        raise UserError(f"{target}: lies in {source}, which is read and never written to; give another place")
    chosen = FORMATS[to]
    ledger = Ledger(options.on_problem)
    with open_source(source) as opened:
        labelled = collect(opened, options, ledger)
        _report_two_lists(labelled.images, ledger)
        ledger.stop_on_errors(opened.name)
        if not labelled.images:
            raise UserError(f"{source}: nothing left: all {labelled.images_seen} images have problems")
        items = make_items(labelled.images, ledger)
        _note_losses(to, labelled, ledger)
        with new_folder(target) as folder:
            place_images(opened, items, folder / chosen.image_folder, images)
            chosen.write(WrittenSet(items, labelled.classes, folder))
    boxes = sum(len(item.image.labels) for item in items)
    return Converted(labelled.format, labelled.why, len(items), boxes, ledger.rows)


def _report_two_lists(records: list[LabelledImage], ledger: Ledger) -> None:
    for record in records:
        if len(record.splits) > 1:
            error = BadInput(
                "split-lists",
                f"in {' and '.join(record.splits)}",
                "an image is in one list; correct the lists",
            )
            ledger.problem(record.path, error, "kept in the first of test, val, train")


def _note_losses(to: str, labelled: LabelledSet, ledger: Ledger) -> None:
    """Note what is known and the format has no place for: all but boxes, their classes, and splits."""
    boxes = [pair for record in labelled.images for pair in zip(record.labels, record.flags, strict=True)]
    why = f"{to} has no place for it"
    if to == "yolo":
        for flag, count in sorted(Counter(flag for _, flags in boxes for flag in flags).items()):
            ledger.note(".", BadInput("flag-lost", f"{count} boxes are {flag}", why), "not written")
    groups = {record.group for record in labelled.images if record.group}
    if to != "csv" and groups:
        lost = BadInput("group-lost", f"{len(groups)} groups of images", why)
        ledger.note(".", lost, "not written")
    if to in ("csv", "voc"):
        used = {label for label, _ in boxes}
        for name in labelled.classes:
            if name not in used:
                lost = BadInput("class-lost", f"class {name} has no box", why)
                ledger.note(".", lost, "not written")
