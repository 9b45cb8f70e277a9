"""What is really in the images of an archive, as a table for scoring."""

from humbleyolo.archive import Archive
from humbleyolo.scoring.tables import TruthTable


def read_truths(archive: Archive) -> TruthTable:
    """Return the truths of an archive, in its order: annotation k is row k - 1."""
    return TruthTable.gather(
        (truth.boxes_ltwh, truth.labels, [annotation.get("iscrowd", 0) for annotation in truth.annotations])
        for truth in archive.truths()
    )
