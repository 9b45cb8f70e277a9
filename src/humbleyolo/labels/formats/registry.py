"""The formats, by name, and which one a folder is in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humbleyolo.errors import UserError
from humbleyolo.labels.folder import Source, open_source
from humbleyolo.labels.formats import (
    article,
    bbox_label_tool,
    coco,
    csv_table,
    cvat,
    labelme,
    open_images,
    voc,
    yolo,
)
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions, UncheckedSet
from humbleyolo.labels.ledger import Ledger
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.validate import validate
from humbleyolo.labels.writing import WrittenSet


@dataclass(frozen=True)
class Format:
    """One format.

    Its module has `detect(source)`, `read(context)` and, for those in `WRITABLE`, `write(export)`. `read`
    reports what it cannot use to the ledger and goes on; it raises nothing for bad input.
    """

    name: str
    title: str
    module: Any

    def detect(self, source: Source) -> str:
        """Return why the source is in this format; empty where it is not."""
        return str(self.module.detect(source))

    def read(self, context: SourceReader) -> UncheckedSet:
        """Return what the label files say."""
        reading: UncheckedSet = self.module.read(context)
        return reading

    @property
    def image_folder(self) -> str:
        """Where the format's `write` expects the images to lie."""
        return str(self.module.IMAGES)

    def write(self, export: WrittenSet) -> None:
        """Write the label files; the images lie in `image_folder` already.

        Raises:
            OSError: Where a file cannot be written.
        """
        self.module.write(export)


FORMATS = {
    one.name: one
    for one in (
        Format("voc", "Pascal VOC XML (LabelImg)", voc),
        Format("yolo", "YOLO text (Yolo Mark, LabelImg, CVAT, Ultralytics)", yolo),
        Format("coco", "COCO JSON", coco),
        Format("cvat", "CVAT for images 1.1 and for video 1.1 XML", cvat),
        Format("bbox_label_tool", "BBox-Label-Tool text", bbox_label_tool),
        Format("labelme", "LabelMe JSON", labelme),
        Format("open_images", "Open Images CSV", open_images),
        Format("csv", "CSV: image,label,xmin,ymin,xmax,ymax", csv_table),
        Format("article", "the article's Images/ and Labels/", article),
    )
}


WRITABLE = ("voc", "yolo", "coco", "cvat", "csv")


def detect_format(source: Source) -> tuple[Format, str]:
    """Return the one format that the source is in, and why.

    Raises:
        UserError: Where none fits, or more than one.
    """
    fits = [(one, why) for one in FORMATS.values() if (why := one.detect(source))]
    if len(fits) == 1:
        return fits[0]
    if fits:
        found = "; ".join(f"{one.name} ({why})" for one, why in fits)
        raise UserError(f"{source.name}: fits {len(fits)} formats: {found}. Say which with format")
    counts = f"{len(source.names)} files, {len(source.images())} of them images"
    if source.left_out:
        name, reason = source.left_out[0]
        counts += f" ({len(source.left_out)} more are not read, such as {name}: {reason})"
    known = "\n  ".join(f"{one.name}: {one.title}" for one in FORMATS.values())
    raise UserError(f"{source.name}: no known labels among {counts}. Known formats:\n  {known}")


def collect(source: Source, options: ReadOptions, ledger: Ledger) -> LabelledSet:
    """Read a labelled source: every image and box that passes the rules, the rest in the ledger.

    Mistakes stop nothing here, so that a caller can find more of them; see `Ledger.stop_on_errors`.

    Args:
        source: The folder or archive.
        options: What only the person who labelled can know.
        ledger: Where rows go.

    Raises:
        UserError: Where the format is not known, or there is nothing to read.
    """
    if options.format == "auto":
        chosen, why = detect_format(source)
    elif options.format in FORMATS:
        chosen, why = FORMATS[options.format], "as told"
    else:
        raise UserError(f"format {options.format!r} is not known; allowed: auto, {', '.join(FORMATS)}")
    reading = chosen.read(SourceReader(source, options, ledger))
    labelled = validate(source, reading, options, ledger)
    labelled.format, labelled.why = chosen.name, why
    return labelled


def read_source(source: Source, options: ReadOptions, ledger: Ledger | None = None) -> LabelledSet:
    """As `collect`, but stop at mistakes as the policy says.

    Raises:
        UserError: As `collect`, and where no image is left.
        ProblemsError: With every mistake, where `on_problem` is `error`.
    """
    ledger = ledger if ledger is not None else Ledger(options.on_problem)
    labelled = collect(source, options, ledger)
    ledger.stop_on_errors(source.name)
    if not labelled.images:
        raise UserError(f"{source.name}: nothing left: all {labelled.images_seen} images have problems")
    return labelled


def read_labelled(path: Path, options: ReadOptions) -> LabelledSet:
    """Open and read a folder or archive; see `read_source`."""
    with open_source(path) as source:
        return read_source(source, options)
