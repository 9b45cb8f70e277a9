"""Measure milliseconds from letterboxed pixels to boxes in each format, and seconds to the first box.

python -m benchmarks.predict [--model data/model] [--exports exports] [--runs 300] [--photographs]

Write the exports first: `humbleyolo export --to litert`, and so on. Each measurement has a process of its own. With
--photographs the network of examples/photographs.yaml is measured at batch 1, as LiteRT in float32 and int8. Their
calls take turns, so that other work on the machine slows both. It is pretrained and was not trained. No box is
dropped, however low its score or large its overlap, so that suppression and votes have the most to do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

THREADS = (1, 2)
BATCHES = (1, 32)
_WARM_UP = 20
ROOT = Path(__file__).resolve().parents[1]

START = """
import sys
import numpy as np
from humbleyolo import Detector
found = Detector.load(sys.argv[1], threads=2)(np.load(sys.argv[2], mmap_mode="r")[0])
assert len(found)
"""


def measure(paths: list[str], threads: int, batch: int, runs: int) -> list[dict[str, float]]:
    """Return least, median and 95th percentile of a call's milliseconds for each model, and the boxes that it finds.

    Their calls take turns.
    """
    from humbleyolo.detection.backends.open_model import open_model

    models = [open_model(path, threads=threads) for path in paths]
    facts = models[0].facts
    images = np.random.default_rng(0).integers(0, 256, (batch, facts.height, facts.width, 3), np.uint8)
    taken: list[list[float]] = [[] for _ in models]
    for run in range(_WARM_UP + runs):
        for model, times in zip(models, taken, strict=True):
            started = time.perf_counter()
            model.detect(images, 0.25)
            if run >= _WARM_UP:
                times.append(1000 * (time.perf_counter() - started))
    return [
        {
            "least": min(times),
            "median": statistics.median(times),
            "p95": float(np.percentile(times, 95)),
            "boxes": float(len(model.detect(images[:1], 0.0)[0])),
        }
        for model, times in zip(models, taken, strict=True)
    ]


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


def write_photographs(folder: Path) -> None:
    """Write the network of examples/photographs.yaml as LiteRT files."""
    from humbleyolo.detection.backends.metadata import Metadata
    from humbleyolo.detection.backends.trained_model import facts_of
    from humbleyolo.detection.graph import detection_model
    from humbleyolo.export.targets import silence, write_litert
    from humbleyolo.geometry.grid import Grid
    from humbleyolo.models.artifact import ModelInfo
    from humbleyolo.models.build import build_model
    from humbleyolo.models.selection import Selection
    from humbleyolo.params.loader import parse_params
    from humbleyolo.params.overlay import lay_over
    from humbleyolo.training.pretrained import STARTS, load_pretrained

    example = ROOT / "examples/photographs.yaml"
    text, _ = lay_over((ROOT / "params.yaml").read_text(), "params.yaml", example.read_text(), str(example))
    params = parse_params(text, str(example))
    to = params.encode
    grid = Grid(to.height, to.width, to.rows, to.cols, to.boxes, 3)
    info = ModelInfo(params.model, grid, ("a", "b", "c"), to.fill, STARTS["pretrained"])
    network = build_model(info.model, grid, seed=1)
    load_pretrained(network)
    selection = replace(Selection.from_section(params.evaluate), min_score=0.0, nms_iou=1.0)
    images = np.random.default_rng(0).integers(0, 256, (20, grid.height, grid.width, 3), np.uint8)
    for precision in ("float32", "int8"):
        facts = {"version": "0", "precision": precision, "weights_sha256": "0" * 64}
        with silence():
            whole = detection_model(network, grid, selection)
            metadata = Metadata.of(facts_of(info, selection), **facts)
            write_litert(whole, metadata, folder / f"{precision}.tflite", images)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("data/model"))
    parser.add_argument("--exports", type=Path, default=Path("exports"))
    parser.add_argument("--images", type=Path, default=Path("data/grid/test/all/images.npy"))
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--photographs", action="store_true", help="measure the network of photographs")
    parser.add_argument("--one", nargs="+", metavar="THREADS BATCH PATH", help="measure these alone, by turns")
    given = parser.parse_args()
    if given.one:
        threads, batch, *paths = given.one
        print(json.dumps(measure(paths, int(threads), int(batch), given.runs)))
        return
    print(f"load average {os.getloadavg()[0]:.1f}")
    if given.photographs:
        with tempfile.TemporaryDirectory() as folder:
            write_photographs(Path(folder))
            print_photographs(sorted(Path(folder).iterdir()), given.runs)
    else:
        print_table(given)


def found(runs: int, threads: int, batch: int, *paths: Path) -> list[dict[str, float]]:
    """Return what `measure` found in a process of its own."""
    measured: list[dict[str, float]] = json.loads(apart(__file__, "--runs", runs, "--one", threads, batch, *paths))
    return measured


def print_photographs(paths: list[Path], runs: int) -> None:
    """Measure models by turns, and print a table in Markdown."""
    print("| Model | Threads | Boxes | Batch 1, ms: least | median (p95) |\n|---|---|---|---|---|")
    for threads in THREADS:
        for path, one in zip(paths, found(runs, threads, 1, *paths), strict=True):
            times = f"{one['least']:.1f} | {one['median']:.1f} ({one['p95']:.1f})"
            print(f"| {path.stem} | {threads} | {one['boxes']:.0f} | {times} |", flush=True)


def print_table(given: argparse.Namespace) -> None:
    """Measure every model that the options name, and print a table in Markdown."""
    exports = (one for one in given.exports.glob("*") if one.suffix not in {".md", ".json", ".txt"})
    models = [given.model, *sorted(exports)]
    print(
        "| Model | Threads | Batch 1, ms: median (p95) | Batch 32, ms: median (p95) | Batch 32, images/s: median "
        "(at p95) | First box, s: median (most) |"
    )
    print("|---|---|---|---|---|---|")
    for path in models:
        first = start_up(path, given.images, 5)
        for threads in THREADS:
            (one,), (many,) = (found(given.runs, threads, batch, path) for batch in BATCHES)
            soon = f"{statistics.median(first):.2f} ({first[-1]:.2f})" if threads == THREADS[-1] else ""
            print(
                f"| {path.name} | {threads} | {one['median']:.2f} ({one['p95']:.2f}) "
                f"| {many['median']:.2f} ({many['p95']:.2f}) "
                f"| {32_000 / many['median']:,.0f} ({32_000 / many['p95']:,.0f}) | {soon} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
