"""Measure very many labelled photographs on this machine: python -m benchmarks.large_folder [--images 10000 100000].

For each number it makes JPEG photographs of 320 x 240 pixels with a box each (a CSV), in a folder of its own. Then it
runs `check`, `generate` and `encode`, each as a process; `encode` once for each of `--jpeg-quality` (0: pixels).
Prints seconds, seconds of a core, and the disk. Memory is the peak of all processes together without mapped files,
which the system takes back at need.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML
from tqdm import tqdm

from benchmarks.pipeline import ROOT, own_memory

HEIGHT, WIDTH = 240, 320


def add_photographs(folder: Path, numbers: range) -> None:
    """Write photographs, each of its own number alone, and their labels into labels.csv."""
    folder.mkdir(exist_ok=True)
    new = not (folder / "labels.csv").exists()
    with (folder / "labels.csv").open("a") as labels:
        labels.write("image,label,xmin,ymin,xmax,ymax\n" * new)
        for number in tqdm(numbers, desc="photographs", disable=None, leave=False):
            rng = np.random.default_rng(number)
            coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
            pixels = np.array(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
            left, top = int(rng.integers(0, WIDTH - 60)), int(rng.integers(0, HEIGHT - 40))
            pixels[top : top + 40, left : left + 60] = rng.integers(0, 256, 3, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:07}.jpg", quality=90)
            labels.write(f"{number:07}.jpg,thing,{left},{top},{left + 60},{top + 40}\n")


def write_params(project: Path, jpeg_quality: int, **dataset: object) -> None:
    """Write the default parameters for an input of the photographs' size, with other values of `dataset`."""
    yaml = YAML()
    values = yaml.load((ROOT / "params.yaml").read_text())
    values["dataset"].update({"source": "labelled", **dataset})
    values["dataset"]["labelled"]["split"]["near_duplicates"] = "ignore"  # made from noise, they all look alike
    values["encode"].update({"height": HEIGHT, "width": WIDTH, "rows": 6, "cols": 8, "finer": []})
    values["encode"]["jpeg_quality"] = jpeg_quality
    yaml.dump(values, project / "params.yaml")


def measured(project: Path, *command: str) -> str:
    """Run Python in a project's folder; return cells of a table: seconds, those of a core, and MiB at the peak."""
    with (project / "log").open("w") as log:
        started, own, ended = time.perf_counter(), 0.0, 0
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
        while not ended:
            own = max(own, own_memory(process.pid))
            time.sleep(0.05)
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # `check` has 1 for findings
        raise SystemExit((project / "log").read_text())
    seconds, core = time.perf_counter() - started, used.ru_utime + used.ru_stime
    return f"{seconds:.1f} | {core:.1f} | {own:.0f}"


def disk_gb(folder: Path) -> float:
    """Return the GB of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


def measure(project: Path, count: int, qualities: list[int]) -> None:
    """Print a row for each command, for so many photographs."""
    add_photographs(project / "photographs", range(count))
    print(f"| {count:,} | the photographs | | | | {disk_gb(project / 'photographs'):.2f} |")
    write_params(project, 0)
    said = measured(project, "-m", "humbleyolo", "check", "photographs")
    print(f"| {count:,} | `check` | {said} | |")
    said = measured(project, "-m", "stages.generate", "photographs", "data/dataset")
    print(f"| {count:,} | `generate` | {said} | {disk_gb(project / 'data/dataset'):.2f} |", flush=True)
    for quality in qualities:
        write_params(project, quality)
        said = measured(project, "-m", "stages.encode", "data/dataset", "data/grid")
        name = f"JPEGs of quality {quality}" if quality else "pixels"
        print(f"| {count:,} | `encode`, {name} | {said} | {disk_gb(project / 'data/grid'):.2f} |", flush=True)
        shutil.rmtree(project / "data/grid")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--jpeg-quality", type=int, nargs="+", default=[0, 90])
    parsed = parser.parse_args()
    print(
        "| Photographs | What | Seconds | Seconds of a core | Own memory, MiB | Disk, GB |",
        "|---" * 6 + "|",
        sep="\n",
    )
    for count in parsed.images:
        with tempfile.TemporaryDirectory(prefix="humbleyolo-large-") as folder:
            measure(Path(folder), count, parsed.jpeg_quality)


if __name__ == "__main__":
    main()
