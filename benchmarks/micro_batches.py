"""Measure a step in micro-batches: python -m benchmarks.micro_batches [--batch 16] [--size 320] [--parts 1 2 4 8].

Trains `lite` with the values of examples/photographs.yaml on noise, each number of parts in a process of its own.
Prints the seconds of a core that a step takes, a median of five, and the peak of the memory of the process.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from humbleyolo.models.tensorflow_setup import start_runtime

# isort: split
import numpy as np

from humbleyolo.dataset.archive import ArchiveWriter
from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.archived_split import ENDING, begin_split
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid
from humbleyolo.params.loader import parse_params, read_text
from humbleyolo.params.overlay import lay_over
from humbleyolo.storage.png import encode_png
from humbleyolo.training.trainer import build_trainer

ROOT = Path(__file__).resolve().parent.parent
_STEPS = 5


def measure(batch: int, size: int, parts: int) -> str:
    """Train some steps here, and return a row of the table."""
    own, recipe = ROOT / "params.yaml", ROOT / "examples/photographs.yaml"
    text, _ = lay_over(read_text(own), str(own), read_text(recipe), str(recipe))
    params = parse_params(text, str(own))
    train = params.train.model_copy(update={"batch": batch, "micro_batches": parts})
    grid = Grid(size, size, size // 16, size // 16, 1, 2)
    start_runtime(params.runtime)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = begin_split(Path(name) / "split")
        with ArchiveWriter(folder / f"{ALL}{ENDING}", ["a", "b"]) as writer:
            for number in range(batch):
                pixels = encode_png(rng.integers(0, 256, (size, size, 3), np.uint8))
                writer.add(f"{number:04}.png", pixels, size, size, [[size // 4, size // 4, 40, 40]], [number % 2])
        for _ in encode_split(folder, grid, 114, Path(name) / "grid", 0):
            pass
        split = open_encoded(Path(name) / "grid")
        trainer = build_trainer(1, params.runtime, params.model, params.loss, train, split)
        seconds = []
        for step in range(1 + _STEPS):  # the first compiles
            started = time.process_time()
            trainer.step(step, trainer.parts(0, np.arange(batch)))
            seconds.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"| {parts} | {statistics.median(seconds[1:]):.2f} s | {peak:.2f} GiB |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(measure(options.batch, options.size, options.parts[0]))
        return
    print("| Parts | A step, seconds of a core | Peak memory |\n|---|---|---|")
    for parts in options.parts:
        command = [sys.executable, __file__, "--once", "--batch", str(options.batch), "--size", str(options.size)]
        done = subprocess.run([*command, "--parts", str(parts)], check=True, stdout=subprocess.PIPE, text=True)
        print(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
