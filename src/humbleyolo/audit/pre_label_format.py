"""The format of proposed labels: that of the project's labelled folder, so that they can be put back into it."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.box_rules import turn
from humbleyolo.labels.formats.registry import FORMATS, WRITABLE, collect
from humbleyolo.labels.formats.yolo_dataset_files import read_dataset_files
from humbleyolo.labels.label_set import read_set
from humbleyolo.labels.labelled_image import LabelledImage, ReadOptions
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Dataset

OTHERWISE = "voc"
"""The format where the folder's own cannot be taken."""

_INVERSE = {6: 8, 8: 6}  # EXIF orientations; every other one undoes itself


@dataclass(frozen=True, slots=True)
class PreLabelFormat:
    """A format of `registry.WRITABLE`, and the facts that the labelled folder is read by.

    Attributes:
        name: The format.
        why: Reason for it, after `format NAME: `.
        options: Facts that params.yaml states of the folder, if labels are to be put into it.
        classes: Names of the folder's class numbers, in order; empty if it has none, or several lists.
    """

    name: str
    why: str
    options: ReadOptions | None = None
    classes: tuple[str, ...] = ()

    def numbered(self, names: Sequence[str], used: Container[str]) -> tuple[tuple[str, ...], list[str]]:
        """Return the class names in the order that labels are to number them, and notes on these numbers.

        The order is that of the folder, with those of `used` that it lacks at the end; if it has none, that of the
        model's `names`.
        """
        added = [name for name in names if name in used and name not in self.classes] if self.classes else []
        notes = [
            f"the labelled folder's list of classes lacks {name!r}: add it at the end there, as here"
            for name in added
        ]
        if not self.classes and self.options is not None:
            notes.append("the numbers of classes are those of data.yaml, which must stay beside the labels")
        return (*self.classes, *added) or tuple(names), [f"note: {one}" for one in notes if self.name == "yolo"]

    def write_class_list(self, folder: Path, classes: Sequence[str]) -> None:
        """Write the list of YOLO's classes that LabelImg looks for beside the labels."""
        if self.name == "yolo":
            (folder / "labels" / "classes.txt").write_text(
                "".join(f"{name}\n" for name in classes), "utf-8", newline="\n"
            )

    def as_read(self, image: LabelledImage) -> LabelledImage:
        """Return an image with upright boxes counted from 0 as the folder's labels have them.

        That is, of the image as stored (`exif`), and from 1 (`one_based`, VOC).
        """
        if self.options is None:
            return image
        orientation = image.info.orientation
        boxes, height, width = image.boxes, image.height, image.width
        if self.options.exif == "stored" and orientation != 1:
            turned = [turn(box, _INVERSE.get(orientation, orientation), (height, width)) for box in boxes]
            boxes = np.array(turned, np.float64).reshape(-1, 4)
            height, width = image.info.height, image.info.width
        if self.options.one_based and self.name == "voc":
            boxes = boxes + np.array([1, 1, 0, 0])
        return replace(image, boxes=boxes, height=height, width=width)


def choose_format(params: Path) -> PreLabelFormat:
    """Return the format of the labelled folder that a parameter file names, if it can be written, and else VOC."""
    if not params.is_file():
        return PreLabelFormat(OTHERWISE, f"there is no {params}")
    try:
        [dataset] = load_params(params, "dataset")
    except UserError:
        return PreLabelFormat(OTHERWISE, f"{params} has mistakes; see `humbleyolo params`")
    if dataset.source != "labelled":
        return PreLabelFormat(OTHERWISE, f"{params} has no labelled folder")
    return _of_folder(params.parent, dataset)


def _of_folder(project: Path, dataset: Dataset) -> PreLabelFormat:
    """Return the format of a project's labelled folder; VOC if it cannot be read or written."""
    options = ReadOptions.from_section(dataset.labelled)
    folder = dataset.inputs
    try:
        with open_source(project / folder) as source:
            classes = _class_numbers(source, options)
            formats, twice = _formats(source, options)
    except UserError:
        return PreLabelFormat(OTHERWISE, f"{folder} cannot be read; see `humbleyolo check {folder}`", options)
    if twice:
        name = next(one for one in (OTHERWISE, *WRITABLE) if one not in twice)
        return PreLabelFormat(name, f"{folder} has the same labels as {' and '.join(twice)}", options, classes)
    own = next((one for one in formats if one in WRITABLE), "")
    if own:
        return PreLabelFormat(own, f"that of {folder}; --to gives another", options, classes)
    lost = ", ".join(formats)
    why = f"{folder} is {lost}, which is not written"
    if options.format != "auto":  # or no other format would be read
        why = f"{lost} is not written; set dataset.labelled.format to auto"
    return PreLabelFormat(OTHERWISE, why, options, classes)


def _formats(source: Source, options: ReadOptions) -> tuple[list[str], list[str]]:
    """Return the formats of a source, the first part's first, and all those in which it says the same again.

    Images are looked at only if it fits several.

    Raises:
        UserError: If the source cannot be read.
    """
    if options.format != "auto":
        return [options.format], []
    fits = {name: why for name, row in FORMATS.items() if (why := row.module.detect(source))}
    if len(fits) == 1:
        return [*fits], []
    read = collect(source, options, Ledger("error")).format.split(", ")
    again = [
        name
        for name, why in fits.items()
        if name not in read and read_set(name, why, FORMATS[name].module.read, source, options).content.images
    ]
    return read, [*read, *again] if again else []


def _class_numbers(source: Source, options: ReadOptions) -> tuple[str, ...]:
    """Return the names of the class numbers: those told, or those of the only list of a YOLO dataset."""
    if options.classes:
        return options.classes
    lists = {*read_dataset_files(SourceReader(source, options, Ledger("error"))).by_folder.values()}
    return next(iter(lists)) if len(lists) == 1 else ()
