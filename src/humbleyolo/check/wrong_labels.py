"""Wrong labels: classes that look swapped, boxes that look shifted.

A small classifier learns the classes, and the surroundings of the boxes, from four fifths of the images. It
judges the last fifth. It knows nothing but this dataset, so it finds what is unlike the rest; a person has to look.
A box looks shifted if a place around it clearly looks more like its object; see `better_places`.
A class is compared if it has 20 boxes, and enough of them outside the images to be judged; 60 are needed in all.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from humbleyolo.check.better_places import Place, best_place, clear_gains, doubts_of, rows_to_look_around, worst_few
from humbleyolo.check.crop_classifier import CropClassifier, crop_boxes, cross_scores, describe, fit_folds
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.inputs.folder import IMAGE_BYTES, Source
from humbleyolo.inputs.ledger import BadInput, Ledger, short_name
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.storage.array_types import Floats, Floats32, Ints, Rgb, Uint8s

DOUBTS = ("class-swapped", "box-shifted")
"""Kinds of findings about boxes that only look wrong."""

_FOLDS = 5
_FEWEST, _FEWEST_IN_ALL = 20, 60
_MOST_BOXES = 20_000  # that the classifier learns from and judges
_SWAPPED = 0.45  # least difference of the scores of another class and of the label
_FREE = 0.1  # IoU of background with any label, at most
_MOVED = (0.25, 0.9)  # distance by which boxes are moved to show wrong places, in their own lengths
_MOST_TRIES, _ROWS = 2048, 256  # random boxes of one image that may be background, in all and at a time
_COPIES = 2  # moved copies of each box


@dataclass(slots=True)
class _Crops:
    """Crops of one image: the labelled boxes, the same boxes moved, and background."""

    crops: Uint8s
    lengths: Floats
    kinds: Ints  # class index; C for background, C + 1 for moved


@dataclass(frozen=True, slots=True)
class Judged:
    """The boxes that were compared with the others of their class.

    Attributes:
        boxes: Number of them.
        told_apart: Share of a class's boxes that the classifier takes for no other class, 0 to 1: the mean of the
            classes compared. None if there are too few boxes, or one such class alone.
        not_compared: Number of boxes of each class that has too few, or in too few images; empty if none is judged.
    """

    boxes: int = 0
    told_apart: float | None = None
    not_compared: Mapping[str, int] = field(default_factory=dict)


def add_suspects(records: Sequence[LabelledImage], classes: Sequence[str], source: Source, ledger: Ledger) -> Judged:
    """Add warnings about labels that look wrong; return what was judged."""
    counts = Counter(label for one in records for label in one.labels)
    compared = [name for name in classes if counts[name] >= _FEWEST]
    step = max(1, -(-sum(counts[name] for name in compared) // _MOST_BOXES))
    some = sorted(records, key=lambda one: one.info.sha256)[::step]
    fewest = _fewest_to_learn_from(some)
    compared = [name for name in compared if fewest.get(name, 0) >= _FEWEST // 2]
    if not compared or sum(counts[name] for name in compared) < _FEWEST_IN_ALL:
        return Judged()
    places = {name: place for place, name in enumerate(compared)}
    images = [_cut(one, image, places) for one, image in decoded(some, source, "crops")]
    kinds = np.concatenate([one.kinds for one in images])
    crops, lengths = (np.concatenate([getattr(one, key) for one in images]) for key in ("crops", "lengths"))
    features = describe(crops, lengths)
    folds = np.repeat([fold_of(one) for one in some], [len(one.kinds) for one in images])
    labelled = kinds < len(compared)
    models = fit_folds(features, kinds, folds, len(compared) + 2)
    scores = cross_scores(models, features[labelled], folds[labelled], len(compared) + 2)
    boxes = [(one, index) for one in some for index in _compared(one, places).tolist()]
    better = _look_around(boxes, scores, kinds[labelled], len(compared), models, source)
    _judge(boxes, scores, kinds[labelled], compared, better, ledger)
    others = {name: counts[name] for name in classes if counts[name] and name not in places}
    return Judged(len(scores), _told_apart(scores[:, : len(compared)], kinds[labelled]), others)


def _told_apart(scores: Floats32, labels: Ints) -> float | None:
    right = scores.argmax(axis=1) == labels
    shares = np.bincount(labels, right) / np.maximum(np.bincount(labels), 1)
    return float(shares[np.bincount(labels) > 0].mean()) if scores.shape[1] > 1 else None


def _fewest_to_learn_from(records: Sequence[LabelledImage]) -> dict[str, int]:
    """Return the least number of boxes of each class from which the classifier learns before it judges a fold."""
    counts = [Counter[str]() for _ in range(_FOLDS)]
    for one in records:
        counts[fold_of(one)].update(one.labels)
    in_all = sum(counts, Counter[str]())
    asked = [one for one in counts if one]  # folds with boxes to judge
    return {name: min(count - one[name] for one in asked) for name, count in in_all.items()}


def _compared(record: LabelledImage, places: Mapping[str, int]) -> Ints:
    """Return the rows of the boxes whose class is compared."""
    return np.array([row for row, label in enumerate(record.labels) if label in places], np.int64)


def fold_of(record: LabelledImage) -> int:
    """Return the fold of an image, 0 to 4, by its content."""
    return int(hashlib.sha256(record.info.sha256.encode()).hexdigest()[:8], 16) % _FOLDS


def decoded(records: Sequence[LabelledImage], source: Source, title: str) -> Iterator[tuple[LabelledImage, Rgb]]:
    """Yield images with their pixels; `title` is that of the progress bar."""

    def read(one: LabelledImage) -> Rgb:
        return decode_rgb(source.read(one.path, IMAGE_BYTES), one.path)

    with ThreadPoolExecutor(2) as pool, tqdm(total=len(records), desc=title, disable=None, leave=False) as bar:
        for start in range(0, len(records), 32):
            some = records[start : start + 32]
            for one, image in zip(some, pool.map(read, some), strict=True):
                yield one, image
                bar.update()


def _cut(record: LabelledImage, image: Rgb, places: Mapping[str, int]) -> _Crops:
    """Crop the labelled boxes, the same boxes moved, and background of the same sizes."""
    rng = np.random.default_rng(int(record.info.sha256[:12], 16))
    rows = _compared(record, places)
    boxes = record.boxes[rows]
    kinds = [places[record.labels[row]] for row in rows]
    copies = np.tile(boxes, (_COPIES, 1))
    lengths = np.tile(copies[:, 2:] - copies[:, :2], 2)  # (copies, 4)
    angle = rng.uniform(0, 2 * np.pi, len(copies))
    offset = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(*_MOVED, (len(copies), 1))
    moved = _inside(copies + np.tile(offset, 2) * lengths, record)
    free = _background(record, rng)
    every = np.concatenate([boxes, moved, free])
    return _Crops(
        crops=crop_boxes(image, every),
        lengths=every[:, 2:] - every[:, :2],
        kinds=np.array(kinds + [len(places) + 1] * len(moved) + [len(places)] * len(free), np.int64),
    )


def _inside(boxes: Floats, record: LabelledImage) -> Floats:
    """Return the boxes whose greater part is in the image, cut at its border."""
    cut = np.clip(boxes, 0, np.array([record.width, record.height] * 2, np.float64))
    kept = (cut[:, 2:] - cut[:, :2] > 0.5 * (boxes[:, 2:] - boxes[:, :2])).all(axis=1)
    return np.asarray(cut[kept])


def _background(record: LabelledImage, rng: np.random.Generator) -> Floats:
    """Return random boxes, of the sizes of the image's own, that touch no label."""
    lengths = record.boxes[:, 2:] - record.boxes[:, :2]
    if not len(lengths):
        lengths = np.array([[record.width, record.height]]) / 6
    tries = min(4 * len(lengths) + 8, _MOST_TRIES)
    sizes = lengths[rng.integers(0, len(lengths), tries)]
    low = rng.uniform(0, 1, (tries, 2)) * np.maximum(np.array([record.width, record.height]) - sizes, 0)
    boxes = np.concatenate([low, low + sizes], axis=1)
    parts = (boxes[start : start + _ROWS] for start in range(0, tries, _ROWS))
    free = np.concatenate([pairwise_iou(one, record.boxes).max(axis=1, initial=0) < _FREE for one in parts])
    return np.asarray(boxes[free][: len(lengths) + 4])


