"""The labelled source of `generate`: a labelled folder becomes the archives of three splits."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from humbleyolo.dataset.archive import SPLITS, ArchiveWriter
from humbleyolo.dataset.archive_choice import choose_archives, content_key, require_few
from humbleyolo.dataset.archived_split import ENDING, begin_split
from humbleyolo.dataset.summary import SplitCounts
from humbleyolo.errors import UserError
from humbleyolo.inputs.folder import IMAGE_BYTES, Source
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Finding, Ledger, write_ledger
from humbleyolo.labels.formats.coco import flag_fields
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import LabelledImage, ReadOptions
from humbleyolo.params.sections import Labelled
from humbleyolo.splits.split_rules import divide
from humbleyolo.storage.atomic import atomic_write, make_folder, require_space


@dataclass(frozen=True, slots=True)
class Written:
    """The result of writing a labelled folder as a dataset.

    Attributes:
        read_as: Format that was read; `because`: the evidence for it.
        counts: Contents of each split.
        division: Lines about the number of images of each split, and images kept together.
        rows: The ledger.
    """

    read_as: str
    because: str
    counts: dict[str, SplitCounts]
    division: list[str]
    rows: list[Finding]


NO_BOX = "nothing can be learned; label objects, or see what was left out and why with on_problem: error"


def write_splits(out: Path, params: Labelled, folder: Path, seed: int, archive_images: int) -> Written:
    """Read a labelled folder or archive, divide it, and write the dataset.

    Written are the folders `train`, `val` and `test` of archives, and `ledger.csv`. An archive holds `archive_images`
    images at most; which one follows from an image's content. Images go into the archives as they are, byte for byte,
    under their own names. The flags of a box (`iscrowd`, `difficult`, `occluded`, `truncated`) go with it. The
    dataset's folder, `out`, is made if it is missing.

    Raises:
        ProblemsError: For mistakes, with those of every file, if `on_problem` is `error`; nothing is written then.
        UserError: If the folder cannot be read, a split stays empty, or there are too many archives.
    """
    options = ReadOptions.from_section(params)
    ledger = Ledger(options.on_problem)
    with open_source(folder) as source:
        labelled = collect(source, options, ledger)
        division = divide(labelled.images, params.split, seed, ledger, labelled.listed)
        ledger.stop_on_errors(source.name)
        splits = division.splits
        if empty := [name for name in SPLITS if not splits[name]]:
            why = next((f"{row.what}: {row.why}" for row in ledger.rows if row.kind == "split-empty"), "")
            all_wrong = f"every image of {empty[0]} has problems; see them with on_problem: error"
            raise UserError(f"{source.name}: {why or all_wrong}")
        make_folder(out)
        if not any(image.labels for image in labelled.images):
            raise UserError(f"{source.name}: no image has a box; {NO_BOX}")
        require_space(out, sum(image.info.length for image in labelled.images))
        names = short_names(labelled.images)
        sorted_splits = {name: sorted(splits[name], key=lambda one: names[one.path]) for name in SPLITS}
        archives = {
            name: choose_archives([content_key(one.info.sha256) for one in images], archive_images)
            for name, images in sorted_splits.items()
        }
        require_few(archives, archive_images)
        counts = {
            name: _write_split(out / name, images, archives[name], labelled.classes, names, source)
            for name, images in sorted_splits.items()
        }
    with atomic_write(out / "ledger.csv") as file:
        write_ledger(file, ledger.rows)
    return Written(labelled.format, labelled.why, counts, division.lines(), ledger.rows)


def short_names(images: Sequence[LabelledImage]) -> dict[str, str]:
    """Return each image's path without the folders that all images share."""
    paths = [image.path for image in images]
    shared = posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""
    return {path: path[len(shared) + 1 :] if shared else path for path in paths}


def _write_split(
    folder: Path,
    images: Sequence[LabelledImage],
    archives: Mapping[str, Sequence[int]],
    classes: Sequence[str],
    names: Mapping[str, str],
    source: Source,
) -> SplitCounts:
    """Write a split's archives, given the numbers of their images; images are sorted by their short names."""
    indices = {name: index for index, name in enumerate(classes)}
    counts = SplitCounts(classes)
    begin_split(folder)
    for archive_name, numbers in archives.items():
        with ArchiveWriter(folder / f"{archive_name}{ENDING}", classes) as archive:
            for image in map(images.__getitem__, numbers):
                boxes = image.boxes_ltwh
                labels = [indices[label] for label in image.labels]
                counts.add(boxes.tolist(), labels)
                archive.add(
                    names[image.path],
                    source.read(image.path, IMAGE_BYTES),
                    image.height,
                    image.width,
                    boxes,
                    labels,
                    [flag_fields(flags) for flags in image.flags],
                )
    return counts
