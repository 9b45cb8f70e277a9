"""Measure speed and memory of the whole chain: python -m benchmarks.pipeline [--repetitions 3] [--json FILE].

With the default parameters, each measurement in a process of its own:

    stages      each stage as DVC starts it, its start included, at 1x and 10x the images: images/s, seconds, and peak
                memory: mib of its largest process, pages of memory-mapped files included, which the system takes back
                at need; own_mib without them, of all its processes together
    step, loop  images/s of the training step alone, on a batch at hand, and of the loop that also reads and prepares
                batches; without augmentation, and with shifts, scales and colours
    startup     seconds until the first step is done: imports, networks built, the step compiled and run
    latency     one image, from its pixels to its boxes, in milliseconds
    goal        seconds of training, start of the loop to the end of the epoch, until AP on val is 0.5, 0.85, 0.93;
                each repetition with a seed of its own, on the same images

Prints a table, and every figure of every repetition as JSON, to a file where one is named. Run it on a machine that
does nothing else.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("generate", "encode", "train", "evaluate", "render")
GOALS = (0.5, 0.85, 0.93)
_AUGMENT = {"translate": 0.1, "scale": 0.2, "brightness": 0.1, "contrast": 0.2, "saturation": 0.2, "hue": 0.02}


def make_project(folder: Path, times: int, epochs: int) -> Path:
    """Write a params.yaml for a multiple of the default's images, and another number of epochs."""
    yaml = YAML()
    values = yaml.load((ROOT / "params.yaml").read_text())
    images = values["dataset"]["synthetic"]["images"]
    for split in images:
        images[split] *= times
    values["train"]["epochs"] = epochs
    values["train"]["warmup_epochs"] = 0.0
    values["dataset"]["inputs"] = str(ROOT / values["dataset"]["inputs"])
    yaml.dump(values, folder / "params.yaml")
    return folder


def run_stages(folder: Path) -> dict[str, dict[str, float]]:
    """Run each stage of dvc.yaml in a project's folder; return images/s, seconds and MiB of each."""
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    dataset = YAML(typ="safe").load((folder / "params.yaml").read_text())["dataset"]
    inputs, images = dataset["inputs"], dataset["synthetic"]["images"]
    seen = {
        "generate": sum(images.values()),
        "encode": sum(images.values()),
        "train": images["train"],
        "evaluate": images["val"] + images["test"],
        "render": images["test"],
    }
    measured = {}
    for name in STAGES:
        command = [word.replace("${dataset.inputs}", inputs) for word in stages[name]["cmd"].split()]
        for out in command[3:]:
            (folder / out).parent.mkdir(parents=True, exist_ok=True)
        log = folder / f"{name}.log"
        with log.open("w") as said:
            started = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *command[1:]],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            own, ended = 0.0, 0
            while not ended:
                own = max(own, own_memory(process.pid))
                time.sleep(0.02)
                ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if status:
            raise SystemExit(f"{log.read_text()}stage {name} failed")
        seconds = time.perf_counter() - started
        measured[name] = {
            "images_s": seen[name] / seconds,
            "seconds": seconds,
            "mib": used.ru_maxrss / 1024,
            "own_mib": own,
        }
    return measured


def own_memory(pid: int) -> float:
    """Return the MiB that a process and its children have now and that are no file's (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return 0.0
    anonymous = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    return (int(anonymous[1]) / 1024 if anonymous else 0.0) + sum(own_memory(int(child)) for child in children)


def measure_stages(times: int) -> dict[str, Any]:
    """Run the chain once on a multiple of the default's images, for one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        return run_stages(make_project(Path(folder), times, epochs=1))


def _start(seed: int | None = None, **changes: Any) -> Any:
    """Return a trainer on freshly drawn data, the val split, and the section `train`."""
    from humbleyolo.models.tensorflow_setup import start_runtime
    from humbleyolo.params.loader import load_params

    sections = ("seed", "runtime", "model", "loss", "train")
    own, runtime, model, loss, train = load_params(ROOT / "params.yaml", *sections)
    seed = own if seed is None else seed
    start_runtime(runtime)
    from humbleyolo.dataset.encoded_split import open_encoded
    from humbleyolo.training.trainer import build_trainer

    train = train.model_copy(update=changes)
    grid = Path(os.environ["BENCHMARK_GRID"])
    data, val = open_encoded(grid / "train"), open_encoded(grid / "val")
    return build_trainer(seed, runtime, model, loss, train, data), data, val, train


def measure_step(augmented: bool) -> dict[str, float]:
    """Return images/s of the step alone and of the loop, in turn, so that both see the same machine."""
    from humbleyolo.params.sections import Augment

    strengths = {name: _AUGMENT.get(name, 0.0) if augmented else 0.0 for name in Augment.model_fields}
    trainer, _, _, train = _start(augment=Augment(**strengths))
    loop = trainer.run_epoch(0)
    next(loop)  # compiles
    batch = list(trainer.parts(0, np.arange(train.batch)))
    seconds: dict[str, list[float]] = {"step": [], "loop": []}
    for step in range(min(70, trainer.steps_an_epoch - 1)):
        for name in seconds:
            started = time.perf_counter()
            trainer.step(step, batch) if name == "step" else next(loop)
            seconds[name].append(time.perf_counter() - started)
    speed = {name: train.batch / statistics.median(values) for name, values in seconds.items()}
    return {
        "step_images_s": speed["step"],
        "loop_images_s": speed["loop"],
        "loop_of_step": speed["loop"] / speed["step"],
    }