def _look_around(
    boxes: Sequence[tuple[LabelledImage, int]],
    scores: Floats32,
    kinds: Ints,
    classes: int,
    models: Mapping[int, CropClassifier],
    source: Source,
) -> dict[int, Place]:
    """Return the better place of each box that is clearly beside its object, by the box's row.

    `boxes` are those compared: the image, and the row among its boxes.
    """
    doubts = doubts_of(scores, kinds, classes)
    asked: dict[str, list[int]] = {}
    for row in rows_to_look_around(doubts).tolist():
        asked.setdefault(boxes[row][0].path, []).append(row)
    gains, found = np.full(len(kinds), -np.inf), dict[int, Place]()
    images = decoded([boxes[rows[0]][0] for rows in asked.values()], source, "places around boxes")
    for (record, pixels), rows in zip(images, asked.values(), strict=True):
        for row in rows:
            place = best_place(
                pixels,
                record.boxes,
                boxes[row][1],
                int(kinds[row]),
                float(doubts[row]),
                models[fold_of(record)],
                classes,
            )
            if place:
                gains[row], found[row] = place.gain, place
    return {int(row): found[int(row)] for row in np.flatnonzero(clear_gains(gains, doubts))}


def _judge(
    boxes: Sequence[tuple[LabelledImage, int]],
    scores: Floats32,
    kinds: Ints,
    classes: Sequence[str],
    better: Mapping[int, Place],
    ledger: Ledger,
) -> None:
    """Warn of boxes that look like another class, and of those of which `better` has a place by the row."""
    rows = np.arange(len(kinds))
    own = scores[rows, kinds]
    others = scores[:, : len(classes)].copy()
    others[rows, kinds] = -np.inf
    like = others.argmax(axis=1)
    swapped = others.max(axis=1) - own
    swapped[swapped <= doubts_of(scores, kinds, len(classes))] = -np.inf  # it looks even more like no object
    swapped[~worst_few(swapped)] = -np.inf
    doubt = swapped - _SWAPPED
    for row, place in better.items():
        doubt[row] = max(doubt[row], place.gain)
    for row in sorted(np.flatnonzero(doubt > 0).tolist(), key=lambda row: -doubt[row]):
        record, index = boxes[row]
        name = short_name(record.labels[index])
        if row not in better or swapped[row] - _SWAPPED > better[row].gain:
            kind, why, by = (
                "class-swapped",
                f"looks like {short_name(classes[like[row]])}; look at it",
                swapped[row],
            )
        else:
            kind, by = "box-shifted", better[row].gain
            why = f"what lies {better[row]} looks more like {name}; look at it"
        found = f"labelled {name}, doubted by {by:.2f}"
        ledger.warn(record.label_file, BadInput(kind, found, why, record.where[index]))
