"""Images with labels that a program proposes, written for a labelling tool, in which a person corrects them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.formats.registry import WRITABLE
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.writing import WrittenImage, WrittenSet, name_images

Proposal = tuple[LabelledImage, Callable[[], bytes]]
"""An image with its labels, and a function that returns the bytes of its file."""


def write_pre_labels(
    folder: Path, to: str, proposals: Sequence[Proposal], classes: tuple[str, ...]
) -> tuple[list[WrittenImage], list[str]]:
    """Write images, and their labels in a format of `registry.WRITABLE`, into an empty folder.

    Returns:
        The images with their names, and a line for each one that had to be renamed.

    Raises:
        OSError: If a file cannot be written.
        UserError: If an image cannot be read.
    """
    items, notes = write_images(folder / WRITABLE[to].IMAGES, proposals)
    WRITABLE[to].write(WrittenSet(items, classes, folder))
    return items, notes


def write_images(folder: Path, proposals: Sequence[Proposal]) -> tuple[list[WrittenImage], list[str]]:
    """Write images alone, byte for byte, without any label; see `write_pre_labels`."""
    ledger = Ledger("error")
    read = {id(image): content for image, content in proposals}
    items = name_images([image for image, _ in proposals], ledger)
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        (folder / item.name).write_bytes(read[id(item.image)]())
    return items, [f"{row} ({row.done})" for row in ledger.rows]
