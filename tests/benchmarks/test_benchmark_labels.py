"""The folder with the article's labels is of the same images, and its boxes are the article's but for test."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from repository import ROOT

from benchmarks.article_labels import write_folder
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Dataset
from humbleyolo.splits import write_dataset
from humbleyolo.synthetic.drawn_split import write_splits

COUNTS = {"train": 40, "val": 20, "test": 30}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    values = dataset.model_dump()
    values["synthetic"]["images"] = COUNTS
    values["labelled"] |= {"format": "article", "classes": ["chat", "rat"], "on_problem": "clip"}
    values["labelled"]["split"]["by"] = "lists"
    found: Dataset = type(dataset).model_validate(values)
    return found


def read(path: Path) -> dict[bytes, tuple[np.ndarray[Any, Any], list[int]]]:
    """Return boxes and labels of each image with words, by its pixels."""
    with ArchivedSplit(path) as archive:
        return {
            np.asarray(Image.open(BytesIO(record.image_bytes)).convert("L")).tobytes(): (
                record.boxes_ltwh,
                record.labels.tolist(),
            )
            for record in archive
            if len(record.labels)
        }


def test_it_is_read_as_a_labelled_folder(tmp_path: Path, dataset: Dataset) -> None:
    drawn, taken = tmp_path / "drawn", tmp_path / "taken"
    drawn.mkdir()
    write_splits(drawn, dataset.synthetic, ROOT / "data/fonts", 1, 10_000)
    write_folder(tmp_path / "folder", dataset.synthetic, ROOT / "data/fonts", 1)
    write_dataset.write_splits(taken, dataset.labelled, tmp_path / "folder", 1, 10_000)
    for split in COUNTS:
        true, given = (read(folder / split) for folder in (drawn, taken))
        assert given.keys() == true.keys()
        assert all(given[image][1] == true[image][1] for image in true)
        boxes = np.concatenate([given[image][0] for image in true])
        if split == "test":
            np.testing.assert_array_equal(boxes, np.concatenate([boxes for boxes, _ in true.values()]))
            continue
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        inside = ((corners > 0) & (corners < 64)).all(axis=1)
        labels = np.concatenate([labels for _, labels in true.values()])
        np.testing.assert_array_equal(boxes[inside, 2], np.where(labels[inside] == 0, 24, 18))
        np.testing.assert_array_equal(boxes[inside, 3], 10)
