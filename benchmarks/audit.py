"""Measure how many mistakes in labels `humbleyolo audit` finds: python -m benchmarks.audit FOLDER [cards boards ...].

Options: --share 0.02 (of the boxes gets a mistake; 0: none), --seed 1, --json FILE, and those of `audit` behind `--`:
... -- --minutes 30 --folds 5.

FOLDER is a project in which `dvc repro encode` was run, this one or a clone with other data. With names of sets it is
that of `benchmarks.photographs`; each is laid out in a clone, where `init` writes params.yaml. Train and val are
copied with mistakes in them, as many of each kind: left out, moved, of another class, and labelled twice. The copy is
audited in a temporary folder. Prints for each kind the mistakes planted, those found, and the doubts of this kind;
then the boxes, those with a mistake, and all doubts. With `--share 0` these tell how many of the boxes are doubted as
they are. Mistakes that were in the labels before count as wrong doubts.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.examples import ROOT, environment
from benchmarks.photographs import SETS, begin, lay_out
from humbleyolo.dataset.archive import ArchiveWriter, GroundTruth
from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.archived_split import ENDING, ArchivedSplit, begin_split
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.storage.array_types import Floats

KINDS = ("missing", "shifted", "swapped", "doubled")
SPLITS = ("train", "val")
_MATCH = 0.5  # IoU of a doubt's box with the planted one


@dataclass(frozen=True)
class Planted:
    """A mistake: its kind, and the box (4,) ltwh as it was before."""

    kind: str
    split: str
    image: str
    box: Floats


def choose(counts: dict[str, int], classes: int, share: float, seed: int) -> dict[str, dict[int, str]]:
    """Return the mistake of each box that gets one, by its number in each split.

    `counts` are the boxes of each split; a `share` of them is divided among the kinds. With one class none is given
    another.
    """
    kinds = [kind for kind in KINDS if kind != "swapped" or classes > 1]
    chosen: dict[str, dict[int, str]] = {}
    for number, (split, count) in enumerate(counts.items()):
        rows = np.random.default_rng([seed, number]).permutation(count)[: round(share * count)].tolist()
        chosen[split] = {row: kinds[place % len(kinds)] for place, row in enumerate(rows)}
    return chosen


def spoil(
    truth: GroundTruth, mistakes: dict[int, str], classes: int, rng: np.random.Generator
) -> tuple[list[Floats], list[int], list[dict[str, Any]]]:
    """Return boxes ltwh, classes and further fields of an image, with the mistakes, by the box's number in it."""
    boxes, labels, fields = [], [], []
    for row, (box, label) in enumerate(zip(truth.boxes_ltwh, truth.labels.tolist(), strict=True)):
        kind, size = mistakes.get(row), np.array([truth.width, truth.height])
        more = {
            key: truth.annotations[row][key] for key in ("iscrowd", "attributes") if key in truth.annotations[row]
        }
        new, named = box.copy(), label
        if kind == "missing":
            continue
        if kind == "shifted":
            new[:2] += rng.choice([-1, 1], 2) * rng.uniform(0.3, 0.5, 2) * box[2:]
        elif kind == "swapped":
            named = int((label + rng.integers(1, classes)) % classes)
        copies = [new]
        if kind == "doubled":
            copies.append(box + rng.uniform(-0.08, 0.08, 4) * np.tile(box[2:], 2))
        for one in copies:
            low = np.clip(one[:2], 0, size - 1)
            boxes.append(np.concatenate([low, np.maximum(np.minimum(one[:2] + one[2:], size) - low, 1)]))
            labels.append(named)
            fields.append(more)
    return boxes, labels, fields


def plant(project: Path, out: Path, share: float, seed: int) -> list[Planted]:
    """Write a copy of a project's train and val with mistakes, as archives and as arrays; return the mistakes."""
    (out / "data/dataset").mkdir(parents=True)
    shutil.copyfile(project / "params.yaml", out / "params.yaml")
    planted: list[Planted] = []
    with ArchivedSplit(project / "data/dataset/train") as archive:
        classes = len(archive.categories)
    chosen = choose(count_boxes(project), classes, share, seed)
    for number, split in enumerate(SPLITS):
        rng, first = np.random.default_rng([seed, number, 1]), 0
        folder = begin_split(out / f"data/dataset/{split}")
        with (
            ArchivedSplit(project / f"data/dataset/{split}") as archive,
            ArchiveWriter(folder / f"{ALL}{ENDING}", archive.categories) as writer,
        ):
            for image in archive:
                count = len(image.labels)
                own = {row: chosen[split][first + row] for row in range(count) if first + row in chosen[split]}
                first += count
                planted += [Planted(kind, split, image.file_name, image.boxes_ltwh[row]) for row, kind in own.items()]
                boxes, labels, fields = spoil(image, own, classes, rng)
                table = np.array(boxes).reshape(-1, 4)
                writer.add(image.file_name, image.image_bytes, image.height, image.width, table, labels, fields)
        known = open_encoded(project / f"data/grid/{split}")
        for _ in encode_split(folder, known.grid, known.fill, out / f"data/grid/{split}", 0):
            pass
    return planted


