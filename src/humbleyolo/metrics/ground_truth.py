"""What is really in the images of a split, as a table to score against."""

from humbleyolo.dataset.archive import Archive
from humbleyolo.metrics.tables import TruthTable


def read_truths(archive: Archive) -> TruthTable:
    """Return what is really in the images of an archive, in its order.

    Raises:
        UserError: Where the archive is damaged.
    """
    return TruthTable.gather(
        (truth.boxes_ltwh, truth.labels, [annotation.get("iscrowd", 0) for annotation in truth.annotations])
        for truth in archive.truths()
    )
