"""Measure images per second and memory of drawing into archives, with the default parameters.

python -m benchmarks.generate [--images 6500 65000] [--processes 1 2] [--repetitions 5]

Each measurement runs in a process of its own; importing is not counted, starting the workers is. Prints the
median and the range of the repetitions, and the highest memory (resident: the main process, its largest worker).
Run it on an idle machine.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from humbleyolo.params.loader import load_params
from humbleyolo.process.workers import available_cores
from humbleyolo.synthetic.drawn_split import write_splits

ROOT = Path(__file__).parent.parent


def measure(images: int, processes: int) -> dict[str, float]:
    """Draw one split into a temporary folder, and return images/s and MiB."""
    seed, dataset = load_params(ROOT / "params.yaml", "seed", "dataset")
    values = dataset.synthetic.model_dump()
    values["images"]["train"] = images
    params = type(dataset.synthetic).model_validate(values)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        write_splits(
            Path(folder),
            params,
            ROOT / dataset.inputs,
            seed,
            dataset.archive_images,
            splits=["train"],
            processes=processes,
        )
        seconds = time.perf_counter() - started
        megabytes = sum(path.stat().st_size for path in (Path(folder) / "train").iterdir()) / 1e6
    return {
        "images_s": images / seconds,
        "main_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worker_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "archive_mb": megabytes,
    }


def repeat(images: int, processes: int, repetitions: int) -> str:
    """Measure in fresh processes, and return a row of the table."""
    command = [sys.executable, __file__, "--once", str(images), str(processes)]
    runs: list[dict[str, Any]] = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(repetitions)
    ]
    speeds = [run["images_s"] for run in runs]
    main = max(run["main_mib"] for run in runs)
    worker = max(run["worker_mib"] for run in runs)
    return (
        f"{images:>8} {processes:>9} "
        f"{statistics.median(speeds):>9,.0f} {min(speeds):>8,.0f} to {max(speeds):<8,.0f}"
        f"{main:>9.0f} {worker:>10.0f} {runs[0]['archive_mb']:>10.1f}"
    )


def main() -> None:
    """Print a row per number of images and of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[6500, 65000])
    parser.add_argument("--processes", type=int, nargs="+", default=sorted({1, available_cores()}))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--once", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(measure(*arguments.once)))
        return
    print("  images processes  images/s   (from, to)         main MiB worker MiB archive MB")
    for images in arguments.images:
        for processes in arguments.processes:
            print(repeat(images, processes, arguments.repetitions), flush=True)


if __name__ == "__main__":
    main()
