"""CSV tables of detections: a line a box, with columns for the image, the class, the score and the box.

The columns of images and boxes have the names that `labels` knows. If these leave two readings of the numbers, or
these may be fractions, the sizes of the images decide, as for labels.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.inputs.folder import LABEL_BYTES
from humbleyolo.inputs.ledger import BadInput, Ledger, shorten
from humbleyolo.inputs.parsing.csv import Row, header_of, take_rows
from humbleyolo.inputs.parsing.text import decode
from humbleyolo.labels.formats.csv_columns import (
    IMAGE,
    READINGS,
    Columns,
    box_of,
    fold,
    refuse_turned,
    settle,
    to_corners,
)
from humbleyolo.scoring.detection_rows import DetectionFile, Key, Rows, is_number, number_or_nan
from humbleyolo.scoring.number_readings import Reading
from humbleyolo.scoring.scored_labels import ScoredLabels

_CLASS = "label classname name labelname category categoryname class objectname object categoryid classid labelid cls"
_SCORE = "score confidence conf probability prob"
_IDS = ("imageid", "imgid")
_BOX = "xmin,ymin,xmax,ymax or left,top,width,height or x_center,y_center,width,height or bbox"
_SHOWN = 4  # names of a column in a message


def read_csv(rows: Rows) -> DetectionFile:
    """Read a table of detections. Its boxes are not settled yet, see `settle_boxes`.

    Raises:
        BadInput: If it is too large, or has turned boxes.
        ProblemsError: With its mistakes.
    """
    with rows.path.open("rb") as file:
        data = file.read(LABEL_BYTES + 1)
    if len(data) > LABEL_BYTES:
        raise BadInput("too-large", f"more than {LABEL_BYTES:,} bytes", "write COCO results, which may be larger")
    text, ledger = decode(data), Ledger("skip")
    found: list[tuple[Columns, str]] = []

    def take(line: int, raw: Row) -> None:
        if not found:
            found.append(_columns_of(raw, rows.path))
        columns, scores = found[0]
        where = f"line {line}"
        image, label, score = (raw[name].strip() for name in (columns.image, columns.label, scores))
        key: Key = int(image) if fold(columns.image) in _IDS and is_number(image) else image
        if not image:
            raise BadInput("csv", "no image", "each line names its image")
        texts = columns.texts(raw)
        if not label and not score and not any(texts):  # an image without detections, as `predict` writes it
            rows.images.setdefault(key, len(rows.images))
            return
        titles = columns.box if len(columns.box) == len(texts) else columns.box * len(texts)
        box = [number_or_nan(one, title) for one, title in zip(texts, titles, strict=True)]
        if columns.readings == ("corners",):  # a mistake in them has its line
            box = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
        rows.add(where, key, label, box, number_or_nan(score, scores))

    take_rows(text, str(rows.path), ledger, take, lambda _: "")
    for row in ledger.errors:
        rows.refuse(str(row.where), f"{row.what}: {row.why}")
    refuse_turned(header_of(text), text, own=False)
    columns = found[0][0] if found else None
    return rows.made("CSV", columns=columns, has_ids=columns is not None and fold(columns.image) in _IDS)


def _columns_of(row: Row, path: Path) -> tuple[Columns, str]:
    """Return the columns to read, and that of the score.

    Raises:
        ProblemsError: If one is missing.
    """
    known = {fold(name): name for name in reversed(row)}
    wanted = {"image": IMAGE, "class": _CLASS, "score": _SCORE}
    found = {what: next((known[one] for one in some.split() if one in known), "") for what, some in wanted.items()}
    box, readings = box_of(known)
    texts = {what: " or ".join(some.split()[:_SHOWN]) for what, some in wanted.items()} | {"box": _BOX}
    if missing := [f"no column for the {what}: {texts[what]}" for what in texts if not (found | {"box": box})[what]]:
        raise ProblemsError(f"{path}: its columns are {shorten(','.join(row))}", missing)
    return Columns(found["image"], found["class"], box, readings), found["score"]


def settle_boxes(found: DetectionFile, labels: ScoredLabels, images: Reading) -> tuple[DetectionFile, str]:
    """Return detections whose boxes are settled by the sizes of the labels' images, and words about what was chosen.

    Raises:
        UserError: If two readings fit nearly as many boxes, or some fit none.
    """
    if not found.columns:
        return found, ""
    columns = replace(found.columns)
    if columns.readings == ("corners",):
        columns.readings = ("ltwh",)  # as `read_csv` has made of them
    index = images.index[found.image_rows]
    sizes = np.array([[one.width, one.height] for one in labels.items], np.float64)[index]
    sizes[index < 0] = np.nan
    try:
        settle(columns, found.boxes, lambda: sizes)
    except BadInput as error:
        raise UserError(f"{found.path}: {error.what}: {error.why}") from None
    boxes = xyxy_to_ltwh(to_corners(found.boxes, columns.readings[0]))
    if wrong := int(np.count_nonzero((boxes[:, 2:] < 0).any(axis=1))):
        what = f"{', '.join(columns.box)} as {READINGS[columns.readings[0]]}"
        raise UserError(f"{found.path}: {what}: {wrong:,} of {len(boxes):,} boxes end before they begin; mend them")
    if columns.relative:
        boxes[:, :2] += boxes[:, 2:] / 2
    told = [f"{', '.join(columns.box)} as {READINGS[columns.readings[0]]}"] * (len(found.columns.readings) > 1)
    told += ["in fractions of the image"] * columns.relative
    return replace(found, boxes=boxes, relative=columns.relative, columns=None), " ".join(told)
