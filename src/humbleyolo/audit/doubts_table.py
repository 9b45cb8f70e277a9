"""The doubts of an audit as a table: `audit.csv`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from humbleyolo.audit.joined_splits import JoinedSplits
from humbleyolo.audit.label_doubts import Doubt
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.table_writer import write_table

_EDGES = ("xmin", "ymin", "xmax", "ymax")
_COLUMNS = [
    "rank", "kind", "sure", "split", "image",
    *(f"{side}_{name}" for side in ("labelled", "found") for name in ("class", *_EDGES)),
    "score", "iou",
]  # fmt: skip


def write_doubts(path: Path, data: JoinedSplits, doubts: Sequence[Doubt], detections: DetectionTable) -> None:
    """Write a row for each doubt, the surest first; what does not exist is empty.

    Boxes are in pixels of the upright image.
    """
    places = {image: data.place(image) for image in sorted({doubt.image for doubt in doubts})}
    rows = [_row(rank, doubt, data, places, detections) for rank, doubt in enumerate(doubts, 1)]
    write_table(path, pd.DataFrame(rows, columns=_COLUMNS))


def _row(
    rank: int, doubt: Doubt, data: JoinedSplits, places: Mapping[int, tuple[str, str]], detections: DetectionTable
) -> list[object]:
    row: list[object] = [rank, doubt.kind, f"{doubt.sure:.3f}", *places[doubt.image]]
    for table, index in ((data.truths, doubt.label), (detections, doubt.found)):
        if index < 0:
            row += [None] * 5
        else:
            box = ltwh_to_xyxy(table.boxes_ltwh[index][None])[0]
            row += [data.categories[table.labels[index]], *(f"{value:.10g}" for value in box.tolist())]
    score = f"{detections.scores[doubt.found]:.6f}" if doubt.found >= 0 else None
    return [*row, score, f"{doubt.iou:.3f}" if doubt.found >= 0 and doubt.label >= 0 else None]
