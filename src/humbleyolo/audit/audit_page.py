"""The doubts of an audit as one HTML file that needs nothing else: each with its picture, the surest first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from humbleyolo.audit.joined_splits import JoinedSplits
from humbleyolo.audit.label_doubts import KINDS, Doubt
from humbleyolo.drawing.html_page import data_uri, encode_picture, render_page
from humbleyolo.drawing.name_tags import NameTags
from humbleyolo.drawing.palette import CORRECT, DOUBTED, OUTSIDE, UNJUDGED, Colour
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.array_types import Floats, Rgb
from humbleyolo.storage.atomic import atomic_write

MOST = 300
"""Doubts on the page, at most; the table has all."""

MEANINGS = {
    "missing": "an object is found where no label is",
    "shifted": "the object is found beside its label",
    "swapped": "the object is found, as another class",
    "doubled": "one object has two labels",
    "no object": "nothing is found at the label",
}
_SIDE = 260  # pixels of a picture
_AROUND = 2.5  # length of the part of the image that is shown, in lengths of the boxes


class _Box(NamedTuple):
    box: Floats
    name: str
    score: float | None
    colour: Colour


def write_page(
    path: Path, data: JoinedSplits, doubts: Sequence[Doubt], detections: DetectionTable, facts: Sequence[str]
) -> None:
    """Write the page. Everything that comes from the labels is escaped; no scripts, nothing is loaded.

    `facts` are lines about the audit.

    Raises:
        UserError: If it cannot be written, or an image is damaged.
    """
    shown = list(doubts[:MOST])
    counts = [[kind, sum(doubt.kind == kind for doubt in doubts), MEANINGS[kind]] for kind in KINDS]
    page = render_page(
        "audit", "audit.html", "check/style.css", title="Audit of the labels", facts=facts, counts=counts,
        entries=[_entry(rank, doubt, data, detections) for rank, doubt in enumerate(shown, 1)],
        more=len(doubts) - len(shown), table="audit.csv",
    )  # fmt: skip
    with atomic_write(path) as file:
        file.write(page.encode("utf-8", "replace"))


def _entry(rank: int, doubt: Doubt, data: JoinedSplits, detections: DetectionTable) -> dict[str, Any]:
    split, record = data.read(doubt.image)
    pixels = decode_rgb(record.image_bytes, f"{split}: {record.file_name}")
    labels = ltwh_to_xyxy(record.boxes_ltwh)
    first = int(np.searchsorted(data.truths.images, doubt.image))
    boxes = [
        _Box(box, f"label: {data.categories[label]}", None, DOUBTED if first + row == doubt.label else UNJUDGED)
        for row, (box, label) in enumerate(zip(labels, record.labels.tolist(), strict=True))
    ]
    main = [one.box for one in boxes if one.colour == DOUBTED]
    text = data.categories[data.truths.labels[doubt.label]] if doubt.label >= 0 else "no label"
    if doubt.found >= 0:
        box, score = ltwh_to_xyxy(detections.boxes_ltwh[doubt.found][None])[0], float(detections.scores[doubt.found])
        name = data.categories[detections.labels[doubt.found]]
        boxes.append(_Box(box, f"found: {name}", score, CORRECT))
        main.append(box)
        text += f"; found: {name}, score {score:.2f}"
    picture = draw_doubt(pixels, boxes, np.array(main))
    content = data_uri(encode_picture(picture, "webp", quality=80), "webp")
    return {
        "rank": rank, "kind": doubt.kind, "sure": f"{doubt.sure:.2f}", "text": text,
        "image": f"{split}: {record.file_name}", "picture": content,
    }  # fmt: skip


def draw_doubt(image: Rgb, boxes: Sequence[_Box], main: Floats) -> Image.Image:
    """Return a square part of an image around the boxes `main`, (K, 4) xyxy, with `boxes` outlined and named.

    Grey boxes have no name; the part beyond the image is grey.
    """
    low, high = main[:, :2].min(axis=0), main[:, 2:].max(axis=0)
    side = max(_AROUND * float((high - low).max()), 24.0)
    corner = (low + high) / 2 - side / 2
    left, top = np.floor(corner).astype(int).tolist()
    length = int(np.ceil(side))
    around = Image.new("RGB", (length, length), OUTSIDE)
    around.paste(Image.fromarray(image), (-left, -top))
    canvas = around.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    scale = _SIDE / length
    brush = ImageDraw.Draw(canvas)
    ordered = sorted(boxes, key=lambda one: one.colour != UNJUDGED)  # the doubted ones on top
    moved = (np.array([one.box for one in ordered]) - [left, top, left, top]) * scale
    inner = np.clip(moved.round().astype(np.int64), -4, _SIDE + 4)
    for one, corners in zip(ordered, inner.tolist(), strict=True):
        thin = one.colour == UNJUDGED
        brush.rectangle(corners, outline=one.colour, width=1 if thin else 3)
    tags = NameTags(canvas, np.clip(inner, 0, _SIDE), 3)
    for index, one in enumerate(ordered):
        if one.colour != UNJUDGED:
            tags.write(index, one.name, one.score, one.colour)
    return canvas
