"""A project with photographs of bright rectangles, three an image, encoded and ready to be trained on."""

import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from params_text import DEFAULT
from PIL import Image
from ruamel.yaml import YAML
from split_writer import write_split

from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid

GRID = Grid(height=48, width=64, rows=3, cols=4, boxes=1, classes=2)
NAMES = ("<b>cat</b>", "dog")
IMAGES = {"train": 24, "val": 8}
Labels = list[tuple[list[float], int]]


def objects(number: int) -> Labels:
    """Three objects of an image, one below the other in the first image of `train`."""
    rng = np.random.default_rng(number)
    return [([8.0 + rng.integers(4), 4.0 + 30 * row, 30.0, 20.0], int(rng.integers(2))) for row in range(3)]


def write_project(folder: Path, edit: Callable[[str, int, Labels], Labels] = lambda _, __, labels: labels) -> None:
    """Write parameters, archives and arrays; `edit` changes the labels of an image of a split."""
    for name, content in _files(edit).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@cache
def _files(edit: Callable[[str, int, Labels], Labels]) -> dict[str, bytes]:
    """Return the files of a project, which take longer to make than to write."""
    with tempfile.TemporaryDirectory() as made:
        _make_project(Path(made), edit)
        return {str(path.relative_to(made)): path.read_bytes() for path in Path(made).rglob("*") if path.is_file()}


def _make_project(folder: Path, edit: Callable[[str, int, Labels], Labels]) -> None:
    yaml = YAML()
    params = yaml.load(DEFAULT)
    params["encode"] |= {"height": 48, "width": 64, "rows": 3, "cols": 4}
    params["train"]["batch"] = 4
    params["dataset"]["labelled"]["split"]["near_duplicates"] = "ignore"  # its images look alike
    params["dataset"] |= {"source": "labelled", "inputs": "data/labelled/cats"}
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    (folder / "data/dataset").mkdir(parents=True)
    number = 0
    for split, images in IMAGES.items():
        with write_split(folder / f"data/dataset/{split}", NAMES) as archive:
            for place in range(images):
                labels = edit(split, place, objects(number))
                boxes, classes = [box for box, _ in labels], [label for _, label in labels]
                archive.add(f"{split}/{place:02}.jpg", picture(number), 96, 128, np.reshape(boxes, (-1, 4)), classes,
                            [{"iscrowd": 0, "attributes": {"occluded": True}}] * len(boxes))  # fmt: skip
                number += 1
        list(encode_split(folder / f"data/dataset/{split}", GRID, 0, folder / f"data/grid/{split}", 0))


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 60, (96, 128, 3), np.uint8)
    for (left, top, width, height), label in objects(number):
        pixels[int(top) : int(top + height), int(left) : int(left + width)] = (250, 120 * label, 40)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()