def count_boxes(project: Path) -> dict[str, int]:
    """Return the boxes of each split of a project's data."""
    counts = {}
    for split in SPLITS:
        with ArchivedSplit(project / f"data/dataset/{split}") as archive:
            counts[split] = sum(len(truth.labels) for truth in archive.truths())
    return counts


def score(planted: list[Planted], table: Path) -> dict[str, dict[str, int]]:
    """Return for each kind the mistakes planted, those found as this kind, those doubted at all, and the doubts.

    A doubt is about a mistake if it is of its image, and its labelled or found box lies on the mistake's.
    """
    with table.open(newline="", encoding="utf-8") as file:
        doubts = list(csv.DictReader(file))
    result = {kind: dict.fromkeys(("planted", "found", "doubted", "doubts"), 0) for kind in KINDS}
    for doubt in doubts:
        result.setdefault(doubt["kind"], dict.fromkeys(("planted", "found", "doubted", "doubts"), 0))["doubts"] += 1
    for mistake in planted:
        about = {
            doubt["kind"] for doubt in doubts
            if (doubt["split"], doubt["image"]) == (mistake.split, mistake.image) and _on(doubt, mistake.box)
        }  # fmt: skip
        result[mistake.kind]["planted"] += 1
        result[mistake.kind]["found"] += mistake.kind in about
        result[mistake.kind]["doubted"] += bool(about)
    return result


def _on(doubt: dict[str, str], box: Floats) -> bool:
    corners = ltwh_to_xyxy(box[None])
    for side in ("labelled", "found"):
        if doubt[f"{side}_xmin"]:
            own = np.array([[float(doubt[f"{side}_{edge}"]) for edge in ("xmin", "ymin", "xmax", "ymax")]])
            if pairwise_iou(own, corners)[0, 0] >= _MATCH:
                return True
    return False


def measure(project: Path, share: float, seed: int, options: list[str]) -> tuple[int, dict[str, dict[str, int]]]:
    """Plant mistakes in a copy of a project's data, audit it, and return its boxes, and what was found.

    Raises:
        SystemExit: If the audit fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        planted = plant(project, copy, share, seed)
        command = [sys.executable, "-m", "humbleyolo", "audit", *options, "--output", "audit"]
        if subprocess.run(command, cwd=copy, env=environment(ROOT)).returncode:
            raise SystemExit(f"error: the audit of {project} failed; see above")
        return sum(count_boxes(project).values()), score(planted, copy / "audit/audit.csv")


def encode(name: str, folder: Path, clone: Path, seed: int) -> None:
    """Lay a set of photographs out in a clone, and run the chain up to `encode`."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    lay_out(name, folder, clone / "data/labelled" / name)
    text = begin(clone, f"data/labelled/{name}", ["--minutes", "9"], {"seed": seed})
    (clone / "params.yaml").write_text(text)
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", "encode"]
    subprocess.run(command, cwd=clone, env=environment(clone), check=True)


def table(found: dict[str, dict[str, int]]) -> str:
    """Return the counts as a table in Markdown, with recall and precision."""
    lines = ["| Kind | Planted | Found | Found as any kind | Doubts | Recall | Precision |", f"|{'---|' * 7}"]
    for kind, one in found.items():
        counts = [str(one[key]) for key in ("planted", "found", "doubted", "doubts")]
        parts = [f"{one['found'] / one[key]:.2f}" if one[key] else "" for key in ("planted", "doubts")]
        lines.append(f"| {' | '.join([kind, *counts, *parts])} |")
    return "\n".join(lines)


def totals(boxes: int, found: dict[str, dict[str, int]]) -> str:
    """Return all boxes, mistakes and doubts, as numbers and as shares of the boxes."""
    planted, doubts = (sum(one[key] for one in found.values()) for key in ("planted", "doubts"))
    parts = [
        f"{number:,} {words} ({number / boxes:.1%})"
        for number, words in ((planted, "with a mistake"), (doubts, "doubts"))
    ]
    return "; ".join([f"{boxes:,} boxes", *parts])


def main() -> None:
    """Plant, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", metavar="set", help=", ".join(SETS))
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parsed, options = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]
    if not 0 <= parsed.share <= 0.5:
        parser.error(f"--share {parsed.share}: allowed: 0 to 0.5")
    if unknown := sorted(set(parsed.sets) - set(SETS)):
        parser.error(f"{unknown[0]}: no such set; allowed: {', '.join(SETS)}")
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in parsed.sets or [""]:
            project = Path(folder) / name if name else parsed.folder
            if name:
                encode(name, parsed.folder, project, parsed.seed)
            boxes, kinds = measure(project, parsed.share, parsed.seed, options)
            found[name] = {"boxes": boxes, **kinds}
            print(f"{name}\n\n{table(kinds)}\n\n{totals(boxes, kinds)}\n".lstrip())
    text = json.dumps({"share": parsed.share, "seed": parsed.seed, "found": found}, indent=1)
    print(text)
    if parsed.json:
        parsed.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
