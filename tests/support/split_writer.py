"""A split of one archive, written image by image; and cut into several."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from humbleyolo.dataset.archive import ArchiveWriter
from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.archived_split import ENDING, ArchivedSplit, begin_split


def write_split(folder: Path, categories: Sequence[str]) -> ArchiveWriter:
    """Return the writer of the only archive of a split, whose folder is made if it is missing."""
    return ArchiveWriter(begin_split(folder) / f"{ALL}{ENDING}", categories)


def cut_split(split: Path, folder: Path, counts: Mapping[str, int]) -> Path:
    """Write the images of a split into archives of so many, in their order, and return the folder of these."""
    begin_split(folder)
    with ArchivedSplit(split) as opened:
        images = opened.images()
        for name, count in counts.items():
            with ArchiveWriter(folder / f"{name}{ENDING}", opened.categories) as writer:
                for one in islice(images, count):
                    fields = [{"iscrowd": annotation["iscrowd"]} for annotation in one.annotations]
                    size = (one.height, one.width)
                    writer.add(one.file_name, one.image_bytes, *size, one.boxes_ltwh, one.labels, fields)
        assert next(images, None) is None
    return folder
