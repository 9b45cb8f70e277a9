"""The 2015 paper's network, layer by layer."""

from types import SimpleNamespace

import numpy as np
import pytest
from sections import loss_section
from small_training import PLAIN

from humbleyolo.geometry.grid import Grid
from humbleyolo.models.yolov1 import yolov1
from humbleyolo.params.sections import Augment
from humbleyolo.training.trainer import Trainer

PAPER = Grid(448, 448, 7, 7, 2, 20)

# Figure 3 of Redmon et al. 2016, read from left to right: kernel, channels in, channels out, side of the output.
FIGURE_3 = [
    (7, 3, 64, 224),
    (3, 64, 192, 112),
    (1, 192, 128, 56), (3, 128, 256, 56), (1, 256, 256, 56), (3, 256, 512, 56),
    (1, 512, 256, 28), (3, 256, 512, 28), (1, 512, 256, 28), (3, 256, 512, 28),
    (1, 512, 256, 28), (3, 256, 512, 28), (1, 512, 256, 28), (3, 256, 512, 28),
    (1, 512, 512, 28), (3, 512, 1024, 28),
    (1, 1024, 512, 14), (3, 512, 1024, 14), (1, 1024, 512, 14), (3, 512, 1024, 14),
    (3, 1024, 1024, 14), (3, 1024, 1024, 7),
    (3, 1024, 1024, 7), (3, 1024, 1024, 7),
]  # fmt: skip


def one_step(width: float, grid: Grid) -> np.ndarray:
    """Train one step on noise and return the change of the first kernel."""
    names = tuple(f"class {number}" for number in range(grid.classes))
    images = np.random.default_rng(0).integers(0, 256, (2, grid.height, grid.width, 3), np.uint8)
    targets = np.zeros((2, *grid.shape), np.float32)
    targets[:, 1, 1, 0] = targets[:, 1, 1, grid.classes : grid.classes + 5] = 0.5
    data = SimpleNamespace(images=images, targets=targets, grid=grid, categories=names, __len__=lambda: 2)
    data = type("Data", (), {**vars(data), "__len__": lambda self: 2})()
    network, average = yolov1(grid, width, 0), yolov1(grid, width, 0)
    loss = loss_section("yolov1")
    train = PLAIN.model_copy(
        update={
            "epochs": 1, "batch": 2, "learning_rate": 0.001, "final_learning_rate": 0.0, "warmup_epochs": 0.0,
            "weight_decay": 0.0005, "ema_decay": 0.0,
            "augment": Augment(**dict.fromkeys(Augment.model_fields, 0.0)),
        }
    )  # fmt: skip
    before = network.get_layer("conv1").get_weights()[0]
    (terms,) = Trainer(network, average, data, loss, train, seed=0).run_epoch(0)
    assert np.isfinite(terms).all()
    return network.get_layer("conv1").get_weights()[0] - before


def test_has_the_papers_layers() -> None:
    """At a sixteenth of the width, so that it is quick: kernels, channels and sides are the figure's."""
    network = yolov1(PAPER, 1 / 16, 0)
    layers = [layer for layer in network.layers if layer.name.startswith("conv")]
    assert len(layers) == len(FIGURE_3) == 24
    for layer, (kernel, channels_in, channels_out, _) in zip(layers, FIGURE_3, strict=True):
        channels_in = channels_in if channels_in == 3 else channels_in // 16
        assert layer.kernel.shape == (kernel, kernel, channels_in, channels_out // 16), layer.name
    pooled = [layer.output.shape[1] for layer in network.layers if layer.name.startswith("pool")]
    assert pooled == [112, 56, 28, 14]
    assert [network.get_layer(f"conv{n}").output.shape[1] for n in (1, 21, 22, 24)] == [224, 14, 7, 7]
    assert network.output.shape == (None, 7, 7, 30)


def test_the_output_is_linear_and_the_last_layer_wide_enough() -> None:
    network = yolov1(PAPER, 1 / 16, 0)
    assert network.get_layer("dense2").activation.__name__ == "linear"
    assert network.get_layer("dense2").units == 7 * 7 * 30


@pytest.mark.slow
def test_trains_a_step_at_reduced_width() -> None:
    assert np.abs(one_step(1 / 32, Grid(128, 192, 2, 3, 2, 3))).max() > 0


@pytest.mark.parametrize(("height", "width"), [(100, 64), (64, 96)])
def test_refuses_images_it_cannot_halve_six_times(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="multiples of 64"):
        yolov1(Grid(height, width, 2, 2, 2, 3), 1 / 32, 0)


@pytest.mark.slow
def test_has_the_papers_parameters() -> None:
    """Each layer has kernel^2 x in x out weights and a bias an output; two dense layers follow.

    `benchmarks/yolov1.py` trains it at this size: 5 GiB and half a minute a step are too much for a test.
    """
    network = yolov1(PAPER, 1.0, 0)
    for number, (kernel, channels_in, channels_out, _) in enumerate(FIGURE_3, 1):
        count = network.get_layer(f"conv{number}").count_params()
        assert count == kernel**2 * channels_in * channels_out + channels_out
    assert network.get_layer("dense1").count_params() == 7 * 7 * 1024 * 4096 + 4096
    assert network.get_layer("dense2").count_params() == 4096 * 1470 + 1470
    assert network.count_params() == 271_703_550
