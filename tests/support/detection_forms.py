"""Labels in folders, and detections on them in the forms in which other tools write them."""

import csv
import json
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from humbleyolo.inputs.joined_source import open_source
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.scoring.detection_files import read_detection_file
from humbleyolo.scoring.detection_matching import Joined, join
from humbleyolo.scoring.scored_detections import SETTINGS, Scored, score
from humbleyolo.scoring.scored_labels import ScoredLabels, read_labels

WIDTH, HEIGHT = 512, 1024  # powers of two, so that fractions of them are exact
QUICK = SETTINGS.model_copy(update={"resamples": 0})


def name_of(image: int) -> str:
    """Numbers and words, in the order of the images."""
    return f"{3 * image + 5:06}.png" if image % 2 == 0 else f"{3 * image + 5:06}_b.c.png"


def image_id_of(image: int) -> int:
    """An id of the annotation file, which is no place."""
    return 100_000 + 7 * image


def category_id_of(label: int) -> int:
    return 18 - 4 * label


def write_coco(folder: Path, truths: TruthTable, names: Sequence[str], split: str = "") -> Path:
    """A folder of images and their COCO file."""
    folder.mkdir(parents=True, exist_ok=True)
    images = range(truths.image_count)
    for image in images:
        pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
        pixels[0, image] = 255
        Image.fromarray(pixels).save(folder / name_of(image), compress_level=1)
    content = {
        "images": [{"id": image_id_of(i), "file_name": name_of(i), "width": WIDTH, "height": HEIGHT} for i in images],
        "categories": [{"id": category_id_of(label), "name": name} for label, name in enumerate(names)],
        "annotations": [
            {"id": number, "image_id": image_id_of(image), "category_id": category_id_of(label), "bbox": box,
             "iscrowd": int(crowd), "area": area, "attributes": {"difficult": difficult}}
            for number, (image, label, crowd, difficult, area, box) in enumerate(
                zip(*(getattr(truths, name).tolist() for name in
                      ("images", "labels", "crowd", "difficult", "areas", "boxes_ltwh")), strict=True), 1)
        ],
    }  # fmt: skip
    (folder / f"annotations{split}.json").write_text(json.dumps(content))
    return folder


def rows(detections: DetectionTable) -> list[tuple[int, int, list[float], float]]:
    columns = (detections.images, detections.labels, detections.boxes_ltwh, detections.scores)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def detectron2(path: Path, detections: DetectionTable) -> Path:
    """`coco_instances_results.json`: ids of the annotation file; masks beside the boxes."""
    content = [
        {"image_id": image_id_of(image), "category_id": category_id_of(label), "bbox": box, "score": one,
         "segmentation": {"size": [HEIGHT, WIDTH], "counts": "a5a0P1" * 1000}}
        for image, label, box, one in rows(detections)
    ]  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def ultralytics(path: Path, detections: DetectionTable, first: int = 1, *, file_names: bool = False) -> Path:
    """`predictions.json`: image_id is the stem, or a number if it is numeric; classes count from 1 (or 0)."""
    content: list[dict[str, Any]] = []
    for image, label, box, one in rows(detections):
        stem = Path(name_of(image)).stem
        entry: dict[str, Any] = {"image_id": int(stem) if stem.isnumeric() else stem}
        entry |= {"file_name": name_of(image)} if file_names else {}
        content.append(entry | {"category_id": label + first, "bbox": box, "score": one})
    path.write_text(json.dumps(content))
    return path


def yolo_text(folder: Path, detections: DetectionTable) -> Path:
    """`save_txt save_conf`: a file an image, class, centre, lengths, score."""
    folder.mkdir()
    for image, label, (left, top, width, height), one in rows(detections):
        with (folder / f"{Path(name_of(image)).stem}.txt").open("a") as file:
            values = ((left + width / 2) / WIDTH, (top + height / 2) / HEIGHT, width / WIDTH, height / HEIGHT, one)
            file.write(f"{label} {' '.join(map(repr, values))}\n")
    return folder


def table(path: Path, detections: DetectionTable, names: Sequence[str]) -> Path:
    """A CSV as `predict` writes it."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "label", "score", "xmin", "ymin", "xmax", "ymax", "width", "height"])
        for image, label, (left, top, width, height), one in rows(detections):
            corners = (left, top, left + width, top + height)
            writer.writerow([f"/photos/{name_of(image)}", names[label], one, *corners, WIDTH, HEIGHT])
        writer.writerow(["/photos/none.png", *[""] * 6, WIDTH, HEIGHT])
    return path


@contextmanager
def labels_in(folder: Path, split: str | None = None, **options: Any):
    with open_source(folder) as source:
        yield read_labels(source, ReadOptions(**options), split)


def joined(labels: ScoredLabels, path: Path, image_ids: str | None = None, categories: str | None = None) -> Joined:
    return join(read_detection_file(path), labels, image_ids, categories)


def scored(folder: Path, path: Path, **readings: str) -> Scored:
    with labels_in(folder) as labels:
        return score(labels, joined(labels, path, **readings).detections, QUICK, None)
