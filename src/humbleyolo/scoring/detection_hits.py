"""Detections of a file on the images of labels, by a reading of both; the surest that lie on objects."""

import numpy as np

from humbleyolo.metrics.nearest_ground_truth import nearest_truths
from humbleyolo.scoring.detection_rows import DetectionFile
from humbleyolo.scoring.detections_in_file_order import FileDetections
from humbleyolo.scoring.number_readings import Reading
from humbleyolo.scoring.scored_labels import ScoredLabels
from humbleyolo.storage.array_types import Bools, Ints

SUREST = 5000  # detections that decide between readings
LEAST_HITS, HIT_IOU = 3, 0.5


def joined_rows(found: DetectionFile, images: Reading, classes: Reading) -> Bools:
    """Return the (D,) detections whose image is scored and whose class is known."""
    return (images.index[found.image_rows] >= 0) & (classes.index[found.class_rows] >= 0)


def on_images(
    found: DetectionFile, labels: ScoredLabels, images: Reading, classes: Reading, rows: Ints
) -> FileDetections:
    """Return these rows as detections on the labels' images, in pixels."""
    image, boxes = images.index[found.image_rows[rows]], found.boxes[rows]
    if found.relative:
        sizes = np.array([[one.width, one.height] for one in labels.items], np.float64)[image]  # (D, 2)
        lengths = boxes[:, 2:] * sizes
        boxes = np.concatenate([boxes[:, :2] * sizes - lengths / 2, lengths], axis=1)
    return FileDetections(
        labels.truths.image_count, image, boxes, classes.index[found.class_rows[rows]], found.scores[rows]
    )


def surest(found: DetectionFile, labels: ScoredLabels, images: Reading, classes: Reading) -> FileDetections:
    """Return the detections of the highest scores, `SUREST` at most."""
    rows = np.flatnonzero(joined_rows(found, images, classes))
    return on_images(found, labels, images, classes, rows[np.argsort(-found.scores[rows], kind="stable")[:SUREST]])


def count_hits(found: DetectionFile, labels: ScoredLabels, images: Reading, classes: Reading) -> int:
    """Count the surest detections that lie on an object of their class."""
    detections = surest(found, labels, images, classes)
    return int(np.count_nonzero(nearest_truths(labels.truths, detections).own_iou >= HIT_IOU))
