"""Measure the metrics of the files in `examples`, with three seeds: python -m benchmarks.examples hard [bccd ...].

Options: --seeds 1 2 3, --set train.epochs=3 ... (other values than the file's), --json FILE, --start MODEL (the
folder of a model that training begins with).

Each file is laid over params.yaml in a clone of its own, where DVC runs the chain up to `evaluate` once per
seed. Prints AP and AP50 on test, the seconds of `train` without its start, and the number of parameters: mean, least
and most. Then prints every run as JSON. A labelled folder that a file names is taken from this checkout. Changes that
are not committed are not measured.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tqdm import tqdm

from benchmarks.ladder import read_results, spread
from humbleyolo.params.keys import kind_of
from humbleyolo.params.loader import load_params, read_text
from humbleyolo.params.overlay import lay_over
from humbleyolo.params.yaml_edits import YamlText, one_line

ROOT = Path(__file__).resolve().parent.parent


def clone_here(clone: Path, start: Path | None) -> None:
    """Clone this repository, and put the model of another training where `train.start: own` finds it."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    if start:
        for name in ("model.json", "weights.npz"):
            shutil.copyfile(start / name, clone / "data/start" / name)


def prepare(clone: Path, example: str, seed: int, changes: dict[str, Any]) -> None:
    """Lay an example, a seed and other values over a clone's params.yaml, and bring the labelled folder."""
    file, source = clone / "params.yaml", clone / "examples" / f"{example}.yaml"
    text, _ = lay_over(read_text(file), str(file), read_text(source), str(source))
    file.write_text(with_values(text, {"seed": seed, **changes}))
    (dataset,) = load_params(file, "dataset")
    inputs = Path(dataset.inputs)
    if not (clone / inputs).exists():
        if not (ROOT / inputs).exists():
            raise SystemExit(f"error: {ROOT / inputs}: no such folder; see the head of examples/{example}.yaml")
        (clone / inputs).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / inputs).is_dir() else shutil.copyfile
        copy(ROOT / inputs, clone / inputs)


def with_values(text: str, changes: dict[str, Any]) -> str:
    """Return the text of params.yaml with other values, by dotted key.

    Raises:
        SystemExit: If a key does not exist.
    """
    for key in changes:
        if kind_of(tuple(key.split("."))) is None:
            raise SystemExit(f"error: --set {key}: no such key in params.yaml")
    values = {tuple(key.split(".")): one_line(value) for key, value in changes.items()}
    return YamlText(text, "params.yaml").replace(values)


def environment(clone: Path) -> dict[str, str]:
    """Return the environment for programs in a clone: this one's, with the clone's own package."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(clone / "src")}


def run(clone: Path) -> dict[str, Any]:
    """Run the chain, and return its metrics.

    Raises:
        SystemExit: If DVC fails; its output is shown.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "evaluate"],
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}\nerror: dvc repro failed")
    return read_results(clone, done.stdout)


def parse_options(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Add the options of all such measurements, and return the arguments and the values of `--set`."""
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--start", type=Path, metavar="MODEL")
    parsed = parser.parse_args()
    if wrong := [change for change in parsed.changes if "=" not in change]:
        parser.error(f"--set {wrong[0]}: expected KEY=VALUE")
    yaml = YAML(typ="safe", pure=True)
    begun = {"train.start": "own"} if parsed.start else {}
    asked = {key: yaml.load(value) for key, value in (change.split("=", 1) for change in parsed.changes)}
    return parsed, begun | asked


def print_runs(found: dict[str, dict[int, Any]], changes: dict[str, Any], file: Path | None) -> None:
    """Print every run as JSON, and write it if there is a file for it."""
    text = json.dumps(
        {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "changes": changes, "runs": found}, indent=1
    )
    print(text)
    if file:
        file.write_text(text + "\n")


def main() -> None:
    """Run, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    allowed = sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))
    parser.add_argument("examples", nargs="+", choices=allowed)
    parsed, changes = parse_options(parser)
    found: dict[str, dict[int, Any]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=len(parsed.examples) * len(parsed.seeds), unit=" runs", disable=None) as bar,
    ):
        for example in parsed.examples:
            clone = Path(folder) / example
            clone_here(clone, parsed.start)
            found[example] = {}
            for seed in parsed.seeds:
                prepare(clone, example, seed, changes)
                found[example][seed] = run(clone)
                bar.update()
    print("| Example | AP50 | AP50:95 | Training, s | Parameters |\n|---|---|---|---|---|")
    for example, runs in found.items():
        cells = [
            spread([one[key] for one in runs.values()], digits)
            for key, digits in (("ap50", 3), ("ap", 3), ("seconds", 0))
        ]
        parameters = next(iter(runs.values()))["parameters"]
        print(f"| `examples/{example}` | {' | '.join(cells)} | {parameters:,} |")
    print_runs(found, changes, parsed.json)


if __name__ == "__main__":
    main()
