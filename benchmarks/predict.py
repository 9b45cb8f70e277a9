"""Measure milliseconds from letterboxed pixels to boxes in each format, and seconds to the first box.

python benchmarks/predict.py [--model data/model] [--exports exports] [--runs 300]

Write the exports first: `humbleyolo export --to litert`, and so on. Each measurement has a process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

THREADS = (1, 2)
BATCHES = (1, 32)
_WARM_UP = 20

START = """
import sys
import numpy as np
from humbleyolo import Detector
found = Detector.load(sys.argv[1], threads=2)(np.load(sys.argv[2], mmap_mode="r")[0])
assert len(found)
"""


def measure(path: str, threads: int, batch: int, runs: int) -> dict[str, float]:
    """Return median and 95th percentile of a call's milliseconds."""
    from humbleyolo.detection.backends.open_model import open_model

    model = open_model(path, threads=threads)
    facts = model.facts
    images = np.random.default_rng(0).integers(0, 256, (batch, facts.height, facts.width, 3), np.uint8)
    taken = []
    for run in range(_WARM_UP + runs):
        started = time.perf_counter()
        model.detect(images, 0.25)
        if run >= _WARM_UP:
            taken.append(1000 * (time.perf_counter() - started))
    return {"median": statistics.median(taken), "p95": float(np.percentile(taken, 95))}


def apart(*arguments: object) -> str:
    """Return what a Python process of its own printed."""
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=True)
    return done.stdout


def start_up(path: Path, images: Path, times: int) -> list[float]:
    """Return the seconds from the start of Python to the first box, sorted."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        apart("-c", START, path, images)
        taken.append(time.perf_counter() - started)
    return sorted(taken)


def main() -> None:
    """Measure every model, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("data/model"))
    parser.add_argument("--exports", type=Path, default=Path("exports"))
    parser.add_argument("--images", type=Path, default=Path("data/grid/test/images.npy"))
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--one", nargs=3, metavar=("PATH", "THREADS", "BATCH"), help="measure this alone")
    given = parser.parse_args()
    if given.one:
        path, threads, batch = given.one
        print(json.dumps(measure(path, int(threads), int(batch), given.runs)))
        return
    models = [given.model, *sorted(one for one in given.exports.glob("*") if one.suffix != ".md")]
    print(
        "| Model | Threads | Batch 1, ms: median (p95) | Batch 32, ms: median (p95) | Batch 32, images/s: median "
        "(at p95) | First box, s: median (most) |"
    )
    print("|---|---|---|---|---|---|")
    for path in models:
        first = start_up(path, given.images, 5)
        for threads in THREADS:
            found = {
                batch: json.loads(apart(__file__, "--runs", given.runs, "--one", path, threads, batch))
                for batch in BATCHES
            }
            one, many = found[1], found[32]
            soon = f"{statistics.median(first):.2f} ({first[-1]:.2f})" if threads == THREADS[-1] else ""
            print(
                f"| {path.name} | {threads} | {one['median']:.2f} ({one['p95']:.2f}) "
                f"| {many['median']:.2f} ({many['p95']:.2f}) "
                f"| {32_000 / many['median']:,.0f} ({32_000 / many['p95']:,.0f}) | {soon} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
