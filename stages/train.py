"""Train the detector and keep its best epoch.

Reads the encoded train and val splits and the sections `seed`, `runtime`, `model`, `loss` and `train` of params.yaml.
Writes `weights.npz`, `model.json` and `history.csv`, one row an epoch. A run that was stopped or killed goes on from
its checkpoint, a file that is no output and is removed at the end.
"""

import time
from contextlib import nullcontext
from pathlib import Path

from humbleyolo.models.tensorflow_setup import start_runtime  # before all else that imports TensorFlow

# isort: split
from humbleyolo.dataset.encoded_split import EncodedSplit, join_splits, open_encoded
from humbleyolo.models.artifact import ModelInfo, save_model
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Loss, Model, Runtime, Train
from humbleyolo.pipeline.stage import read_paths, run_stage
from humbleyolo.storage.atomic import make_folder
from humbleyolo.training.checkpoint import Checkpoint, describe_run
from humbleyolo.training.loop import Trained, build_trainer, train_network, write_history
from humbleyolo.training.progress import TrainingProgress


def train(
    seed: int,
    runtime: Runtime,
    model: Model,
    loss: Loss,
    params: Train,
    data: EncodedSplit,
    val: EncodedSplit,
    out: Path,
    kept: Path | None = None,
) -> Trained:
    """Train on `data`, choose the epoch on `val`, and write the model into `out`; `kept` is the checkpoint's file."""
    both = join_splits(data, val)
    trainer = build_trainer(seed, runtime, model, loss, params, both if params.include_val else data)
    make_folder(out)
    run = describe_run((data, val), seed=seed, runtime=runtime, model=model, loss=loss, train=params)
    checkpoint = Checkpoint(kept, run) if kept else None
    with (
        TrainingProgress(params.epochs, trainer.steps_an_epoch, params.batch) as progress,
        checkpoint.stop_when_kept() if checkpoint else nullcontext(),
    ):
        trained = train_network(
            trainer, val, params, progress.step, progress.epoch, checkpoint, progress.go_on
        )
    save_model(out, ModelInfo(model, data.grid, data.categories, data.fill), trained.weights)
    write_history(out / "history.csv", trained.history)
    if checkpoint:
        checkpoint.remove()
    return trained


def main() -> Path:
    """Run `python -m stages.train --checkpoint <file> <train split> <val split> <model>`; return the last."""
    paths = read_paths("train", __doc__, "train", "val", "out", "--checkpoint")
    seed, runtime, model, loss, params = load_params(
        Path("params.yaml"), "seed", "runtime", "model", "loss", "train"
    )
    start_runtime(runtime)
    started = time.monotonic()
    splits = (open_encoded(paths.train), open_encoded(paths.val))
    trained = train(seed, runtime, model, loss, params, *splits, paths.out, paths.checkpoint)
    print(
        f"{model.name} trained into {paths.out} in {time.monotonic() - started:.1f} s; kept of "
        f"{len(trained.history)} epochs is {trained.best_epoch}, {trained.why}"
    )
    return Path(paths.out)


if __name__ == "__main__":
    run_stage("train", main, less_memory="lower train.batch, model.width, or encode.height and encode.width")
