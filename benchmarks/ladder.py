"""The ladder from the article's recipe to `compact`: python -m benchmarks.ladder [--seeds 1 2 3] [--table].

Each rung is a set of values of params.yaml, run by `dvc exp run -S` once per seed: images, weights and order are all
drawn anew. The results of each run are kept in docs/ladder.json, so that an interrupted ladder resumes. The tables in
docs/ladder.md are made of that file. A rung whose values here differ from those kept is run anew. The ladder changes
params.yaml, dvc.lock and the metrics: run it in a clone of its own. It refuses one with uncommitted changes.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGE = ROOT / "docs/ladder.json", ROOT / "docs/ladder.md"
EPOCHS = 5

Changes = dict[str, Any]

_ARTICLE: Changes = {
    "train.epochs": EPOCHS,
    "model.name": "humble",
    "model.humble.scale_pixels": False,
    "loss.name": "article",
    "loss.mistakes": ["size_from_prediction", "empty_untaught", "mixed_units", "iou_gradient"],
    "train.schedule": "inverse_time",
    "train.learning_rate": 0.001,
    "train.warmup_epochs": 0.0,
    "train.weight_decay": 0.0,
    "train.clip_norm": 0.0,
    "train.ema_decay": 0.0,
    "evaluate.whole_pixels": False,
}

# Steps, each on top of all before it.
STEPS: list[tuple[str, Changes]] = [
    ("the article's text, its mistakes included", _ARTICLE),
    ("the article's code: other mistakes", {"loss.mistakes": ["square_for_abs", "mixed_units", "iou_gradient"]}),
    ("IoU of true distances, in one unit", {"loss.mistakes": ["iou_gradient"]}),
    ("no gradient through the IoU: the loss is right", {"loss.mistakes": []}),
    ("pixels scaled to 0 to 1", {"model.humble.scale_pixels": True}),
    (
        "warm-up, cosine, weight decay, clipping",
        {
            "train.schedule": "cosine",
            "train.learning_rate": 0.003,
            "train.warmup_epochs": 1.0,
            "train.weight_decay": 0.0005,
            "train.clip_norm": 10.0,
        },
    ),
    ("BatchNorm", {"model.humble.batch_norm": True}),
    ("convolutional head", {"model.humble.head": "convolutional"}),
    ("network `compact`, learning rate 0.015", {"model.name": "compact", "train.learning_rate": 0.015}),
    ("IoU loss and cross-entropy", {"loss.name": "iou"}),
    ("moving average of the weights", {"train.ema_decay": 0.998}),
    ("boxes rounded to whole pixels", {"evaluate.whole_pixels": True}),
    ("20 epochs, warm-up 2: the default", {"train.epochs": 20, "train.warmup_epochs": 2.0}),
    ("augmentation: shifts of a tenth", {"train.augment.translate": 0.1}),
]


def _climb(until: str) -> Changes:
    """Return all values of the steps up to the one of this name."""
    total: Changes = {}
    for title, changes in STEPS:
        total |= changes
        if title == until:
            return total
    raise KeyError(until)


_RIGHT = _climb("network `compact`, learning rate 0.015")  # compact, with the article's loss put right
_TWO = {"encode.boxes": 2}
_LABELS = {
    "dataset.source": "labelled",
    "dataset.inputs": "data/labelled/article",
    "dataset.labelled.format": "article",
    "dataset.labelled.classes": ["chat", "rat"],
    "dataset.labelled.on_problem": "clip",
    "dataset.labelled.split.by": "lists",
}

# Each of the article's mistakes by itself, put back into a network that learns well.
MISTAKES: list[tuple[str, Changes]] = [
    ("the article's loss put right, `compact`", _RIGHT),
    ("sizes from the prediction (text)", _RIGHT | {"loss.mistakes": ["size_from_prediction"]}),
    ("empty cells untaught (text)", _RIGHT | {"loss.mistakes": ["empty_untaught"]}),
    ("square for abs (code)", _RIGHT | {"loss.mistakes": ["square_for_abs"]}),
    ("mixed units (both)", _RIGHT | {"loss.mistakes": ["mixed_units"]}),
    ("mixed units, square for abs (code)", _RIGHT | {"loss.mistakes": ["mixed_units", "square_for_abs"]}),
    ("gradient through the IoU (both)", _RIGHT | {"loss.mistakes": ["iou_gradient"]}),
    ("two boxes a cell, one responsible", _RIGHT | _TWO),
    ("two boxes a cell, none responsible (both)", _RIGHT | _TWO | {"loss.mistakes": ["none_responsible"]}),
    ("no suppression of overlaps (both)", _RIGHT | {"evaluate.nms_iou": 1.0}),
    ("labels of 6 pixels a letter, 10 high (generator)", _RIGHT | _LABELS),
]


def rungs() -> dict[str, Changes]:
    """Return every rung's values by its title."""
    return {title: _climb(title) for title, _ in STEPS} | dict(MISTAKES)


