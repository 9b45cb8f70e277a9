"""The labelled source of `generate`: a labelled folder becomes the dataset's three archives."""

import posixpath
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humbleyolo.dataset.archive import SPLITS, ArchiveWriter
from humbleyolo.dataset.summary import SplitCounts
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.labels.folder import IMAGE_BYTES, Source, open_source
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import LabelledImage, ReadOptions
from humbleyolo.labels.ledger import Finding, Ledger, write_ledger
from humbleyolo.labels.split_rules import SplitOptions, divide, drop_leaks
from humbleyolo.params.keys import Key
from humbleyolo.params.sections import Labelled
from humbleyolo.storage.atomic import make_folder


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a labelled folder.

    Attributes:
        read_as: Format that was read; `because`: what told.
        counts: What each split holds.
        rows: The ledger.
    """

    read_as: str
    because: str
    counts: dict[str, SplitCounts]
    rows: list[Finding]


def find_problems(folder: Path) -> list[tuple[Key, str]]:
    """Return what is wrong with the labelled folder itself: for each mistake its key, from the top, and a text."""
    with suppress(OSError, ValueError):
        folder.stat()
        return []
    fix = "allowed: a folder, or a zip archive, with images and labels; put it there or correct the path"
    return [(("dataset", "inputs"), f"'{folder}' does not exist; {fix}")]


def write_splits(out: Path, params: Labelled, folder: Path, seed: int) -> Written:
    """Read a labelled folder or archive, divide it, and write the dataset.

    Written are `train.zip`, `val.zip`, `test.zip` and `ledger.csv`. Images go into the archives as they are,
    byte by byte, under their own names. What else is known of a box (`iscrowd`, `difficult`, `occluded`,
    `truncated`) goes with it.

    Args:
        out: The dataset's folder; made where it is missing.
        params: What only the person who labelled can know, and how images are divided.
        folder: The labelled folder, or a zip archive.
        seed: Of the division by hash.

    Raises:
        ProblemsError: With every mistake of every file, where `on_problem` is `error`; nothing is written
            then.
        UserError: Where the folder cannot be read, or a split stays empty.
    """
    options = ReadOptions(
        params.format, tuple(params.classes), params.one_based, params.exif, params.on_problem
    )
    fractions = params.split.fractions
    split = SplitOptions(
        by=params.split.by,
        fractions=(fractions.train, fractions.val, fractions.test),
        group=params.split.group,
        stratify=params.split.stratify,
        seed=seed,
    )
    ledger = Ledger(options.on_problem)
    with open_source(folder) as source:
        labelled = collect(source, options, ledger)
        splits = drop_leaks(divide(labelled.images, split, ledger), ledger)
        ledger.stop_on_errors(source.name)
        for name in SPLITS:
            if not splits[name]:
                raise UserError(
                    f"{source.name}: every image of {name} has problems; see them with on_problem: error"
                )
        make_folder(out)
        names = short_names(labelled.images)
        counts = {
            name: _write_archive(out / f"{name}.zip", splits[name], labelled.classes, names, source)
            for name in SPLITS
        }
    write_ledger(out / "ledger.csv", ledger.rows)
    return Written(labelled.format, labelled.why, counts, ledger.rows)


def short_names(records: Sequence[LabelledImage]) -> dict[str, str]:
    """Return each image's path without the folders that all images share."""
    paths = [record.path for record in records]
    shared = posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""
    return {path: path[len(shared) + 1 :] if shared else path for path in paths}


def _write_archive(
    path: Path,
    records: Sequence[LabelledImage],
    classes: Sequence[str],
    names: dict[str, str],
    source: Source,
) -> SplitCounts:
    indices = {name: index for index, name in enumerate(classes)}
    counts = SplitCounts(classes)
    with ArchiveWriter(path, classes) as archive:
        for record in sorted(records, key=lambda one: names[one.path]):
            boxes = xyxy_to_ltwh(record.boxes)
            labels = [indices[label] for label in record.labels]
            counts.add(boxes.tolist(), labels)
            archive.add(
                names[record.path],
                source.read(record.path, IMAGE_BYTES),
                record.height,
                record.width,
                boxes,
                labels,
                [_fields(flags) for flags in record.flags],
            )
    return counts


def _fields(flags: frozenset[str]) -> dict[str, Any]:
    """Return COCO's own key for crowds; the others as CVAT writes them, where there are any."""
    others = dict.fromkeys(sorted(flags - {"crowd"}), True)
    return {"iscrowd": int("crowd" in flags)} | ({"attributes": others} if others else {})
