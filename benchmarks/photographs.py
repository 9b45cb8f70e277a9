"""Train on photographs of others as a user would: python -m benchmarks.photographs FOLDER cards [boards ...].

Options: --minutes 9 or --epochs N (of training), --seeds 1 2 3, --set KEY=VALUE ... (other values than those of
`init`), --json FILE, --start MODEL (the folder of a model to begin with), --keep FOLDER (for the clones). With
--rungs the recipe is built up: to a network that begins at random one thing after another is added, until it is what
`init` wrote.

FOLDER holds the sets as their authors give them: `cards` and `boards`, with images, XML and CSV below `images`, and
`bccd` with its lists. Each set is laid out as Pascal VOC with lists, in a clone of its own:

    cards     test: its folder `test`; val: every eighth of the folder `train` by name
    quarter   as cards, but every fourth of the images of train and of val, which teaches too (train.include_val)
    boards    test: every fifth of all by name; val: every eighth of the rest
    bccd      its own lists

There `humbleyolo init` writes params.yaml, once, and DVC runs the whole chain once per seed. `train` is measured by
the clock and by the seconds that it computed, halved for two cores: beside other work the second tells more. Its
memory is the most that one of its processes had. The last column is by the clock, from the start of `init` to the
report. Changes that are not committed are not measured.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.examples import clone_here, environment, parse_options, print_runs, with_values
from benchmarks.ladder import read_results, spread

SETS = ("cards", "quarter", "boards", "bccd")
Lists = dict[str, list[Path]]
PLAIN = {f"train.augment.{name}": 0.0 for name in ("scale", "translate", "brightness", "contrast", "saturation")}
MEANS = {"loss.lambda_distribution": 0.0, "evaluate.vote_iou": 1.0}  # of a box's numbers, alone
RUNGS: dict[str, dict[str, Any]] = {
    "random weights": {"train.start": "scratch", "loss.name": "iou", **PLAIN, **MEANS},
    "several cells an object": {"train.start": "scratch", **PLAIN, **MEANS},
    "augmentation": {"train.start": "scratch", **MEANS},
    "pretrained weights": MEANS,
    "distribution focal loss": {"evaluate.vote_iou": 1.0},  # the next one has its model, from DVC's cache
    "box voting": {},
}


def divide(name: str, source: Path) -> Lists:
    """Return the label files of each split of a set that has no lists of its own."""
    labels = sorted((source / "images").rglob("*.xml"), key=lambda path: path.stem)
    test = [path for path in labels if path.parent.name == "test"] if name != "boards" else labels[::5]
    rest = [path for path in labels if path not in test]
    train, step = [path for path in rest if path not in rest[::8]], 4 if name == "quarter" else 1
    return {"train": train[::step], "val": rest[::8][::step], "test": test}


def lay_out(name: str, folder: Path, out: Path) -> None:
    """Copy a set into `out` as Pascal VOC with lists; the labels' names of images become those that are there."""
    source = folder / ("cards" if name == "quarter" else name)
    if name == "bccd":
        shutil.copytree(source, out)
        return
    write_lists(divide(name, source), out)


def write_lists(lists: Lists, out: Path) -> None:
    """Copy label files and their images into `out` as Pascal VOC with lists."""
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (out / part).mkdir(parents=True)
    for split, labels in lists.items():
        (out / "ImageSets/Main" / f"{split}.txt").write_text("".join(f"{path.stem}\n" for path in labels))
        for path in labels:
            image = image_of(path)
            shutil.copyfile(image, out / "JPEGImages" / image.name)
            text = re.sub("<filename>.*?</filename>", f"<filename>{image.name}</filename>", path.read_text())
            (out / "Annotations" / path.name).write_text(text)


def image_of(labels: Path) -> Path:
    """Return the image beside a label file."""
    (image,) = (other for other in labels.parent.glob(f"{labels.stem}.*") if other != labels)
    return image


def begin(clone: Path, folder: str, length: list[str], changes: dict[str, Any]) -> str:
    """Have `init` write a clone's params.yaml, and return it with other values.

    Raises:
        SystemExit: If `init` fails; its output is shown.
    """
    command = [sys.executable, "-m", "humbleyolo", "init", folder, *length]
    done = subprocess.run(command, cwd=clone, env=environment(clone), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}\nerror: humbleyolo init failed")
    print(done.stdout, file=sys.stderr)
    return with_values((clone / "params.yaml").read_text(), changes)


def run(clone: Path) -> dict[str, Any]:
    """Run the chain; return its metrics and seconds, and of `train` the CPU seconds halved and the GiB.

    Raises:
        SystemExit: If DVC fails; its output is shown.
    """
    said, used, started = "", dict[str, float](), time.monotonic()
    for stage in ("encode", "train", "render"):
        text, cpu, memory = watch([sys.executable, "-m", "dvc", "repro", stage], clone)
        said += text
        if stage == "train":
            used = {"cpu_seconds": round(cpu / 2, 1), "memory_gib": round(memory, 2)}
    return read_results(clone, said) | used | {"chain_seconds": round(time.monotonic() - started)}


def watch(command: list[str], folder: Path) -> tuple[str, float, float]:
    """Run a command, and return its output, CPU seconds, and the most GiB that it or a process below it had.

    Raises:
        SystemExit: If it fails; its output is shown.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder), stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)  # of this process and those that it waited for, no others
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise SystemExit(f"{said}\nerror: {' '.join(command[1:])} failed")
    return said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def main() -> None:
    """Run, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="+", choices=SETS)
    parser.add_argument("--minutes", default="9")
    parser.add_argument("--epochs")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rungs", action="store_true")
    parsed, changes = parse_options(parser)
    length = ["--epochs", parsed.epochs] if parsed.epochs else ["--minutes", parsed.minutes]
    rungs = RUNGS if parsed.rungs else {"": {}}
    found: dict[str, dict[int, Any]] = {}
    with (
        tempfile.TemporaryDirectory() if parsed.keep is None else nullcontext(parsed.keep) as folder,
        tqdm(total=len(parsed.sets) * len(rungs) * len(parsed.seeds), unit=" runs") as bar,
    ):
        for name in parsed.sets:
            clone = Path(folder) / name
            clone_here(clone, parsed.start)
            lay_out(name, parsed.folder, clone / "data/labelled" / name)
            started = time.monotonic()
            text = begin(clone, f"data/labelled/{name}", length, changes)
            begun = time.monotonic() - started
            for (rung, values), seed in itertools.product(rungs.items(), parsed.seeds):
                (clone / "params.yaml").write_text(with_values(text, {**values, "seed": seed}))
                runs = found.setdefault(f"{name}, {rung}" if rung else name, {})
                runs[seed] = run(clone)
                runs[seed]["whole_seconds"] = round(begun + runs[seed].pop("chain_seconds"))
                bar.write(f"{name}, {rung}, seed {seed}: {json.dumps(runs[seed])}", file=sys.stderr)
                bar.update()
    print("| Set | AP50 | AP50:95 | Training, s | CPU seconds / 2 | Memory, GiB | `init` to report, s |")
    print("|---|---|---|---|---|---|---|")
    for name, runs in found.items():
        columns = (
            ("ap50", 3), ("ap", 3), ("seconds", 0), ("cpu_seconds", 0), ("memory_gib", 1), ("whole_seconds", 0),
        )  # fmt: skip
        print(f"| {name} | {' | '.join(spread([one[key] for one in runs.values()], to) for key, to in columns)} |")
    print_runs(found, changes, parsed.json)


if __name__ == "__main__":
    main()
