"""Measure the time of checkpoints as a part of the time of training.

python -m benchmarks.checkpoint [--epochs 20]

Draws and encodes the default data, and trains as the stage does with a checkpoint beside it. Adds up all that a run
without one would not do: hashing the dependencies of the run, gathering the arrays and writing them. Prints the
parts, and the limit that the code keeps to.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from humbleyolo.models.tensorflow_setup import start_runtime

# isort: split
import stages.train
from humbleyolo.params.loader import load_params
from humbleyolo.training import checkpoint
from humbleyolo.training.checkpoint import Checkpoint
from stages.encode import encode
from stages.generate import generate

ROOT = Path(__file__).parent.parent


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return a function that does the same and notes its seconds."""

    def run(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - started)

    return run


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, help="default: as params.yaml")
    options = parser.parse_args()
    seed, runtime, dataset, encoding, model, loss, train = load_params(
        ROOT / "params.yaml", "seed", "runtime", "dataset", "encode", "model", "loss", "train"
    )
    if options.epochs:
        train = train.model_copy(update={"epochs": options.epochs})
    start_runtime(runtime)
    writes: list[float] = []
    hashing: list[float] = []
    sizes: list[int] = []
    write = timed(Checkpoint.write, writes)

    def note(kept: Checkpoint, *arguments: Any) -> None:
        write(kept, *arguments)
        sizes.append(kept.path.stat().st_size)

    Checkpoint.write = note  # type: ignore[method-assign]
    stages.train.describe_run = timed(stages.train.describe_run, hashing)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(seed, dataset, ROOT / dataset.inputs, folder / "dataset")
        encode(encoding, loss.cells, folder / "dataset", folder / "grid")
        splits = (folder / "grid/train", folder / "grid/val")
        started = time.perf_counter()
        stages.train.train(seed, runtime, model, loss, train, *splits, folder / "model", folder / "kept/checkpoint")
        total = time.perf_counter() - started
    cost = sum(writes) + sum(hashing)
    print(f"training {total:.1f} s, {train.epochs} epochs; checkpoints {cost:.2f} s: {cost / total:.2%} of it")
    print(f"hashing what the run depends on, once: {sum(hashing):.2f} s")
    if writes:
        print(
            f"{len(writes)} written of {max(sizes) / 1e6:.1f} MB at most: "
            f"{statistics.median(writes) * 1000:.0f} ms each (most {max(writes) * 1000:.0f})"
        )
    print(f"limit: one in {checkpoint.SHORTEST_S:.0f} s or fewer, and {checkpoint.SHARE:.1%} of the time after each")


if __name__ == "__main__":
    main()
