"""The labelled source of `generate`: a labelled folder becomes the dataset's three archives."""

import json
import posixpath
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from humbleyolo.archive import ArchiveWriter
from humbleyolo.boxes import xyxy_to_ltwh
from humbleyolo.errors import UserError
from humbleyolo.files import atomic_write, make_folder
from humbleyolo.labels.formats import collect
from humbleyolo.labels.gather import Labelled
from humbleyolo.labels.ledger import Ledger, write_ledger
from humbleyolo.labels.record import Options, Record
from humbleyolo.labels.source import IMAGE_BYTES, Source, open_source
from humbleyolo.labels.splits import SPLITS, SplitOptions, divide, drop_leaks


def write_splits(folder: Path, options: Options, split: SplitOptions, out: Path) -> dict[str, int]:
    """Read a labelled folder or archive, divide it, and write the dataset.

    Written are `train.zip`, `val.zip`, `test.zip`, `ledger.csv` and `summary.json`. Images go into the
    archives as they are, byte by byte, under their own names. What else is known of a box (`iscrowd`,
    `difficult`, `occluded`, `truncated`) goes with it.

    Args:
        folder: The labelled folder, or a zip archive.
        options: What only the person who labelled can know.
        split: How images are divided.
        out: The dataset's folder; made where it is missing.

    Returns:
        Number of images in each split.

    Raises:
        ProblemsError: With every mistake of every file, where `on_problem` is `error`; nothing is written
            then.
        UserError: Where the folder cannot be read, or a split stays empty.
    """
    ledger = Ledger(options.on_problem)
    with open_source(folder) as source:
        labelled = collect(source, options, ledger)
        splits = drop_leaks(divide(labelled.records, split, ledger), ledger)
        ledger.stop_on_errors(source.name)
        for name in SPLITS:
            if not splits[name]:
                raise UserError(
                    f"{source.name}: every image of {name} has problems; see them with on_problem: error"
                )
        make_folder(out)
        names = short_names(labelled.records)
        for name in SPLITS:
            _write_archive(out / f"{name}.zip", splits[name], labelled.classes, names, source)
    write_ledger(out / "ledger.csv", ledger.rows)
    with atomic_write(out / "summary.json") as file:
        file.write((json.dumps(summarise(labelled, splits), indent=2, ensure_ascii=False) + "\n").encode())
    return {name: len(splits[name]) for name in SPLITS}


def short_names(records: Sequence[Record]) -> dict[str, str]:
    """Return each image's path without the folders that all images share."""
    paths = [record.image for record in records]
    shared = posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""
    return {path: path[len(shared) + 1 :] if shared else path for path in paths}


def _write_archive(
    path: Path, records: Sequence[Record], classes: Sequence[str], names: dict[str, str], source: Source
) -> None:
    indices = {name: index for index, name in enumerate(classes)}
    with ArchiveWriter(path, classes) as archive:
        for record in sorted(records, key=lambda one: names[one.image]):
            archive.add(
                names[record.image],
                source.read(record.image, IMAGE_BYTES),
                record.height,
                record.width,
                xyxy_to_ltwh(record.boxes),
                [indices[label] for label in record.labels],
                [_fields(flags) for flags in record.flags],
            )


def _fields(flags: frozenset[str]) -> dict[str, Any]:
    """Return COCO's own key for crowds; the others as CVAT writes them, where there are any."""
    others = dict.fromkeys(sorted(flags - {"crowd"}), True)
    return {"iscrowd": int("crowd" in flags)} | ({"attributes": others} if others else {})


def summarise(labelled: Labelled, splits: dict[str, list[Record]]) -> dict[str, Any]:
    """Return what the dataset holds: images, boxes, background images and classes of each split, and the findings."""
    summary: dict[str, Any] = {
        "format": labelled.format,
        "format_because": labelled.why,
        "classes": list(labelled.classes),
        "images_read": labelled.images_seen,
        "boxes_read": labelled.boxes_seen,
        "findings": labelled.ledger.counts(),
        "splits": {},
    }
    for name, records in splits.items():
        counts = Counter(label for record in records for label in record.labels)
        sizes = np.array([(record.height, record.width) for record in records]).reshape(-1, 2)
        summary["splits"][name] = {
            "images": len(records),
            "background_images": sum(not record.labels for record in records),
            "boxes": sum(counts.values()),
            "boxes_by_class": {label: counts[label] for label in labelled.classes},
            "smallest_image": sizes.min(axis=0).tolist() if len(sizes) else None,  # height, width
            "largest_image": sizes.max(axis=0).tolist() if len(sizes) else None,
        }
    return summary
