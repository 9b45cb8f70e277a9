"""Train on photographs of others by the one recipe: python -m benchmarks.photographs FOLDER cards [boards ...].

Options: --seeds 1 2 3, --set train.epochs=3 ... (other values than the recipe's), --json FILE.

FOLDER holds the sets as their authors give them: `cards` and `boards`, with images, XML and CSV below `images`, and
`bccd` with its lists. Each set is laid out as Pascal VOC with lists, in a clone of its own:

    cards     test: its folder `test`; val: every eighth of the folder `train` by name
    quarter   as cards, but every fourth of the images to train on
    boards    test: every fifth of all by name; val: every eighth of the rest
    bccd      its own lists

Boxes without area, and look-alikes in two lists, are left out as the ledger says. The recipe is
examples/photographs.yaml. What differs between sets follows from them: the input has their shape, and the epochs give
every set the same number of steps. `train` is measured by the clock and by the seconds that it computed, halved for
two cores: beside other work the second tells more. Changes that are not committed are not measured.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from benchmarks.examples import ROOT, parse_options, prepare, print_runs
from benchmarks.ladder import read_results, spread

SETS = ("cards", "quarter", "boards", "bccd")
STEPS = 560
BATCH = 16
_LONG_SIDE, _CELL = 320, 16

Lists = dict[str, list[Path]]


def divide(name: str, source: Path) -> Lists:
    """Return the label files of each split of a set that has no lists of its own."""
    labels = sorted((source / "images").rglob("*.xml"), key=lambda path: path.stem)
    test = [path for path in labels if path.parent.name == "test"] if name != "boards" else labels[::5]
    rest = [path for path in labels if path not in test]
    train = [path for path in rest if path not in rest[::8]]
    return {"train": train[::4] if name == "quarter" else train, "val": rest[::8], "test": test}


def lay_out(name: str, folder: Path, out: Path) -> None:
    """Copy a set into `out` as Pascal VOC with lists; the labels' names of images become those that are there."""
    source = folder / ("cards" if name == "quarter" else name)
    if name == "bccd":
        shutil.copytree(source, out)
        return
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (out / part).mkdir(parents=True)
    for split, labels in divide(name, source).items():
        (out / "ImageSets/Main" / f"{split}.txt").write_text("".join(f"{path.stem}\n" for path in labels))
        for path in labels:
            (image,) = (other for other in path.parent.glob(f"{path.stem}.*") if other != path)
            shutil.copyfile(image, out / "JPEGImages" / image.name)
            text = re.sub("<filename>.*?</filename>", f"<filename>{image.name}</filename>", path.read_text())
            (out / "Annotations" / path.name).write_text(text)


def derived(folder: Path) -> dict[str, Any]:
    """Return the values that follow from a set: the input's shape, and the epochs."""
    shapes = []
    for path in (folder / "JPEGImages").iterdir():
        with Image.open(path) as image:
            shapes.append(image.width / image.height)
    aspect = sorted(shapes)[len(shapes) // 2]
    short = max(32, round(_LONG_SIDE * min(aspect, 1 / aspect) / 32) * 32)
    height, width = (short, _LONG_SIDE) if aspect >= 1 else (_LONG_SIDE, short)
    images = len((folder / "ImageSets/Main/train.txt").read_text().split())
    return {
        "encode.height": height, "encode.width": width, "encode.rows": height // _CELL,
        "encode.cols": width // _CELL, "train.epochs": round(STEPS / (images // BATCH)), "train.batch": BATCH,
    }  # fmt: skip


def run(clone: Path) -> dict[str, Any]:
    """Run the chain up to `evaluate`; return its metrics, and the CPU seconds of `train` halved.

    Raises:
        SystemExit: If DVC fails; its output is shown.
    """
    said, cpu = "", 0.0
    for stage in ("encode", "train", "evaluate"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro", stage],
            cwd=clone,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{done.stdout}\n{done.stderr}\nerror: dvc repro {stage} failed")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        said += done.stdout
        if stage == "train":
            cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 2
    return read_results(clone, said) | {"cpu_seconds": round(cpu, 1)}


def main() -> None:
    """Run, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="+", choices=SETS)
    parsed, changes = parse_options(parser)
    found: dict[str, dict[int, Any]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=len(parsed.sets) * len(parsed.seeds), unit=" runs") as bar,
    ):
        for name in parsed.sets:
            clone = Path(folder) / name
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
            labelled = clone / "data/labelled" / name
            lay_out(name, parsed.folder, labelled)
            values = {
                "dataset.inputs": f"data/labelled/{name}", "dataset.labelled.split.by": "lists",
                "dataset.labelled.on_problem": "skip", **derived(labelled), **changes,
            }  # fmt: skip
            found[name] = {}
            for seed in parsed.seeds:
                prepare(clone, "photographs", seed, values)
                found[name][seed] = run(clone)
                bar.write(f"{name}, seed {seed}: {json.dumps(found[name][seed])}", file=sys.stderr)
                bar.update()
    print("| Set | AP50 | AP50:95 | Training, s | CPU seconds / 2 |\n|---|---|---|---|---|")
    for name, runs in found.items():
        columns = (("ap50", 3), ("ap", 3), ("seconds", 0), ("cpu_seconds", 0))
        print(f"| {name} | {' | '.join(spread([one[key] for one in runs.values()], to) for key, to in columns)} |")
    print_runs(found, changes, parsed.json)


if __name__ == "__main__":
    main()
