"""Measure what `humbleyolo next` gains over a choice by chance: python -m benchmarks.next_pictures FOLDER.

Options: --count 30 (images that are chosen), --epochs 20 (of each training), --seeds 1 2 3, --set KEY=VALUE ...,
--json FILE.

FOLDER holds the set `cards`, as for benchmarks.photographs. For each seed a quarter of its images of train are
labelled by chance, and the others are the pool. A model learns the quarter. Then so many images of the pool are
chosen by `humbleyolo next` with this model, and as many by chance. Each choice gets its labels, and a model learns
the quarter and the choice. Val and test stay the same. Prints AP and AP50 on test, and the boxes that were labelled.
Changes that are not committed are not measured.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.examples import clone_here, environment, parse_options, print_runs, with_values
from benchmarks.ladder import spread
from benchmarks.photographs import Lists, begin, divide, image_of, run, write_lists

NAME = "cards"
ARMS = ("quarter", "next", "chance")
_PART = 4


def split_off(lists: Lists, seed: int) -> tuple[Lists, list[Path]]:
    """Return the lists with a quarter of train, by chance, and the label files of the rest."""
    train = lists["train"]
    order = np.random.default_rng(seed).permutation(len(train)).tolist()
    first, rest = (
        sorted(train[place] for place in part)
        for part in (order[: len(train) // _PART], order[len(train) // _PART :])
    )
    return {**lists, "train": first}, rest


def choose_next(clone: Path, pool: list[Path], count: int) -> list[Path]:
    """Return the label files of the images that `humbleyolo next` chooses with the clone's model.

    Raises:
        SystemExit: If it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        by_name = {image_of(labels).name: labels for labels in pool}
        images = Path(folder) / "pool"
        images.mkdir()
        for labels in pool:
            shutil.copyfile(image_of(labels), images / image_of(labels).name)
        out = Path(folder) / "next"
        command = [
            sys.executable,
            "-m",
            "humbleyolo",
            "next",
            str(images),
            "--count",
            str(count),
            "--output",
            str(out),
        ]
        if subprocess.run(command, cwd=clone, env=environment(clone), stdout=sys.stderr).returncode:
            raise SystemExit("error: humbleyolo next failed; see above")
        with (out / "next.csv").open(newline="", encoding="utf-8") as file:
            return [by_name[Path(row["image"]).name] for row in csv.DictReader(file)]


def choose_by_chance(pool: list[Path], count: int, seed: int) -> list[Path]:
    """Return so many label files of the pool, by chance."""
    return [pool[place] for place in np.random.default_rng([seed, 1]).permutation(len(pool))[:count].tolist()]


def learn(clone: Path, lists: Lists) -> dict[str, Any]:
    """Lay the lists out in a clone, run the chain up to `evaluate`, and return its metrics and the boxes of train."""
    folder = clone / "data/labelled" / NAME
    shutil.rmtree(folder, ignore_errors=True)
    write_lists(lists, folder)
    boxes = sum(path.read_text().count("<object>") for path in lists["train"])
    return run(clone) | {"images": len(lists["train"]), "boxes": boxes}


def measure(clone: Path, lists: Lists, seed: int, count: int, settings: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Run the three arms with a seed; `settings` are the epochs and other values. Return the metrics by arm."""
    epochs, changes = settings
    labelled, pool = split_off(lists, seed)
    write_lists(labelled, clone / "data/labelled" / NAME)
    text = begin(clone, f"data/labelled/{NAME}", ["--epochs", epochs], changes)
    (clone / "params.yaml").write_text(with_values(text, {"seed": seed}))
    found = {"quarter": learn(clone, labelled)}
    chosen = choose_next(clone, pool, count)
    for arm, more in (("next", chosen), ("chance", choose_by_chance(pool, count, seed))):
        found[arm] = learn(clone, {**labelled, "train": sorted([*labelled["train"], *more])})
    return found


def table(found: dict[int, dict[str, Any]]) -> str:
    """Return a table in Markdown: for each arm the metrics on test, as mean, least and most over the seeds."""
    lines = ["| Learned | Images | Boxes | AP50 | AP50:95 |", "|---|---|---|---|---|"]
    titles = {"quarter": "a quarter", "next": "and those of `next`", "chance": "and as many by chance"}
    for arm in ARMS:
        runs = [by_arm[arm] for by_arm in found.values()]
        cells = [
            spread([one[key] for one in runs], to)
            for key, to in (("images", 0), ("boxes", 0), ("ap50", 3), ("ap", 3))
        ]
        lines.append(f"| {titles[arm]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--epochs", default="20")
    parsed, changes = parse_options(parser)
    if parsed.count < 1:
        parser.error(f"--count {parsed.count}: allowed: 1 or more")
    lists = divide(NAME, parsed.folder / NAME)
    found: dict[int, dict[str, Any]] = {}
    for seed in tqdm(parsed.seeds, unit=" seeds", disable=None):
        with tempfile.TemporaryDirectory() as folder:
            clone = Path(folder) / NAME
            clone_here(clone, parsed.start)
            found[seed] = measure(clone, lists, seed, parsed.count, (parsed.epochs, changes))
        tqdm.write(f"seed {seed}: {json.dumps(found[seed])}", file=sys.stderr)
    print(table(found))
    print_runs({arm: {seed: by_arm[arm] for seed, by_arm in found.items()} for arm in ARMS}, changes, parsed.json)


if __name__ == "__main__":
    main()
