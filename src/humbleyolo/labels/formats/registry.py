"""The table of label formats, and the choice of the one that a folder is in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.added_sets import part_off, put_into_train, put_joined_into_train
from humbleyolo.labels.agreement import agreed
from humbleyolo.labels.corrections import merge_copies
from humbleyolo.labels.formats import (
    article,
    bbox_label_tool,
    coco,
    csv_table,
    cvat,
    json_formats,
    label_studio,
    labelme,
    mot,
    open_images,
    text_tables,
    via,
    voc,
    yolo,
)
from humbleyolo.labels.formats.unknown import unknown
from humbleyolo.labels.image_lists import mark_listed
from humbleyolo.labels.label_set import LabelSet, read_content, read_set
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions, UncheckedSet
from humbleyolo.labels.parts import Part, find_parts, names_for, refuse_unlabelled, splits_listed, unite
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.unlabelled import unlabelled_images
from humbleyolo.labels.validate import Inspect, validate
from humbleyolo.labels.writing import WrittenSet


class Format(Protocol):
    """The functions of a format's module."""

    def detect(self, source: Source, /) -> str:
        """Return the evidence that the source is in this format; empty if it is not."""

    def read(self, reader: SourceReader, /) -> UncheckedSet:
        """Return the content of the label files. Bad input goes to the ledger and raises nothing."""


class WritableFormat(Protocol):
    """The part of a format's module that writes."""

    IMAGES: str
    """Folder in which the label files expect the images."""

    def write(self, out: WrittenSet, /) -> None:
        """Write the label files; the images lie in `IMAGES` already.

        Raises:
            OSError: If a file cannot be written.
        """


class Row(NamedTuple):
    """A format's title and module."""

    title: str
    module: Format


FORMATS: dict[str, Row] = {
    "voc": Row("Pascal VOC XML (LabelImg)", voc),
    "yolo": Row("YOLO text (Yolo Mark, LabelImg, CVAT, Ultralytics)", yolo),
    "coco": Row("COCO JSON", coco),
    "cvat": Row("CVAT for images 1.1 and for video 1.1 XML", cvat),
    "bbox_label_tool": Row("BBox-Label-Tool text", bbox_label_tool),
    "labelme": Row("LabelMe JSON", labelme),
    "label_studio": Row("Label Studio JSON, JSON-MIN, CSV and TSV", label_studio),
    "via": Row("VIA JSON and CSV", via.VIA),
    "createml": Row("CreateML JSON", json_formats.CREATEML),
    "datumaro": Row("Datumaro JSON", json_formats.DATUMARO),
    "supervisely": Row("Supervisely's ann/ and img/", json_formats.SUPERVISELY),
    "imagefolder": Row("Hugging Face imagefolder: metadata.jsonl with objects", json_formats.IMAGEFOLDER),
    "kitti": Row("KITTI text: image_2/ and label_2/", text_tables.KITTI),
    "mot": Row("MOT: gt/gt.txt and img1/", mot),
    "oidv4": Row("OIDv4 ToolKit's Label/", text_tables.OIDV4),
    "open_images": Row("Open Images CSV", open_images),
    "csv": Row("CSV: image,label,xmin,ymin,xmax,ymax, others by their columns, and Keras TXT", csv_table),
    "article": Row("the article's Images/ and Labels/", article),
}
WRITABLE: dict[str, WritableFormat] = {
    "voc": voc,
    "yolo": yolo,
    "coco": coco,
    "cvat": cvat,
    "csv": csv_table,
    "labelme": labelme,
    "label_studio": label_studio,
}


def _detect(source: Source) -> dict[str, str]:
    """Return the formats that the source fits, and the evidence for each."""
    return {name: why for name, row in FORMATS.items() if (why := row.module.detect(source))}


def collect(source: Source, options: ReadOptions, ledger: Ledger, inspect: Inspect | None = None) -> LabelledSet:
    """Read a labelled source: every image and box that passes the rules, the rest in the ledger.

    Several label sets that say the same are read as one, and several parts as their union. Copies of an image must be
    labelled alike, unless they are corrections. Mistakes stop nothing here, so that a caller can find more of
    them; see `Ledger.stop_on_errors`. `inspect` is that of `validate`.

    Raises:
        UserError: If the source, or a part, is in no format; if two label sets differ; if there is nothing to read.
    """
    parts = find_parts(source, options, _detect)
    if not parts:
        fits: Mapping[str, str] = _detect(source) if options.format == "auto" else {options.format: "as told"}
        parts = [Part("", source, fits, ())]
    parts = [each for part in parts for each in _part_off(part, parts, options)]
    if len(parts) == 1 and parts[0].source is source:
        labelled = _read(source, parts[0].fits, options, options.classes, ledger, inspect)
        labelled.images = merge_copies([("", image) for image in labelled.images], ledger)
        listed = [("", labelled.listed)]
    else:
        refuse_unlabelled(source, parts)
        read = []
        for part in parts:
            own = Ledger(ledger.on_problem)
            names = names_for(part, parts, options, own)
            read.append((part, _read(part.source, part.fits, options, names, own, inspect)))
        labelled = unite(source, read, ledger)
        listed = [(part.name, splits_listed(part, one)) for part, one in read]
    labelled.images = put_into_train(labelled.images, source.names, listed)
    return labelled


def _part_off(part: Part, parts: Sequence[Part], options: ReadOptions) -> list[Part]:
    """Return a part without the sets that were added to it, and these; see `added_sets`."""

    def read_sets(one: Part) -> list[LabelSet]:
        reading = replace(options, classes=names_for(one, parts, options, Ledger("error")))
        return _read_sets(one.source, one.fits, reading)

    return part_off(part, options, _detect, read_sets)


def _read_sets(source: Source, fits: Mapping[str, str], options: ReadOptions) -> list[LabelSet]:
    """Return the label set in each format that a source fits."""
    return [read_set(name, why, FORMATS[name].module.read, source, options) for name, why in fits.items()]


def _read(
    source: Source,
    fits: Mapping[str, str],
    options: ReadOptions,
    names: tuple[str, ...],
    ledger: Ledger,
    inspect: Inspect | None,
) -> LabelledSet:
    """Read a source that is one labelled set; `names` are those of its class numbers, if the person gave any."""
    reading = replace(options, classes=names)
    if not fits:
        raise unknown(source, {name: row.title for name, row in FORMATS.items()})
    if len(fits) > 1:
        one = agreed(source, _read_sets(source, fits, reading), options, ledger)
        chosen, why, content = one.format, one.why, one.content
    else:
        [(chosen, why)] = fits.items()
        reader = SourceReader(source, reading, ledger)
        content = read_content(reader, chosen, FORMATS[chosen].module.read)
    unlabelled = unlabelled_images(source, content.images)
    mark_listed(SourceReader(source, reading, ledger), content.images, unlabelled)
    put_joined_into_train(content)
    labelled = validate(source, content, options, ledger, inspect, unlabelled)
    labelled.format, labelled.why = chosen, why
    return labelled