def measure_startup() -> dict[str, float]:
    """Return the seconds from the start of the program's work to the end of the first training step, part by part."""
    started = time.perf_counter()
    from humbleyolo.models.build import build_model  # noqa: F401 - the import is what is measured
    from humbleyolo.training.trainer import Trainer  # noqa: F401

    imported = time.perf_counter()
    trainer, _, _, _ = _start()
    built = time.perf_counter()
    next(trainer.run_epoch(0))
    ended = time.perf_counter()
    return {"import_s": imported - started, "build_s": built - imported, "first_step_s": ended - built}


def measure_latency() -> dict[str, float]:
    """Return milliseconds from one image's pixels to its boxes: median and 95 %."""
    from humbleyolo.models.selection import Selection
    from humbleyolo.models.trained_network import select_detections

    trainer, _, val, _ = _start()
    selection = Selection(0.01, 0.5, 100)
    times = []
    for image in np.asarray(val.images[:210]):
        started = time.perf_counter()
        select_detections(trainer.predict(image[None]), val.grid, selection)
        times.append(1000 * (time.perf_counter() - started))
    return {"median_ms": float(np.median(times[10:])), "p95_ms": float(np.quantile(times[10:], 0.95))}


def measure_goals(seed: int) -> dict[str, float | None]:
    """Train with the default parameters; return the seconds until each AP on val, None where it is not reached."""
    from humbleyolo.training.loop import train_network

    trainer, _, val, train = _start(seed)
    reached: dict[str, float | None] = {f"ap_{goal}_s": None for goal in GOALS}
    started = time.perf_counter()

    def note(row: Any) -> None:
        for goal in GOALS:
            if row["val_ap"] >= goal and reached[f"ap_{goal}_s"] is None:
                reached[f"ap_{goal}_s"] = time.perf_counter() - started

    trained = train_network(trainer, val, train, lambda *_: None, note)
    return reached | {
        "all_s": time.perf_counter() - started,
        "val_ap": trained.history[trained.best_epoch - 1]["val_ap"],
    }


MEASUREMENTS = {
    "stages 1x": lambda _: measure_stages(1),
    "stages 10x": lambda _: measure_stages(10),
    "training": lambda _: measure_step(augmented=False),
    "training, augmented": lambda _: measure_step(augmented=True),
    "startup": lambda _: measure_startup(),
    "latency": lambda _: measure_latency(),
    "goal": lambda number: measure_goals(seed=number + 1),
}


def repeat(name: str, repetitions: int, grid: Path) -> list[dict[str, Any]]:
    """Return what each repetition of a measurement gave, each from a process of its own."""
    command = [sys.executable, __file__, "--only", name, "--number"]
    environment = {**os.environ, "BENCHMARK_GRID": str(grid), "PYTHONPATH": str(ROOT)}
    results = []
    for number in range(repetitions):
        done = subprocess.run([*command, str(number)], env=environment, stdout=subprocess.PIPE, check=True)
        results.append(json.loads(done.stdout))
    return results


def flatten(result: dict[str, Any], before: str = "") -> dict[str, float]:
    """Return nested figures under dotted names."""
    flat: dict[str, float] = {}
    for key, value in result.items():
        flat |= flatten(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return flat


def table(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return every figure's median, least and most as lines of Markdown."""
    lines = ["| Measurement | Figure | Median | Least | Most |", "|---|---|---|---|---|"]
    for name, repetitions in results.items():
        flat = [flatten(one) for one in repetitions]
        for figure in flat[0]:
            values = [one[figure] for one in flat if one[figure] is not None]
            numbers = [f(values) for f in (statistics.median, min, max)] if values else []
            cells = [f"{number:,.3g}" if number < 100 else f"{number:,.0f}" for number in numbers]
            lines.append(f"| {name} | {figure} | {' | '.join(cells or ['not reached'] * 3)} |")
    return lines


def main() -> None:
    """Measure everything, or one thing for a process that asks for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the JSON there; without it, it is printed")
    parser.add_argument("--measure", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    parser.add_argument("--only", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.only:
        print(json.dumps(MEASUREMENTS[parsed.only](parsed.number)))
        return
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder), 1, epochs=1)
        run_stages(project)
        results = {name: repeat(name, parsed.repetitions, project / "data/grid") for name in tqdm(parsed.measure)}
    print("\n".join(table(results)))
    machine = {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    text = json.dumps({"machine": machine, "results": results}, indent=1) + "\n"
    if parsed.json:
        parsed.json.write_text(text)
    else:
        print(f"\n{text}", end="")


if __name__ == "__main__":
    main()
