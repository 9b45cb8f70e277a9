"""Train the detector and keep its best epoch.

Reads the encoded train and val splits, the model to begin with if `train.start` is `own`, and the sections `seed`,
`runtime`, `model`, `loss` and `train` of params.yaml. Writes `augmented.png` before it trains, then `weights.npz`,
`model.json` and `history.csv`. A stopped run goes on from its checkpoint, which is no output.
"""

import sys
from pathlib import Path
from typing import Any

from humbleyolo.models.tensorflow_setup import start_runtime  # before all else that imports TensorFlow

# isort: split
from humbleyolo.dataset.encoded_split import join_splits, open_encoded
from humbleyolo.drawing.preview import write_changed
from humbleyolo.metrics.history import write_history
from humbleyolo.models.artifact import ModelInfo, save_model
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Loss, Model, Runtime, Train
from humbleyolo.pipeline.experiment_values import experiment_notes
from humbleyolo.pipeline.stage import Made, read_paths, run_stage
from humbleyolo.process.terminal import tell
from humbleyolo.storage.atomic import make_folder
from humbleyolo.training.checkpoint import Checkpoint, describe_run
from humbleyolo.training.loop import doubts, train_network
from humbleyolo.training.progress_bar import TrainingProgress
from humbleyolo.training.team import form_team
from humbleyolo.training.trainer import build_trainer

AP_NOTE = "val AP is of boxes before `evaluate` rounds them to whole pixels, if it does"


def train(
    seed: int, runtime: Runtime, model: Model, loss: Loss, train: Train, data: Path, val: Path, out: Path,
    kept: Path | None = None, start: Path | None = None,
) -> Made:  # fmt: skip
    """Train on `data`, choose the epoch on `val`, write into `out`; resume from `kept`, begin with model `start`."""
    both = join_splits(*(splits := (open_encoded(data), open_encoded(val))))
    sections: dict[str, Any] = {"seed": seed, "runtime": runtime, "model": model, "loss": loss, "train": train}
    with form_team((data, val), **sections) as team:
        trainer = build_trainer(**sections, data=both if train.include_val else splits[0], start=start)
        make_folder(out)
        images, objects = trainer.examples()
        write_changed(out / "augmented.png", images, *objects, both.categories)
        tell(f"{out / 'augmented.png'} shows the pictures as training changes them", AP_NOTE, to=sys.stderr)
        checkpoint = Checkpoint(kept, describe_run(splits, trainer.start, **sections)) if kept else None
        if team:
            team.lead(trainer)
        with TrainingProgress(train.epochs, trainer.steps_an_epoch, train.batch) as told:
            trained = train_network(trainer, splits[1], train, told.step, told.epoch, checkpoint, told.go_on)
    save_model(out, ModelInfo(model, both.grid, both.categories, both.fill, trainer.start), trained.weights)
    write_history(out / "history.csv", trained.history)
    if checkpoint:
        checkpoint.remove()
    epochs = f"epoch {trained.best_epoch} of {len(trained.history)} is kept, {trained.why}"
    warnings = doubts(trained, trainer.steps_an_epoch, train, splits[1].most_objects)
    return Made(f"{model.name} trained", out, epochs, warnings)


def main() -> Made:
    """Run `python -m stages.train --start <model> --checkpoint <file> <train split> <val split> <model>`."""
    paths = read_paths("train", __doc__, "train", "val", "out", "--start", "--checkpoint")
    seed, runtime, model, loss, params = load_params(Path("params.yaml"), "seed", "runtime", "model", "loss", "train")
    start_runtime(runtime)
    tell(*experiment_notes(Path("params.yaml")), to=sys.stderr)
    return train(seed, runtime, model, loss, params, paths.train, paths.val, paths.out, paths.checkpoint, paths.start)


if __name__ == "__main__":
    less = "raise train.micro_batches, or lower train.batch, model.width, or encode.height and encode.width"
    run_stage("train", main, less, sys.argv[2:3])
