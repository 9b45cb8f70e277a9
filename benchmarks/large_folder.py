"""Measure very many labelled photographs on this machine: python benchmarks/large_folder.py [--images 100000].

Makes JPEG photographs of 320 x 240 pixels with a box each (a CSV), in a folder of its own. Then it runs `check`,
`generate` and `encode`, each as a process. Last, it adds one photograph and runs `generate` and `encode` again, as
`dvc repro` does then. Prints seconds, images/s, the disk, and peak memory: with mapped files, which the system takes
back, and own. Run it with another --images too: own memory must grow little.
"""

import argparse
import json
import os
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


def write_params(project: Path) -> None:
    """Write the default parameters for the folder `photographs` and an input of its size."""
    yaml = YAML()
    values = yaml.load((ROOT / "params.yaml").read_text())
    values["dataset"]["source"] = "labelled"
    values["dataset"]["labelled"]["split"]["near_duplicates"] = "ignore"  # made from noise, they all look alike
    values["encode"].update({"height": HEIGHT, "width": WIDTH, "rows": 6, "cols": 8, "finer": []})
    yaml.dump(values, project / "params.yaml")


def measured(project: Path, *command: str) -> dict[str, float]:
    """Run Python in a project's folder; return seconds and MiB of its peaks."""
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
    return {"seconds": time.perf_counter() - started, "mib": used.ru_maxrss / 1024, "own_mib": own}


def main() -> None:
    """Print the figures of each command as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory(prefix="humbleyolo-large-") as folder:
        project = Path(folder)
        add_photographs(project / "photographs", range(count))
        write_params(project)
        stages = {
            "generate": ("-m", "stages.generate", "photographs", "data/dataset"),
            "encode": ("-m", "stages.encode", "data/dataset", "data/grid"),
        }
        found = {"check": measured(project, "-m", "humbleyolo", "check", "photographs")}
        found |= {name: measured(project, *command) for name, command in stages.items()}
        add_photographs(project / "photographs", range(count, count + 1))
        found |= {f"{name}, one more": measured(project, *command) for name, command in stages.items()}
        for one in found.values():
            one["images_s"] = count / one["seconds"]
        for name in ("photographs", "data/dataset", "data/grid"):
            size = sum(path.stat().st_size for path in (project / name).rglob("*") if path.is_file())
            found[name] = {"gb": size / 1e9}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
