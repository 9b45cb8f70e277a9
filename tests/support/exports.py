"""A small network and a test split that it is good at, for tests of exports."""

import shutil
from pathlib import Path

import numpy as np
from split_writer import write_split

from humbleyolo.dataset.encoding import encode_split
from humbleyolo.export.export_formats import Precision
from humbleyolo.export.exporter import Settings
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import Network
from humbleyolo.storage.png import encode_png

NAMES = ("chat", "rat")
SHAPES = [(48, 80), (30, 30), (20, 90)]


def settings(to: str, precision: Precision = "float32") -> Settings:
    """Return usual ones; threads are left as they are, since other tests have computed already."""
    return Settings(to=to, precision=precision, threshold=0.2, nms_iou=0.5, threads=None)


def make_data(folder: Path, data: Path) -> None:
    """Write the model, and noise images whose truth is what the network finds on them: its AP is 1 or nearly so."""
    shutil.copytree(folder, data / "model")
    network = Network.load(folder)
    grid, fill = network.info.grid, network.info.fill
    rng = np.random.default_rng(5)
    (data / "dataset").mkdir()
    from humbleyolo.geometry.letterbox import Letterbox

    for split in ("test", "val"):
        with write_split(data / f"dataset/{split}", NAMES) as archive:
            for number in range(40):
                height, width = SHAPES[number % 3]
                blocks = rng.integers(0, 256, (height // 10 + 1, width // 10 + 1, 3), np.uint8)
                image = np.kron(blocks, np.ones((10, 10, 1), np.uint8))[:height, :width]
                box = Letterbox(height, width, grid.height, grid.width)
                (found,) = network.detect_batch(box.apply(image, fill)[None], Selection(0.05, 0.5, 100))
                boxes = np.clip(box.boxes_out(found.boxes), 0, (width, height, width, height))
                solid = np.all(boxes[:, 2:] - boxes[:, :2] > 0.5, axis=1)
                boxes[:, 2:] -= boxes[:, :2]
                archive.add(f"{number:03}.png", encode_png(image), height, width, boxes[solid], found.labels[solid])
        list(encode_split(data / f"dataset/{split}", grid, fill, data / f"grid/{split}", 0))
