"""Measure training on images kept as JPEGs: python -m benchmarks.decoded_steps [--images 2000] [--steps 60].

Makes photographs of 320 x 240 pixels, and keeps them twice: as pixels, and as JPEGs of quality 90. `compact` trains
on both with the values of examples/bccd.yaml. One step of each comes in turn, so that both see the same machine. Each
row is another augmentation: none, the example's, and a mosaic of every image, which decodes four for each. Prints the
median milliseconds of a step: on a batch at hand, with pixels, and with JPEGs. Then comes how much longer the last
takes than the others, and the seconds of a core per step.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from humbleyolo.models.tensorflow_setup import start_runtime

# isort: split
import numpy as np

from benchmarks.large_folder import HEIGHT, WIDTH, add_photographs
from humbleyolo.dataset.archive import ArchiveWriter
from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.archived_split import ENDING, begin_split
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid
from humbleyolo.params.loader import parse_params, read_text
from humbleyolo.params.overlay import lay_over
from humbleyolo.params.sections import Augment, Params
from humbleyolo.training.trainer import Trainer, build_trainer

ROOT = Path(__file__).resolve().parent.parent
QUALITIES = {"pixels": 0, "JPEGs": 90}


def encode_photographs(folder: Path, count: int, encode: Any) -> None:
    """Make photographs, and keep them in a folder of each name of `QUALITIES`."""
    add_photographs(folder / "photographs", range(count))
    rows = np.genfromtxt(folder / "photographs/labels.csv", delimiter=",", skip_header=1, usecols=(2, 3))
    split = begin_split(folder / "split")
    with ArchiveWriter(split / f"{ALL}{ENDING}", ["thing"]) as writer:
        for path, (left, top) in zip(sorted((folder / "photographs").glob("*.jpg")), rows, strict=True):
            writer.add(path.name, path.read_bytes(), HEIGHT, WIDTH, [[left, top, 60, 40]], [0])
    grid = Grid(HEIGHT, WIDTH, encode.rows, encode.cols, encode.boxes, 1)
    for name, quality in QUALITIES.items():
        for _ in encode_split(split, grid, encode.fill, folder / name, quality):
            pass


def steps(trainer: Trainer) -> Iterator[Any]:
    """Train for ever, and yield after each step."""
    epoch = 0
    while True:
        yield from trainer.run_epoch(epoch)
        epoch += 1


def measure(folder: Path, params: Params, count: int) -> str:
    """Return the cells of a row, of so many steps."""
    trainers = {
        name: build_trainer(1, params.runtime, params.model, params.loss, params.train, open_encoded(folder / name))
        for name in QUALITIES
    }
    alone = trainers["pixels"]
    batch = list(alone.parts(0, alone.chosen(0, 0)))
    work: dict[str, Callable[[], Any]] = {"at hand": lambda: alone.step(0, batch)}
    work |= {name: steps(trainer).__next__ for name, trainer in trainers.items()}
    for step in work.values():
        step()  # compiles
    wall: dict[str, list[float]] = {name: [] for name in work}
    core: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(count):
        for name, step in work.items():
            started, used = time.perf_counter(), time.process_time()
            step()
            wall[name].append(1000 * (time.perf_counter() - started))
            core[name].append(time.process_time() - used)
    ms = {name: statistics.median(values) for name, values in wall.items()}
    more = (f"{100 * (ms['JPEGs'] / ms[name] - 1):+.0f} %" for name in ("at hand", "pixels"))
    cores = (f"{statistics.median(core[name]):.2f}" for name in ("pixels", "JPEGs"))
    return " | ".join([*(f"{value:.0f}" for value in ms.values()), *more, *cores])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    own, example = ROOT / "params.yaml", ROOT / "examples/bccd.yaml"
    text, _ = lay_over(read_text(own), str(own), read_text(example), str(example))
    params = parse_params(text, str(own))
    start_runtime(params.runtime)
    none = Augment(**{**dict.fromkeys(Augment.model_fields, 0.0), "min_visible": 0.4})
    rows = {
        "none": none,
        "of the example": params.train.augment,
        "and a mosaic": params.train.augment.model_copy(update={"mosaic": 1.0}),
    }
    print("| Augmentation | At hand, ms | Pixels, ms | JPEGs, ms | more than at hand | than pixels |", end="")
    print(" Core, pixels, s | Core, JPEGs, s |", "|---" * 8 + "|", sep="\n")
    with tempfile.TemporaryDirectory(prefix="humbleyolo-decoded-") as folder:
        encode_photographs(Path(folder), options.images, params.encode)
        for name, augment in rows.items():
            train = params.train.model_copy(update={"augment": augment, "batch": options.batch})
            cells = measure(Path(folder), params.model_copy(update={"train": train}), options.steps)
            print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
