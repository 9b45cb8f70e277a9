"""The summary of a dataset: images, objects, classes and areas of each split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from humbleyolo.geometry.boxes import SIZES
from humbleyolo.storage.json import write_json


class SplitCounts:
    """Counts of a split, taken image by image; `categories` are in the order of the labels."""

    def __init__(self, categories: Sequence[str]) -> None:
        self._categories = categories
        self.images = 0
        self.not_drawn = 0
        self._objects_an_image: Counter[int] = Counter()
        self._labels: Counter[int] = Counter()
        self._areas: Counter[float] = Counter()

    def add(self, boxes_ltwh: Sequence[Sequence[float]], labels: Sequence[int], not_drawn: int = 0) -> None:
        """Count one image: M boxes in pixels, their M labels, and words that found no place."""
        self.images += 1
        self.not_drawn += not_drawn
        self._objects_an_image[len(labels)] += 1
        for (_, _, width, height), label in zip(boxes_ltwh, labels, strict=True):
            self._labels[label] += 1
            self._areas[width * height] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return all counts, with the areas by COCO's sizes and by quartile (square pixels)."""
        objects = self._labels.total()
        areas = sorted(self._areas)
        reached = list(accumulate(self._areas[area] for area in areas))
        return {
            "images": self.images,
            "objects": objects,
            "not_drawn": self.not_drawn,
            "objects_per_image": {
                str(number): self._objects_an_image[number] for number in sorted(self._objects_an_image)
            },
            "classes": {name: self._labels[label] for label, name in enumerate(self._categories)},
            "areas": self._sizes(),
            "area_px": {
                name: areas[int(np.searchsorted(reached, max(quarter * objects / 4, 1)))] if areas else None
                for quarter, name in enumerate(("min", "lower_quartile", "median", "upper_quartile", "max"))
            },
        }

    def _sizes(self) -> dict[str, int]:
        """Return the number of objects of each of COCO's sizes; one at a limit is of two, and counts as smaller."""
        counts = dict.fromkeys(SIZES, 0)
        for area, count in self._areas.items():
            counts[next(size for size, (_, most) in SIZES.items() if area <= most)] += count
        return counts


def write_summary(path: Path, counts: Mapping[str, SplitCounts]) -> None:
    """Write the counts of each split as JSON."""
    write_json(path, {split: count.as_dict() for split, count in counts.items()})
