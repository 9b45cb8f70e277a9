"""The test images that the report holds: boxes, judgements, and the network's confidence.

Entries are plain lists and numbers, which the page holds as JSON and `script.js` draws:

    name, id, w, h    of the original image, pixels
    src               the picture as a data URI, made smaller if it is large
    t                 ground truth: [left, top, width, height, class, fate: an index into FATES]
    d                 detections, best first: [left, top, width, height, class, confidence, kind, IoU]
    more              number of detections that were left out, the least confident
    cells             confidence of each cell, 0 to 100, row-major, or null for a very fine grid
    own               cells that hold the centre of an object; none without a grid
    over              extent of the grid: [left, top, width, height], pixels
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from humbleyolo.dataset.archive import ArchivedImage
from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.drawing.canvas import shrink
from humbleyolo.drawing.html_page import data_uri, encode_picture
from humbleyolo.evaluation.mistakes import CORRECT
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.report.evaluation_reader import Evaluation
from humbleyolo.report.number_format import printable
from humbleyolo.report.page_contents import EXPLAINED
from humbleyolo.storage.array_types import Array, Ints, Uint8s
from humbleyolo.storage.png import encode_png

UNJUDGED = "unjudged"
CODES = (UNJUDGED, CORRECT, *EXPLAINED)
"""Kinds of detections; their places are codes in the page. Unjudged ones lie under the threshold, or in a crowd."""

FATES = ("found", "missed", "mistaken")
"""Fates of ground truth; mistaken: with a detection, but of another class or with another box."""

_MOST_DETECTIONS = 300  # of one image; the page says how many more there are
_MOST_CELLS = 4096  # of a grid that can be looked at
_PLAIN_BYTES = 4096  # of the largest PNG that is kept; a larger one is a photo, and becomes a WebP
_ROUGH_BYTES = 4 * _PLAIN_BYTES  # of a quickly made PNG, above which compression cannot make it small enough
_QUALITY = 80  # of a WebP


class Images(Protocol):
    """Images with their ground truth: an archive, or labels of another kind."""

    @property
    def path(self) -> Path:
        """Place of the images, for messages."""

    def images(self, start: int, stop: int, /) -> Iterator[ArchivedImage]:
        """Yield images number `start` (from 0) to `stop`."""


def most_mistakes_first(evaluation: Evaluation) -> Ints:
    """Return the (N,) images: those with the most mistakes first, of as many the one with the surest mistake."""
    judged, found = evaluation.judgements, evaluation.detections
    wrong = judged.wrong()
    counts = np.bincount(judged.images[wrong], minlength=found.image_count)
    surest = np.zeros(found.image_count)
    made = wrong & (judged.detections >= 0)
    np.maximum.at(surest, judged.images[made], found.scores[judged.detections[made]])
    return np.lexsort((np.arange(found.image_count), -surest, -counts)).astype(np.int64)


class Gallery:
    """Makes the entries of images.

    Pictures have at most `longest_px` pixels on their longest side.
    """

    def __init__(
        self, archive: Images, truths: TruthTable, evaluation: Evaluation, split: EncodedSplit | None, longest_px: int
    ) -> None:
        self._archive, self._evaluation, self._split = archive, evaluation, split
        self._truths, self._longest_px = truths, longest_px
        found, judged = evaluation.detections, evaluation.judgements
        codes = {kind: code for code, kind in enumerate(CODES)}
        self._kinds = np.zeros(len(found), np.int64)  # (D,) indices into CODES
        self._ious = np.zeros(len(found))  # (D,)
        self._fates = np.full(len(truths), FATES.index("mistaken"))  # (M,)
        made = judged.detections >= 0
        self._kinds[judged.detections[made]] = [codes[str(kind)] for kind in judged.kinds[made]]
        self._ious[judged.detections[made]] = judged.ious[made]
        for kind, fate in ((CORRECT, "found"), ("missed", "missed")):
            self._fates[judged.truths[judged.kinds == kind]] = FATES.index(fate)
        self._by_image = found.rows_by_image()
        self._truths_by_image = truths.rows_by_image()

    def entries(self, order: Ints, most_bytes: float) -> Iterator[dict[str, Any]]:
        """Yield entries in this order, until the next would make their JSON longer than `most_bytes`.

        Raises:
            UserError: If an image is damaged.
        """
        left = most_bytes
        for image in order.tolist():
            entry = self._entry(image, next(self._archive.images(image, image + 1)))
            left -= len(json.dumps(entry, separators=(",", ":"))) + 1
            if left < 0:
                return
            yield entry

    def _entry(self, image: int, record: ArchivedImage) -> dict[str, Any]:
        pixels = decode_rgb(record.image_bytes, f"{self._archive.path}: {record.file_name}")
        height, width = pixels.shape[:2]
        found, truths = self._evaluation.detections, self._truths
        rows = self._by_image[image]
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        shown = rows[:_MOST_DETECTIONS]
        return {
            "name": printable(record.file_name),
            "id": record.image_id,
            "w": width,
            "h": height,
            "src": _data_uri(pixels, self._longest_px),
            "t": [
                [*_short(truths.boxes_ltwh[row]), int(truths.labels[row]), int(self._fates[row])]
                for row in self._truths_by_image[image].tolist()
            ],
            "d": [
                [*_short(box), label, score, kind, iou]  # whole, to be rounded once, as in the pictures
                for box, label, score, kind, iou in zip(
                    found.boxes_ltwh[shown],
                    *(column[shown].tolist() for column in (found.labels, found.scores, self._kinds, self._ious)),
                    strict=True,
                )
            ],
            "more": len(rows) - len(shown),
            **self._grid(image, height, width),
        }

    def _grid(self, image: int, height: int, width: int) -> dict[str, Any]:
        """Return what the grid says of an image."""
        split, confidence, cells = self._split, self._evaluation.confidence, None
        if split is None or confidence is None:
            return {"cells": None, "own": [], "over": [0, 0, width, height]}
        if split.grid.rows * split.grid.cols <= _MOST_CELLS:
            highest = np.clip(np.nan_to_num(confidence[image].max(axis=-1)), 0, 1)  # (R, S)
            cells = np.round(100 * highest.ravel().astype(np.float64)).astype(int).tolist()
        own = np.flatnonzero(split.responsible(image)).tolist()
        return {"cells": cells, "own": own, "over": _short(xyxy_to_ltwh(split.letterbox(image).extent))}


def _short(box: Array) -> list[float]:
    return [round(float(value), 1) for value in box]


def _data_uri(pixels: Uint8s, longest_px: int) -> str:
    pixels, _ = shrink(pixels, np.zeros((0, 4)), longest_px)
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
    plain = np.ascontiguousarray(pixels[..., 0]) if grey else pixels
    if len(encode_png(plain)) <= _ROUGH_BYTES:
        png = encode_picture(Image.fromarray(plain), "png", compress_level=9)
        if len(png) <= _PLAIN_BYTES:
            return data_uri(png, "png")
    return data_uri(encode_picture(Image.fromarray(pixels), "webp", quality=_QUALITY, method=4), "webp")
