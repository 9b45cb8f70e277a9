"""Train the detector and keep its best epoch.

Reads the encoded train and val splits and the sections `seed`, `runtime`, `model`, `loss` and `train` of params.yaml.
Writes `weights.npz`, `model.json` and `history.csv`, one row an epoch.
"""

import argparse
import time
from pathlib import Path

import pandas as pd

from humbleyolo.runtime import start_runtime  # before all else that imports TensorFlow

# isort: split
from humbleyolo.artifact import ModelInfo, save_model
from humbleyolo.encoded import EncodedSplit, open_encoded
from humbleyolo.errors import UserError, exit_with
from humbleyolo.files import atomic_write, make_folder
from humbleyolo.models.build import build_model
from humbleyolo.params import Loss, Model, Train, load_params
from humbleyolo.progress import TrainingProgress
from humbleyolo.training import Trained, Trainer, train_network


def train(
    seed: int, model: Model, loss: Loss, params: Train, data: EncodedSplit, val: EncodedSplit, out: Path
) -> Trained:
    """Train on `data`, choose the epoch on `val`, and write the model into `out`."""
    if params.batch > len(data):
        raise UserError(f"train.batch {params.batch} is more than the {len(data)} images of the train split")
    if (data.categories, data.grid, data.fill) != (val.categories, val.grid, val.fill):
        raise UserError("the train and val splits were encoded from other data; run `dvc repro encode`")
    try:
        network, average = (build_model(model, data.grid, seed) for _ in range(2))
    except ValueError as error:
        raise UserError(f"model.name {model.name} cannot be built for this grid: {error}") from None
    make_folder(out)
    trainer = Trainer(network, average, data, loss, params, seed)
    with TrainingProgress(params.epochs, trainer.steps_an_epoch, params.batch) as progress:
        trained = train_network(trainer, val, loss, params, progress.step, progress.epoch)
    save_model(out, ModelInfo(model, data.grid, data.categories, data.fill), trained.weights)
    with atomic_write(out / "history.csv") as file:
        pd.DataFrame(trained.history).to_csv(file, index=False, lineterminator="\n")
    return trained


def main() -> None:
    """Run the stage: `python -m stages.train <train split> <val split> <model>`."""
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    for name in ("train", "val", "out"):
        parser.add_argument(name, type=Path)
    paths = parser.parse_args()
    seed, runtime, model, loss, params = load_params(
        Path("params.yaml"), "seed", "runtime", "model", "loss", "train"
    )
    start_runtime(runtime)
    started = time.monotonic()
    trained = train(seed, model, loss, params, open_encoded(paths.train), open_encoded(paths.val), paths.out)
    ap = trained.history[trained.best_epoch - 1]["val_ap"]
    print(
        f"{model.name} trained into {paths.out} in {time.monotonic() - started:.1f} s; best of "
        f"{len(trained.history)} epochs is {trained.best_epoch}, "
        + ("the last: val has no objects" if ap is None else f"with AP {ap:.3f} on val")
    )


if __name__ == "__main__":
    exit_with(main)
