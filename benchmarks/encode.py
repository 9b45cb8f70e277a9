"""Measure images per second and memory of encoding, with the default parameters.

python -m benchmarks.encode [--images 5000 50000] [--processes 1 2] [--repetitions 5]

Each measurement runs in a process of its own, on a split drawn before. Starting the workers and flushing to the
disk count, importing does not. `ceilings` is the time of the stage's report on the grid and finer ones, after that.
Prints the median and the range of the repetitions, and the highest resident memory of the main process and of its
largest worker. Pages of memory-mapped files count; the system takes them back at need. Run it on an idle machine.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from humbleyolo.dataset import encoding
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.grid_ceiling import measure_ceilings
from humbleyolo.params.loader import load_params
from humbleyolo.process.workers import available_cores, map_in_order
from humbleyolo.synthetic.drawn_split import write_splits

ROOT = Path(__file__).parent.parent


def draw(folder: Path, images: int) -> Path:
    """Draw a split of images and return its folder."""
    seed, dataset = load_params(ROOT / "params.yaml", "seed", "dataset")
    values = dataset.synthetic.model_dump()
    values["images"]["train"] = images
    params = type(dataset.synthetic).model_validate(values)
    write_splits(folder, params, ROOT / dataset.inputs, seed, dataset.archive_images, splits=["train"])
    return (folder / "train").rename(folder / str(images))


def measure(split: Path, processes: int) -> dict[str, float]:
    """Encode one split into a temporary folder, and return images/s, seconds and MiB."""
    (encode,) = load_params(ROOT / "params.yaml", "encode")
    grid = Grid(encode.height, encode.width, encode.rows, encode.cols, encode.boxes, 2)
    encoding.map_in_order = partial(map_in_order, processes=processes)  # type: ignore[assignment]
    with tempfile.TemporaryDirectory(dir=split.parent) as folder:
        started = time.perf_counter()
        images = sum(encode_split(split, grid, encode.fill, Path(folder), encode.jpeg_quality))
        seconds = time.perf_counter() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started = time.perf_counter()
        measure_ceilings(open_encoded(Path(folder)), encode.finer, "one")
        ceilings = time.perf_counter() - started
    return {
        "images_s": images / seconds,
        "ceilings_s": ceilings,
        "main_mib": memory,
        "worker_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def repeat(split: Path, processes: int, repetitions: int) -> str:
    """Measure in fresh processes, and return a row of the table."""
    command = [sys.executable, __file__, "--once", str(split), str(processes)]
    runs: list[dict[str, Any]] = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(repetitions)
    ]
    speeds = [run["images_s"] for run in runs]
    return (
        f"{split.name:>8} {processes:>9} "
        f"{statistics.median(speeds):>9,.0f} {min(speeds):>8,.0f} to {max(speeds):<8,.0f}"
        f"{statistics.median(run['ceilings_s'] for run in runs):>11.2f}"
        f"{max(run['main_mib'] for run in runs):>9.0f} {max(run['worker_mib'] for run in runs):>10.0f}"
    )


def main() -> None:
    """Print a row per number of images and of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[5000, 50000])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, available_cores()])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--once", nargs=2, metavar=("ARCHIVE", "PROCESSES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measure(Path(options.once[0]), int(options.once[1]))))
        return
    print("  images processes  images/s      (least to most)  ceilings s main MiB worker MiB")
    with tempfile.TemporaryDirectory() as folder:
        for images in options.images:
            split = draw(Path(folder), images)
            for processes in options.processes:
                print(repeat(split, processes, options.repetitions), flush=True)


if __name__ == "__main__":
    main()
