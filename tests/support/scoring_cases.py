"""Truths and detections for the tests of scoring."""

from typing import Any

import numpy as np

from humbleyolo.metrics.tables import DetectionTable, TruthTable

NAMES = ["chat", "rat", "נמר", "🐀" * 100]


def random_case(seed: int) -> tuple[TruthTable, DetectionTable, list[str]]:
    """Return a small case with what breaks evaluators: ties, crowds, empty images, missing classes."""
    rng = np.random.default_rng(seed)
    image_count, class_count = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    missing = rng.integers(class_count) if rng.random() < 0.3 else -1
    truths, detections = [], []
    for image in range(image_count):
        for _ in range(rng.integers(0, 8) if rng.random() < 0.8 else 0):
            label = int(rng.integers(class_count))
            lengths = rng.integers(1, 150, 2) if rng.random() < 0.5 else rng.uniform(1, 40, 2)
            box = np.concatenate([rng.integers(0, 120, 2), lengths])
            if label != missing:
                truths.append((image, box, label, rng.random() < 0.12))
            for _ in range(rng.integers(0, 4)):
                moved = box + rng.choice([rng.integers(-4, 5, 4), rng.normal(0, 5, 4), np.zeros(4)])
                moved[2:] = np.maximum(moved[2:], rng.choice([0.0, 1.0]))
                own = label if rng.random() < 0.85 else int(rng.integers(class_count))
                detections.append((image, moved, own, round(rng.random(), 1 if rng.random() < 0.6 else 6)))
        detections += [  # false alarms
            (image, rng.integers(0, 100, 4), int(rng.integers(class_count)), 0.5) for _ in range(rng.integers(0, 4))
        ]
    if rng.random() < 0.05:
        detections = []
    if rng.random() < 0.05:
        truths = []
    if rng.random() < 0.02:  # more than the 100 that count
        detections += [(0, rng.integers(1, 100, 4), 0, round(rng.random(), 1)) for _ in range(130)]
    rng.shuffle(detections)
    return (table_of_truths(image_count, truths), table_of_detections(image_count, detections), NAMES[:class_count])


def table_of_truths(image_count: int, rows: list[Any]) -> TruthTable:
    return TruthTable(
        image_count,
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.bool_),
    )


def table_of_detections(image_count: int, rows: list[Any]) -> DetectionTable:
    return DetectionTable(
        image_count,
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.float64),
    )
