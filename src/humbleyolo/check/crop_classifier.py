"""A classifier of the contents of boxes: small crops as vectors, and least squares on random features."""

from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image
from tqdm import tqdm

from humbleyolo.storage.array_types import Floats, Floats32, Ints, Rgb, Uint8s

SIDE = 12  # pixels each way of a crop
CONTEXT = 1.3  # length of a crop in lengths of its box, so that the border is in it
_HIDDEN = 1024
_RIDGE = 0.01  # of the mean variance
_ROWS = 8192  # crops whose random features are in memory at a time


def crop_boxes(image: Rgb, boxes: Floats) -> Uint8s:
    """Return boxes, (M, 4) xyxy pixels, as small crops with a margin, cut at the border: (M, 12, 12, 3) uint8."""
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    result = np.empty((len(boxes), SIDE, SIDE, 3), np.uint8)
    margin = (boxes[:, 2:] - boxes[:, :2]) * (CONTEXT - 1) / 2
    low = np.clip(boxes[:, :2] - margin, 0, None)
    high = np.minimum(boxes[:, 2:] + margin, [width, height])
    for index, corners in enumerate(np.concatenate([low, high], axis=1).tolist()):
        small = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=tuple(corners), reducing_gap=2.0)
        result[index] = np.asarray(small)
    return result


def describe(crops: Uint8s, lengths: Floats) -> Floats32:
    """Return (N, K) features: each crop's pattern without its brightness, its colours, and its box's size.

    `crops` are (N, 12, 12, 3), `lengths` (N, 2) width and height of the boxes in pixels.
    """
    pixels = crops.astype(np.float32) / 255
    grey = pixels.mean(axis=3)  # (N, 12, 12)
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True))
    pattern = (centred / (spread + 0.03)).reshape(len(crops), -1)
    colours = pixels.reshape(len(crops), 3, SIDE // 3, 3, SIDE // 3, 3).mean(axis=(2, 4)).reshape(len(crops), -1)
    size = np.log(np.maximum(lengths, 1e-3)).astype(np.float32)  # (N, 2)
    return np.concatenate([pattern, 3 * colours, 3 * spread[:, :, 0], size], axis=1).astype(np.float32)


class CropClassifier:
    """Least squares on random features: fitted in one solve, the same for the same input.

    `features` is (N, K), `labels` (N,) class indices, below `classes`.
    """

    def __init__(self, features: Floats32, labels: Ints, classes: int) -> None:
        rng = np.random.default_rng(0)
        self._mean, self._scale = features.mean(axis=0), features.std(axis=0) + 1e-3
        shape = (features.shape[1], _HIDDEN)
        self._weights = (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        self._bias = rng.uniform(-1, 1, _HIDDEN).astype(np.float32)
        counts = np.bincount(labels, minlength=classes)
        weight = (1 / np.sqrt(np.maximum(counts, 1)))[labels].astype(np.float32)[:, None]  # rare classes count
        length = _HIDDEN + features.shape[1] + 1  # F
        gram, target = np.zeros((length, length), np.float32), np.zeros((length, classes), np.float32)
        for rows in _some_rows(len(features)):
            hidden = self._hidden(features[rows])  # (n, F)
            wanted = np.eye(classes, dtype=np.float32)[labels[rows]]  # (n, C)
            gram += (hidden * weight[rows]).T @ hidden
            target += hidden.T @ (wanted * weight[rows])
        gram[np.diag_indices_from(gram)] += _RIDGE * float(np.trace(gram)) / len(gram)
        self._solution = np.linalg.solve(gram, target)  # (F, C)

    def scores(self, features: Floats32) -> Floats32:
        """Return (N, C): about 1 for the class that a crop looks like, about 0 for the others."""
        parts = [self._hidden(features[rows]) @ self._solution for rows in _some_rows(len(features))]
        return np.concatenate([np.zeros((0, self._solution.shape[1]), np.float32), *parts])

    def _hidden(self, features: Floats32) -> Floats32:
        standard = (features - self._mean) / self._scale
        raised = np.maximum(standard @ self._weights + self._bias, 0)
        return np.concatenate([raised, standard, np.ones((len(features), 1), np.float32)], axis=1)


def _some_rows(count: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, count, _ROWS))


def fit_folds(features: Floats32, labels: Ints, folds: Ints, classes: int) -> dict[int, CropClassifier]:
    """Fit a classifier for each fold to the crops of the others: (N, K) features, (N,) class indices and folds."""
    numbers = np.unique(folds).tolist()
    bar = tqdm(numbers, desc="boxes compared", disable=None, leave=False)
    return {fold: CropClassifier(features[folds != fold], labels[folds != fold], classes) for fold in bar}


def cross_scores(models: Mapping[int, CropClassifier], features: Floats32, folds: Ints, classes: int) -> Floats32:
    """Score crops by the classifiers of their folds, which were not fitted to their image; return (N, C)."""
    result = np.zeros((len(features), classes), np.float32)
    for fold, model in models.items():
        own = folds == fold
        result[own] = model.scores(features[own])
    return result
