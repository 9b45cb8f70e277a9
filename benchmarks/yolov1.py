"""Train the 2015 paper's network for some steps: python -m benchmarks.yolov1 [--steps 40] [--batch 8] [--width 1.0].

Lays examples/yolov1.yaml over params.yaml, draws and encodes as many images as the steps need, and trains on each
once. Prints the loss, term by term, as a mean over each quarter of the steps. Then come the parameters, the seconds
of a step (the median; the first, which compiles, apart), and the peak of the memory. Optimizer, moving average and
augmentation are the example's. The rate rises over the first quarter, since an epoch would be too long.
"""

import argparse
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from humbleyolo.models.tensorflow_setup import start_runtime

# isort: split
import numpy as np
from tqdm import tqdm

from benchmarks.examples import prepare
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.params.loader import load_params
from humbleyolo.training.trainer import build_trainer
from stages.encode import encode
from stages.generate import generate

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    changes = {
        "dataset.synthetic.images.train": options.steps * options.batch,
        "dataset.synthetic.images.val": 1,
        "dataset.synthetic.images.test": 1,
        "model.width": options.width,
        "train.epochs": 1,
        "train.batch": options.batch,
        "train.warmup_epochs": 0.25,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
        shutil.copytree(ROOT / "examples", folder / "examples")
        prepare(folder, "yolov1", options.seed, changes)
        seed, runtime, dataset, encoding, model, loss, train = load_params(
            folder / "params.yaml", "seed", "runtime", "dataset", "encode", "model", "loss", "train"
        )
        start_runtime(runtime)
        generate(seed, dataset, ROOT / dataset.inputs, folder / "dataset")
        encode(encoding, loss.cells, folder / "dataset", folder / "grid")
        trainer = build_trainer(seed, runtime, model, loss, train, open_encoded(folder / "grid/train"))
        terms, seconds, started = [], [], time.perf_counter()
        for step in tqdm(trainer.run_epoch(0), total=options.steps, unit=" steps"):
            terms.append(step)
            seconds.append(time.perf_counter() - started)
            started = time.perf_counter()
    parts = np.array_split(np.arange(options.steps), min(4, options.steps))
    print(f"| Steps | {' | '.join(trainer.term_names)} | total |\n|---|{'---|' * (len(trainer.term_names) + 1)}")
    for part in parts:
        means = np.array(terms)[part].mean(axis=0)
        print(f"| {part[0] + 1} to {part[-1] + 1} | {' | '.join(f'{mean:.3f}' for mean in [*means, means.sum()])} |")
    parameters = sum(values.size for values in trainer.weights().values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{parameters:,} parameters; a step of {options.batch} images {statistics.median(seconds[1:]):.1f} s")
    print(f"(the first {seconds[0]:.1f} s); peak memory {peak:.1f} GiB")


if __name__ == "__main__":
    main()
