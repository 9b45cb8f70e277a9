"""Small splits, and networks in training on them."""

from pathlib import Path

import keras
import numpy as np
from repository import ROOT
from ruamel.yaml import YAML
from sections import loss_section, model_section
from split_writer import write_split

from humbleyolo.dataset.encoded_split import EncodedSplit, open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.build import build_model
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Model, Train
from humbleyolo.storage.png import encode_png
from humbleyolo.training.planned_runs import RunSettings
from humbleyolo.training.trainer import Trainer

ODD = Grid(height=48, width=80, rows=3, cols=5, boxes=1, classes=2)
TINY = Grid(height=16, width=24, rows=1, cols=2, boxes=1, classes=2)  # `humble` trains on it in no time
PLAIN = load_params(ROOT / "params.yaml", "train")[0].model_copy(
    update={"epochs": 3, "batch": 4, "learning_rate": 0.01, "final_learning_rate": 0.0005,
            "warmup_epochs": 1.0, "weight_decay": 0.0, "clip_norm": 10.0, "ema_decay": 0.5, "patience": 0}
)  # fmt: skip
IOU = loss_section("iou")
HUMBLE = model_section("humble")
RUN = RunSettings(
    1,
    *load_params(ROOT / "params.yaml", "runtime"),
    HUMBLE,
    IOU,
    PLAIN,
    *load_params(ROOT / "params.yaml", "evaluate"),
)


def draw_split(folder: Path, grid: Grid, images: int, objects: int = 2) -> EncodedSplit:
    """Bright rectangles on black, wide ones of class 0 and high ones of class 1, each in a cell of its own."""
    rng = np.random.default_rng(images)
    down, across = grid.height // grid.rows, grid.width // grid.cols
    with write_split(folder / "split", ["wide", "high"]) as archive:
        for number in range(images):
            pixels = np.zeros((grid.height, grid.width, 3), np.uint8)
            boxes, labels = [], []
            for cell in rng.choice(grid.rows * grid.cols, objects, replace=False).tolist():
                label = int(rng.integers(2))
                height, width = (across // 4, across // 2)[:: 1 if label == 0 else -1]
                top = cell // grid.cols * down + int(rng.integers(down - height))
                left = cell % grid.cols * across + int(rng.integers(across - width))
                pixels[top : top + height, left : left + width] = 255
                boxes.append([left, top, width, height])
                labels.append(label)
            archive.add(f"{number:03}.png", encode_png(pixels), grid.height, grid.width, boxes, labels)
    list(encode_split(folder / "split", grid, 0, folder / "grid", 0))
    return open_encoded(folder / "grid")


def encode_noise(folder: Path, grid: Grid, images: int, classes: tuple[str, ...] = ("chat", "rat")) -> Path:
    """Noise with one box an image as large as the grid, encoded into `folder`."""
    rng = np.random.default_rng(images)
    archives = folder.with_name(f"{folder.name}-archives")
    with write_split(archives, classes) as archive:
        for number in range(images):
            pixels = rng.integers(0, 256, (grid.height, grid.width), np.uint8)
            archive.add(f"{number:03}.png", encode_png(pixels), grid.height, grid.width, [[2, 3, 8, 6]], [number % 2])
    list(encode_split(archives, grid, 7, folder, 0))
    return folder


def write_params(folder: Path, **values: object) -> None:
    """The project's params.yaml with other values: `train__epochs=2` is train.epochs."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key, value in values.items():
        section, name = key.split("__")
        params[section][name] = value
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


def stateful() -> keras.Model:
    """All that has a state: normalization, and dropout with a seed of its own."""
    layers = keras.layers
    seeds = keras.initializers.GlorotUniform
    x = images = keras.Input((TINY.height, TINY.width, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255, name="scale")(x)
    x = layers.Conv2D(4, 3, strides=4, kernel_initializer=seeds(1), name="conv")(x)
    x = layers.BatchNormalization(momentum=0.5, name="norm")(x)
    x = layers.Dropout(0.3, seed=5, name="dropout")(x)
    x = layers.Dense(int(np.prod(TINY.shape)), kernel_initializer=seeds(2), name="out")(
        layers.Flatten(name="flat")(x)
    )
    return keras.Model(
        images, layers.Activation("sigmoid", name="sigmoid")(layers.Reshape(TINY.shape, name="grid")(x))
    )


def start(split: EncodedSplit, model: Model = HUMBLE, train: Train = PLAIN, seed: int = 1) -> Trainer:
    network, average = (build_model(model, split.grid, seed) for _ in range(2))
    return Trainer(network, average, split, IOU, train, seed)