def run(changes: Changes, seed: int) -> dict[str, Any]:
    """Run a rung with one seed, and return its results.

    Raises:
        subprocess.CalledProcessError: If DVC fails; its output is shown.
    """
    subprocess.run(["git", "checkout", "--quiet", "params.yaml"], cwd=ROOT, check=True)
    if folder := changes.get("dataset.inputs"):
        shutil.rmtree(ROOT / folder, ignore_errors=True)
        draw = [sys.executable, "benchmarks/article_labels.py", folder, "--seed", str(seed)]
        subprocess.run(draw, cwd=ROOT, check=True)
    command = [sys.executable, "-m", "dvc", "exp", "run", "evaluate"]
    for key, value in ({"seed": seed} | changes).items():
        command += ["-S", f"{key}={_override(value)}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        done.check_returncode()
    return read_results(ROOT, done.stdout)


def read_results(project: Path, said: str) -> dict[str, Any]:
    """Return the results of a run of the chain in a project's folder; `said` is DVC's output."""
    metrics = json.loads((project / "data/evaluation/metrics.json").read_text())
    with np.load(project / "data/model/weights.npz", allow_pickle=False) as weights:
        parameters = sum(weights[name].size for name in weights.files if "moving_" not in name)
    seconds = re.search(r"trained into \S+ in ([\d.]+) s", said)
    return {
        "ap50": metrics["ap50"],
        "ap": metrics["ap"],
        "seconds": float(seconds[1]) if seconds else None,  # None: DVC had the model in its cache
        "parameters": int(parameters),
    }


def _override(value: Any) -> str:
    """Return a value as `-S` takes it."""
    return f"[{','.join(value)}]" if isinstance(value, list) else json.dumps(value)


def climb(seeds: list[int]) -> None:
    """Run the rungs that are missing, seed by seed, and keep each result at once."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    missing = [
        (title, changes, seed)
        for seed in seeds
        for title, changes in rungs().items()
        if str(seed) not in _still_true(results, title, changes)
    ]
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    if missing and changed:
        raise SystemExit(
            f"error: {ROOT}: has changes that are not committed, and some would be lost:\n{changed}make a clone: "
            "`git clone . ../ladder`, and run it there"
        )
    for title, changes, seed in tqdm(missing, unit=" runs"):
        runs = _still_true(results, title, changes) | {str(seed): run(changes, seed)}
        results[title] = {"runs": runs, "values": changes}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def _still_true(results: dict[str, Any], title: str, changes: Changes) -> dict[str, Any]:
    """Return a rung's runs, by seed, that were made with these values."""
    entry = results.get(title, {})
    runs: dict[str, Any] = entry["runs"] if entry.get("values") == changes else {}
    return runs


def table(titles: list[str], results: dict[str, Any], last_column: str, climbs: bool) -> list[str]:
    """Return a table as lines of Markdown: mean, and least to most of the seeds.

    Args:
        titles: Titles of the rungs.
        results: Content of docs/ladder.json.
        last_column: Heading of the last column.
        climbs: True to show the values that the rung above lacks; False: those that the first rung lacks.
    """
    if not titles:
        return []
    lines = [f"| Rung | AP50 | AP50:95 | Training, s | Parameters | {last_column} |", "|---|---|---|---|---|---|"]
    before: Changes = {}
    for title in titles:
        runs = list(results[title]["runs"].values())
        values = results[title]["values"]
        new = [f"`{key}={_override(value)}`" for key, value in values.items() if before.get(key, ...) != value]
        cells = [
            spread([one[key] for one in runs], digits) for key, digits in (("ap50", 3), ("ap", 3), ("seconds", 0))
        ]
        lines.append(f"| {title} | {' | '.join(cells)} | {runs[0]['parameters']:,} | {', '.join(new)} |")
        before = values if climbs or not before else before
    return lines


def spread(values: list[float | None], digits: int) -> str:
    """Return the mean of measurements as text, with the least and the most if there are several."""
    known = [value for value in values if value is not None]
    if not known:
        return "not measured"
    if len(known) == 1:
        return f"{known[0]:.{digits}f}"
    low, mean, high = (f"{f(known):.{digits}f}" for f in (min, statistics.mean, max))
    return f"{mean} ({low} to {high})"


def write_page() -> None:
    """Put both tables into docs/ladder.md."""
    PAGE.write_text(make_page(PAGE.read_text(), json.loads(RESULTS.read_text())))


def make_page(page: str, results: dict[str, Any]) -> str:
    """Return the page with both tables between their marks."""
    for mark, rungs, column in (
        ("steps", STEPS, "New in `params.yaml`"),
        ("mistakes", MISTAKES, "Other than in the first row"),
    ):
        titles = [title for title, _ in rungs if title in results]
        start, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
        head, rest = page.split(start)
        tail = rest.split(end)[1]
        rows = table(titles, results, column, climbs=rungs is STEPS)
        page = head + start + "\n".join(["", *rows, ""]) + "\n" + end + tail
    return page


def main() -> None:
    """Climb, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--table", action="store_true", help="only write the page from docs/ladder.json")
    parsed = parser.parse_args()
    if not parsed.table:
        climb(parsed.seeds)
    write_page()


if __name__ == "__main__":
    main()
